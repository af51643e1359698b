//! Versions of releases, and the shorter names that a newest one has too.

use std::fmt;

use ::semver::Version;
use anyhow::{Result, bail};
use llama_src::Error;

/// Version of a release; without build metadata, which no tag can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Semver(Version);

impl Semver {
    /// `1.2.3`, `v1.2.3` or `1.2.3-rc.1`.
    ///
    /// # Errors
    /// When it is no such version.
    pub fn parse(text: &str) -> Result<Self> {
        match Version::parse(text.strip_prefix('v').unwrap_or(text)) {
            Ok(version) if version.build.is_empty() => Ok(Self(version)),
            _ => bail!(Error::usage(format!("--semver is `{text}`")).hint("--semver 1.2.3")),
        }
    }

    /// Major, minor and patch: the order of releases that are no prereleases.
    pub fn numbers(&self) -> [u64; 3] {
        let Version { major, minor, patch, .. } = self.0;
        [major, minor, patch]
    }

    /// Itself and what it is the newest of. Nothing is promised about 0.x, and a prerelease is the
    /// newest of nothing.
    pub fn names(&self) -> Vec<String> {
        let Version { major, minor, .. } = self.0;
        let mut names = vec![self.to_string()];
        if self.0.pre.is_empty() {
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
        self.0.fmt(f)
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
        for text in [
            "",
            "1",
            "1.2",
            "1.2.x",
            "1.2.3.4",
            "main",
            "1.2.3+5",
            "1.2.3-a+b",
            "v",
            "1.2.3-",
            "01.2.3",
        ] {
            let error = Semver::parse(text).unwrap_err().to_string();
            assert_eq!(error, format!("--semver is `{text}`\n  hint: --semver 1.2.3"));
        }
    }
}
