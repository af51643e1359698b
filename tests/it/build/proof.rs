//! What proves the source and a finished build, and a clone that has none.

use std::path::Path;
use std::time::SystemTime;

use llama_src::Pin;
use llama_tests::workspace::{Cargo, command, copy_compiled_crates, one_build_at_a_time, root};

use super::{configured_at, library, shared_target};

/// A clone without the source: what a build says when it may not, or cannot, fetch. And one with a source in which
/// somebody changed a byte: size and time are what its stamp knows.
#[test]
fn a_clone_builds_the_pinned_source_or_says_what_to_type() {
    let _building = one_build_at_a_time();
    let clone = tempfile::tempdir().unwrap();
    clone_into(clone.path());
    let target = clone.path().join("target");
    copy_compiled_crates(&target);
    let run =
        |args: &[&str]| Cargo::new(clone.path(), &target, args).env("CARGO_NET_OFFLINE", "true");
    let library = ["build", "--release", "--package", "llama-sys", "--no-default-features"];
    for args in [&library[..2], &library] {
        let error = run(args).fail();
        assert!(error.contains("cargo xtask vendor"), "{error}");
    }
    source_into(clone.path());
    flip(&clone.path().join("vendor/llama.cpp/src/llama.cpp"));
    for args in [&library[..], &["xtask", "vendor", "--check"], &["xtask", "dist"]] {
        let error = run(args).fail();
        let wrong = format!("llama.cpp is not the released llama.cpp {}", Pin::load().tag);
        assert!(error.contains(&wrong), "{error}");
        assert!(error.contains("cargo xtask vendor --force"), "{error}");
    }
    flip(&clone.path().join("vendor/llama.cpp/src/llama.cpp"));
    an_old_node_is_told_before_anything_is_compiled(clone.path(), &target);
}

/// Debian 12 and Ubuntu 24.04 have Node.js 18. A distribution has the page; the clone has none.
fn an_old_node_is_told_before_anything_is_compiled(clone: &Path, target: &Path) {
    let old = tempfile::tempdir().unwrap();
    for (name, version) in [("node", "v18.19.1"), ("npm", "9.2.0")] {
        let program = old.path().join(name);
        std::fs::write(&program, format!("#!/bin/sh\necho {version}\n")).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(program, executable).unwrap();
    }
    #[expect(clippy::disallowed_methods, reason = "the programs of this machine come after ours")]
    let path = std::env::var_os("PATH").unwrap();
    let all = std::iter::once(old.path().to_owned()).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(all).unwrap();
    let run = |args: &[&str]| {
        let cargo = Cargo::new(clone, target, args).env("PATH", &path);
        cargo.env("LLAMA_SYS_CACHE_DIR", old.path().join("cache"))
    };
    let error = run(&["xtask", "dist"]).fail();
    assert!(
        error.contains("Node.js is too old: the web UI needs 20.19 or 22.12, but this is 18.19.1"),
        "{error}"
    );
    assert!(error.contains("hint: install Node.js for it: cargo xtask setup --yes"), "{error}");
    assert!(!error.contains("building the CPU payload"), "{error}");
    let said = run(&["xtask", "doctor", "--features", "native"]).output();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(
        said.contains("node is 18.19.1, but 20.19 or 22.12 is required\n    in a clone of this"),
        "{said}"
    );
}

/// A finished build that was moved serves another one with the same flags, and no other.
pub(super) fn prebuilt(out: &Path) {
    let moved = tempfile::tempdir().unwrap();
    let copy =
        command("cp").arg("-r").arg(out).arg(moved.path().join("pre built")).status().unwrap();
    assert!(copy.success());
    let (target, before) = (shared_target(), configured_at(out));
    let dir = moved.path().join("pre built");
    library(&target).env("LLAMA_SYS_PREBUILT_DIR", &dir).succeed();
    assert_eq!(configured_at(out), before, "it was built again");
    let other = library(&target)
        .env("LLAMA_SYS_PREBUILT_DIR", &dir)
        .env("LLAMA_SYS_CMAKE_ARGS", "-DGGML_LTO=ON");
    let error = other.fail();
    assert!(
        error.contains("pre built does not match this configuration")
            && error.contains("GGML_LTO is unset, not ON"),
        "{error}"
    );
    // A byte of a library, with the time that it had. Cargo sees no change of it, but of the manifest's time.
    let archive = std::fs::read_dir(dir.join("lib")).unwrap().next().unwrap().unwrap().path();
    flip(&archive);
    let manifest = std::fs::File::open(dir.join("llama-build.json")).unwrap();
    manifest.set_modified(SystemTime::now()).unwrap();
    let prebuilt = || library(&target).env("LLAMA_SYS_PREBUILT_DIR", &dir);
    let error = prebuilt().fail();
    let name = archive.file_name().unwrap().to_string_lossy();
    assert!(error.contains("pre built does not match its llama-build.json"), "{error}");
    assert!(error.contains(&format!("| lib/{name}")), "{error}");
    flip(&archive);
    prebuilt().succeed();
    // Another release with the same flags.
    let text = std::fs::read_to_string(dir.join("llama-build.json")).unwrap();
    std::fs::write(dir.join("llama-build.json"), text.replace("\"tag\": \"b", "\"tag\": \"c"))
        .unwrap();
    let error = prebuilt().fail();
    assert!(
        error.contains("pre built does not match this configuration")
            && error.contains("| the tag is c"),
        "{error}"
    );
}

/// Changes a byte in the middle of a file, which keeps its time.
fn flip(file: &Path) {
    let (mut bytes, time) =
        (std::fs::read(file).unwrap(), file.metadata().unwrap().modified().unwrap());
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).unwrap();
    let file = std::fs::File::options().append(true).open(file).unwrap();
    file.set_modified(time).unwrap();
}

/// The verified source, as a clone has it that fetched it.
pub(crate) fn source_into(clone: &Path) {
    for part in ["llama.cpp", ".llama.cpp.verified"] {
        let from = root().join("vendor").join(part);
        let to = clone.join("vendor").join(part);
        assert!(command("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
    }
}

/// Tracked and new files, as a commit would have them.
pub(crate) fn clone_into(to: &Path) {
    let list = command("git")
        .args(["ls-files", "-co", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    for file in String::from_utf8(list.stdout).unwrap().lines() {
        let (from, to) = (root().join(file), to.join(file));
        if from.is_file() {
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(from, to).unwrap();
        }
    }
}
