//! Versions of releases, and the shorter names that a newest one has too.

use std::fmt;

use anyhow::{Result, bail};

/// Version of a release as [semver](https://semver.org) has it; without build metadata, which no tag
/// can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Semver {
    numbers: [u64; 3],
    prerelease: String,
}

impl Semver {
    /// `1.2.3`, `v1.2.3` or `1.2.3-rc.1`.
    ///
    /// # Errors
    /// When it is no such version.
    pub fn parse(text: &str) -> Result<Self> {
        let (core, prerelease) = text.split_once('-').unwrap_or((text, ""));
        let numbers: Vec<u64> = core
            .strip_prefix('v')
            .unwrap_or(core)
            .split('.')
            .map_while(|part| part.parse().ok())
            .collect();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        match <[u64; 3]>::try_from(numbers) {
            Ok(numbers) if core.split('.').count() == 3 && prerelease.chars().all(plain) => {
                Ok(Self { numbers, prerelease: prerelease.to_owned() })
            }
            _ => bail!("--semver is not a semantic version: `{text}`\n  hint: --semver 1.2.3"),
        }
    }

    /// Major, minor and patch: the order of releases that are no prereleases.
    pub fn numbers(&self) -> [u64; 3] {
        self.numbers
    }

    /// Itself and what it is the newest of. Nothing is promised about 0.x, and a prerelease is the
    /// newest of nothing.
    pub fn names(&self) -> Vec<String> {
        let ([major, minor, _], mut names) = (self.numbers, vec![self.to_string()]);
        if self.prerelease.is_empty() {
            names.push(format!("{major}.{minor}"));
            if major > 0 {
                names.push(major.to_string());
            }
        }
        names
    }
}

impl fmt::Display for Semver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        let dash = if self.prerelease.is_empty() { "" } else { "-" };
        write!(f, "{major}.{minor}.{patch}{dash}{}", self.prerelease)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_the_newest_of_its_shorter_names() {
        let names = |text: &str| Semver::parse(text).unwrap().names().join(" ");
        assert_eq!(names("v1.2.3"), "1.2.3 1.2 1");
        assert_eq!(names("0.4.1"), "0.4.1 0.4");
        assert_eq!(names("2.0.0-rc.1"), "2.0.0-rc.1");
    }

    #[test]
    fn what_is_no_release_is_refused() {
        for text in ["", "1", "1.2", "1.2.x", "1.2.3.4", "main", "1.2.3+5", "1.2.3-a+b", "v"] {
            let error = Semver::parse(text).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("--semver is not a semantic version: `{text}`\n  hint: --semver 1.2.3")
            );
        }
    }
}
