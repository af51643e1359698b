//! `cargo xtask image version`, `info` and `release`: what this commit is called, and the tag that makes
//! CI publish it.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Result, bail};
use llama_src::Error;
use llama_src::sh::Cmd;

use super::tags::REPOSITORY;
use product::identity::Identity;
use product::variant::Variant;
use workspace::cargo;
use workspace::screen;

/// What tags of images begin with; `cargo xtask image release` makes them.
pub const IMAGES_TAG: &str = "base-images/v";

/// Where releases are pushed to.
const REMOTE: &str = "origin";

/// The repository as far as releases go.
#[derive(Debug, Clone)]
struct State {
    identity: Identity,
    /// Files that differ from the commit, as `git status` lists them.
    changed: Vec<String>,
    /// The newest release tag.
    last: Option<String>,
    /// Where this commit's tag is already.
    tagged: Vec<&'static str>,
}

pub(super) fn version() -> Result<()> {
    screen::print(format!("{}\n", Identity::find()?.version));
    Ok(())
}

pub(super) fn info() -> Result<()> {
    screen::print(State::read(&cargo::root(), false)?.info());
    Ok(())
}

pub(super) fn release(yes: bool, push: bool) -> Result<()> {
    let root = cargo::root();
    let state = State::read(&root, push)?;
    state.check()?;
    if yes {
        return state.act(&root, push);
    }
    screen::print(state.promise(push));
    Ok(())
}

impl State {
    /// `remote`: also whether the remote repository has the tag.
    fn read(root: &Path, remote: bool) -> Result<Self> {
        let git = |words: &[&str]| git(root, words);
        let identity = Identity::of_git(root)?;
        let changed = git(&["status", "--porcelain"]).read()?;
        let newest = ["for-each-ref", "--sort=-refname", "--count=1", "--format=%(refname:short)"];
        let last = git(&newest).arg(format!("refs/tags/{IMAGES_TAG}*")).read()?;
        let mut state = Self {
            identity,
            changed: changed.lines().map(str::to_owned).collect(),
            last: Some(last.trim().to_owned()).filter(|tag| !tag.is_empty()),
            tagged: Vec::new(),
        };
        let tag = state.tag();
        if !git(&["tag", "--list", &tag]).read()?.trim().is_empty() {
            state.tagged.push("here");
        }
        if remote && !git(&["ls-remote", REMOTE, &reference(&tag)]).read()?.trim().is_empty() {
            state.tagged.push(REMOTE);
        }
        Ok(state)
    }

    fn tag(&self) -> String {
        format!("{IMAGES_TAG}{}", self.identity.version.trim_end_matches("-dirty"))
    }

    /// Whether this commit can be released, all reasons against it at once.
    fn check(&self) -> Result<()> {
        let mut wrong = Vec::new();
        if !self.changed.is_empty() {
            wrong.push(
                Error::new("the work tree differs from the commit")
                    .log(self.changed.iter().cloned())
                    .hint("git commit, or git stash --include-untracked"),
            );
        }
        if !self.tagged.is_empty() {
            wrong.push(
                Error::new(format!(
                    "the tag {} already exists: {}",
                    self.tag(),
                    self.tagged.join(", ")
                ))
                .hint("make a new commit for a new version: git commit"),
            );
        }
        if wrong.is_empty() { Ok(()) } else { bail!(Error::all(wrong)) }
    }

    /// Makes the tag; all of it or nothing.
    fn act(&self, root: &Path, push: bool) -> Result<()> {
        let tag = self.tag();
        git(root, &["tag", &tag]).run()?;
        eprintln!("==> tagged {tag}");
        if !push {
            return Ok(());
        }
        if let Err(error) = git(root, &["push", "--quiet", REMOTE, &reference(&tag)]).read() {
            // A tag that is only here would be in the way of the next attempt.
            git(root, &["tag", "--delete", &tag]).read()?;
            bail!("cannot push {tag}, deleted it again: {error}");
        }
        eprintln!("==> pushed {tag} to {REMOTE}");
        Ok(())
    }

    fn info(&self) -> String {
        let repositories = Variant::ALL.map(|variant| format!("{REPOSITORY}-{variant}"));
        // Four of them fit a terminal.
        let lines = repositories.chunks(4).map(|some| some.join(" "));
        let repositories = lines.collect::<Vec<_>>().join("\n              ");
        let next = match (self.tagged.is_empty(), self.changed.len()) {
            (false, _) => "none: this commit already has its tag".to_owned(),
            (true, 0) => self.tag(),
            (true, changed) => format!("none: {changed} files differ from the commit"),
        };
        let mut text = String::new();
        for (name, value) in [
            ("commit", self.identity.commit.as_str()),
            ("branch", &self.identity.branch),
            ("version", &self.identity.version),
            ("last release", self.last.as_deref().unwrap_or("none")),
            ("next release", &next),
            ("images", &repositories),
        ] {
            let _ = writeln!(text, "{name:12}  {value}");
        }
        text
    }

    /// What `release` would do, as lines to paste.
    fn promise(&self, push: bool) -> String {
        let tag = self.tag();
        let (more, word) = if push {
            (format!("git push {REMOTE} {}\n", reference(&tag)), " --push")
        } else {
            Default::default()
        };
        format!("git tag {tag}\n{more}  hint: do it: cargo xtask image release --yes{word}\n")
    }
}

fn reference(tag: &str) -> String {
    format!("refs/tags/{tag}")
}

fn git(root: &Path, words: &[&str]) -> Cmd {
    Cmd::new("git").dir(root).args(words)
}

#[cfg(test)]
#[path = "release_tests.rs"]
mod tests;
