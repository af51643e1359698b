//! Tests of models of other formats: each becomes an image with the right files and command.

use serde_json::{Value, json};

use super::super::fake::{Fault, Registry};
use super::super::tests::{Bench, artifact, model};
use super::*;
use crate::image::manifest as media;

fn pulled(registry: &Registry, bench: &Bench) -> (Value, std::path::PathBuf) {
    let name = registry.name("q/m:1");
    let id = bench.pull(&name).unwrap();
    read(bench, &id)
}

fn read(bench: &Bench, id: &Digest) -> (Value, std::path::PathBuf) {
    let image = bench.store.find(&id.hex()).unwrap();
    bench.store.check(true).unwrap();
    (serde_json::from_slice(&image.config).unwrap(), image.folder)
}

fn text(folder: &std::path::Path, path: &str) -> String {
    std::fs::read_to_string(folder.join(path)).unwrap()
}

/// A projector, which is a model for vision.
fn projector() -> Vec<u8> {
    crate::gguf::write::Writer::default().text("general.architecture", "clip").bytes()
}

#[test]
fn model_pack() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let path = |path: &str| json!({ "org.cncf.model.filepath": path });
    let config = json!({ "descriptor": { "name": "tiny", "licenses": ["MIT", "BSD"], "createdAt": "1970-01-01T00:01:40Z" } });
    let tar = {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(2);
        header.set_mode(0o644);
        tar.append_data(&mut header, "conf/x.json", &b"{}"[..]).unwrap();
        tar.into_inner().unwrap()
    };
    artifact(
        &registry,
        "q/m",
        Some("application/vnd.cncf.model.manifest.v1+json"),
        ("application/vnd.cncf.model.config.v1+json", config.to_string().as_bytes()),
        &[
            ("application/vnd.cncf.model.weight.v1.raw", &model(), path("w/m.gguf")),
            ("application/vnd.cncf.model.weight.config.v1.tar", &tar, json!({})),
            ("application/vnd.cncf.model.doc.v1.raw", b"read me", path("README.md")),
            ("application/vnd.cncf.model.dataset.v1.raw", b"data", path("data")),
        ],
    );
    let (config, folder) = pulled(&registry, &bench);
    assert_eq!(config["config"]["Cmd"], json!(["-m", "/models/w/m.gguf"]));
    assert_eq!(config["config"]["WorkingDir"], "/models");
    assert_eq!(config["created"], "1970-01-01T00:01:40Z");
    let labels = &config["config"]["Labels"];
    assert_eq!(
        (&labels["gguf.model.name"], &labels["gguf.model.licenses"]),
        (&json!("tiny"), &json!("MIT, BSD"))
    );
    assert_eq!(labels["gguf.model.architecture"], "qwen2");
    assert_eq!(std::fs::read(folder.join("models/w/m.gguf")).unwrap(), model());
    assert_eq!(text(&folder, "models/README.md"), "read me");
    assert_eq!(text(&folder, "models/conf/x.json"), "{}");
    assert!(!folder.join("models/data").exists());
}

#[test]
fn a_path_that_leaves_the_model_is_refused() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let layer = (
        "application/vnd.cncf.model.weight.v1.raw",
        &model()[..],
        json!({ "org.cncf.model.filepath": "../x.gguf" }),
    );
    artifact(
        &registry,
        "q/m",
        None,
        ("application/vnd.cncf.model.config.v1+json", b"{}"),
        &[layer],
    );
    let name = registry.name("q/m:1");
    assert_eq!(
        bench.refused(&name),
        format!("`{name}` contains a file with the invalid path `../x.gguf`")
    );
    let layer = (
        "application/vnd.cncf.model.weight.v1.raw",
        &b"x"[..],
        json!({ "org.cncf.model.filepath": "x.safetensors" }),
    );
    artifact(
        &registry,
        "q/m",
        None,
        ("application/vnd.cncf.model.config.v1+json", b"{}"),
        &[layer],
    );
    assert_eq!(
        bench.refused(&name),
        format!("cannot make an image of `{name}`: it contains no GGUF model")
    );
}

