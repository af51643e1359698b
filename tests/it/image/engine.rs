//! Engines that cannot do what is asked of them, and those that fail half-way.

use std::path::Path;

use llama_tests::docker::{self, REGISTRY, read};
use llama_tests::needs;
use llama_tests::workspace::{Cargo, xtask};

/// A client whose builds fail as the script says; behind it is the real one.
const CLIENT: &str = r#"#!/bin/sh
PATH='REAL'
if [ "$1 $2" = "buildx build" ]; then
  echo build >> "$0.builds"
  SCRIPT
fi
exec docker "$@"
"#;

#[test]
fn what_docker_cannot_do_is_told_before_anything_is_built() {
    if needs::docker().is_none() {
        return;
    }
    let refused = |args: &[&str]| xtask(&[&["image", "build"], args].concat()).fail();
    let error = refused(&["npu"]);
    assert!(error.contains("[possible values: cpu, "), "{error}");
    let mut elsewhere = xtask(&["image", "build", "cpu"]);
    elsewhere.command().env("DOCKER_HOST", "unix:///nobody/is/here.sock");
    let error = elsewhere.fail();
    assert!(error.contains("cannot connect to a Docker engine"), "{error}");
    assert!(error.contains("hint: cargo xtask setup docker --yes"), "{error}");
}

/// Moby's collector takes layers of images that are being unpacked; then everything but the last step was done.
#[test]
fn an_image_that_the_engine_could_not_unpack_is_built_once_more() {
    let (Some(dist), Some(())) = (needs::dist(), needs::docker()) else { return };
    let name = format!("{REGISTRY}/unpacked-twice");
    let _ = docker::docker(&["image", "rm", &name]).output();
    let args = ["image", "build", "cpu", "--tag", &name, "--from-dist", dist.to_str().unwrap()];
    let dir = tempfile::tempdir().unwrap();
    let unpacks = r#"[ "$(wc -l < "$0.builds")" -gt 1 ] || { docker "$@" && exit 1; }"#;
    let said = with_client(xtask(&args), dir.path(), unpacks).succeed();
    assert!(said.contains("failed after that: trying once more"), "{said}");
    assert_eq!(builds(dir.path()), 2);
    read(&["run", "--rm", &name, "--version"]);
}

/// A step that fails would only fail again.
#[test]
fn a_build_that_fails_is_not_repeated() {
    let (Some(dist), Some(())) = (needs::dist(), needs::docker()) else { return };
    let name = format!("{REGISTRY}/never-built");
    let args = ["image", "build", "cpu", "--tag", &name, "--from-dist", dist.to_str().unwrap()];
    let dir = tempfile::tempdir().unwrap();
    let said = with_client(xtask(&args), dir.path(), "exit 1").fail();
    assert!(said.contains("a command failed with exit status: 1") && !said.contains("once more"));
    assert_eq!(builds(dir.path()), 1);
}

fn with_client(mut cargo: Cargo, dir: &Path, script: &str) -> Cargo {
    use std::os::unix::fs::PermissionsExt;
    let client = dir.join("docker");
    #[expect(clippy::disallowed_methods, reason = "the programs of this machine come after ours")]
    let path = std::env::var("PATH").unwrap();
    std::fs::write(&client, CLIENT.replace("REAL", &path).replace("SCRIPT", script)).unwrap();
    std::fs::set_permissions(&client, PermissionsExt::from_mode(0o755)).unwrap();
    cargo.command().env("PATH", format!("{}:{path}", dir.display()));
    cargo
}

fn builds(dir: &Path) -> usize {
    std::fs::read_to_string(dir.join("docker.builds")).unwrap().lines().count()
}
