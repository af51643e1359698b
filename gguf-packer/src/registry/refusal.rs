//! What a registry's refusal means to a person, and what to do about it.

use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde::Deserialize;

use super::Session;
use crate::Error;

/// Bytes of a refusal that are read.
const MOST: u64 = 64 << 10;

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    errors: Vec<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// Explains an answer that is none to what was asked.
pub(super) fn of(session: &Session<'_>, response: Response) -> Error {
    let status = response.status();
    let body = session.client.http.body(response, MOST).unwrap_or_default();
    let told: Option<Told> = serde_json::from_slice(&body).ok();
    let reasons = told.map(|told| told.errors).unwrap_or_default();
    let code = reasons.first().map(|reason| reason.code.as_str()).unwrap_or_default();
    let line = |reason: &Reason| match (reason.code.as_str(), reason.message.trim()) {
        (code, "") => code.to_owned(),
        (code, message) => format!("{code}: {message}"),
    };
    let lines: Vec<String> = reasons.iter().map(line).collect();
    explained(session, status, code).log(lines)
}

fn explained(session: &Session<'_>, status: StatusCode, code: &str) -> Error {
    let what = if session.push { "push" } else { "pull" };
    let (name, registry) = (session.name, session.registry());
    let login = format!("log in: gguf-packer login {registry}");
    match status {
        StatusCode::UNAUTHORIZED if session.client.has_credentials(session.name) => {
            Error::refused(format!("{registry} rejected the stored credentials for `{name}`"))
                .hint(login)
                .hint("or check the name: it may not exist")
        }
        StatusCode::UNAUTHORIZED => Error::refused(format!(
            "access to `{name}` denied: it does not exist, or {registry} requires a login"
        ))
        .hint("check the name")
        .hint(login),
        StatusCode::FORBIDDEN => {
            Error::refused(format!("access denied: you may not {what} `{name}` at {registry}"))
                .hint(format!("log in as a user who may: gguf-packer login {registry}"))
        }
        StatusCode::NOT_FOUND if code == "NAME_UNKNOWN" => {
            let repository = name.repository();
            Error::missing(format!(
                "{registry} has no repository `{repository}`: cannot {what} `{name}`"
            ))
            .hint("check the name")
        }
        StatusCode::NOT_FOUND => Error::missing(format!("{registry} does not have `{name}`"))
            .hint("check the name and the tag"),
        StatusCode::TOO_MANY_REQUESTS => Error::network(format!(
            "{registry} limits the rate of requests: cannot {what} `{name}`"
        ))
        .hint("wait, then run the same command again: it resumes where it stopped")
        .hint(login),
        _ if status.is_server_error() => Error::network(format!(
            "{registry} repeatedly answered {status}: cannot {what} `{name}`"
        ))
        .hint("run the same command again later: it resumes where it stopped"),
        _ => Error::network(format!("{registry} answered {status}: cannot {what} `{name}`")),
    }
}

/// The registry asks to wait longer than anybody would.
pub(super) fn too_long(session: &Session<'_>, wait: Duration) -> Error {
    let (name, registry) = (session.name, session.registry());
    let wait = humantime::format_duration(Duration::from_secs(wait.as_secs()));
    Error::network(format!("{registry} limits the rate of requests: `{name}` must wait {wait}"))
        .hint("wait, then run the same command again: it resumes where it stopped")
        .hint(format!("log in, which may raise the limit: gguf-packer login {registry}"))
}

/// The registry went away.
pub(super) fn gone(session: &Session<'_>, why: &str) -> Error {
    let (what, registry) = (session.what(), session.registry());
    Error::network(format!("cannot {what}: {registry} does not answer: {why}"))
        .hint("check the network, then run the same command again: it resumes where it stopped")
}
