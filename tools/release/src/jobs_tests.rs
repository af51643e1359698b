//! What each job runs, for every row and every event.

use super::*;
use crate::event::Event;

const PLACES: [(&str, &str); 6] = [
    ("pull_request", "refs/pull/7/merge"),
    ("push", "refs/heads/main"),
    ("push", "refs/tags/base-images/v2508201420-abc1234"),
    ("push", "refs/tags/v1.2.3"),
    ("schedule", "refs/heads/main"),
    ("workflow_dispatch", "refs/heads/topic"),
];

fn policy(name: &str, reference: &str) -> Policy {
    Event::read(name, reference).unwrap().policy()
}

fn shown(id: &str, policy: &Policy, base: Option<&str>) -> String {
    let lines = find(id).unwrap().lines(policy, "1.2.3", base);
    let text = lines.iter().map(|line| line.0.join(" ")).collect::<Vec<_>>().join("\n");
    text.replace("dist/release/", "")
}

#[test]
fn a_release_builds_once_and_tests_what_it_publishes() {
    let policy = policy("push", "refs/tags/v1.2.3");
    assert_eq!(
        shown("cuda-12.8-amd64", &policy, None),
        "cargo xtask setup docker --yes\n\
         cargo xtask image build cuda --platform linux/amd64 --output \
         dir:dists/cuda-12.8-x86_64-unknown-linux-gnu --toolkit 12.8\n\
         cargo xtask image build cuda --from-dist dists/cuda-12.8-x86_64-unknown-linux-gnu --output \
         oci:images/cuda-12.8-amd64.tar --attest\n\
         docker load --input images/cuda-12.8-amd64.tar\n\
         cargo xtask image test cuda --toolkit 12.8\n\
         cargo xtask image build cuda --from-dist dists/cuda-12.8-x86_64-unknown-linux-gnu --output \
         oci:images/cuda-12.8-amd64-minimal.tar --attest --minimal\n\
         docker load --input images/cuda-12.8-amd64-minimal.tar\n\
         cargo xtask image test cuda --toolkit 12.8 --minimal\n\
         cargo xtask release pack dists/cuda-12.8-x86_64-unknown-linux-gnu --version 1.2.3"
    );
    assert_eq!(
        shown("one-file-arm64", &policy, None),
        "cargo xtask dist --one-file --setup --out dists\n\
         cargo xtask release pack dists/one-file-aarch64-unknown-linux-gnu --version 1.2.3"
    );
}

#[test]
fn the_packer_is_built_once_and_its_image_is_tried_before_it_leaves() {
    let base = Some("debian:trixie-slim@sha256:0a");
    let rebuild = policy("schedule", "refs/heads/main");
    assert_eq!(
        shown("gguf-packer-arm64", &rebuild, base),
        "cargo xtask setup docker --yes\n\
         cargo xtask dist --packer --setup --out dists\n\
         cargo xtask image build gguf-packer --from-dist dists/gguf-packer-aarch64-unknown-linux-gnu --output \
         oci:images/gguf-packer-arm64.tar --attest --base-image debian:trixie-slim@sha256:0a --no-cache\n\
         docker load --input images/gguf-packer-arm64.tar\n\
         cargo xtask image test gguf-packer\n\
         cargo xtask release pack dists/gguf-packer-aarch64-unknown-linux-gnu --version 1.2.3"
    );
    let change = policy("pull_request", "refs/pull/7/merge");
    let shown = shown("gguf-packer-amd64", &change, None);
    assert!(shown.ends_with("\ncargo xtask image test gguf-packer"), "{shown}");
}

/// Every command is one that its own parser takes.
#[test]
fn every_command_of_every_row_and_event_can_be_meant() {
    for (name, reference) in PLACES {
        let policy = policy(name, reference);
        let base = policy.new_base.then_some("debian:trixie-slim@sha256:0a");
        for job in all(&policy) {
            for line in job.lines(&policy, "1.2.3", base) {
                let words: Vec<&str> = line.0.iter().map(String::as_str).collect();
                match words[..] {
                    ["cargo", "xtask", "image", ref rest @ ..] => image::takes(rest).unwrap(),
                    ["cargo", "xtask", "dist", ref rest @ ..] => {
                        distribution::dist::takes(rest).unwrap()
                    }
                    ["cargo", "xtask", "setup", "docker", "--yes"]
                    | ["docker", "load", "--input", _]
                    | ["cargo", "xtask", "release", "pack", _, "--version", _] => {}
                    _ => panic!("{words:?}"),
                }
            }
        }
    }
}

