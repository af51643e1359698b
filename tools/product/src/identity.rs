//! What a distribution calls itself: version, commit, time and branch of this repository.

use std::path::Path;

use anyhow::{Context, Result, bail};
use llama_src::Error;
use llama_src::sh::Cmd;
use serde::{Deserialize, Serialize};

use crate::time;
use workspace::cargo;

/// What stands for a commit and a branch that nobody knows.
pub const UNKNOWN: &str = "unknown";

/// Into which `git archive` writes which commit it packs.
const ARCHIVED: &str = "tools/product/archived-commit.txt";

/// Whence a distribution comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `yymmddhhmm-githash`.
    pub version: String,
    /// Full id; `-dirty` at the end when files differ from it.
    pub commit: String,
    /// `yymmddhhmm`, in UTC.
    pub timestamp: String,
    pub branch: String,
    /// Seconds since 1970.
    pub epoch: u64,
}

/// Build arguments of images, where there is no `.git`.
const VARIABLES: [&str; 4] = ["BUILD_VERSION", "BUILD_COMMIT", "BUILD_TIMESTAMP", "BUILD_BRANCH"];

impl Identity {
    /// As `BUILD_VERSION`, `BUILD_COMMIT`, `BUILD_TIMESTAMP` and `BUILD_BRANCH` say, else as git does, else as the
    /// archive says from which this checkout is.
    ///
    /// # Errors
    /// When some of the variables are set, and others are not.
    pub fn find() -> Result<Self> {
        let values = VARIABLES.map(variable);
        match &values {
            [Some(version), Some(commit), Some(timestamp), Some(branch)] => {
                Self::named(version, commit, timestamp, branch)
            }
            [None, None, None, None] => {
                let root = cargo::root();
                let of_archive = |error| {
                    // A worktree's `.git` is a file, and names a folder that a container may not have.
                    if root.join(".git").is_dir() {
                        eprintln!("warning: the version does not name a commit: {error:#}");
                    }
                    Self::of_archive(&root)
                };
                Self::of_git(&root).or_else(of_archive)
            }
            _ => {
                let unset: Vec<&str> = VARIABLES
                    .iter()
                    .zip(&values)
                    .filter_map(|(name, value)| value.is_none().then_some(*name))
                    .collect();
                bail!(
                    Error::usage(format!("unset: {}", unset.join(" ")))
                        .hint(format!("set all of {}, or none", VARIABLES.join(" ")))
                )
            }
        }
    }

    /// As variables for another run that shall call itself the same.
    pub fn variables(&self) -> [(&'static str, &str); 4] {
        let [version, commit, timestamp, branch] = VARIABLES;
        [
            (version, &self.version),
            (commit, &self.commit),
            (timestamp, &self.timestamp),
            (branch, &self.branch),
        ]
    }

    /// As `git archive` has written into the checkout `root`; without that, what is there is unknown, and as old as
    /// the file of the pin.
    fn of_archive(root: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(root.join(ARCHIVED)).unwrap_or_default();
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key))?;
            Some(line.trim()).filter(|value| !value.starts_with('$'))
        };
        let told = value("time").and_then(|time| time.parse().ok());
        let (commit, seconds) = match (value("commit"), told) {
            (Some(commit), Some(seconds)) if commit.len() == 40 => (commit, seconds),
            _ => (UNKNOWN, modified(&root.join("vendor/llama.cpp.toml"))?),
        };
        let timestamp = time::yymmddhhmm(seconds);
        Self::named(&format!("{timestamp}-{}", &commit[..7]), commit, &timestamp, UNKNOWN)
    }

    fn named(version: &str, commit: &str, timestamp: &str, branch: &str) -> Result<Self> {
        let epoch = time::parse_yymmddhhmm(timestamp).with_context(|| {
            Error::usage(format!("BUILD_TIMESTAMP is `{timestamp}`"))
                .hint("set it to yymmddhhmm, in UTC")
        })?;
        let owned = str::to_owned;
        let (version, commit) = (owned(version), owned(commit));
        Ok(Self { version, commit, timestamp: owned(timestamp), branch: owned(branch), epoch })
    }

    /// As git does in the repository `root`, whatever the variables say.
    ///
    /// # Errors
    /// When there is no commit.
    pub fn of_git(root: &Path) -> Result<Self> {
        let git = |words: &[&str]| Cmd::new("git").dir(root).env("TZ", "UTC").args(words);
        let log = git(&["log", "-1", "--date=format-local:%y%m%d%H%M", "--format=%H %cd"]).read();
        let log = log.with_context(|| {
            Error::missing("cannot read the commit from git")
                .hint("if the clone is another user's: git config --global --add safe.directory FOLDER")
                .hint(format!("without a .git folder, set {}", VARIABLES.join(" ")))
        })?;
        let (commit, timestamp) = log.trim().split_once(' ').context("git printed no time")?;
        // A patch counts before git knows it.
        let tracked = git(&["status", "--porcelain", "--untracked-files=no"]).read()?;
        let patches = ["status", "--porcelain", "--untracked-files=all", "--", "vendor/patches"];
        let changed = tracked + &git(&patches).read()?;
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

/// When `path` was last changed, in seconds since 1970.
fn modified(path: &Path) -> Result<u64> {
    let time = std::fs::metadata(path)?.modified()?;
    Ok(time.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_that_git_does_not_know_is_a_change() {
        let root = tempfile::tempdir().unwrap();
        let git = |words: &[&str]| {
            let who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
            Cmd::new("git").dir(root.path()).args(who).args(words).read().unwrap()
        };
        git(&["init", "--quiet"]);
        git(&["commit", "--quiet", "--allow-empty", "--message", "first"]);
        let is_dirty = || Identity::of_git(root.path()).unwrap().commit.ends_with("-dirty");
        std::fs::write(root.path().join("notes"), "").unwrap();
        assert!(!is_dirty());
        std::fs::create_dir_all(root.path().join("vendor/patches")).unwrap();
        std::fs::write(root.path().join("vendor/patches/0099-x.patch"), "").unwrap();
        assert!(is_dirty());
    }

    #[test]
    fn an_archive_says_what_it_is_or_nothing_is_known() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("vendor/llama.cpp.toml", "");
        let commit = "0123456789".repeat(4);
        write(ARCHIVED, &format!("commit {commit}\ntime 1755699600\n"));
        let known = Identity::of_archive(root.path()).unwrap();
        assert_eq!(known.version, "2508201420-0123456");
        assert_eq!(
            (known.commit, known.branch, known.epoch),
            (commit, UNKNOWN.into(), 1_755_699_600)
        );
        // As in a checkout that git did not make, and that is no archive of git's.
        write(ARCHIVED, "commit $Format:%H$\ntime $Format:%ct$\n");
        let unknown = Identity::of_archive(root.path()).unwrap();
        assert_eq!(unknown.version, format!("{}-unknown", unknown.timestamp));
        assert_eq!((unknown.commit.as_str(), unknown.branch.as_str()), (UNKNOWN, UNKNOWN));
        std::fs::remove_file(root.path().join(ARCHIVED)).unwrap();
        assert_eq!(Identity::of_archive(root.path()).unwrap(), unknown);
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
