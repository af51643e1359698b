//! Tests of the documents: what they say, and what they must not.

use serde_json::json;

use super::*;
use crate::convert::By;
use crate::executor::Content;
use crate::gguf::Model;
use crate::gguf::write::Writer;
use crate::language;
use crate::plan::Repository;
use crate::tree::{Entry, Kind as Of};

/// What must stand in no document.
const SECRETS: [&str; 7] = ["hf_default", "hf_secret", "p4ss", "me:", "X-Sig", "sesame", "/srv/"];

const FILE: &str = "ARG TOKEN=hf_default\nFROM scratch AS f16\n\
    ADD https://me:p4ss@h.example/tokenizer.json?X-Sig=1 Q/\n\
    ADD https://huggingface.co/Qwen/Q.git Q\nCONVERT Q q.gguf\nFROM scratch\n\
    QUANTIZE --from=f16 --type=Q4_K_M q.gguf q4.gguf\n\
    CMD [\"-m\", \"q4.gguf\", \"--api-key\", \"sesame\"]\n";

fn content(path: &str) -> Content {
    Content { path: path.to_owned(), digest: Digest::of(path), size: 7 }
}

fn materials() -> Vec<Material> {
    let endpoint = "https://huggingface.co".to_owned();
    let repository =
        Repository { endpoint, kind: "models".to_owned(), repository: "Qwen/Q".to_owned() };
    vec![
        Material::Http {
            url: "https://me:p4ss@h.example/tokenizer.json?X-Sig=1".to_owned(),
            digest: Digest::of("t").to_string(),
            files: vec![content("tokenizer.json")],
        },
        Material::HuggingFace {
            repository,
            commit: "c0ffee".to_owned(),
            files: vec![content("config.json"), content("model.safetensors")],
        },
        Material::Git {
            remote: "https://hf_secret@h.example/r.git".to_owned(),
            commit: "beef".to_owned(),
            files: vec![content("readme.md"), content("x.bin")],
        },
        Material::Local { context: None, files: vec![content("imatrix.gguf")] },
        Material::Image {
            name: "r.example/base:1".to_owned(),
            digest: Digest::of("base").to_string(),
        },
        Material::Converted {
            kind: "F16".to_owned(),
            by: Some(By::Native),
            from: vec![content("config.json"), content("model.safetensors")],
            made: Digest::of("f16"),
        },
        Material::Quantized {
            kind: "Q4_K_M".to_owned(),
            options: vec!["--pure".to_owned()],
            from: vec![Content { path: "q.gguf".to_owned(), digest: Digest::of("f16"), size: 9 }],
            made: Digest::of("q4"),
        },
    ]
}

fn config() -> Value {
    let writer = Writer::tiny_model()
        .text("general.license", "apache-2.0")
        .text("general.base_model.0.name", "Qwen2 0.5B")
        .text("general.base_model.0.organization", "Qwen")
        .text("general.base_model.0.repo_url", "https://huggingface.co/Qwen/Q");
    let model = Model::new(vec![writer.header()]).unwrap();
    json!({
        "created": "2026-01-02T03:04:05Z",
        "config": {
            "Cmd": ["-m", "/models/q4.gguf"],
            "Model": {"GGUFHeader": model.compact(), "GGUF": model},
            "Labels": {"org.opencontainers.image.licenses": "apache-2.0,llama3", "gguf.model.usage": "text-to-text"},
        },
    })
}

fn made(materials: &[Material], has_base: bool) -> [Value; 2] {
    let script = language::parse(FILE, "/srv/me/GGUFPackerfile").unwrap();
    let mut files = Tree::default();
    let entry = |path: &str, digest| Entry {
        path: path.to_owned(),
        kind: Of::File { digest, size: 5 },
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: 0,
    };
    files.apply(&[entry("models/q4.gguf", Digest::of("q4")), entry("etc/x", Digest::of("x"))]);
    let platforms = Platform::defaults();
    let build = Build {
        file: "GGUFPackerfile",
        text: script.text(),
        outline: &script.redacted(),
        target: None,
        arguments: vec!["TOKEN"],
        platforms: platforms.iter().collect(),
        materials,
        files: &files,
        config: &config(),
        has_base,
        subjects: vec![("index".to_owned(), Digest::of("index"))],
    };
    let documents = documents(&build);
    let again = super::documents(&build);
    assert_eq!(documents, again, "the same build gives the same bytes");
    assert_eq!(documents.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), Kind::ALL);
    [0, 1].map(|at| serde_json::from_slice(&documents[at].1).unwrap())
}

