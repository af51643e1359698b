//! ModelPack's schema of the config, as types: what it does not name is refused, at any depth.
//!
//! <https://github.com/modelpack/model-spec/blob/11571da63d7827151c4cbb79ef7b49f7416153bf/schema/config-schema.json>

use serde::Deserialize;

use super::testing::{image, projector};
use super::*;
use crate::gguf::write::Writer;
use crate::store::seconds;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    descriptor: Descriptor,
    config: ModelConfig,
    modelfs: ModelFs,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "that they are texts is what is tested")]
struct Descriptor {
    created_at: Option<String>,
    authors: Option<Vec<String>>,
    family: Option<String>,
    name: Option<String>,
    #[serde(rename = "docURL")]
    doc_url: Option<String>,
    #[serde(rename = "sourceURL")]
    source_url: Option<String>,
    #[serde(rename = "datasetsURL")]
    datasets_url: Option<Vec<String>>,
    version: Option<String>,
    revision: Option<String>,
    vendor: Option<String>,
    licenses: Option<Vec<String>>,
    title: Option<String>,
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ModelConfig {
    architecture: Option<String>,
    format: Option<String>,
    param_size: Option<String>,
    precision: Option<String>,
    quantization: Option<String>,
    capabilities: Option<Capabilities>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Capabilities {
    input_types: Option<Vec<Modality>>,
    output_types: Option<Vec<Modality>>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Modality {
    Text,
    Image,
    Audio,
    Video,
    Embedding,
    Other,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ModelFs {
    r#type: String,
    diff_ids: Vec<String>,
}

/// What the schema makes of an image's config, with what types do not say.
fn checked(model: &Writer, labels: &[(&str, &str)]) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_at(folder.path()).unwrap();
    let files: [(&str, &[u8]); 2] =
        [("models/m.gguf", &model.bytes()), ("models/mmproj.gguf", &projector())];
    let command = "-m m.gguf --mmproj mmproj.gguf";
    let image = image(&store, &"q:1".parse().unwrap(), &files, command, labels);
    let artifact = Artifact::of(Format::ModelPack, &image, &store).unwrap().unwrap();
    let config: Config = serde_json::from_slice(&artifact.config).unwrap();
    assert!(config.descriptor.created_at.as_deref().is_none_or(|time| seconds(time).is_some()));
    assert!(config.descriptor.name.as_deref().is_none_or(|name| !name.is_empty()));
    assert_eq!(config.modelfs.r#type, "layers");
    assert!(!config.modelfs.diff_ids.is_empty());
    config
}

#[test]
fn the_config_is_what_the_schema_allows() {
    let tiny = Writer::tiny_model();
    let config = checked(&tiny, &[("gguf.model.name", ""), ("gguf.model.usage", "speech")]);
    assert_eq!(config.descriptor.name, None);
    let said = config.config;
    assert_eq!(said.format.as_deref(), Some("gguf"));
    assert!(said.architecture.is_some() && said.param_size.is_some());
    assert_eq!((said.precision, said.quantization.as_deref()), (None, Some("Q5_K_M")));
    let can = said.capabilities.unwrap();
    assert_eq!(can.input_types.unwrap(), [Modality::Text, Modality::Image]);
    assert_eq!(can.output_types.unwrap(), [Modality::Text]);

    let labels = [
        ("gguf.model.usage", "text-embedding"),
        ("gguf.model.authors", "A, B"),
        ("gguf.model.description", "\"quoted\"\n"),
    ];
    let config = checked(&tiny, &labels);
    assert_eq!(config.config.capabilities.unwrap().output_types.unwrap(), [Modality::Embedding]);
    assert_eq!(config.descriptor.authors.unwrap(), ["A, B"]);

    let plain = Writer::default()
        .text("general.architecture", "llama")
        .u32("general.file_type", 1)
        .tensor("token_embd.weight", &[256, 3], "F16");
    let said = checked(&plain, &[]).config;
    assert_eq!((said.precision.as_deref(), said.quantization), (Some("fp16"), None));
}
