//! The in-toto statement of how an image was built: an SLSA provenance, version 1.
//! <https://slsa.dev/spec/v1.0/provenance>

use serde_json::{Value, json};

use super::{Build, Kind, address};
use crate::digest::Digest;
use crate::executor::{Content, Material};

/// Says how the parameters of a build are to be read; docs/models-signing.md tells.
const BUILD_TYPE: &str = "urn:gguf-packer:build:v1";

/// Who built: a program on somebody's machine, which vouches for nothing.
const BUILDER: &str = "urn:gguf-packer:local";

/// Files of weights; those of a Git repository that are told one by one.
const WEIGHTS: [&str; 5] = [".gguf", ".safetensors", ".bin", ".pt", ".pth"];

/// A statement about an image: what each subject is, and its digest.
#[must_use]
pub fn statement(subjects: &[(String, Digest)], kind: Kind, predicate: Value) -> Value {
    let subject = |(name, digest): &(String, Digest)| json!({"name": name, "digest": {"sha256": digest.hex()}});
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects.iter().map(subject).collect::<Vec<_>>(),
        "predicateType": kind.predicate_type(),
        "predicate": predicate,
    })
}

/// The predicate.
pub(super) fn provenance(build: &Build<'_>) -> Value {
    let instructions: Vec<String> =
        build.outline.iter().map(|line| address::cleaned(line)).collect();
    let platforms: Vec<String> = build.platforms.iter().map(ToString::to_string).collect();
    let mut parameters = json!({
        "file": {"name": build.file, "digest": {"sha256": Digest::of(build.text).hex()}},
        "instructions": instructions,
        "buildArgs": build.arguments,
        "platforms": platforms,
    });
    if let Some(target) = build.target {
        parameters["target"] = target.into();
    }
    json!({
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": parameters,
            "internalParameters": {"steps": steps(build.materials)},
            "resolvedDependencies": dependencies(build.materials),
        },
        "runDetails": {
            "builder": {"id": BUILDER, "version": versions()},
            "metadata": {"finishedOn": build.config["created"]},
        },
    })
}

/// What has a part in what is made.
fn versions() -> Value {
    json!({"gguf-packer": env!("CARGO_PKG_VERSION"), "llama.cpp": llama_src::Pin::load().tag})
}

/// The files of weights that were made here, and how.
fn steps(materials: &[Material]) -> Vec<Value> {
    let release = llama_src::Pin::load().tag;
    let made = |digest: &Digest| json!({"sha256": digest.hex()});
    let step = |material: &Material| match material {
        Material::Converted { kind, by, from, made: file } => Some(json!({
            "step": "convert", "type": kind, "by": by, "llama.cpp": release,
            "from": from.iter().map(content).collect::<Vec<_>>(), "made": made(file),
        })),
        Material::Quantized { kind, options, from, made: file } => Some(json!({
            "step": "quantize", "type": kind, "options": options, "llama.cpp": release,
            "from": from.iter().map(content).collect::<Vec<_>>(), "made": made(file),
        })),
        _ => None,
    };
    materials.iter().filter_map(step).collect()
}

fn content(content: &Content) -> Value {
    json!({"name": content.path, "digest": {"sha256": content.digest.hex()}})
}

/// Everything from outside, by its digest.
fn dependencies(materials: &[Material]) -> Vec<Value> {
    let mut all = Vec::new();
    for material in materials {
        match material {
            Material::Image { name, digest } => all.push(json!({
                "uri": address::of_image(name, digest),
                "digest": {"sha256": address::hex(digest)},
            })),
            Material::Local { context, files } => {
                let source = context.as_deref().unwrap_or("context");
                all.extend(files.iter().map(|file| {
                    let mut described = content(file);
                    described["annotations"] = json!({"context": source});
                    described
                }));
            }
            Material::Http { url, digest, .. } => all.push(json!({
                "uri": address::public(url), "digest": {"sha256": address::hex(digest)},
            })),
            Material::HuggingFace { repository, commit, files } => {
                let uri = address::of_hugging_face(repository, commit);
                all.push(json!({"uri": uri, "digest": {"gitCommit": commit}}));
                all.extend(files.iter().map(|file| {
                    let mut described = content(file);
                    described["uri"] = address::of_file(repository, commit, &file.path).into();
                    described
                }));
            }
            Material::Git { remote, commit, files } => {
                let uri = format!("git+{}", address::public(remote));
                all.push(json!({"uri": uri, "digest": {"gitCommit": commit}}));
                all.extend(files.iter().filter(|file| is_weights(&file.path)).map(content));
            }
            Material::Converted { .. } | Material::Quantized { .. } => {}
        }
    }
    all
}

/// Whether a file is one of weights.
pub(super) fn is_weights(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    WEIGHTS.iter().any(|end| path.ends_with(end))
}