#[test]
fn no_document_has_a_secret() {
    for document in made(&materials(), false) {
        let text = document.to_string();
        for secret in SECRETS {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

#[test]
fn a_provenance_names_every_source_by_its_digest() {
    let [provenance, _] = made(&materials(), false);
    assert_eq!(provenance["subject"][0]["digest"]["sha256"], Digest::of("index").hex());
    let definition = &provenance["predicate"]["buildDefinition"];
    let sources: Vec<String> = definition["resolvedDependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let name = one["uri"].as_str().or(one["name"].as_str()).unwrap();
            let digest = &one["digest"];
            let digest = digest["sha256"].as_str().map(|hex| &hex[..4]);
            format!("{name} {}", digest.or(one["digest"]["gitCommit"].as_str()).unwrap())
        })
        .collect();
    let of = |text: &str| Digest::of(text).hex()[..4].to_owned();
    let resolve = "https://huggingface.co/Qwen/Q/resolve/c0ffee";
    let base = Digest::of("base").hex();
    let expected = [
        format!("https://h.example/tokenizer.json {}", of("t")),
        "pkg:huggingface/Qwen/Q@c0ffee c0ffee".to_owned(),
        format!("{resolve}/config.json {}", of("config.json")),
        format!("{resolve}/model.safetensors {}", of("model.safetensors")),
        "git+https://h.example/r.git beef".to_owned(),
        format!("x.bin {}", of("x.bin")),
        format!("imatrix.gguf {}", of("imatrix.gguf")),
        format!("pkg:oci/base@sha256%3A{base}?repository_url=r.example/base&tag=1 {}", &base[..4]),
    ];
    assert_eq!(sources, expected);
    let steps = &definition["internalParameters"]["steps"];
    let release = llama_src::Pin::load().tag;
    assert_eq!(steps[0]["by"], "native");
    assert_eq!(steps[0]["from"][1]["digest"]["sha256"], Digest::of("model.safetensors").hex());
    assert_eq!((&steps[1]["type"], &steps[1]["options"]), (&json!("Q4_K_M"), &json!(["--pure"])));
    assert_eq!(
        (&steps[1]["llama.cpp"], &steps[1]["made"]["sha256"]),
        (&json!(release), &json!(Digest::of("q4").hex()))
    );
    let line = "ADD https://h.example/tokenizer.json Q/";
    assert_eq!(definition["externalParameters"]["instructions"][2], line);
}

#[test]
fn a_bill_of_materials_leads_from_the_image_to_the_safetensors() {
    let [_, sbom] = made(&materials(), true);
    let image = &sbom["metadata"]["component"];
    assert_eq!(
        image["licenses"],
        json!([{"license": {"id": "Apache-2.0"}}, {"license": {"name": "llama3"}}])
    );
    assert_eq!(image["pedigree"]["ancestors"][0]["name"], "Qwen2 0.5B");
    assert_eq!(image["modelCard"]["modelParameters"]["task"], "text-to-text");
    let components = sbom["components"].as_array().unwrap();
    assert!(!sbom.to_string().contains("/etc/x"), "that is the base's");
    let on = |reference: &str| {
        let entries = sbom["dependencies"].as_array().unwrap();
        let entry = entries.iter().find(|entry| entry["ref"] == reference).unwrap();
        entry["dependsOn"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let [q4, f16] = ["q4", "f16"].map(|name| Digest::of(name).to_string());
    assert!(on("image").contains(&q4));
    assert!(on(&q4).contains(&f16));
    let safetensors = "pkg:huggingface/Qwen/Q@c0ffee#model.safetensors".to_owned();
    assert!(on(&f16).contains(&safetensors), "{:?}", on(&f16));
    let source =
        components.iter().find(|one| one["purl"] == "pkg:huggingface/Qwen/Q@c0ffee").unwrap();
    assert_eq!(
        source["components"][1]["hashes"][0]["content"],
        Digest::of("model.safetensors").hex()
    );
    assert!(components.iter().any(|one| one["name"] == "llama.cpp"));
    // Everything that is depended on is there.
    let text = sbom.to_string();
    for entry in sbom["dependencies"].as_array().unwrap() {
        for one in entry["dependsOn"].as_array().unwrap() {
            assert!(text.contains(&format!("\"bom-ref\":{one}")), "{one}");
        }
    }
    let [_, plain] = made(&materials()[..1], false);
    assert!(plain.to_string().contains("/etc/x") && !plain.to_string().contains("llama.cpp"));
    assert_ne!(plain["serialNumber"], sbom["serialNumber"]);
}

#[test]
fn an_attestation_of_the_bill_of_materials_is_a_statement_around_it() {
    let subjects = [("x".to_owned(), Digest::of("x"))];
    let statement: Value =
        serde_json::from_slice(&to_be_signed(Kind::Sbom, b"{\"a\":1}", &subjects)).unwrap();
    assert_eq!(statement["predicate"], json!({"a": 1}));
    assert_eq!(statement["predicateType"], "https://cyclonedx.org/bom");
    assert_eq!(to_be_signed(Kind::Provenance, b"{}", &subjects), b"{}");
}
