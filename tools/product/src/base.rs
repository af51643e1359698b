//! The Debian that images stand on: the Dockerfiles' own, or one that `cargo xtask setup docker` makes.

use std::fs;

use anyhow::{Context, Result};
use llama_src::sh::Cmd;
use workspace::cargo;

/// The Debian that `cargo xtask setup docker` makes where Docker Hub does not answer.
pub const OWN: &str = "llama-cpp-base:trixie";

/// The Dockerfile that is asked; all name the same base.
const FILE: &str = "docker/cpu.Dockerfile";

/// The Dockerfiles' own: Docker Hub's, by digest.
///
/// # Errors
/// When their file does not say.
pub fn pinned() -> Result<String> {
    let text = fs::read_to_string(cargo::root().join(FILE));
    let text = text.with_context(|| format!("cannot read {FILE}"))?;
    let base = argument(&text, "BASE_IMAGE");
    Ok(base.with_context(|| format!("line `ARG BASE_IMAGE=…` not found in {FILE}"))?.to_owned())
}

/// Whether the engine has an image of that name.
pub fn is_here(image: &str) -> bool {
    let inspect = ["image", "inspect", "--format", "{{.Id}}", image];
    Cmd::new("docker").args(inspect).read().is_ok()
}

/// The default of an argument of a Dockerfile.
pub fn argument<'a>(dockerfile: &'a str, name: &str) -> Option<&'a str> {
    let words = dockerfile.lines().filter_map(|line| line.trim().strip_prefix("ARG "));
    let values = words.filter_map(|word| word.trim().strip_prefix(name)?.strip_prefix('='));
    values.map(|value| value.trim_matches('"')).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_of_a_dockerfile_have_defaults() {
        let text = "ARG BASE_IMAGE=debian:trixie-slim@sha256:0a\nARG TOOLKIT\nFROM ${BASE_IMAGE}\n\
                    ARG BASE_IMAGE_2=no\n  ARG RUST_IMAGE=\"rust:1\"\n";
        assert_eq!(argument(text, "BASE_IMAGE"), Some("debian:trixie-slim@sha256:0a"));
        assert_eq!(argument(text, "RUST_IMAGE"), Some("rust:1"));
        assert_eq!(argument(text, "TOOLKIT"), None);
        assert!(pinned().unwrap().contains("@sha256:"));
    }
}
