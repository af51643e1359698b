//! ModelPack of the CNCF, as its specification v0.0.7 has it: media types, and the config.
//!
//! <https://github.com/modelpack/model-spec/blob/158c46c73bd83a590992967fd700a91658eb6c72/specs-go/v1/mediatype.go>
//! <https://github.com/modelpack/model-spec/blob/11571da63d7827151c4cbb79ef7b49f7416153bf/schema/config-schema.json>

use serde::Serialize;
use serde_json::Value;

use super::files::{File, Files, Headers, Purpose};
use super::manifest::{Layer, Parts};
use crate::digest::Digest;
use crate::gguf::{self, Model};

/// Type of the artifact.
pub(super) const ARTIFACT: &str = "application/vnd.cncf.model.manifest.v1+json";
/// Media type of the config.
const CONFIG: &str = "application/vnd.cncf.model.config.v1+json";
const WEIGHTS: &str = "application/vnd.cncf.model.weight.v1.raw";
const WEIGHTS_CONFIG: &str = "application/vnd.cncf.model.weight.config.v1.raw";
const DOC: &str = "application/vnd.cncf.model.doc.v1.raw";

/// What models take and give, as the specification names it.
const MODALITIES: [&str; 6] = ["text", "image", "audio", "video", "embedding", "other"];

#[derive(Serialize)]
struct Config<'a> {
    descriptor: Told<'a>,
    config: Technical,
    modelfs: Layers,
}

/// Who made the model, and when.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authors: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vendor: Option<&'a str>,
    family: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(rename = "sourceURL", skip_serializing_if = "Option::is_none")]
    source_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Technical {
    /// That of llama.cpp, as `docker model package --format cncf` has it.
    architecture: String,
    format: &'static str,
    param_size: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantization: Option<String>,
    capabilities: Capabilities,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Capabilities {
    input_types: Vec<String>,
    output_types: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Layers {
    r#type: &'static str,
    diff_ids: Vec<Digest>,
}

/// The model of an image with the config `image`.
pub(super) fn parts(files: Files, headers: &Headers, image: &Value) -> Parts {
    let kind = |purpose: Purpose| match purpose {
        Purpose::Model | Purpose::Projector | Purpose::OtherWeights => WEIGHTS,
        Purpose::Template | Purpose::Other => WEIGHTS_CONFIG,
        Purpose::Readme | Purpose::License => DOC,
    };
    let config = Config {
        descriptor: told(&headers.model, image),
        config: technical(headers, image),
        modelfs: Layers {
            r#type: "layers",
            diff_ids: files.files.iter().map(|file| file.digest).collect(),
        },
    };
    let mut warnings = files.warnings;
    warnings.extend(files.files.iter().filter(|file| is_unknown_projector(file)).map(|file| {
        format!(
            "Docker Model Runner does not recognize {} as a projector: its name does not contain \
            `mmproj`",
            file.path
        )
    }));
    Parts {
        artifact_type: Some(ARTIFACT),
        config_type: CONFIG,
        config: serde_json::to_vec(&config).expect("all keys are texts"),
        layers: (files.files.into_iter())
            .map(|file| Layer { media_type: kind(file.purpose), file })
            .collect(),
        command: files.command,
        warnings,
    }
}

/// The format does not say which weights are a projector's. Docker Model Runner goes by the name of the file.
fn is_unknown_projector(file: &File) -> bool {
    let name = file.path.rsplit('/').next().unwrap_or(&file.path);
    file.purpose == Purpose::Projector && !name.to_ascii_lowercase().contains("mmproj")
}

fn label<'a>(image: &'a Value, name: &str) -> Option<&'a str> {
    let label = image["config"]["Labels"].get(format!("gguf.model.{name}"))?;
    label.as_str().filter(|text| !text.is_empty())
}

fn told<'a>(model: &'a Model, image: &'a Value) -> Told<'a> {
    Told {
        created_at: image["created"].as_str(),
        authors: label(image, "authors").into_iter().collect(),
        vendor: label(image, "vendor"),
        family: model.architecture(),
        name: label(image, "name"),
        description: label(image, "description"),
        source_url: label(image, "url"),
        licenses: label(image, "licenses").into_iter().collect(),
    }
}

fn technical(headers: &Headers, image: &Value) -> Technical {
    let model = &headers.model;
    let precision = match model.file_type() {
        0 => Some("fp32"),
        1 => Some("fp16"),
        32 => Some("bf16"),
        _ => None,
    };
    let quantization = super::file_type(model);
    let (inputs, output) = usage(label(image, "usage").unwrap_or_default());
    let mut input_types = vec![inputs];
    let sees = |key: &str| {
        let said = headers.projector.as_ref().and_then(|projector| projector.get(key));
        said == Some(&gguf::Value::Bool(true))
    };
    for (key, kind) in [("clip.has_vision_encoder", "image"), ("clip.has_audio_encoder", "audio")] {
        if sees(key) && !input_types.iter().any(|known| known == kind) {
            input_types.push(kind.to_owned());
        }
    }
    Technical {
        architecture: model.architecture().to_owned(),
        format: "gguf",
        param_size: param_size(model.parameters()),
        precision,
        quantization: precision.is_none().then_some(quantization),
        capabilities: Capabilities { input_types, output_types: vec![output] },
    }
}

/// What `text-to-text` says of input and output.
fn usage(label: &str) -> (String, String) {
    let known = |word: &str| MODALITIES.contains(&word).then(|| word.to_owned());
    let said = label.split_once("-to-").and_then(|(from, to)| Some((known(from)?, known(to)?)));
    said.unwrap_or_else(|| match label {
        "embedding" | "text-embedding" => ("text".to_owned(), "embedding".to_owned()),
        _ => ("text".to_owned(), "text".to_owned()),
    })
}

/// `7.6b`: a number with one digit behind the point at most, and a letter.
fn param_size(count: u64) -> String {
    let units = [(1e15, 'q'), (1e12, 't'), (1e9, 'b'), (1e6, 'm'), (1e3, 'k')];
    // What rounds to 1000 of a unit is 1 of the next.
    let fits = |(base, _): &&(f64, char)| (count as f64 / base * 10.0).round() >= 10.0;
    let (base, unit) = units.iter().find(fits).unwrap_or(&units[4]);
    let text = format!("{:.1}", count as f64 / base);
    format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_digit_and_a_letter() {
        for (count, expected) in [
            (8_030_261_248, "8b"),
            (7_615_616_512, "7.6b"),
            (494_032_768, "494m"),
            (999_960_000, "1b"),
            (1_024, "1k"),
            (20, "0k"),
            (1_000_000_000_000, "1t"),
        ] {
            assert_eq!(param_size(count), expected);
        }
    }

    #[test]
    fn what_a_label_says_of_input_and_output_is_said_in_the_specification_s_words() {
        for (label, input, output) in [
            ("text-to-text", "text", "text"),
            ("text-to-image", "text", "image"),
            ("text-embedding", "text", "embedding"),
            ("chat", "text", "text"),
            ("", "text", "text"),
        ] {
            assert_eq!(usage(label), (input.to_owned(), output.to_owned()), "{label}");
        }
    }
}
