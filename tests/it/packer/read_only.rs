//! A store that cannot be written, another user's or on a read-only file system: what only reads works, what
//! writes says so.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use llama_tests::needs;
use llama_tests::packer::Packer;
use llama_tests::process::{command, finish};

use super::killed::Small;

/// Builds an image of the demo model in `store`.
fn built(packer: &Packer, dir: &Path, store: &str) {
    fs::copy(needs::demo_model().unwrap(), dir.join("m.gguf")).unwrap();
    let file = "FROM scratch\nCOPY m.gguf .\nCMD [\"-m\", \"m.gguf\"]\n";
    fs::write(dir.join("GGUFPackerfile"), file).unwrap();
    packer.does_in(dir, &["--store", store, "build", "--tag", "t:1", "."]);
}

/// What reads succeeds, what writes names the store's file that it cannot write.
fn is_read_only(start: &dyn Fn(&[&str]) -> Command, dir: &Path, out: &Path, why: &str) {
    let dir = dir.to_str().unwrap();
    let out = format!("oci-archive={}", out.display());
    for (words, said) in [
        (&["list"][..], "t "),
        (&["inspect", "t:1"], "\"Architecture\""),
        (&["run", "--dry-run", "t:1"], "llama-server"),
        (&["save", "--output", &out, "t:1"], ""),
        (&["store", "check", "--deep"], "the store is intact: 1 images, 1 names"),
    ] {
        let done = finish(&mut start(words));
        assert!(done.status.success(), "{words:?}: {}", done.output);
        assert!(done.output.contains(said), "{words:?}: {}", done.output);
    }
    for words in [
        &["tag", "t:1", "t:2"][..],
        &["remove", "t:1"],
        &["prune"],
        &["build", "--tag", "t:2", dir],
    ] {
        let done = finish(&mut start(words));
        done.assert_refused(&words.join(" "), "/lock: ");
        done.assert_refused(&words.join(" "), why);
        done.assert_refused(&words.join(" "), "hint: choose another folder: --store DIR");
    }
}

#[test]
fn a_store_of_another_user_is_read() {
    let (Some(packer), Some(setpriv)) = (Packer::new(), needs::setpriv()) else { return };
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let (store, open) = (dir.path().join("store"), dir.path().join("open"));
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    let store = store.to_str().unwrap();
    built(&packer, dir.path(), store);
    // The program may lie where only its owner comes.
    let program = dir.path().join("gguf-packer");
    fs::copy(needs::gguf_packer().unwrap(), &program).unwrap();
    let start = |words: &[&str]| {
        let mut command = command(&setpriv);
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
        command.args(["--store", store]).args(words).env("HOME", &open).current_dir(&open);
        command
    };
    is_read_only(&start, dir.path(), &open.join("a.tar"), "ermission denied");
}

#[test]
fn a_store_on_a_read_only_file_system_is_read() {
    let (Some(packer), Some(small)) = (Packer::new(), Small::mount("60m")) else { return };
    let dir = tempfile::tempdir().unwrap();
    let store = small.path().join("store");
    let store = store.to_str().unwrap();
    built(&packer, dir.path(), store);
    small.remount("ro");
    let start = |words: &[&str]| packer.command(&[&["--store", store], words].concat());
    is_read_only(&start, dir.path(), &dir.path().join("a.tar"), "ead-only file system");
}
