//! What a registry's refusal means to a person, and what to do about it.

use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde::Deserialize;

use super::Session;
use crate::Error;

/// Bytes of a refusal that are read.
const MOST: u64 = 64 << 10;

/// Characters that are shown of a refusal that is no JSON.
const SHOWN: usize = 200;

const SET_TOKEN: &str = "set an access token: HF_TOKEN=hf_…";

/// Registries answer with a list, Hugging Face and some token servers with a text.
#[derive(Default, Deserialize)]
struct Told {
    #[serde(default)]
    errors: Vec<Reason>,
    error: Option<String>,
    details: Option<String>,
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
    let mut lines = reasons(session, response);
    if session.name.is_hugging_face() {
        return of_hugging_face(session, status, lines);
    }
    if status == StatusCode::UNAUTHORIZED {
        lines.extend(session.client.tokens.refusal(session.registry()));
    }
    explained(session, status, &lines).log(lines)
}

/// The reasons that a refusal gives, a line each.
pub(super) fn reasons(session: &Session<'_>, response: Response) -> Vec<String> {
    let body = session.client.http.body(response, MOST).unwrap_or_default();
    let Ok(told) = serde_json::from_slice::<Told>(&body) else {
        let text = String::from_utf8_lossy(&body);
        let text: String = text.trim().chars().take(SHOWN).collect();
        let is_page = text.is_empty() || text.starts_with('<');
        return if is_page { Vec::new() } else { text.lines().map(str::to_owned).collect() };
    };
    let line = |reason: Reason| match (reason.code, reason.message.trim()) {
        (code, "") => code,
        (code, message) => format!("{code}: {message}"),
    };
    let listed = told.errors.into_iter().map(line);
    listed.chain(told.error).chain(told.details).filter(|line| !line.is_empty()).collect()
}

fn explained(session: &Session<'_>, status: StatusCode, lines: &[String]) -> Error {
    let what = if session.push { "push" } else { "pull" };
    let (name, registry) = (session.name, session.registry());
    let login = format!("log in: gguf-packer login {registry}");
    let says = |word: &str| lines.iter().any(|line| line.to_ascii_lowercase().contains(word));
    match status {
        StatusCode::UNAUTHORIZED => not_let_in(session, login),
        // Harbor says so with the code of what is forbidden.
        StatusCode::FORBIDDEN if session.push && (says("quota") || says("exceed")) => {
            Error::refused(format!("{registry} has no room for `{name}`"))
                .hint("remove images there, or ask its administrator for a higher quota")
        }
        StatusCode::FORBIDDEN => {
            Error::refused(format!("access denied: you may not {what} `{name}` at {registry}"))
                .hint(format!("log in as a user who may: gguf-packer login {registry}"))
        }
        StatusCode::NOT_FOUND if says("name_unknown") => {
            let repository = name.repository();
            let error = Error::missing(format!(
                "{registry} has no repository `{repository}`: cannot {what} `{name}`"
            ))
            .hint("check the name");
            let create =
                "or create the repository first: Amazon ECR, for one, does not do so by itself";
            if session.push { error.hint(create) } else { error }
        }
        StatusCode::NOT_FOUND => Error::missing(format!("{registry} does not have `{name}`"))
            .hint("check the name and the tag"),
        StatusCode::PAYLOAD_TOO_LARGE => Error::refused(format!(
            "{registry}, or a proxy before it, limits the size of requests: cannot {what} `{name}`"
        ))
        .hint("raise the limit: `client_max_body_size 0;` in nginx, another plan at Cloudflare"),
        StatusCode::TOO_MANY_REQUESTS => limited(session, registry).hint(login),
        _ if status.is_server_error() => Error::network(format!(
            "{registry} repeatedly answered {status}: cannot {what} `{name}`"
        ))
        .hint("run the same command again later: it resumes where it stopped"),
        _ => Error::network(format!("{registry} answered {status}: cannot {what} `{name}`")),
    }
}

fn not_let_in(session: &Session<'_>, login: String) -> Error {
    let (name, registry) = (session.name, session.registry());
    match session.client.credentials(name) {
        Ok(Some(_)) => {
            Error::refused(format!("{registry} rejected the stored credentials for `{name}`"))
                .hint(login)
                .hint("or check the name: it may not exist")
        }
        Ok(None) => Error::refused(format!(
            "access to `{name}` denied: it does not exist, or {registry} requires a login"
        ))
        .hint("check the name")
        .hint(login),
        Err(unreadable) => unreadable,
    }
}

fn limited(session: &Session<'_>, server: &str) -> Error {
    let what = session.what();
    Error::network(format!("{server} limits the rate of requests: cannot {what}"))
        .hint("wait, then run the same command again: it resumes where it stopped")
}

fn of_hugging_face(session: &Session<'_>, status: StatusCode, lines: Vec<String>) -> Error {
    let name = session.name;
    let page: Vec<&str> = name.repository().split('/').take(2).collect();
    let page = format!("https://huggingface.co/{}", page.join("/"));
    let token = session.client.http.settings.hugging_face_token.as_ref();
    let error = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let error = Error::refused(format!(
                "access to `{name}` denied: it does not exist on Hugging Face, or you may not read it"
            ))
            .hint(format!("check the name, and accept its terms: {page}"));
            // A wrong one is refused for what everybody may read, too.
            let sent = |from: &str| format!("check the token in {from}: it may have expired");
            error.hint(token.map_or(SET_TOKEN.to_owned(), |token| sent(&token.from)))
        }
        StatusCode::NOT_FOUND => {
            Error::missing(format!("Hugging Face does not have `{name}`")).hint("check the name")
        }
        StatusCode::TOO_MANY_REQUESTS => {
            let error = limited(session, "Hugging Face");
            if token.is_none() { error.hint(SET_TOKEN) } else { error }
        }
        _ => Error::network(format!("Hugging Face answered {status}: cannot {}", session.what())),
    };
    error.log(lines)
}

/// The registry asks to wait longer than anybody would.
pub(super) fn too_long(session: &Session<'_>, wait: Duration) -> Error {
    let (name, registry) = (session.name, session.registry());
    let wait = humantime::format_duration(Duration::from_secs(wait.as_secs()));
    let error = Error::network(format!(
        "{registry} limits the rate of requests: `{name}` must wait {wait}"
    ))
    .hint("wait, then run the same command again: it resumes where it stopped");
    let has_token = session.client.http.settings.hugging_face_token.is_some();
    match (name.is_hugging_face(), has_token) {
        (true, true) => error,
        (true, false) => error.hint(SET_TOKEN),
        _ => error.hint(format!("log in, which may raise the limit: gguf-packer login {registry}")),
    }
}

/// The registry went away.
pub(super) fn gone(session: &Session<'_>, why: &str) -> Error {
    let (what, registry) = (session.what(), session.registry());
    Error::network(format!("cannot {what}: {registry} does not answer: {why}"))
        .hint("check the network, then run the same command again: it resumes where it stopped")
}
