//! What our images stand on: which Debian that is, and when it was made, as this machine's engine or a registry knows
//! it.

use anyhow::{Result, bail};
use llama_src::Error;
use product::base::{OWN, is_here, pinned};
use product::time;
use serde::Deserialize;
use serde_json::Value;
use workspace::screen;

use super::engine::docker;

/// `cargo xtask image base`: prints the name of the base, for whoever builds without us.
///
/// # Errors
/// When there is none.
pub(super) fn run() -> Result<()> {
    screen::print(format!("{}\n", choose(&pinned()?)?));
    Ok(())
}

/// What a build is told in place of the Dockerfiles' own base: what the user `named`, or [`OWN`]. A `plan` is also for
/// machines that have neither.
///
/// # Errors
/// When there is no base.
pub(super) fn instead(named: Option<&str>, plan: bool) -> Result<Option<String>> {
    if let Some(named) = named {
        return Ok(Some(named.to_owned()));
    }
    let pinned = pinned()?;
    match choose(&pinned) {
        Ok(base) => Ok(Some(base).filter(|base| *base != pinned)),
        Err(_) if plan => Ok(None),
        Err(error) => Err(error),
    }
}

/// The base of a build whose Dockerfile names `pinned`: that one where the engine has it or its registry answers, or
/// else [`OWN`], and says so.
///
/// # Errors
/// When there is neither.
fn choose(pinned: &str) -> Result<String> {
    let answers = || docker(["buildx", "imagetools", "inspect", pinned]).read().is_ok();
    let Some(base) = chosen(pinned, &is_here, &answers) else { bail!(nowhere(pinned)) };
    if base != pinned {
        eprintln!(
            "the registry of {pinned} does not answer: images stand on {base}, made of Debian's packages"
        );
    }
    Ok(base.to_owned())
}

fn chosen<'a>(
    pinned: &'a str,
    here: &dyn Fn(&str) -> bool,
    answers: &dyn Fn() -> bool,
) -> Option<&'a str> {
    if here(pinned) || answers() {
        return Some(pinned);
    }
    here(OWN).then_some(OWN)
}

fn nowhere(pinned: &str) -> Error {
    Error::missing(format!(
        "no Debian for images to stand on: the registry of {pinned} does not answer, and this engine has no {OWN}"
    ))
    .hint("make it of Debian's packages: cargo xtask setup docker --yes")
    .hint("or name another one: --base-image NAME")
}

/// Seconds since 1970 by which `image` was there, rounded up to a minute; `None` where neither the engine nor a
/// registry knows it.
pub(super) fn made(image: &str) -> Option<u64> {
    let here = docker(["image", "inspect", "--format", "{{.Created}}"]).arg(image).read();
    let there = || {
        let inspect = docker(["buildx", "imagetools", "inspect", "--format", "{{json .Image}}"]);
        let answer = inspect.arg(image).read().ok()?;
        serde_json::from_str(&answer).ok().and_then(|answer| newest(&answer))
    };
    here.ok().and_then(|time| minute_after(time.trim())).or_else(there)
}

#[derive(Debug, Deserialize)]
struct Config {
    created: String,
}

/// Of the configuration of an image, or of one for each platform.
fn newest(answer: &Value) -> Option<u64> {
    let created = |config: &Value| {
        let config = Config::deserialize(config).ok()?;
        minute_after(&config.created)
    };
    let platforms = answer.as_object().into_iter().flat_map(|platforms| platforms.values());
    created(answer).or_else(|| platforms.filter_map(created).max())
}

/// Of RFC 3339 in UTC, as in `2025-08-20T14:20:05.5Z`.
fn minute_after(text: &str) -> Option<u64> {
    Some(time::parse_rfc3339(text)? / 60 * 60 + 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_hubs_is_taken_where_it_can_be_had_and_ours_elsewhere() {
        let pinned = "debian:trixie-slim@sha256:0a";
        let chosen = |here: &[&str], answers: bool| {
            super::chosen(pinned, &|image| here.contains(&image), &|| answers)
        };
        assert_eq!(chosen(&[pinned, OWN], false), Some(pinned));
        assert_eq!(chosen(&[OWN], true), Some(pinned));
        assert_eq!(chosen(&[OWN], false), Some(OWN));
        assert_eq!(chosen(&["debian:trixie-slim"], false), None);
        assert_eq!(
            nowhere("debian:x").to_string(),
            "no Debian for images to stand on: the registry of debian:x does not answer, and this engine has no \
             llama-cpp-base:trixie\n  hint: make it of Debian's packages: cargo xtask setup docker --yes\n  hint: or \
             name another one: --base-image NAME"
        );
        assert!(super::pinned().unwrap().starts_with("debian:trixie-slim@sha256:"));
    }

    #[test]
    fn times_are_those_of_the_next_minute() {
        assert_eq!(minute_after("2025-08-20T14:20:05.123456789Z"), Some(1_755_699_660));
        assert_eq!(minute_after("2025-08-20T14:20:00+02:00"), None);
        assert_eq!(minute_after(""), None);
    }

    #[test]
    fn of_several_platforms_the_last_one_counts() {
        let one = serde_json::json!({"created": "2025-08-20T14:20:05Z", "os": "linux"});
        assert_eq!(newest(&one), Some(1_755_699_660));
        let later = serde_json::json!({"created": "2025-08-20T14:21:05Z"});
        let both = serde_json::json!({"linux/amd64": later, "linux/arm64": one});
        assert_eq!(newest(&both), Some(1_755_699_720));
        assert_eq!(newest(&Value::Null), None);
    }
}
