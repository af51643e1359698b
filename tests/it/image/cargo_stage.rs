//! From nothing but a clone: the stage in which Cargo builds.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use llama_tests::docker::{Container, REGISTRY, base, build_with, docker, read};
use llama_tests::needs;
use llama_tests::process::{Finished, command, finish};
use llama_tests::server::greedy_tokens_of;
use llama_tests::workspace::{one_build_at_a_time, root, scratch};

/// What the smallest of GitHub's runners has left.
const MOST_MEMORY: u64 = 14_000_000_000;

#[test]
fn a_clone_and_docker_are_enough() {
    if needs::docker().is_none() {
        return;
    }
    let _building = one_build_at_a_time();
    let image = format!("{REGISTRY}/llama-cpp-cpu:cargo-stage");
    let started = Instant::now();
    let (commit, memory) = with_memory(|| built("cpu", &image));
    let report =
        format!("{:.0} s, {:.1} GB\n", started.elapsed().as_secs_f32(), memory as f64 / 1e9);
    std::fs::write(scratch("").join("cargo-stage.txt"), &report).unwrap();
    assert!(memory < MOST_MEMORY, "{report}");
    assert_eq!(commit_of(&image, "/app/version.json"), commit);
    let server = Container::serve(&image, &["--publish", "127.0.0.1::8080"], &[]);
    server.wait_for_health("healthy");
    assert_eq!(greedy_tokens_of(&server.url(), "Hello", 8).len(), 8);
}

#[test]
fn a_clone_and_docker_are_enough_for_gguf_packer() {
    if needs::docker().is_none() {
        return;
    }
    let _building = one_build_at_a_time();
    let image = format!("{REGISTRY}/gguf-packer:cargo-stage");
    let commit = built("gguf-packer", &image);
    assert_eq!(commit_of(&image, "/app/version.json"), commit);
    let list = read(&["run", "--rm", "--entrypoint", "gguf-packer", &image, "list"]);
    assert!(list.contains("NAME"), "{list}");
}

/// Builds `image` from a clone by the Dockerfile of that name. Returns the clone's commit.
fn built(dockerfile: &str, image: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let clone = dir.path().join("clone");
    copy_repository(&clone);
    let commit = finish(command("git").args(["rev-parse", "HEAD"]).current_dir(&clone)).output;
    let file = format!("docker/{dockerfile}.Dockerfile");
    let base = format!("BASE_IMAGE={}", base());
    let mut build = docker(&["buildx", "build", "--file", &file, "--progress=plain"]);
    // The network of this machine may have certificates of its own.
    build.args(["--secret", "id=ca,src=/etc/ssl/certs/ca-certificates.crt", "--build-arg", &base]);
    build.args(["--load", "--tag", image, "."]).current_dir(&clone);
    build_with(&mut build);
    commit.trim().to_owned()
}

/// The commit that the manifest at `path` in an image names.
fn commit_of(image: &str, path: &str) -> String {
    let container = read(&["create", image]);
    let container = container.trim();
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("manifest.json");
    read(&["cp", &format!("{container}:{path}"), to.to_str().unwrap()]);
    read(&["rm", container]);
    let manifest = std::fs::read(to).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    manifest["commit"].as_str().unwrap()[..40].to_owned()
}

/// A clone with what is not committed yet.
fn copy_repository(to: &Path) {
    let script = "git clone --quiet --no-checkout . \"$1\" && \
                  git ls-files -co --exclude-standard -z | xargs -0 cp -a --parents -t \"$1\"";
    let mut copy = command("sh");
    copy.args(["-ec", script, "sh"]).arg(to).current_dir(root());
    let Finished { status, output } = finish(&mut copy);
    assert!(status.success(), "{output}");
}

/// What `work` gives, and how many bytes of this machine's memory went meanwhile: other tests' among them.
fn with_memory<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let done = AtomicBool::new(false);
    let before = available();
    std::thread::scope(|scope| {
        let least = scope.spawn(|| {
            let mut least = before;
            while !done.load(Ordering::Relaxed) {
                least = least.min(available());
                std::thread::sleep(Duration::from_millis(500));
            }
            least
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        (result, before - least.join().unwrap())
    })
}

fn available() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find(|line| line.starts_with("MemAvailable:")).unwrap();
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse::<u64>().unwrap() * 1024
}
