//! What every image promises to those who run it and to those who build on it. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::labels::{LABELS, Promise};
use super::subject::Subject;
use product::identity::UNKNOWN;
use product::manifest::Manifest;

/// What `docker image inspect` says about how an image runs.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Config {
    user: String,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    labels: Option<BTreeMap<String, String>>,
    exposed_ports: Option<BTreeMap<String, Value>>,
    healthcheck: Option<Value>,
    volumes: Option<BTreeMap<String, Value>>,
}

/// Every promise that the configuration of an image of `subject` breaks.
pub(super) fn config(config: &Config, subject: &Subject) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut hold = |holds: bool, message: String| {
        if !holds {
            wrong.push(message);
        }
    };
    let numbers = config.user.split(':').map(|part| part.parse::<u32>().unwrap_or(0));
    let by_number = numbers.min().unwrap_or(0) > 0;
    hold(by_number, format!("the user is `{}`: no number, or root", config.user));
    for (name, words, wanted) in [
        ("ENTRYPOINT", &config.entrypoint, &["/app/bin/llama-server"][..]),
        ("CMD", &config.cmd, &[]),
    ] {
        let words = words.as_deref().unwrap_or_default();
        hold(words == wanted, format!("{name} is {words:?}, not {wanted:?}"));
    }
    for wanted in environment(subject) {
        let there = config.env.iter().flatten().any(|value| *value == wanted);
        hold(there, format!("the environment has no {wanted}"));
    }
    let ports = config.exposed_ports.as_ref();
    hold(
        ports.is_some_and(|ports| ports.contains_key("8080/tcp")),
        "port 8080 is not exposed".into(),
    );
    hold(config.healthcheck.is_some(), "there is no health check".into());
    let path = config.env.iter().flatten().find_map(|value| value.strip_prefix("PATH="));
    let found = path.is_some_and(|path| path.split(':').any(|dir| dir == "/app/bin"));
    hold(found, "/app/bin is not in PATH".into());
    let volumes = config.volumes.as_ref().is_none_or(BTreeMap::is_empty);
    hold(volumes, "there are volumes: what inherits from it cannot change their files".into());
    wrong.extend(labels(config, subject));
    wrong
}

/// What `/app/version.json` must say, and the labels must agree with.
pub(super) fn version(text: &str, config: &Config, subject: &Subject) -> Vec<String> {
    let manifest: Manifest = match serde_json::from_str(text) {
        Ok(manifest) => manifest,
        Err(error) => {
            return vec![format!("/app/version.json is not that of a distribution: {error}")];
        }
    };
    let commit = manifest.commit.trim_end_matches("-dirty");
    let mut wrong = Vec::new();
    let hexadecimal = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !hexadecimal && commit != UNKNOWN {
        wrong.push(format!("`commit` is `{commit}`, not 40 hexadecimal digits"));
    }
    if manifest.timestamp.len() != 10 || !manifest.version.starts_with(&manifest.timestamp) {
        let (timestamp, version) = (&manifest.timestamp, &manifest.version);
        wrong.push(format!("`timestamp` is `{timestamp}`, not what `{version}` begins with"));
    }
    if manifest.variant != subject.variant.name() {
        wrong.push(format!("`variant` is `{}`, not `{}`", manifest.variant, subject.variant));
    }
    for (name, value) in [("version", &manifest.version), ("revision", &manifest.commit)] {
        let label = label(config, &format!("org.opencontainers.image.{name}"));
        if label.is_some_and(|label| label != value) {
            let label = label.unwrap_or_default();
            wrong
                .push(format!("the label `{name}` is `{label}`, /app/version.json says `{value}`"));
        }
    }
    wrong
}

/// What `/app/sbom.spdx.json` says about licences, and the label must agree with. A vendor's libraries have one
/// name each there.
pub(super) fn licenses(text: &str, config: &Config, subject: &Subject) -> Vec<String> {
    let document: Value = serde_json::from_str(text).unwrap_or_default();
    let Some(declared) = document["packages"][0]["licenseDeclared"].as_str() else {
        return vec!["/app/sbom.spdx.json is not that of a distribution".into()];
    };
    let has_vendor = subject.toolkit.is_some();
    let label = label(config, "org.opencontainers.image.licenses").unwrap_or_default();
    let label = terms(label);
    let own = terms(declared).into_iter();
    let own = own.filter(|term| !has_vendor || !term.starts_with("LicenseRef-"));
    let missing: Vec<&str> = own.filter(|term| !label.contains(term)).collect();
    match &missing[..] {
        [] => Vec::new(),
        some => vec![format!("the label `licenses` does not have {}", some.join(" AND "))],
    }
}

/// What an SPDX expression joins with AND.
fn terms(expression: &str) -> Vec<&str> {
    let (mut terms, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, byte) in expression.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b' ' if depth == 0 && expression[at..].starts_with(" AND ") => {
                terms.push(&expression[start..at]);
                start = at + " AND ".len();
            }
            _ => {}
        }
    }
    terms.push(&expression[start..]);
    terms
}

fn environment(subject: &Subject) -> Vec<String> {
    let every = [
        ("LLAMA_ARG_HOST", "::"),
        ("LLAMA_SERVER_NEEDS_MODEL", "1"),
        ("LLAMA_SERVER_SANDBOX", "1"),
    ];
    let cuda = subject.minimum_cuda().unwrap_or_default();
    let own = subject.variant.image().environment.iter().copied();
    let all = every.into_iter().chain(own);
    all.map(|(name, value)| format!("{name}={}", value.replace("{minimum_cuda}", cuda))).collect()
}

fn labels(config: &Config, subject: &Subject) -> Vec<String> {
    let mut wrong = Vec::new();
    for row in LABELS {
        let (name, found) = (row.name, label(config, row.name));
        let wanted = row.of(subject);
        let wanted = wanted.as_deref();
        match row.promise {
            Promise::There if found.is_none_or(str::is_empty) => {
                wrong.push(format!("there is no label {name}"));
            }
            Promise::Exact if found != wanted => {
                let [found, wanted] = [found, wanted]
                    .map(|value| value.map_or("unset".into(), |value| format!("`{value}`")));
                wrong.push(format!("the label {name} is {found}, not {wanted}"));
            }
            _ => {}
        }
    }
    wrong
}

fn label<'a>(config: &'a Config, name: &str) -> Option<&'a str> {
    config.labels.as_ref()?.get(name).map(String::as_str)
}

#[cfg(test)]
#[path = "contract_tests.rs"]
mod tests;