#[test]
fn docker_model_runner() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let config = json!({ "config": { "context_size": 4096 }, "descriptor": { "created": "1970-01-01T00:01:40Z" } });
    artifact(
        &registry,
        "q/m",
        None,
        ("application/vnd.docker.ai.model.config.v0.1+json", config.to_string().as_bytes()),
        &[
            ("application/vnd.docker.ai.gguf.v3", &model(), json!({})),
            (
                "application/vnd.docker.ai.mmproj",
                &projector(),
                json!({ "org.cncf.model.filepath": "vision.gguf" }),
            ),
            ("application/vnd.docker.ai.license", b"MIT", json!({})),
            ("application/vnd.docker.ai.chat.template.jinja", b"{{ x }}", json!({})),
        ],
    );
    let (config, folder) = pulled(&registry, &bench);
    let command = json!([
        "-m",
        "/models/model.gguf",
        "--mmproj",
        "/models/mmproj.gguf",
        "--chat-template-file",
        "/models/template.jinja",
        "-c",
        "4096",
    ]);
    assert_eq!(config["config"]["Cmd"], command);
    assert_eq!(text(&folder, "models/LICENSE"), "MIT");
    assert!(config["config"]["Projector"].is_object());
}

#[test]
fn ollama() {
    let (registry, bench) = (Registry::start(), Bench::new());
    artifact(
        &registry,
        "q/m",
        None,
        ("application/vnd.docker.container.image.v1+json", b"{\"model_format\":\"gguf\"}"),
        &[
            ("application/vnd.ollama.image.model", &model(), json!(null)),
            ("application/vnd.ollama.image.template", b"{{ .Prompt }}", json!(null)),
            ("application/vnd.ollama.image.system", b"Be kind.", json!(null)),
            (
                "application/vnd.ollama.image.params",
                b"{\"num_ctx\":8192,\"temperature\":0.5,\"stop\":[\"x\"],\"mirostat\":1}",
                json!(null),
            ),
            ("application/vnd.ollama.image.license", b"MIT", json!(null)),
            ("application/vnd.ollama.image.license", b"BSD", json!(null)),
            ("application/vnd.ollama.image.messages", b"[]", json!(null)),
        ],
    );
    let (config, folder) = pulled(&registry, &bench);
    let command = json!([
        "-m",
        "/models/model.gguf",
        "-c",
        "8192",
        "--temp",
        "0.5",
        "--system-prompt-file",
        "/models/system.txt",
    ]);
    assert_eq!(config["config"]["Cmd"], command);
    assert_eq!(text(&folder, "models/system.txt"), "Be kind.");
    assert_eq!(text(&folder, "models/LICENSE.2"), "BSD");
    let notes = bench.notes();
    assert!(notes.iter().any(|note| note.contains("`mirostat`")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("`messages`")), "{notes:?}");
}

#[test]
fn an_image_with_a_model_and_no_command_gets_one() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let layer = bench.layer("data/m.gguf", &model());
    let mut tar = Vec::new();
    std::io::Read::read_to_end(&mut bench.store.read_layer(&layer.diff_id).unwrap(), &mut tar)
        .unwrap();
    for (own, command) in [
        (json!({}), json!(["-m", "/data/m.gguf"])),
        (json!({ "Cmd": ["/bin/sh"] }), json!(["-m", "/data/m.gguf"])),
        (json!({ "Cmd": ["-m", "/x.gguf"] }), json!(["-m", "/x.gguf"])),
        (json!({ "Entrypoint": ["/server"] }), Value::Null),
    ] {
        let config = json!({
            "architecture": "arm64", "os": "linux", "config": own,
            "rootfs": { "type": "layers", "diff_ids": [layer.diff_id] },
        });
        artifact(
            &registry,
            "q/m",
            None,
            (media::CONFIG, config.to_string().as_bytes()),
            &[(media::LAYER, &tar, json!({}))],
        );
        let (config, _) = pulled(&registry, &Bench::new());
        assert_eq!(config["config"]["Cmd"], command);
        assert_eq!(config["architecture"], "arm64");
        assert_eq!(config["rootfs"]["diff_ids"], json!([layer.diff_id]));
    }
}

/// A repository of Hugging Face with these files.
fn hub(registry: &Registry, files: &[(&str, &[u8])]) {
    registry.page("/api/models/Org/Repo/revision/main", 200, "", b"{\"sha\":\"abc\"}");
    let listed = |(path, bytes): &(&str, &[u8])| {
        registry.page(&format!("/Org/Repo/resolve/abc/{path}"), 200, "", bytes);
        let lfs = json!({ "oid": Digest::of(bytes).hex(), "size": bytes.len() });
        json!({ "type": "file", "path": path, "oid": "0", "size": 1, "lfs": lfs })
    };
    let all: Vec<Value> = files.iter().map(listed).collect();
    let (first, second) = all.split_at(1);
    let link = format!("link: <http://{}/next>; rel=\"next\"\r\n", registry.address);
    registry.page("/api/models/Org/Repo/tree/abc", 200, &link, json!(first).to_string().as_bytes());
    registry.page("/next", 200, "", json!(second).to_string().as_bytes());
}

