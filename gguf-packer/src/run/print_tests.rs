//! Golden tests of the manifests.

use std::fs;
use std::path::Path;

use super::*;

fn target(folder: &Path) -> Target {
    fs::create_dir_all(folder.join("models")).unwrap();
    fs::write(folder.join("models/m.gguf"), "").unwrap();
    Target {
        command: words("-m /models/m.gguf -c 8192 --chat-template {{$x|100%}}$(y)"),
        folder: folder.to_owned(),
        mark: "849d4691".to_owned(),
        name: Some("registry.example/team/qwen2:0.5b".to_owned()),
        size: 3_500_000_000,
    }
}

fn planned() -> Result<Planned, Error> {
    Ok(Planned { bytes: 5_000_000_000, checkpoints: false })
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn of(server: &str, format: Format) -> Manifest<'_> {
    Manifest { format, server, gpus: None }
}

fn printed(server: &str, extra: &str, format: Format) -> String {
    let folder = tempfile::tempdir().unwrap();
    print(&target(folder.path()), &of(server, format), &words(extra), &planned).unwrap().text
}

#[test]
fn kubernetes_mounts_the_image() {
    let text = printed("llama-cpp-cpu:local", "-fa --port 80", Format::Kube);
    assert_eq!(text, include_str!("print/golden/kube.yaml"));
}

#[test]
fn compose_mounts_the_models_of_the_image() {
    let text = printed("llama-cpp-cpu:local", "--port 8888", Format::Compose);
    assert_eq!(text, include_str!("print/golden/compose.yaml"));
}

#[test]
fn quadlet_mounts_the_image() {
    let text = printed("localhost/llama-cpp-cpu:local", "", Format::Quadlet);
    assert_eq!(text, include_str!("print/golden/quadlet.container"));
}

#[test]
fn a_model_elsewhere_in_the_image_is_found_in_the_whole_image() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("m.gguf"), "").unwrap();
    let target = Target { command: words("-m /m.gguf"), ..target(folder.path()) };
    let text = |format| print(&target, &of("s:1", format), &[], &planned).unwrap().text;
    for (format, mount) in [
        (Format::Kube, "{name: model, mountPath: /model-image, readOnly: true}"),
        (Format::Compose, "target: /model-image, read_only: true}"),
    ] {
        let text = text(format);
        assert!(text.contains(mount) && text.contains("- \"/model-image/m.gguf\""), "{text}");
    }
}

#[test]
fn a_file_has_no_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let file = Target { name: None, ..target(folder.path()) };
    let error = print(&file, &of("s:1", Format::Kube), &[], &planned).unwrap_err().to_string();
    let expected = "a manifest needs an image, not a file
  hint: gguf-packer build -t REGISTRY/NAME --push .
  hint: gguf-packer run REGISTRY/NAME --print kube";
    assert_eq!(error, expected);
}

#[test]
fn a_manifest_asks_for_the_gpus_that_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let target = target(folder.path());
    for (gpus, format, lines) in [
        (
            "nvidia=2",
            Format::Kube,
            &["memory: 7Gi, nvidia.com/gpu: \"2\"}", "[{key: nvidia.com"][..],
        ),
        ("amd", Format::Kube, &[", amd.com/gpu: \"1\"}", "supplementalGroups: [44, 992]"]),
        ("nvidia=2", Format::Compose, &["{driver: nvidia, count: 2, capabilities: [gpu]}"]),
        ("amd", Format::Compose, &["devices: [/dev/kfd, /dev/dri]", "${RENDER_GID:-992}"]),
        ("nvidia", Format::Quadlet, &["AddDevice=nvidia.com/gpu=all"]),
        ("intel-xe", Format::Kube, &["memory: 7Gi, gpu.intel.com/xe: \"1\"}"]),
        (
            "intel",
            Format::Quadlet,
            &["AddDevice=/dev/dri", "GroupAdd=keep-groups", "# `stat -c %g /dev/dri/renderD128`."],
        ),
    ] {
        let gpus = Some(gpus.parse().unwrap());
        let manifest = Manifest { gpus, ..of("s:1", format) };
        let text = print(&target, &manifest, &[], &planned).unwrap().text;
        assert!(text.contains("LLAMA_REQUIRE_GPU"), "{text}");
        assert!(text.contains("LLAMA_HEALTHCHECK_STALL"), "{text}");
        assert!(lines.iter().all(|line| text.contains(line)), "{text}");
    }
}

#[test]
fn names_are_labels() {
    for (reference, name) in [
        ("registry.example:5000/team/Qwen2:0.5b", "qwen2"),
        ("docker.io/library/llama_3.2", "llama-3-2"),
        ("x/3b@sha256:00", "model-3b"),
        ("x/___", "model"),
    ] {
        assert_eq!(label(reference), name);
    }
}

#[test]
fn a_manifest_takes_no_address_from_the_image() {
    let folder = tempfile::tempdir().unwrap();
    let command = words("-m /models/m.gguf --port 1 --host 127.0.0.1 --api-prefix /x -c 1");
    let target = Target { command, ..target(folder.path()) };
    for format in [Format::Kube, Format::Compose, Format::Quadlet] {
        let printed = print(&target, &of("s:1", format), &words("--port 9000"), &planned).unwrap();
        let text = printed.text;
        assert!(text.contains("/models/m.gguf") && text.contains("9000"), "{text}");
        assert!(
            !["--port", "--host", "--api-prefix"].iter().any(|word| text.contains(word)),
            "{text}"
        );
        let note = printed.notes.join("\n");
        assert!(note.ends_with("-- --port … --host … --api-prefix …"), "{note}");
    }
}
