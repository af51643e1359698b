//! Signatures and documents of models, against cosign and oras: what we sign they verify, and the other way round.

use std::path::Path;

use llama_tests::checkpoints::Checkpoint;
use llama_tests::hub::Hub;
use llama_tests::packer::Packer;
use llama_tests::process::Finished;
use llama_tests::registry::Registry;
use llama_tests::{needs, workspace};
use serde_json::Value;

/// A registry, a packer whose empty password opens cosign's keys, a folder with a key pair and a file to build.
struct Bench {
    registry: Registry,
    packer: Packer,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Option<Self> {
        let packer = Packer::new()?.env("COSIGN_PASSWORD", "");
        let (registry, dir) = (Registry::start()?, tempfile::tempdir().unwrap());
        std::fs::copy(needs::demo_model()?, dir.path().join("model.gguf")).unwrap();
        let file = "FROM scratch\nCOPY model.gguf .\nCMD [\"-m\", \"model.gguf\"]\n";
        std::fs::write(dir.path().join("GGUFPackerfile"), file).unwrap();
        let bench = Self { registry, packer, dir };
        bench.cosign(&["generate-key-pair"]);
        // The container's root writes it for itself.
        bench.registry.run(bench.at(), &["chmod", "a+r", "cosign.key"]);
        Some(bench)
    }

    fn at(&self) -> &Path {
        self.dir.path()
    }

    fn name(&self, tag: &str) -> String {
        format!("{}/model:{tag}", self.registry.address)
    }

    fn try_cosign(&self, words: &[&str]) -> Finished {
        self.registry.run(self.at(), &[&["cosign"], words].concat())
    }

    fn cosign(&self, words: &[&str]) -> String {
        let Finished { status, output } = self.try_cosign(words);
        assert!(status.success(), "cosign {}: {output}", words.join(" "));
        output
    }
}

const VERIFY: [&str; 4] =
    ["--key", "cosign.pub", "--insecure-ignore-tlog", "--allow-http-registry"];

#[test]
fn cosign_verifies_what_we_sign() {
    let Some(bench) = Bench::new() else { return };
    let name = bench.name("1");
    let said = bench
        .packer
        .does_in(bench.at(), &["build", "--tag", &name, "--push", "--sign", "cosign.key", "."]);
    assert!(said.contains("pushed and signed"), "{said}");
    let told = bench.cosign(&[&["verify"], &VERIFY[..], &[&name]].concat());
    assert!(told.contains("docker-manifest-digest"), "{told}");
    for kind in ["slsaprovenance1", "cyclonedx"] {
        let words = ["verify-attestation", "--type", kind];
        bench.cosign(&[&words, &VERIFY[..], &[&name]].concat());
    }
    bench.packer.does_in(bench.at(), &["verify", "--key", "cosign.pub", &name]);
    bench.packer.does_in(bench.at(), &["remove", &name]);
    bench.packer.does_in(bench.at(), &["pull", "--verify", "cosign.pub", &name]);

    // An artifact too, under its own name.
    bench.packer.does_in(
        bench.at(),
        &[
            "push",
            "--format",
            &format!("modelpack={}", bench.name("pack")),
            "--sign",
            "cosign.key",
            &name,
        ],
    );
    bench.cosign(&[&["verify"], &VERIFY[..], &[&bench.name("pack")]].concat());
}

#[test]
fn what_cosign_signs_is_pulled_and_nothing_else() {
    let Some(bench) = Bench::new() else { return };
    let name = bench.name("2");
    bench.packer.does_in(bench.at(), &["build", "--tag", &name, "--push", "."]);
    let verify = ["verify", "--key", "cosign.pub", &name];
    let refused = bench.packer.run_in(bench.at(), &verify);
    refused.assert_refused("gguf-packer verify", "is not signed with this key");
    let pull = bench.packer.run_in(bench.at(), &["pull", "--verify", "cosign.pub", &name]);
    pull.assert_refused("gguf-packer pull", "is not signed with this key");
    let unsigned = bench.try_cosign(&[&["verify"], &VERIFY[..], &[&name]].concat());
    assert!(!unsigned.status.success(), "{}", unsigned.output);

    let sign =
        ["sign", "--key", "cosign.key", "--tlog-upload=false", "--allow-http-registry", "--yes"];
    bench.cosign(&[&sign[..], &[&name]].concat());
    bench.packer.does_in(bench.at(), &verify);
    bench.packer.does_in(bench.at(), &["pull", "--verify", "cosign.pub", &name]);
    let other = tempfile::tempdir().unwrap();
    bench.registry.run(other.path(), &["cosign", "generate-key-pair"]);
    let key = other.path().join("cosign.pub");
    let refused =
        bench.packer.run_in(bench.at(), &["verify", "--key", key.to_str().unwrap(), &name]);
    refused.assert_refused("gguf-packer verify", "is not signed with this key");
}

/// From the safetensors to the image, and back from a registry: oras lists the documents as referrers do.
#[test]
fn a_provenance_leads_from_the_image_to_the_safetensors() {
    let Some(bench) = Bench::new() else { return };
    let files = tempfile::tempdir().unwrap();
    let source = workspace::root().join("vendor/llama.cpp");
    let hub = Hub::start(Checkpoint::named("Qwen2-0.5B-Instruct").write(files.path(), &source));
    let packer = Packer::new().unwrap().env("HF_ENDPOINT", hub.endpoint("127.0.0.1"));
    let file = "FROM scratch\nADD https://huggingface.co/Qwen/Q.git Q\nCONVERT Q q.gguf\nCMD [\"-m\", \"q.gguf\"]\n";
    std::fs::write(bench.at().join("GGUFPackerfile"), file).unwrap();
    let name = bench.name("3");
    packer.does_in(bench.at(), &["build", "--tag", &name, "--push", "."]);
    let shown = |packer: &Packer, what: &str| -> Value {
        let output = packer.command(&["inspect", what, &name]).output().unwrap();
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)))
    };
    let own = shown(&packer, "--provenance");
    let text = own.to_string();
    assert!(text.contains("model.safetensors") && text.contains("Qwen/Q"), "{text}");
    let stranger = Packer::new().unwrap();
    assert_eq!(shown(&stranger, "--provenance"), own, "the registry has what the store has");
    let sbom = shown(&stranger, "--sbom");
    assert_eq!(sbom["bomFormat"], "CycloneDX");
    assert_eq!(sbom["specVersion"], "1.6");
    stranger.does(&["pull", &name]);
    assert_eq!(shown(&stranger, "--sbom"), sbom);
    let words =
        ["oras", "discover", "--plain-http", "--distribution-spec", "v1.1-referrers-tag", &name];
    let Finished { status, output } = bench.registry.run(bench.at(), &words);
    assert!(status.success(), "{output}");
    assert!(output.contains("application/vnd.in-toto+json"), "{output}");
    assert!(output.contains("application/vnd.cyclonedx+json"), "{output}");
}