#[test]
fn hugging_face() {
    let registry = Registry::start();
    let bench = Bench::with(|settings| super::super::Settings {
        hugging_face: format!("http://{}", registry.address),
        hugging_face_token: Some(crate::registry::Token {
            secret: "secret".to_owned(),
            from: "HF_TOKEN".to_owned(),
        }),
        ..settings
    });
    let (model, projector) = (model(), projector());
    hub(
        &registry,
        &[
            ("README.md", b"x"),
            ("m-Q8_0.gguf", &model),
            ("m-Q4_K_M.gguf", &model),
            ("mmproj-F16.gguf", &projector),
            ("mmproj-F32.gguf", &projector),
        ],
    );
    for (name, path, notes) in
        [("hf://Org/Repo", "m-Q4_K_M.gguf", 1), ("hf.co/Org/Repo:q8_0", "m-Q8_0.gguf", 0)]
    {
        let id = bench.pull(&name.parse().unwrap()).unwrap();
        let (config, _) = read(&bench, &id);
        let command =
            json!(["-m", format!("/models/{path}"), "--mmproj", "/models/mmproj-F16.gguf"]);
        assert_eq!(config["config"]["Cmd"], command);
        assert_eq!(config["config"]["Labels"]["gguf.model.url"], "https://huggingface.co/Org/Repo");
        assert_eq!(bench.notes().len(), notes);
        assert_eq!(bench.store.find(name).unwrap().id, id);
    }
    let error = bench.pull(&"hf://Org/Repo:Q2_K".parse().unwrap()).unwrap_err().to_string();
    assert_eq!(error, "`hf.co/Org/Repo` has no quantization Q2_K\n  hint: use one of Q4_K_M, Q8_0");
    let error = bench.pull(&"hf://Org/Repo/m.gguf".parse().unwrap()).unwrap_err().to_string();
    let expected = "cannot pull `hf.co/Org/Repo/m.gguf:latest`: it is a file of a repository\n  hint: pull \
        a quantization: gguf-packer pull hf://Org/Repo:QUANT";
    assert_eq!(error, expected);
    let error = bench.pull(&"hf://Org/Other".parse().unwrap()).unwrap_err().to_string();
    assert!(error.starts_with("Hugging Face does not have `hf.co/Org/Other:latest`"), "{error}");
}

/// What is gated lists its files to everybody, and refuses them.
#[test]
fn hugging_face_says_who_may_read_it() {
    let registry = Registry::start();
    let model = model();
    hub(&registry, &[("m-Q4_0.gguf", &model)]);
    let pull = |token: Option<&str>| {
        let token = token.map(|secret| crate::registry::Token {
            secret: secret.to_owned(),
            from: "HF_TOKEN".to_owned(),
        });
        let bench = Bench::with(|settings| super::super::Settings {
            hugging_face: format!("http://{}", registry.address),
            hugging_face_token: token,
            ..settings
        });
        bench.pull(&"hf://Org/Repo".parse().unwrap()).map_err(|error| error.to_string())
    };
    let gated = "{\"error\":\"Access to model Org/Repo is restricted.\"}";
    for request in ["revision/main", "/Org/Repo/resolve/abc/"] {
        for (token, hint) in [
            (None, "set an access token: HF_TOKEN=hf_…"),
            (Some("old"), "check the token in HF_TOKEN: it may have expired"),
        ] {
            registry.fault(request, 1, Fault::Answer(403, "", gated));
            let error = pull(token).unwrap_err();
            let expected = "access to `hf.co/Org/Repo:latest` denied: it does not exist on Hugging Face, or \
                you may not read it\n";
            let said = "  | Access to model Org/Repo is restricted.\n";
            assert!(error.starts_with(expected) && error.contains(said), "{error}");
            let page =
                "hint: check the name, and accept its terms: https://huggingface.co/Org/Repo\n";
            assert!(error.contains(&format!("{page}  hint: {hint}")), "{error}");
        }
    }
    let limit = "ratelimit: \"api\";r=0;t=3600\r\n";
    registry.fault("revision/main", 1, Fault::Answer(429, limit, ""));
    let error = pull(None).unwrap_err();
    assert!(error.contains("must wait 1h") && error.contains("HF_TOKEN=hf_…"), "{error}");
    registry.fault("revision/main", 1, Fault::Answer(429, "ratelimit: \"api\";r=0;t=1\r\n", ""));
    pull(None).unwrap();
}