#[test]
fn what_is_tested_is_what_was_built() {
    let policy = policy("push", "refs/heads/main");
    for job in all(&policy) {
        let lines = job.lines(&policy, "1", None);
        let loads: Vec<&Line> = lines.iter().filter(|line| line.0[0] == "docker").collect();
        let tests = lines.iter().filter(|line| line.0.get(3).is_some_and(|word| word == "test"));
        assert_eq!(loads.len(), tests.count(), "{}", job.id);
        for load in loads {
            let written = format!("oci:{}", load.0[3]);
            assert!(lines.iter().any(|line| line.0.contains(&written)), "{}", job.id);
        }
    }
}

#[test]
fn a_rebuild_takes_the_new_base_and_no_layer_of_before() {
    let base = "debian:trixie-slim@sha256:0a";
    let policy = policy("schedule", "refs/heads/main");
    for job in all(&policy) {
        let lines = job.lines(&policy, "1", Some(base));
        for line in lines.iter().filter(|line| line.0.get(3).is_some_and(|word| word == "build")) {
            let text = line.0.join(" ");
            assert!(text.contains(&format!("--base-image {base}")), "{text}");
            assert!(text.contains("--no-cache") && !text.contains("--cache "), "{text}");
        }
    }
}

#[test]
fn layers_are_kept_for_what_is_small_on_main_and_for_changes() {
    let cached = |name: &str, reference: &str| {
        let policy = policy(name, reference);
        let with = |job: &Job| {
            let lines = job.lines(&policy, "1", None);
            lines.iter().any(|line| line.0.contains(&"--cache".to_owned()))
        };
        let jobs = all(&policy).into_iter().filter(with).map(|job| job.id);
        jobs.collect::<Vec<_>>().join(" ")
    };
    // A toolkit has gigabytes.
    let small = variant::matrix().into_iter().filter(|row| row.toolkit.is_none());
    let small: Vec<_> = small.map(|row| row.id()).collect();
    for known in ["cpu-amd64", "cpu-arm64", "vulkan-amd64", "vulkan-arm64"] {
        assert!(small.iter().any(|id| id == known), "{small:?}");
    }
    assert!(!small.iter().any(|id| id.starts_with("cuda") || id.starts_with("rocm")), "{small:?}");
    let small = small.join(" ");
    assert_eq!(cached("pull_request", "refs/pull/7/merge"), small);
    assert_eq!(cached("push", "refs/heads/main"), small);
    for (name, reference) in &PLACES[2..] {
        assert_eq!(cached(name, reference), "", "{reference}");
    }
}

#[test]
fn a_change_is_tried_with_one_gpu_architecture() {
    let policy = policy("pull_request", "refs/pull/7/merge");
    assert!(shown("cuda-13.0-amd64", &policy, None).contains(" --toolkit 13.0 --arch 90\n"));
    assert!(shown("rocm-7.2-amd64", &policy, None).contains(" --toolkit 7.2 --arch gfx1100\n"));
    assert!(!shown("cpu-amd64", &policy, None).contains("--arch"));
    assert!(all(&policy).iter().all(|job| !job.id.starts_with("one-file")));
}

#[test]
fn a_job_runs_on_the_processor_it_is_for() {
    let jobs = all(&Policy { packs: true, ..Policy::default() });
    for job in &jobs {
        let is_arm = job.id.ends_with("-arm64");
        assert_eq!(job.runner() == "ubuntu-24.04-arm", is_arm, "{}", job.id);
        assert_eq!(find(&job.id).unwrap(), *job);
    }
    let error = find("rocm-6.4-amd64").unwrap_err().to_string();
    let ids: Vec<&str> = jobs.iter().map(|job| job.id.as_str()).collect();
    assert_eq!(
        error,
        format!("unknown job `rocm-6.4-amd64`\n  hint: use one of: {}", ids.join(" "))
    );
}
