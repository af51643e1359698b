//! A new version of the crates, in every file that names it.

use std::fs;

use anyhow::{Context, Result, ensure};
use llama_src::place;

use image::semver::Semver;
use workspace::cargo;

/// The version of this workspace.
const OLD: &str = env!("CARGO_PKG_VERSION");

/// Files that name the version, and whether a line does.
type Named = fn(&str) -> bool;
const PLACES: [(&str, Named); 3] = [
    // Of the crates, and of what they ask of one another.
    ("Cargo.toml", |line| line.starts_with("version = ") || line.contains("{ path = ")),
    // With llama.cpp's release behind it.
    ("llama-sys/Cargo.toml", |line| line.starts_with("version = ")),
    ("packaging/debian/changelog", |line| line.starts_with("llama-server (")),
];

/// `cargo xtask release version`: writes `new` wherever the version stands, and into the lock file.
///
/// # Errors
/// When `new` is no version, or a file does not name the old one.
pub(super) fn run(new: &str) -> Result<()> {
    let new = Semver::parse(new)?.to_string();
    let mut texts = Vec::new();
    for (path, names) in PLACES {
        let text = fs::read_to_string(cargo::root().join(path));
        let text = text.with_context(|| format!("cannot read {path}"))?;
        texts.push((path, moved(path, &text, names, &new)?));
    }
    for (path, text) in texts {
        place::write_whole(&cargo::root().join(path), &text)
            .with_context(|| format!("cannot write {path}"))?;
    }
    cargo::cargo("update").args(["--workspace", "--offline", "--quiet"]).run()?;
    println!("the crates have the version {new} now; it was {OLD}");
    println!("to do: write what is new into CHANGELOG.md, commit, then: git tag v{new}");
    Ok(())
}

/// `text` with `new` in the lines that name the version.
fn moved(path: &str, text: &str, names: Named, new: &str) -> Result<String> {
    let before = |at: usize, text: &str| text[..at].ends_with(['"', '(']);
    let mut found = 0;
    let mut line = |line: &str| match line.find(OLD) {
        Some(at) if names(line) && before(at, line) => {
            found += 1;
            line.replacen(OLD, new, 1) + "\n"
        }
        _ => line.to_owned() + "\n",
    };
    let text = text.lines().map(&mut line).collect();
    ensure!(found > 0, "{path} does not name the version {OLD}");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_gets_the_new_version_and_nothing_else_changes() {
        for (path, names) in PLACES {
            let old = fs::read_to_string(cargo::root().join(path)).unwrap();
            let new = moved(path, &old, names, "77.8.9").unwrap();
            let changed: Vec<_> = old.lines().zip(new.lines()).filter(|(a, b)| a != b).collect();
            assert!(!changed.is_empty() && old.lines().count() == new.lines().count());
            for (before, after) in changed {
                assert_eq!(before.replacen(OLD, "77.8.9", 1), after, "{path}");
            }
        }
        let (path, names) = PLACES[0];
        assert!(moved(path, "[package]\n", names, "1.0.0").is_err());
    }

    /// Cargo resolves the workspace only if each crate asks for the version that the others have.
    #[test]
    fn no_crate_of_the_workspace_asks_for_another_version() {
        let (path, names) = PLACES[0];
        let old = fs::read_to_string(cargo::root().join(path)).unwrap();
        let new: toml::Value =
            toml::from_str(&moved(path, &old, names, "77.8.9").unwrap()).unwrap();
        assert_eq!(new["workspace"]["package"]["version"].as_str(), Some("77.8.9"));
        let all = new["workspace"]["dependencies"].as_table().unwrap();
        let own = all.values().filter(|value| value.get("path").is_some());
        let versions: Vec<_> = own.filter_map(|value| value.get("version")?.as_str()).collect();
        assert!(versions.len() >= 4 && versions.iter().all(|version| *version == "77.8.9"));
    }
}
