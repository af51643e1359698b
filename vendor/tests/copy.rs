//! What is laid out for the build: the needed part, patched, and written only where it differs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[expect(dead_code, reason = "each test file uses its part")]
mod support;

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use llama_src::{Copied, Request, SourceTree, Ui};
use support::{folder, prepare, request, write_tree};

const PATCH: &str = "Why: a test.\n\n--- a/src/llama.cpp\n+++ b/src/llama.cpp\n@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n";

fn tree(dir: &Path, own: bool) -> SourceTree {
    let source_dir = own.then(|| dir.join("llama.cpp"));
    let request = Request { source_dir, offline: true, ..request(dir, "https://example.invalid/") };
    prepare(&request).1.unwrap()
}

fn set_up(dir: &Path) {
    write_tree(&dir.join("llama.cpp"));
    fs::create_dir(dir.join("patches")).unwrap();
    fs::write(dir.join("patches/0001-x.patch"), PATCH).unwrap();
}

#[test]
fn a_second_copy_writes_nothing() {
    let (_temp, dir) = folder();
    set_up(&dir);
    let (source, to) = (tree(&dir, false), dir.join("bäu ild/src"));
    let first = source.copy_patched(&to, None).unwrap();
    let applied = vec!["0001-x.patch".to_owned()];
    assert_eq!(first, Copied { applied: applied.clone(), written: 3, ..Copied::default() });
    assert_eq!(fs::read_to_string(to.join("src/llama.cpp")).unwrap(), "one\nTWO\nthree\n");
    assert_eq!(fs::read_to_string(source.dir.join("src/llama.cpp")).unwrap(), "one\ntwo\nthree\n");
    assert!(!to.join("docs").exists());
    // Other times of the source, as after a second fetch, are no reason to build again.
    let later = SystemTime::now() + Duration::from_secs(100);
    let file = fs::File::options().append(true).open(source.dir.join("CMakeLists.txt")).unwrap();
    file.set_modified(later).unwrap();
    let again = source.copy_patched(&to, None).unwrap();
    assert_eq!(again, Copied { applied, ..Copied::default() });
}

#[test]
fn a_damaged_copy_is_repaired_and_strangers_go() {
    let (_temp, dir) = folder();
    set_up(&dir);
    let (source, to) = (tree(&dir, false), dir.join("to"));
    source.copy_patched(&to, None).unwrap();
    fs::write(to.join("src/llama.cpp"), "one").unwrap();
    fs::write(to.join("src/stranger.cpp"), "").unwrap();
    fs::create_dir_all(to.join("old/folder")).unwrap();
    let copied = source.copy_patched(&to, None).unwrap();
    assert_eq!((copied.written, copied.removed), (1, 2));
    assert!(!to.join("old").exists() && !to.join("src/stranger.cpp").exists());
    // Without the patch the file is the tree's again.
    fs::remove_file(dir.join("patches/0001-x.patch")).unwrap();
    assert_eq!(source.copy_patched(&to, None).unwrap().written, 1);
    assert_eq!(fs::read_to_string(to.join("src/llama.cpp")).unwrap(), "one\ntwo\nthree\n");
}

#[test]
fn the_web_ui_goes_where_cmake_looks() {
    let (_temp, dir) = folder();
    set_up(&dir);
    fs::create_dir(dir.join("ui")).unwrap();
    fs::write(dir.join("ui/index.html"), "<html>").unwrap();
    let ui = Ui { dir: dir.join("ui"), pinned: false };
    let (source, to) = (tree(&dir, false), dir.join("to"));
    source.copy_patched(&to, Some(&ui)).unwrap();
    assert_eq!(fs::read(to.join("tools/ui/dist/index.html")).unwrap(), b"<html>");
    assert_eq!(source.copy_patched(&to, Some(&ui)).unwrap().written, 0);
    assert_eq!(source.copy_patched(&to, None).unwrap().removed, 1);
}

#[test]
fn a_patch_that_does_not_fit_stops_the_release_but_not_the_users_own_tree() {
    let (_temp, dir) = folder();
    set_up(&dir);
    fs::write(dir.join("patches/0001-x.patch"), PATCH.replace("-two", "-2")).unwrap();
    let error = tree(&dir, false).copy_patched(&dir.join("to"), None).unwrap_err().to_string();
    let why = "patch 0001-x.patch does not apply: src/llama.cpp: error applying hunk #1";
    assert_eq!(error, format!("{why}\n  hint: repair the patch: see vendor/README.md"));
    let copied = tree(&dir, true).copy_patched(&dir.join("to"), None).unwrap();
    assert_eq!(copied.skipped, [("0001-x.patch".to_owned(), why.to_owned())]);
    assert_eq!(fs::read_to_string(dir.join("to/src/llama.cpp")).unwrap(), "one\ntwo\nthree\n");
}

/// Size and time are what the stamp of a tree knows of its files.
#[test]
fn a_byte_that_was_changed_behind_the_stamp_is_refused() {
    let (_temp, dir) = folder();
    set_up(&dir);
    let source = tree(&dir, false);
    for (path, is_built) in [("src/llama.cpp", true), ("docs/much.md", false)] {
        let file = dir.join("llama.cpp").join(path);
        let (text, time) = (fs::read(&file).unwrap(), file.metadata().unwrap().modified().unwrap());
        let flipped: Vec<u8> =
            text.iter().map(|byte| if *byte == b'e' { b'a' } else { *byte }).collect();
        fs::write(&file, flipped).unwrap();
        fs::File::options().append(true).open(&file).unwrap().set_modified(time).unwrap();
        let again = tree(&dir, false);
        assert!(again.verified, "the stamp is fresh");
        let request = request(&dir, "https://example.invalid/");
        assert!(again.check(&request.pin).is_err(), "{path}");
        let built = again.copy_patched(&dir.join("to"), None);
        fs::write(&file, text).unwrap();
        fs::File::options().append(true).open(&file).unwrap().set_modified(time).unwrap();
        if !is_built {
            built.unwrap();
            continue;
        }
        let error = built.unwrap_err().to_string();
        let start = format!(
            "{}/llama.cpp is not the released llama.cpp b1\n  | wrong git tree of the packaged \
            part: it is ",
            dir.display()
        );
        assert!(error.starts_with(&start), "{error}");
    }
    source.copy_patched(&dir.join("to"), None).unwrap();
}
