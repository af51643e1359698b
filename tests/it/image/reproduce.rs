//! The same bytes twice, and only what changed when something did.

use std::path::{Path, PathBuf};

use llama_tests::docker::Archive;
use llama_tests::needs;
use llama_tests::process::command;
use llama_tests::workspace::{root, xtask};
use sha2::{Digest, Sha256};

/// The image of the distribution in `dist`, as a registry would get it.
fn archive(variant: &str, dist: &Path, to: &Path, more: &[&str]) -> Archive {
    let output = format!("oci:{}", to.display());
    let dist = dist.to_str().unwrap();
    let args = ["image", "build", variant, "--from-dist", dist];
    xtask(&[&args[..], &["--output", &output], more].concat()).succeed();
    Archive::read(to)
}

#[test]
fn two_builds_give_one_digest() {
    let (Some(dist), Some(())) = (needs::dist(), needs::docker()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let first = archive("cpu", &dist, &dir.path().join("1.tar"), &["--no-cache"]);
    let copy = copy(&dist, dir.path());
    let second = archive("cpu", &copy, &dir.path().join("2.tar"), &["--no-cache"]);
    assert_eq!(first, second);
}

/// Another llama.cpp: Debian's layers and the GPU vendor's stay what they are. And what two variants have in
/// common is one layer.
#[test]
fn a_new_version_changes_only_its_own_layers() {
    let (Some(cpu), Some(vulkan), Some(())) =
        (needs::dist(), needs::vulkan_dist(), needs::docker())
    else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let old = archive("vulkan", &vulkan, &dir.path().join("old.tar"), &[]);
    let newer = copy(&vulkan, dir.path());
    pretend_newer(&newer);
    let new = archive("vulkan", &newer, &dir.path().join("new.tar"), &[]);
    let [base, packages, backend, payload, bin, licenses, metadata] = &new.layers[..] else {
        panic!("other layers than docs/images.md has: {new:?}");
    };
    assert_eq!([base, packages, backend].map(String::as_str), old.layers[..3]);
    assert_eq!([bin, licenses].map(String::as_str), old.layers[4..6]);
    assert_ne!(payload, &old.layers[3]);
    assert_ne!(metadata, &old.layers[6]);
    let cpu = archive("cpu", &cpu, &dir.path().join("cpu.tar"), &[]);
    assert_eq!(cpu.layers[0], old.layers[0], "one base");
    assert_eq!(cpu.layers[2], old.layers[3], "one CPU payload");
}

/// The same files at other times: of long ago, as an unpacked archive has them.
fn copy(dist: &Path, to: &Path) -> PathBuf {
    let to = to.join("another");
    let script = "cp -r --no-dereference --preserve=mode,links \"$1\" \"$2\"
        find \"$2\" -exec touch --no-dereference --date=@86400 {} +";
    let mut sh = command("sh");
    let status = sh.args(["-ec", script, "sh"]).arg(dist).arg(&to).current_dir(root()).status();
    assert!(status.unwrap().success());
    to
}

/// Another `libllama.so`, and a manifest that knows it.
fn pretend_newer(dist: &Path) {
    let library = dist.join("libllama.so");
    let mut bytes = std::fs::read(&library).unwrap();
    bytes.extend([0; 16]);
    std::fs::write(&library, &bytes).unwrap();
    let path = dist.join("version.json");
    let mut manifest: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    manifest["version"] = "9912312359-0000000".into();
    manifest["files"]["libllama.so"]["size"] = bytes.len().into();
    let sum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    manifest["files"]["libllama.so"]["sha256"] = sum.into();
    std::fs::write(&path, manifest.to_string()).unwrap();
}
