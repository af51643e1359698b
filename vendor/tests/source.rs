//! Which tree is used, when it is trusted, and what is said when there is none.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[expect(dead_code, reason = "each test file uses its part")]
mod support;

use std::fs;
use std::path::Path;

use llama_src::{Origin, Request};
use support::{TREE, archive, folder, names, prepare, request, write_tree};

fn offline(root: &Path) -> Request {
    Request { offline: true, ..request(root, "https://example.invalid/") }
}

fn error(request: &Request, dir: &Path) -> String {
    prepare(request).1.unwrap_err().replace(&dir.display().to_string(), "D")
}

#[test]
fn nothing_there_and_offline_names_the_command() {
    let (_temp, dir) = folder();
    let why = if cfg!(feature = "fetch") {
        "offline mode is on"
    } else {
        "this build cannot download it (feature `fetch` is off)"
    };
    let expected = format!(
        "llama.cpp b1 not found, and {why}\n  looked in: D/llama.cpp, D/cache/b1/llama.cpp\n  \
        hint: build once with a network and the feature `fetch`: cargo build --features \
        llama-sys/fetch\n  hint: or use an archive of the tag: \
        LLAMA_SYS_SOURCE_ARCHIVE=/path/to/llama.cpp.tar.gz"
    );
    let request = Request { cache_dir: Some(dir.join("cache")), ..offline(&dir) };
    assert_eq!(error(&request, &dir), expected);
    assert_eq!(names(&dir), [""; 0], "asking leaves nothing");
}

#[test]
fn a_tree_that_is_there_is_verified_once_and_again_when_touched() {
    let (_temp, dir) = folder();
    write_tree(&dir.join("llama.cpp"));
    let request = offline(&dir);
    let tree = prepare(&request).1.unwrap();
    assert!(tree.verified && tree.origin == Origin::Present);
    tree.check(&request.pin).unwrap();
    let stamp = fs::read_to_string(dir.join(".llama.cpp.verified")).unwrap();
    assert!(stamp.starts_with(&format!("tree {TREE}\n")), "{stamp}");
    fs::write(dir.join("llama.cpp/src/llama.cpp"), "one\nTWO\nthree\n").unwrap();
    let changed = error(&request, &dir);
    let found = changed.split("wrong git tree: it is ").nth(1).unwrap()[..40].to_owned();
    let expected = format!(
        "D/llama.cpp is not the released llama.cpp b1\n  | wrong git tree: it is {found}, but the \
        pin names {TREE}\n  hint: remove the folder, and build with a network, which downloads it \
        again\n  hint: to build a changed tree: LLAMA_SYS_SOURCE_DIR=/path/to/llama.cpp"
    );
    assert_eq!(changed, expected);
    assert_eq!(
        tree.check(&request.pin).unwrap_err().to_string().replace(&dir.display().to_string(), "D"),
        expected
    );
}

#[test]
fn the_part_that_a_published_crate_carries_is_trusted_too() {
    let (_temp, dir) = folder();
    write_tree(&dir.join("llama.cpp"));
    fs::remove_dir_all(dir.join("llama.cpp/docs")).unwrap();
    assert!(prepare(&offline(&dir)).1.unwrap().verified);
}

#[test]
fn the_users_own_tree_wins_and_is_called_unverified() {
    let (_temp, dir) = folder();
    write_tree(&dir.join("llama.cpp"));
    write_tree(&dir.join("mine"));
    fs::write(dir.join("mine/src/llama.cpp"), "mine\n").unwrap();
    let mut request = Request { source_dir: Some(dir.join("mine")), ..offline(&dir) };
    let tree = prepare(&request).1.unwrap();
    assert!(!tree.verified && tree.dir == dir.join("mine") && tree.origin == Origin::Directory);
    request.source_dir = Some(dir.clone());
    assert_eq!(
        error(&request, &dir),
        "D is not a llama.cpp source tree\n  looked in: D/CMakeLists.txt\n  \
         hint: name a checkout: LLAMA_SYS_SOURCE_DIR=/path/to/llama.cpp\n  \
         hint: or unset LLAMA_SYS_SOURCE_DIR to build the pinned release"
    );
}

#[test]
fn a_local_archive_is_verified() {
    let (_temp, dir) = folder();
    let root = dir.join("vendor");
    let good = dir.join("good.tar.gz");
    fs::write(&good, archive("two", 0)).unwrap();
    let mut request = Request { source_archive: Some(good.clone()), ..offline(&root) };
    for _ in 0..2 {
        let tree = prepare(&request).1.unwrap();
        assert!(tree.verified && tree.dir == root.join("llama.cpp"));
        assert_eq!(tree.origin, Origin::Archive(good.clone()));
        assert_eq!(
            names(&root),
            [".archive.verified", ".llama.cpp.verified", ".lock", "llama.cpp"]
        );
    }
    // The next archive is looked at, though a good tree is there, and leaves it alone.
    fs::write(dir.join("bad.tar.gz"), archive("evil", 0)).unwrap();
    request.source_archive = Some(dir.join("bad.tar.gz"));
    let bad = error(&request, &dir);
    assert!(
        bad.starts_with(
            "D/bad.tar.gz is not the released llama.cpp b1\n  | wrong git tree: it is "
        ),
        "{bad}"
    );
    assert!(bad.contains("name the archive of that release in LLAMA_SYS_SOURCE_ARCHIVE"), "{bad}");
    request.source_archive = Some(dir.join("none.tar.gz"));
    assert_eq!(
        error(&request, &dir),
        "cannot read the archive D/none.tar.gz: No such file or directory (os error 2)\n  hint: \
         correct LLAMA_SYS_SOURCE_ARCHIVE, or unset it"
    );
    request.source_archive = None;
    assert!(prepare(&request).1.unwrap().verified);
}
