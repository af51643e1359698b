//! Manifests that ask for GPUs, read by those that they are for: no machine here has any.

use std::path::Path;

use llama_tests::docker::{self, docker};
use llama_tests::needs;
use llama_tests::packer::Packer;
use llama_tests::process::{Finished, command, finish};

use super::kubernetes::context;
use crate::image::kubernetes::{VALIDATE, VERSIONS};

/// What may follow `--gpu`, and who may have it.
const GPUS: [&str; 5] = ["nvidia", "nvidia=2", "amd", "intel", "intel-xe"];

/// A store with the image `demo:1`.
fn packer(dir: &Path) -> Option<Packer> {
    let packer = Packer::new()?;
    context(dir);
    packer.does_in(dir, &["build", "--tag", "demo:1", "."]);
    Some(packer)
}

/// The manifest of this kind for each of [`GPUS`].
fn printed(packer: &Packer, kind: &str) -> impl Iterator<Item = (&'static str, String)> {
    GPUS.into_iter().map(move |gpus| {
        let words = ["run", "demo:1", "--print", kind, "--gpu", gpus];
        let printed = packer.command(&words).output().unwrap();
        assert!(printed.status.success(), "{words:?}: {printed:?}");
        (gpus, String::from_utf8(printed.stdout).unwrap())
    })
}

#[test]
fn kubernetes_knows_every_field_of_a_manifest_for_gpus() {
    let Some(tool) = needs::from_pypi(VALIDATE.0, VALIDATE.1) else { return };
    let dir = tempfile::tempdir().unwrap();
    let Some(packer) = packer(dir.path()) else { return };
    for (gpus, text) in printed(&packer, "kube") {
        std::fs::write(dir.path().join("kube.yaml"), text).unwrap();
        for version in VERSIONS {
            let mut validate = command(tool.join("bin/kubernetes-validate"));
            validate.args(["--strict", "--no-warn", "--kubernetes-version", version, "kube.yaml"]);
            validate.env("PYTHONPATH", &tool).current_dir(dir.path());
            let Finished { status, output } = finish(&mut validate);
            assert!(status.success(), "{gpus}, {version}: {output}");
        }
    }
}

/// Debian's compose has no volumes of images yet.
#[test]
fn compose_understands_a_manifest_for_gpus() {
    let dir = tempfile::tempdir().unwrap();
    let (Some(packer), Some(())) = (packer(dir.path()), needs::docker()) else { return };
    let path = dir.path().join("compose.yaml");
    for (gpus, text) in printed(&packer, "compose") {
        let mount = text.lines().find(|line| line.contains("type: image")).unwrap();
        std::fs::write(&path, text.replace(mount, "      - ./:/model-image")).unwrap();
        let mut config = docker(&["compose", "--file", path.to_str().unwrap(), "config"]);
        let config = config.args(["--format", "json"]).output().unwrap();
        assert!(config.status.success(), "{gpus}: {config:?}");
        let config: serde_json::Value = serde_json::from_slice(&config.stdout).unwrap();
        let server = &config["services"]["llama-server"];
        assert_eq!(server["environment"]["LLAMA_REQUIRE_GPU"], "1", "{gpus}: {server}");
        let reserved = &server["deploy"]["resources"]["reservations"]["devices"][0];
        let devices = server["devices"].as_array().map_or(0, Vec::len);
        let groups = server["group_add"].as_array().map_or(0, Vec::len);
        let expected = match gpus {
            "nvidia" => (Some(1), 0, 0),
            "nvidia=2" => (Some(2), 0, 0),
            "amd" => (None, 2, 2),
            _ => (None, 1, 2),
        };
        assert_eq!((reserved["count"].as_u64(), devices, groups), expected, "{gpus}: {server}");
    }
}

#[test]
fn podman_reads_a_unit_for_gpus() {
    let dir = tempfile::tempdir().unwrap();
    let (Some(packer), Some(tools)) = (packer(dir.path()), docker::tools()) else { return };
    for (gpus, text) in printed(&packer, "quadlet") {
        let units = dir.path().join(gpus);
        std::fs::create_dir(&units).unwrap();
        std::fs::write(units.join("demo.container"), text).unwrap();
        let mount = format!("{}:/etc/containers/systemd:ro", units.display());
        let program = "/usr/libexec/podman/quadlet";
        let line = docker::read(&["run", "--rm", "--volume", &mount, &tools, program, "-dryrun"]);
        let words: &[&str] = match gpus {
            "amd" => &["--device=/dev/kfd", "--device=/dev/dri", "--group-add keep-groups"],
            "intel" | "intel-xe" => &["--device=/dev/dri", "--group-add keep-groups"],
            _ => &["--device=nvidia.com/gpu=all"],
        };
        for words in
            [words, &["--env LLAMA_REQUIRE_GPU=1", "--env LLAMA_HEALTHCHECK_STALL=300"]].concat()
        {
            let plain = line.replace("--device ", "--device=");
            assert!(plain.contains(words), "{gpus}: no {words} in\n{line}");
        }
    }
}
