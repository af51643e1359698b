//! Repositories of this machine's own `git`, without a server.

use std::fs;
use std::path::Path;

use super::*;
use crate::executor::testing::{Bench, add, add_with};
use crate::language::instruction::{AddSource, Instruction};

fn git(folder: &Path, arguments: &[&str]) -> String {
    let cmd = Cmd::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"])
        .args(["-c", "protocol.file.allow=always"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .dir(folder);
    cmd.read().expect("git works").trim().to_owned()
}

/// A repository with two commits, a branch `other` and an annotated tag `v1` at the first one.
fn repository(bench: &Bench) -> String {
    let folder = bench.folder.path().join("repository");
    fs::create_dir_all(folder.join("sub")).expect("a folder");
    git(&folder, &["init", "--quiet", "-b", "main"]);
    fs::write(folder.join("a"), "1").expect("a file");
    fs::write(folder.join("sub/b"), "2").expect("a file");
    std::os::unix::fs::symlink("sub/b", folder.join("l")).expect("a link");
    git(&folder, &["add", "."]);
    git(&folder, &["commit", "-qm", "one"]);
    git(&folder, &["tag", "-a", "v1", "-m", "one"]);
    git(&folder, &["branch", "other"]);
    fs::write(folder.join("a"), "3").expect("a file");
    git(&folder, &["commit", "-qam", "two"]);
    folder.to_str().expect("a path").to_owned()
}

fn step(folder: &str, rest: &str) -> Instruction {
    add(AddSource::Git(format!("file://{folder}{rest}")), "/r/")
}

fn built(bench: &Bench, step: &Instruction) -> Result<Vec<String>, String> {
    bench.build(std::slice::from_ref(step)).map(|stage| bench.shown(&stage))
}

#[test]
fn a_repository_is_what_a_commit_has() {
    let bench = Bench::new();
    let folder = repository(&bench);
    let shown = |rest: &str| built(&bench, &step(&folder, rest)).expect(rest);
    let newest = ["r/", "r/a = 3", "r/l -> sub/b", "r/sub/", "r/sub/b = 2"];
    let first = ["r/", "r/a = 1", "r/l -> sub/b", "r/sub/", "r/sub/b = 2"];
    assert_eq!(shown(""), newest);
    assert_eq!(shown("#main"), newest);
    assert!(bench.was_cached(&step(&folder, "#main")) || shown("#main") == newest);
    for revision in ["#v1", "#other", "#refs/tags/v1", "#refs/heads/other"] {
        assert_eq!(shown(revision), first, "{revision}");
    }
    let commit = git(Path::new(&folder), &["rev-parse", "v1^{}"]);
    assert_eq!(shown(&format!("#{commit}")), first);
    assert_eq!(shown("#main:sub"), ["r/", "r/b = 2"]);
    shown("#main:sub");
    assert!(bench.was_cached(&step(&folder, "#main:sub")));
    assert_eq!(bench.leftovers(), [""; 0]);
}

#[test]
fn a_new_commit_is_seen() {
    let bench = Bench::new();
    let folder = repository(&bench);
    let step = step(&folder, "");
    built(&bench, &step).expect("it builds");
    fs::write(Path::new(&folder).join("a"), "4").expect("a file");
    git(Path::new(&folder), &["commit", "-qam", "three"]);
    assert_eq!(built(&bench, &step).expect("it builds")[1], "r/a = 4");
}

#[test]
fn the_git_folder_is_kept_when_it_is_wanted() {
    let bench = Bench::new();
    let folder = repository(&bench);
    let keep =
        add_with(AddSource::Git(format!("file://{folder}")), "/r/", |add| add.keep_git_dir = true);
    let stage = bench.build(&[keep]).expect("it builds");
    assert!(stage.entries.get("r/.git/HEAD").is_some());
    let stage = bench.build(&[step(&folder, "")]).expect("it builds");
    assert!(stage.entries.get("r/.git").is_none());
}

#[test]
fn excluded_files_stay_away() {
    let bench = Bench::new();
    let folder = repository(&bench);
    let step = add_with(AddSource::Git(format!("file://{folder}")), "/r/", |add| {
        add.placing.exclude = vec!["sub".to_owned(), "l".to_owned()];
    });
    assert_eq!(built(&bench, &step).expect("it builds"), ["r/", "r/a = 3"]);
}

#[test]
fn what_is_not_there_is_told() {
    let bench = Bench::new();
    let folder = repository(&bench);
    let error = built(&bench, &step(&folder, "#v9")).expect_err("no tag");
    let expected = format!(
        "GGUFPackerfile:2:1: file://{folder} has no branch or tag `v9`\n  | ADD \
        file://{folder}#v9 /r/\n  hint: list them: git ls-remote file://{folder}\n  hint: or name \
        a commit with all of its 40 digits"
    );
    assert_eq!(error, expected);
    let error = built(&bench, &step(&folder, "#main:no")).expect_err("no folder");
    assert!(error.contains(" has no folder `no`"), "{error}");
    let error = built(&bench, &step(&folder, "#main:../..")).expect_err("out of it");
    assert!(error.contains(" has no folder `../..`"), "{error}");
    let error = built(&bench, &step("/no/such/repository", "")).expect_err("no repository");
    assert!(error.contains("a command failed with "), "{error}");
    assert_eq!(bench.leftovers(), [""; 0]);
}

#[test]
fn pointers_are_never_packed() {
    let bench = Bench::new();
    let folder = repository(&bench);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
    fs::write(Path::new(&folder).join("m.gguf"), pointer).expect("a file");
    git(Path::new(&folder), &["add", "."]);
    git(Path::new(&folder), &["commit", "-qm", "pointer"]);
    let error = built(&bench, &step(&folder, "")).expect_err("a pointer");
    let (told, failed) = (
        format!("file://{folder} stores 1 of its files in Git LFS: m.gguf"),
        // Where Git LFS is there, it finds nothing to fetch.
        "a command failed with ",
    );
    assert!(error.contains(&told) || error.contains(failed), "{error}");
}

#[test]
fn submodules_are_there() {
    let bench = Bench::new();
    let inner = repository(&bench);
    let outer = bench.folder.path().join("outer");
    fs::create_dir(&outer).expect("a folder");
    git(&outer, &["init", "--quiet", "-b", "main"]);
    git(&outer, &["submodule", "--quiet", "add", &format!("file://{inner}"), "module"]);
    git(&outer, &["commit", "-qm", "one"]);
    let step = step(outer.to_str().expect("a path"), "");
    match built(&bench, &step) {
        Ok(shown) => assert!(shown.contains(&"r/module/a = 3".to_owned()), "{shown:?}"),
        // Git itself forbids modules on this disk unless its user allows them.
        Err(error) => assert!(error.contains("transport 'file' not allowed"), "{error}"),
    }
}
