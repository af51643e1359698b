//! Pushed, joined for both platforms, pulled, signed and verified.

use std::path::Path;

use llama_tests::docker::{self, docker, read};
use llama_tests::manifest::Rendered;
use llama_tests::needs;
use llama_tests::process::{Finished, finish};
use llama_tests::registry::Registry;
use llama_tests::workspace::{root, xtask};
use serde_json::Value;

/// What our own workflow does, with a registry of our own and a key instead of an identity.
#[test]
fn both_platforms_are_one_name_that_can_be_trusted() {
    let (Some(amd64), Some(arm64)) = (needs::dist(), needs::arm64_dist()) else { return };
    let Some(registry) = Registry::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let manifest: Value =
        serde_json::from_str(&std::fs::read_to_string(amd64.join("version.json")).unwrap())
            .unwrap();
    let version = manifest["version"].as_str().unwrap();
    let to = ["--registry", &registry.address, "--scheme", "all"];
    let release = dir.path().join("release.json");
    let join = ["image", "manifest", "cpu", "--release-json", release.to_str().unwrap()];
    let join = || {
        let mut join = xtask(&[&join[..], &to].concat());
        for name in ["version", "commit", "timestamp", "branch"] {
            let variable = format!("BUILD_{}", name.to_uppercase());
            join = join.env(&variable, manifest[name].as_str().unwrap());
        }
        join
    };
    // Half of it is no release.
    push(&amd64, &to);
    let error = join().fail();
    assert!(error.contains("not in the registry:"), "{error}");
    assert!(!release.exists());
    push(&arm64, &to);
    join().succeed();
    let release: Value = serde_json::from_str(&std::fs::read_to_string(&release).unwrap()).unwrap();
    let image = &release["images"][0];
    let platforms = image["platforms"].as_object().unwrap();
    assert_eq!(platforms.keys().collect::<Vec<_>>(), ["linux/amd64", "linux/arm64"]);
    let pinned = image["image"].as_str().unwrap();
    for (platform, machine) in [("linux/amd64", "x86_64"), ("linux/arm64", "aarch64")] {
        let name = format!("{}/llama-cpp-cpu:{version}", registry.address);
        read(&["pull", "--quiet", "--platform", platform, &name]);
        let run = ["run", "--rm", "--platform", platform, &name, "uname", "-m"];
        assert_eq!(read(&run), machine);
        read(&["image", "rm", "--force", &name]);
    }
    trust(&registry, dir.path(), &amd64, pinned);
}

/// What docs/images.md says to type, but for the cluster.
#[test]
fn the_documented_line_names_an_image_that_a_cluster_can_pull() {
    let Some(image) = docker::image("cpu") else { return };
    let Some(registry) = Registry::start() else { return };
    let documents = std::fs::read_to_string(root().join("docs/images.md")).unwrap();
    let mut lines = documents.lines().filter_map(|line| line.strip_suffix(" | kubectl apply -f -"));
    let line = lines.find(|line| line.contains("$REGISTRY")).expect("docs/images.md has the line");
    let name = format!("{}/llama-cpp-cpu:1", registry.address);
    read(&["tag", &image, &name]);
    read(&["push", "--quiet", &name]);
    read(&["image", "rm", &name]);
    let repository = format!("{}:/repository:ro", root().display());
    let there = format!("REGISTRY={}", registry.address);
    let run = ["run", "--rm", "--env", &there, "--env", "TAG=1", "--volume", &repository];
    let shell = ["--workdir", "/repository", &registry.tools, "sh", "-ec", line];
    let rendered = Rendered::parse(&read(&[&run[..], &shell].concat()));
    assert_eq!(rendered.pod().containers[0].image, name);
    read(&["pull", "--quiet", &name]);
}

fn push(dist: &Path, to: &[&str]) {
    let dist = dist.to_str().unwrap();
    let args = ["image", "build", "cpu", "--from-dist", dist, "--push"];
    xtask(&[&args[..], to].concat()).succeed();
}

/// Signs and attests `image`; what is not what was signed is refused.
fn trust(registry: &Registry, dir: &Path, dist: &Path, image: &str) {
    let done = |words: &[&str]| {
        let Finished { status, output } = registry.run(dir, &[&["cosign"], words].concat());
        assert!(status.success(), "cosign {}: {output}", words.join(" "));
    };
    let refused = |words: &[&str], message: &str| {
        registry.run(dir, &[&["cosign"], words].concat()).assert_refused("cosign", message);
    };
    std::fs::copy(dist.join("sbom.spdx.json"), dir.join("sbom.json")).unwrap();
    done(&["generate-key-pair"]);
    let sign = ["--key", "cosign.key", "--tlog-upload=false", "--allow-http-registry", "--yes"];
    let verify = ["--key", "cosign.pub", "--insecure-ignore-tlog", "--allow-http-registry"];
    let checked = |image| [&["verify"], &verify[..], &[image]].concat();
    refused(&checked(image), "no signatures found");
    done(&[&["sign", "--recursive"], &sign[..], &[image]].concat());
    done(&checked(image));
    let what = ["--type", "spdxjson"];
    done(&[&["attest", "--predicate", "sbom.json"], &what[..], &sign, &[image]].concat());
    done(&[&["verify-attestation"], &what[..], &verify, &[image]].concat());
    // Another key's signature is none.
    std::fs::rename(dir.join("cosign.pub"), dir.join("first.pub")).unwrap();
    std::fs::remove_file(dir.join("cosign.key")).unwrap();
    done(&["generate-key-pair"]);
    refused(&checked(image), "invalid signature");
    std::fs::rename(dir.join("first.pub"), dir.join("cosign.pub")).unwrap();
    // Somebody gives its name to something else.
    let (name, digest) = image.split_once('@').unwrap();
    let moved = format!("{name}:moved");
    let other = ["--annotation", "index:who=else", "--tag", &moved, image];
    read(&[&["buildx", "imagetools", "create"], &other[..]].concat());
    refused(&checked(&moved), "no signatures found");
    // Somebody changes its bytes in the registry.
    let pull = || finish(&mut docker(&["pull", "--quiet", image]));
    assert!(pull().status.success());
    read(&["image", "rm", "--force", image]);
    let hash = digest.split_once(':').unwrap().1;
    let blob = format!("/registry/docker/registry/v2/blobs/sha256/{}/{hash}/data", &hash[..2]);
    let script = format!("sed -i 's/linux/Linux/' {blob}");
    assert!(registry.container.exec(&["sh", "-ec", &script]).status.success());
    let Finished { status, output } = pull();
    assert!(!status.success(), "tampered, and pulled: {output}");
}
