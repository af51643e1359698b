//! The version of `llama-sys` names the pinned release.

use std::fs;

use anyhow::{Context, Result, bail};
use llama_src::Pin;

use workspace::cargo;

pub(super) fn run() -> Result<()> {
    let path = cargo::root().join("llama-sys/Cargo.toml");
    let text = fs::read_to_string(path).context("cannot read llama-sys/Cargo.toml")?;
    compare(&text, &Pin::load().tag)
}

fn compare(manifest: &str, tag: &str) -> Result<()> {
    let line = manifest.lines().find_map(|line| line.strip_prefix("version = \""));
    let version = line.context("no version in llama-sys/Cargo.toml")?.trim_end_matches('"');
    if version.split_once('+').is_some_and(|(_, build)| build == format!("llama.cpp-{tag}")) {
        return Ok(());
    }
    bail!(
        "llama-sys/Cargo.toml has version {version}, vendor/llama.cpp.toml has tag {tag}: the version \
         must end in +llama.cpp-{tag}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_release_is_found() {
        let manifest = "[package]\nversion = \"0.1.0+llama.cpp-b1\"\n";
        assert!(compare(manifest, "b1").is_ok());
        let error = compare(manifest, "b2").unwrap_err().to_string();
        assert!(error.ends_with("must end in +llama.cpp-b2"), "{error}");
        assert!(compare("version = \"0.1.0\"\n", "b1").is_err());
        assert!(compare("version.workspace = true\n", "b1").is_err());
    }
}
