//! Tests of what we push as artifacts: pulled again it is the same model, and nothing is sent twice.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::super::fake::Registry;
use super::super::tests::{Bench, artifact, model};
use crate::artifact::testing::{image, projector};
use crate::artifact::{Artifact, Format};
use crate::digest::Digest;
use crate::reference::Name;

const LABELS: [(&str, &str); 2] = [("gguf.model.usage", "text-to-text"), ("mine", "1")];

/// Stores a model with a projector, a template and texts, as `name`.
pub(super) fn store(bench: &Bench, name: &Name) {
    let files: [(&str, &[u8]); 6] = [
        ("models/m.gguf", &model()),
        ("models/eye.gguf", &projector()),
        ("models/chat.jinja", b"{{ x }}"),
        ("models/sub/system.txt", b"Be kind."),
        ("models/LICENSE", b"MIT"),
        ("models/empty", b""),
    ];
    let command = "-m m.gguf --mmproj eye.gguf --chat-template-file chat.jinja -c 4096 --temp 0.5 -sysf \
                   sub/system.txt";
    image(&bench.store, name, &files, command, &LABELS);
}

fn push(bench: &Bench, format: Format, from: &Name, to: &Name) -> Digest {
    let image = bench.store.find(&from.full()).unwrap();
    let artifact = Artifact::of(format, &image, &bench.store).unwrap().unwrap();
    let report = |event: crate::progress::Event<'_>| bench.report(event);
    bench.client.push_artifact(&artifact, to, &bench.store, None, &report).unwrap()
}

/// The files below a folder with their contents.
pub(super) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            let below = files(&entry.path()).into_iter();
            found.extend(below.map(|(path, bytes)| (format!("{name}/{path}"), bytes)));
        } else {
            found.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
    found
}

fn config(bench: &Bench, id: &Digest) -> Value {
    serde_json::from_slice(&bench.store.find(&id.hex()).unwrap().config).unwrap()
}

#[test]
fn what_is_pushed_in_a_format_is_pulled_with_its_files_command_and_labels() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let name = registry.name("q/m:1");
    store(&bench, &name);
    let here = bench.store.find(&name.full()).unwrap();
    let mut ids = Vec::new();
    for (format, tag) in [(Format::ModelPack, "q/m:1-modelpack"), (Format::Docker, "q/m:1-docker")]
    {
        let tag = registry.name(tag);
        let digest = push(&bench, format, &name, &tag);
        assert_eq!(Digest::of(registry.has("q/m", tag.tag().unwrap()).unwrap()), digest);
        let other = Bench::new();
        let id = other.pull(&tag).unwrap();
        other.store.check(true).unwrap();
        let there = other.store.find(&tag.full()).unwrap();
        assert_eq!(files(&there.folder), files(&here.folder), "{format}");
        let (ours, theirs) = (config(&bench, &here.id), config(&other, &id));
        for key in ["Cmd", "Labels", "Model", "Projector", "Size", "WorkingDir"] {
            assert_eq!(ours["config"][key], theirs["config"][key], "{format} {key}");
        }
        assert_eq!(ours["created"], theirs["created"]);
        assert_eq!(other.notes(), [""; 0]);
        // Anybody may ship it on.
        assert_eq!(push(&other, format, &tag, &registry.name("other/m:1")), digest);
        ids.push(id);
    }
    assert_eq!(ids[0], ids[1], "the formats lose nothing of it, so it is the same image");
}

#[test]
fn formats_share_their_blobs() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let name = registry.name("q/m:1");
    store(&bench, &name);
    push(&bench, Format::ModelPack, &name, &registry.name("q/m:1-modelpack"));
    assert_eq!(bench.ends(), ["pushed"; 6]);
    let log = registry.log();
    assert_eq!(log.last().unwrap(), "PUT /v2/q/m/manifests/1-modelpack");
    push(&bench, Format::Docker, &name, &registry.name("q/m:1-docker"));
    assert_eq!(bench.ends(), ["already there"; 6]);
    // Another repository has them from this one, which the store knows as one of the registry.
    push(&bench, Format::Docker, &name, &registry.name("q/other:1"));
    assert_eq!(bench.ends(), ["mounted"; 6]);
}

#[test]
fn an_upload_of_a_file_goes_on_where_it_broke_off() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let name = registry.name("q/m:1");
    let ballast = super::super::tests::bytes(3_000_000);
    let files: [(&str, &[u8]); 2] = [("models/m.gguf", &model()), ("models/ballast", &ballast)];
    image(&bench.store, &name, &files, "-m m.gguf", &[]);
    registry.fault("PATCH", 1, super::super::fake::Fault::CutUpload(100));
    push(&bench, Format::ModelPack, &name, &name);
    assert!(registry.has_blob("q/m", &Digest::of(&ballast)));
    Bench::new().pull(&name).unwrap();
}

#[test]
fn a_model_of_ours_is_known_by_its_command_before_it_is_pulled() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let name = registry.name("q/m:1");
    store(&bench, &name);
    push(&bench, Format::ModelPack, &name, &name);
    let peeked = Bench::new().client.peek(&name, None, &|_| {}).unwrap();
    assert_eq!(
        peeked.command,
        config(&bench, &bench.store.find(&name.full()).unwrap().id)["config"]["Cmd"]
            .as_array()
            .unwrap()
            .iter()
            .map(|word| word.as_str().unwrap())
            .collect::<Vec<_>>()
    );
    assert!(peeked.models.contains_key("/models/eye.gguf"));
}

#[test]
fn files_of_docker_s_config_v0_2_are_taken() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let path = |path: &str| json!({ "org.cncf.model.filepath": path });
    artifact(
        &registry,
        "q/m",
        None,
        ("application/vnd.docker.ai.model.config.v0.2+json", b"{}"),
        &[
            ("application/vnd.docker.ai.gguf.v3", &model(), path("w/m.gguf")),
            ("application/vnd.docker.ai.model.file", b"Read me.", path("docs/README.md")),
            ("application/vnd.docker.ai.model.file", b"nowhere", json!({})),
        ],
    );
    let id = bench.pull(&registry.name("q/m:1")).unwrap();
    let image = bench.store.find(&id.hex()).unwrap();
    let found: Vec<String> = files(&image.folder).into_keys().collect();
    assert_eq!(found, ["models/docs/README.md", "models/w/m.gguf"]);
    assert_eq!(config(&bench, &id)["config"]["Cmd"], json!(["-m", "/models/w/m.gguf"]));
}
