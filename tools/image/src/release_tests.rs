//! Releases in repositories made for it.

use super::*;

use std::fs;

fn state() -> State {
    let identity = Identity {
        version: "2508201420-abc1234".into(),
        commit: "abc1234567890abcdef1234567890abcdef12345".into(),
        timestamp: "2508201420".into(),
        branch: "main".into(),
        epoch: 1_755_699_600,
    };
    State { identity, changed: Vec::new(), last: None, tagged: Vec::new() }
}

#[test]
fn a_release_is_a_tag() {
    assert!(state().check().is_ok());
    assert_eq!(
        state().promise(true),
        "git tag base-images/v2508201420-abc1234\n\
         git push origin refs/tags/base-images/v2508201420-abc1234\n  \
         hint: do it: cargo xtask image release --yes --push\n"
    );
    assert_eq!(
        state().promise(false),
        "git tag base-images/v2508201420-abc1234\n  hint: do it: cargo xtask image release --yes\n"
    );
}

#[test]
fn a_dirty_tree_and_a_tag_that_exists_are_told_together() {
    let mut state = state();
    state.identity.version += "-dirty";
    state.changed = vec![" M README.md".into(), "?? new.rs".into()];
    state.tagged = vec!["here", "origin"];
    assert_eq!(
        state.check().unwrap_err().to_string(),
        "the work tree differs from the commit\n  |  M README.md\n  | ?? new.rs\n  hint: git \
        commit, or git stash --include-untracked\nthe tag base-images/v2508201420-abc1234 already \
        exists: here, origin\n  hint: make a new commit for a new version: git commit"
    );
}

#[test]
fn info_says_what_would_be_released() {
    let mut state = state();
    let line = |state: &State, name: &str| {
        let info = state.info();
        let line = info.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].trim().to_owned()
    };
    assert!(state.info().lines().all(|line| line.len() <= 80));
    assert_eq!(line(&state, "last release"), "none");
    assert_eq!(line(&state, "next release"), "base-images/v2508201420-abc1234");
    state.changed = vec![" M a".into()];
    assert_eq!(line(&state, "next release"), "none: 1 files differ from the commit");
    state.tagged = vec!["here"];
    state.last = Some("base-images/v2508201420-abc1234".into());
    assert_eq!(line(&state, "last release"), "base-images/v2508201420-abc1234");
    assert_eq!(line(&state, "next release"), "none: this commit already has its tag");
    assert!(line(&state, "images").starts_with("llama-cpp-cpu llama-cpp-cuda "));
}

/// A repository with one commit, and the one that it pushes to.
struct Repository {
    dir: tempfile::TempDir,
}

impl Repository {
    fn new() -> Self {
        let repository = Self { dir: tempfile::tempdir().unwrap() };
        let dir = repository.dir.path();
        git(dir, &["init", "--quiet", "--bare", "remote"]).read().unwrap();
        git(dir, &["init", "--quiet", "--initial-branch", "main", "here"]).read().unwrap();
        repository.git(&["remote", "add", REMOTE, "../remote"]);
        repository.commit("1");
        repository
    }

    fn here(&self) -> std::path::PathBuf {
        self.dir.path().join("here")
    }

    fn git(&self, words: &[&str]) -> String {
        let who = ["-c", "user.name=x", "-c", "user.email=x@x"];
        git(&self.here(), &who).args(words).read().unwrap()
    }

    fn commit(&self, text: &str) {
        fs::write(self.here().join("file"), text).unwrap();
        self.git(&["add", "file"]);
        self.git(&["commit", "--quiet", "--message", text]);
    }

    /// Tags at the place that is pushed to.
    fn pushed(&self) -> String {
        self.git(&["ls-remote", "--tags", REMOTE])
    }

    fn release(&self) -> Result<String> {
        let state = State::read(&self.here(), true)?;
        state.check()?;
        state.act(&self.here(), true)?;
        Ok(state.tag())
    }
}

#[test]
fn a_release_is_pushed_once() {
    let repository = Repository::new();
    let tag = repository.release().unwrap();
    assert!(tag.starts_with(IMAGES_TAG), "{tag}");
    assert!(repository.pushed().ends_with(&format!("refs/tags/{tag}\n")));
    let again = |places: &str| {
        let message = format!(
            "the tag {tag} already exists: {places}\n  hint: make a new commit for a new version: \
            git commit"
        );
        assert_eq!(repository.release().unwrap_err().to_string(), message);
    };
    again("here, origin");
    repository.git(&["tag", "--delete", &tag]);
    again("origin");
    assert_eq!(repository.git(&["tag"]), "", "nothing was done");
    let state = State::read(&repository.here(), false).unwrap();
    assert!(state.check().is_ok() && state.last.is_none());
}

#[test]
fn what_cannot_be_pushed_is_no_tag_either() {
    let repository = Repository::new();
    fs::write(repository.here().join("new"), "").unwrap();
    let error = repository.release().unwrap_err().to_string();
    assert!(error.starts_with("the work tree differs from the commit\n  | ?? new\n"), "{error}");
    fs::remove_file(repository.here().join("new")).unwrap();
    // It can be read, and refuses.
    let hook = repository.dir.path().join("remote/hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\nexit 1\n").unwrap();
    product::files::set_mode(&hook, 0o755).unwrap();
    let error = repository.release().unwrap_err().to_string();
    assert!(error.contains(", deleted it again: a command failed"), "{error}");
    assert_eq!((repository.git(&["tag"]), repository.pushed()), (String::new(), String::new()));
}

#[test]
fn the_last_release_is_the_newest() {
    let repository = Repository::new();
    for tag in ["base-images/v2508201420-abc1234", "base-images/v2608201420-0000000", "v9.9.9"] {
        repository.git(&["tag", tag]);
    }
    let state = State::read(&repository.here(), false).unwrap();
    assert_eq!(state.last.as_deref(), Some("base-images/v2608201420-0000000"));
}
