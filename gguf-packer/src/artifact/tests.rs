//! Tests of artifacts: what the specification demands, and what Docker Model Runner makes of them.

use serde_json::{Value, json};

use super::testing::{Content, image, projector};
use super::*;
use crate::gguf::write::Writer;

/// What an image of ours can have.
const COMMAND: &str = "-m m.gguf --mmproj mmproj-f16.gguf -md d.gguf --lora l.gguf -c 8192 --temp 0.5 \
                       --chat-template-file chat.jinja --system-prompt-file system.txt";

struct Fixture {
    _folder: tempfile::TempDir,
    store: Store,
    image: StoredImage,
}

impl Fixture {
    fn new(files: &[Content<'_>], command: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_at(folder.path()).unwrap();
        let labels = [("gguf.model.licenses", "MIT"), ("gguf.model.url", "https://example.org")];
        let image = image(&store, &"q:1".parse().unwrap(), files, command, &labels);
        Self { _folder: folder, store, image }
    }

    fn of_everything() -> Self {
        let (model, drafter) =
            (Writer::tiny_model().bytes(), Writer::tiny_model().u32("x", 1).bytes());
        let adapter = Writer::default().text("general.type", "adapter").bytes();
        Self::new(
            &[
                ("models/m.gguf", &model),
                ("models/d.gguf", &drafter),
                ("models/l.gguf", &adapter),
                ("models/mmproj-f16.gguf", &projector()),
                ("models/chat.jinja", b"{{ x }}"),
                ("models/system.txt", b"Be kind."),
                ("models/docs/README.md", b"Read me."),
                ("models/LICENSE", b"MIT"),
                ("models/file", b"-> m.gguf"),
                ("etc/other", b"x"),
            ],
            COMMAND,
        )
    }

    fn artifact(&self, format: Format) -> (Artifact, Value, Value) {
        let artifact = Artifact::of(format, &self.image, &self.store).unwrap().unwrap();
        let parse = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap();
        let (manifest, config) = (parse(&artifact.manifest), parse(&artifact.config));
        (artifact, manifest, config)
    }

    fn refused(&self) -> String {
        Artifact::of(Format::ModelPack, &self.image, &self.store).unwrap_err().to_string()
    }
}

/// Path and the end of the media type of each layer.
fn layers(manifest: &Value) -> Vec<(&str, &str)> {
    let layer = |layer| {
        let layer: &Value = layer;
        let kind = layer["mediaType"].as_str().unwrap();
        (
            layer["annotations"][annotations::FILEPATH].as_str().unwrap(),
            &kind["application/vnd.".len()..],
        )
    };
    manifest["layers"].as_array().unwrap().iter().map(layer).collect()
}

/// What both formats ask of every manifest: it names its config and the contents of the store, and each layer
/// says its path as <https://github.com/modelpack/model-spec/blob/27666dd23073a756dea79b98958224c42d65f4d0/specs-go/v1/annotations.go>
/// has it. Docker Model Runner keeps a layer by the digest that the config has at its place:
/// <https://github.com/docker/model-runner/blob/001a05d5e371b6206017a2ce447182b31aa4efe6/pkg/distribution/oci/remote/remote.go>
fn is_whole(fixture: &Fixture, artifact: &Artifact, manifest: &Value, digests: &Value) {
    assert_eq!(manifest["schemaVersion"], 2);
    assert_eq!(manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(manifest["config"]["digest"], Digest::of(&artifact.config).to_string());
    assert_eq!(manifest["config"]["size"], artifact.config.len());
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(
        layers.iter().map(|layer| &layer["digest"]).collect::<Vec<_>>(),
        digests.as_array().unwrap().iter().collect::<Vec<_>>()
    );
    for (layer, (digest, size)) in layers.iter().zip(&artifact.blobs) {
        assert_eq!((&layer["digest"], &layer["size"]), (&json!(digest), &json!(size)));
        assert_eq!(fixture.store.blob_size(digest), Some(*size));
        let said = &layer["annotations"];
        let path = said["org.cncf.model.filepath"].as_str().unwrap();
        assert_eq!(said["org.opencontainers.image.title"], path);
        assert_eq!(said["org.cncf.model.file.mediatype.untested"], "false");
        let file: Value =
            serde_json::from_str(said["org.cncf.model.file.metadata+json"].as_str().unwrap())
                .unwrap();
        let expected = json!({
            "name": path.rsplit('/').next().unwrap(), "mode": 0o644, "uid": 0, "gid": 0, "size": size,
            "mtime": "1970-01-01T00:00:00Z", "typeflag": 0,
        });
        assert_eq!(file, expected);
    }
}

#[test]
fn model_pack_has_every_file_and_says_what_the_model_is() {
    let fixture = Fixture::of_everything();
    let (artifact, manifest, config) = fixture.artifact(Format::ModelPack);
    is_whole(&fixture, &artifact, &manifest, &config["modelfs"]["diffIds"]);
    assert_eq!(manifest["artifactType"], "application/vnd.cncf.model.manifest.v1+json");
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.cncf.model.config.v1+json");
    let expected = [
        ("m.gguf", "cncf.model.weight.v1.raw"),
        ("mmproj-f16.gguf", "cncf.model.weight.v1.raw"),
        ("d.gguf", "cncf.model.weight.v1.raw"),
        ("l.gguf", "cncf.model.weight.v1.raw"),
        ("chat.jinja", "cncf.model.weight.config.v1.raw"),
        ("system.txt", "cncf.model.weight.config.v1.raw"),
        ("docs/README.md", "cncf.model.doc.v1.raw"),
        ("LICENSE", "cncf.model.doc.v1.raw"),
    ];
    assert_eq!(layers(&manifest), expected);
    let digests: Vec<&Value> =
        manifest["layers"].as_array().unwrap().iter().map(|l| &l["digest"]).collect();
    // Its schema allows no other key, at any depth.
    let expected = json!({
        "descriptor": {
            "createdAt": "1970-01-01T00:01:40Z", "vendor": "gguf-packer", "family": "qwen2", "name": "Tiny",
            "sourceURL": "https://example.org", "licenses": ["MIT"],
        },
        "config": {
            "architecture": "qwen2", "format": "gguf", "paramSize": "1k", "quantization": "Q5_K_M",
            "capabilities": { "inputTypes": ["text", "image"], "outputTypes": ["text"] },
        },
        "modelfs": { "type": "layers", "diffIds": digests },
    });
    assert_eq!(config, expected);
    assert_eq!(artifact.warnings, ["skipped /etc/other: it is not below /models"]);
}

#[test]
fn docker_gets_one_model_its_projector_and_template_and_is_told_what_it_lacks() {
    let fixture = Fixture::of_everything();
    let (artifact, manifest, config) = fixture.artifact(Format::Docker);
    is_whole(&fixture, &artifact, &manifest, &config["rootfs"]["diff_ids"]);
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.docker.ai.model.config.v0.2+json");
    let expected = [
        ("m.gguf", "docker.ai.gguf.v3"),
        ("mmproj-f16.gguf", "docker.ai.mmproj"),
        ("chat.jinja", "docker.ai.chat.template.jinja"),
        ("system.txt", "docker.ai.model.file"),
        ("docs/README.md", "docker.ai.model.file"),
        ("LICENSE", "docker.ai.license"),
    ];
    assert_eq!(layers(&manifest), expected);
    let technical = json!({
        "format": "gguf", "quantization": "Q5_K_M", "parameters": "1.02K", "architecture": "qwen2",
        "size": gguf::bytes(Writer::tiny_model().bytes().len() as u64).replace(' ', ""),
        "context_size": 8192,
    });
    assert_eq!(config["config"], technical);
    assert_eq!(config["descriptor"], json!({ "created": "1970-01-01T00:01:40Z" }));
    assert_eq!(config["rootfs"]["type"], "rootfs");
    let expected = [
        "skipped /etc/other: it is not below /models",
        "skipped d.gguf: Docker Model Runner takes one model and one projector",
        "skipped l.gguf: Docker Model Runner takes one model and one projector",
        "Docker Model Runner ignores `--temp 0.5`, `--system-prompt-file /models/system.txt`",
    ];
    assert_eq!(artifact.warnings, expected);
}

/// What Docker Model Runner starts its server with.
#[derive(Debug, Default, PartialEq)]
struct Bundle {
    model: Option<String>,
    projector: Option<String>,
    template: Option<String>,
}

/// As it unpacks a model whose layers say their paths:
/// <https://github.com/docker/model-runner/blob/56ff0aadb794ef4999d69df8f484b9c24f51c7cf/pkg/distribution/internal/bundle/unpack.go>
fn unpack(manifest: &Value, config: &Value) -> Bundle {
    let by_path = manifest["config"]["mediaType"]
        == "application/vnd.docker.ai.model.config.v0.2+json"
        || manifest["artifactType"] == "application/vnd.cncf.model.manifest.v1+json";
    assert!(by_path && config["config"]["format"] == "gguf");
    let mut bundle = Bundle::default();
    for layer in manifest["layers"].as_array().unwrap() {
        let path = layer["annotations"]["org.cncf.model.filepath"].as_str().unwrap();
        let is_projector = path.rsplit('/').next().unwrap().to_lowercase().contains("mmproj");
        let field = match layer["mediaType"].as_str().unwrap() {
            "application/vnd.docker.ai.gguf.v3" => &mut bundle.model,
            "application/vnd.docker.ai.mmproj" => &mut bundle.projector,
            "application/vnd.docker.ai.chat.template.jinja" => &mut bundle.template,
            "application/vnd.cncf.model.weight.v1.raw" if is_projector => &mut bundle.projector,
            "application/vnd.cncf.model.weight.v1.raw" => &mut bundle.model,
            _ => continue,
        };
        field.get_or_insert(path.to_owned());
    }
    bundle
}

#[test]
fn docker_model_runner_finds_the_model_in_both() {
    let fixture = Fixture::of_everything();
    let found = |format, template: Option<&str>| {
        let (_, manifest, config) = fixture.artifact(format);
        let expected = Bundle {
            model: Some("m.gguf".to_owned()),
            projector: Some("mmproj-f16.gguf".to_owned()),
            template: template.map(str::to_owned),
        };
        assert_eq!(unpack(&manifest, &config), expected);
    };
    found(Format::Docker, Some("chat.jinja"));
    found(Format::ModelPack, None);
}

#[test]
fn the_command_is_where_the_files_are() {
    let model = Writer::tiny_model().bytes();
    for (files, command, paths, expected) in [
        // As the original's images have it.
        (
            &[("m.gguf", &model[..]), ("t.txt", b"x")][..],
            "-m m.gguf -sysf t.txt",
            "m.gguf t.txt",
            "-m /models/m.gguf -sysf /models/t.txt",
        ),
        (
            &[("data/q/m.gguf", &model), ("t", b"x")],
            "-m /data/q/m.gguf --grammar-file /t",
            "m.gguf t",
            "-m /models/m.gguf --grammar-file /models/t",
        ),
        (
            &[("models/a/m.gguf", &model)],
            "-m a/m.gguf --api-key-file /k",
            "a/m.gguf",
            "-m /models/a/m.gguf --api-key-file /k",
        ),
        (
            &[("blobs/1", &model), ("models/m.gguf", b"-> ../blobs/1")],
            "-m m.gguf",
            "m.gguf",
            "-m /models/m.gguf",
        ),
        (
            &[("models/m.gguf", &model), ("models/model.file", b"-> m.gguf")],
            "-m model.file",
            "model.file",
            "-m /models/model.file",
        ),
    ] {
        let (_, manifest, _) = Fixture::new(files, command).artifact(Format::ModelPack);
        let found: Vec<&str> = layers(&manifest).into_iter().map(|(path, _)| path).collect();
        assert_eq!(found.join(" "), paths, "{command}");
        let said: annotations::Annotations =
            serde_json::from_value(manifest["annotations"].clone()).unwrap();
        let (words, labels) = ours(Some(&said)).unwrap();
        assert_eq!(words.join(" "), expected);
        assert!(labels.contains(&("gguf.model.licenses".to_owned(), "MIT".to_owned())));
    }
}

#[test]
fn what_cannot_be_an_artifact_is_told() {
    let model = Writer::tiny_model().bytes();
    let files: &[Content<'_>] = &[("models/a", b"x"), ("models/m.gguf", &model), ("a", b"y")];
    let error = Fixture::new(files, "-m m.gguf --grammar-file /a").refused();
    let expected = "two files of the image would have the same path in the artifact\n  hint: COPY \
        both files to folders below /models";
    assert_eq!(error, expected);
    let error = Fixture::new(&[("models/a", b"x")], "-hf org/repo").refused();
    assert!(error.starts_with("the image's command names no model in the image"), "{error}");
    let error = "tar".parse::<Format>().unwrap_err().to_string();
    assert_eq!(error, "unknown model format `tar`\n  hint: use one of image, modelpack, docker");
}

#[test]
fn a_projector_that_only_its_command_tells_is_told() {
    let model = Writer::tiny_model().bytes();
    let files: &[Content<'_>] = &[("models/m.gguf", &model), ("models/eye.gguf", &projector())];
    let (artifact, ..) =
        Fixture::new(files, "-m m.gguf --mmproj eye.gguf").artifact(Format::ModelPack);
    let expected = "Docker Model Runner does not recognize eye.gguf as a projector: its name does \
        not contain `mmproj`";
    assert_eq!(artifact.warnings, [expected]);
}

#[test]
fn shards_come_first_and_in_their_order() {
    let shard = |no| Writer::tiny_model().u32("split.no", no).u32("split.count", 2).bytes();
    let files: &[Content<'_>] = &[
        ("models/a.gguf", &Writer::tiny_model().bytes()),
        ("models/m-00001-of-00002.gguf", &shard(0)),
        ("models/m-00002-of-00002.gguf", &shard(1)),
    ];
    let fixture = Fixture::new(files, "-m m-00001-of-00002.gguf");
    let (_, manifest, config) = fixture.artifact(Format::Docker);
    let weights = |path| (path, "docker.ai.gguf.v3");
    let expected = ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"].map(weights);
    assert_eq!(layers(&manifest), expected);
    assert_eq!(unpack(&manifest, &config).model.as_deref(), Some("m-00001-of-00002.gguf"));
    let (_, manifest, _) = fixture.artifact(Format::ModelPack);
    let paths: Vec<&str> = layers(&manifest).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf", "a.gguf"]);
}
