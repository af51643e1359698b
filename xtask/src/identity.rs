//! What a distribution calls itself: version, commit, time and branch of this repository.

use std::path::Path;

use anyhow::{Context, Result, bail};
use llama_src::sh::Cmd;

use crate::cargo;

/// Whence a distribution comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// `yymmddhhmm-githash`.
    pub(crate) version: String,
    /// Full id; `-dirty` at the end when files differ from it.
    pub(crate) commit: String,
    /// `yymmddhhmm`, in UTC.
    pub(crate) timestamp: String,
    pub(crate) branch: String,
    /// Seconds since 1970.
    pub(crate) epoch: u64,
}

/// Build arguments of images, where there is no `.git`.
const VARIABLES: [&str; 4] = ["BUILD_VERSION", "BUILD_COMMIT", "BUILD_TIMESTAMP", "BUILD_BRANCH"];

impl Identity {
    /// As `BUILD_VERSION`, `BUILD_COMMIT`, `BUILD_TIMESTAMP` and `BUILD_BRANCH` say, else as git does.
    ///
    /// # Errors
    /// When neither says it.
    pub(crate) fn find() -> Result<Self> {
        let values = VARIABLES.map(variable);
        match &values {
            [Some(version), Some(commit), Some(timestamp), Some(branch)] => {
                Self::named(version, commit, timestamp, branch)
            }
            [None, None, None, None] => Self::of_git(&cargo::root()),
            _ => {
                let unset: Vec<&str> = VARIABLES
                    .iter()
                    .zip(&values)
                    .filter_map(|(name, value)| value.is_none().then_some(*name))
                    .collect();
                bail!(
                    "unset: {}\n  hint: set all of {}, or none",
                    unset.join(" "),
                    VARIABLES.join(" ")
                )
            }
        }
    }

    /// As variables for another run that shall call itself the same.
    pub(crate) fn variables(&self) -> [(&'static str, &str); 4] {
        let [version, commit, timestamp, branch] = VARIABLES;
        [
            (version, &self.version),
            (commit, &self.commit),
            (timestamp, &self.timestamp),
            (branch, &self.branch),
        ]
    }

    fn named(version: &str, commit: &str, timestamp: &str, branch: &str) -> Result<Self> {
        let epoch = epoch(timestamp).with_context(|| {
            format!("BUILD_TIMESTAMP is `{timestamp}`\n  hint: set it to yymmddhhmm, in UTC")
        })?;
        let owned = str::to_owned;
        let (version, commit) = (owned(version), owned(commit));
        Ok(Self { version, commit, timestamp: owned(timestamp), branch: owned(branch), epoch })
    }

    /// As git does in the repository `root`, whatever the variables say.
    ///
    /// # Errors
    /// When there is no commit.
    pub(crate) fn of_git(root: &Path) -> Result<Self> {
        let git = |words: &[&str]| Cmd::new("git").dir(root).env("TZ", "UTC").args(words);
        let log = git(&["log", "-1", "--date=format-local:%y%m%d%H%M", "--format=%H %cd"]).read();
        let log = log.context(format!(
            "git does not know this commit\n  hint: where there is no .git, set {}",
            VARIABLES.join(" ")
        ))?;
        let (commit, timestamp) = log.trim().split_once(' ').context("git names no time")?;
        let changed = git(&["status", "--porcelain", "--untracked-files=no"]).read()?;
        // Detached, as in CI, it has no name.
        let branch = git(&["symbolic-ref", "--quiet", "--short", "HEAD"]).read();
        let branch = branch.map_or_else(|_| "HEAD".to_owned(), |name| name.trim().to_owned());
        let dirty = if changed.trim().is_empty() { "" } else { "-dirty" };
        let version = format!("{timestamp}-{}{dirty}", &commit[..7]);
        Self::named(&version, &format!("{commit}{dirty}"), timestamp, &branch)
    }
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "build arguments of the images")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Seconds since 1970 of `yymmddhhmm`.
pub(crate) fn epoch(timestamp: &str) -> Option<u64> {
    if timestamp.len() != 10 || !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| timestamp[at..at + 2].parse::<u64>().ok();
    let (year, month, day) = (2000 + part(0)?, part(2)?, part(4)?);
    let (hour, minute) = (part(6)?, part(8)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 {
        return None;
    }
    // Days of the civil calendar, with years that begin in March.
    let year = if month > 2 { year } else { year - 1 };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_as_the_calendar_does() {
        assert_eq!(epoch("2508201420"), Some(1_755_699_600));
        assert_eq!(epoch("0001010000"), Some(946_684_800));
        assert_eq!(epoch("2402292359"), Some(1_709_251_140));
        for wrong in ["", "250820142", "25082014200", "2513201420", "2508322420", "25o8201420"] {
            assert_eq!(epoch(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_time_that_is_none_is_refused() {
        let error = Identity::named("v", "c", "today", "main").unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "BUILD_TIMESTAMP is `today`\n  hint: set it to yymmddhhmm, in UTC"
        );
    }
}
