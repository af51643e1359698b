//! ModelPack of the CNCF: each layer is a file, raw or in a tar, that says its path.

use serde::Deserialize;

use super::{Parts, Planned};
use crate::Error;
use crate::artifact;
use crate::image::manifest::Descriptor;
use crate::registry::manifest::Manifest;
use crate::store::seconds;
use crate::tree::check_path;

/// What of a model is taken: not its data sets and its code.
const KINDS: [&str; 3] = [".model.weight.v1.", ".model.weight.config.v1.", ".model.doc.v1."];

#[derive(Default, Deserialize)]
struct Config {
    #[serde(default)]
    descriptor: Told,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Told {
    created_at: Option<String>,
    authors: Vec<String>,
    vendor: Option<String>,
    name: Option<String>,
    title: Option<String>,
    description: Option<String>,
    #[serde(rename = "sourceURL")]
    source_url: Option<String>,
    licenses: Vec<String>,
}

/// Reads how the model `name` is made.
pub(super) fn read(
    name: &str,
    config: &[u8],
    manifest: &Manifest,
) -> Result<Parts<Descriptor>, Error> {
    // What it says is told in labels; a model does without.
    let told = serde_json::from_slice::<Config>(config).unwrap_or_default().descriptor;
    let created = told.created_at.as_deref().and_then(seconds).unwrap_or_default();
    let mut planned = Planned { labels: labels(told), created, ..Planned::default() };
    if let Some((command, labels)) = artifact::ours(manifest.annotations.as_ref()) {
        (planned.command, planned.labels) = (Some(command), labels);
    }
    let mut files = Vec::new();
    for layer in &manifest.layers {
        if !KINDS.iter().any(|kind| layer.media_type.contains(kind)) {
            continue;
        }
        match layer.compression() {
            Some(compression) => planned.archives.push((layer.clone(), compression)),
            None => files.push((path(name, layer, "model.gguf")?, layer.clone())),
        }
    }
    Ok((files, planned))
}

/// The path that a layer says, which stays below the model's folder.
pub(super) fn path(name: &str, layer: &Descriptor, default: &str) -> Result<String, Error> {
    let said = artifact::said(layer.annotations.as_ref()).unwrap_or(default);
    let parts: Vec<&str> =
        said.split(['/', '\\']).filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.is_empty() || parts.contains(&"..") || said.contains('\0') {
        return Err(Error::new(format!("`{name}` contains a file with the invalid path `{said}`")));
    }
    check_path(said).map_err(|why| Error::new(format!("cannot take a file of `{name}`: {why}")))?;
    Ok(parts.join("/"))
}

fn labels(told: Told) -> Vec<(String, String)> {
    let joined = |texts: Vec<String>| (!texts.is_empty()).then(|| texts.join(", "));
    let labels = [
        ("name", told.title.or(told.name)),
        ("vendor", told.vendor),
        ("authors", joined(told.authors)),
        ("description", told.description),
        ("url", told.source_url),
        ("licenses", joined(told.licenses)),
    ];
    let set = labels.into_iter().filter_map(|(key, value)| Some((key, value?)));
    set.map(|(key, value)| (format!("gguf.model.{key}"), value)).collect()
}
