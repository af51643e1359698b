//! ModelPack of the CNCF: each layer is a file, raw or in a tar, that says its path.

use serde::Deserialize;

use super::{Foreign, Session, compose};
use crate::Error;
use crate::digest::Digest;
use crate::registry::layers::AT_ONCE;
use crate::registry::manifest::{Descriptor, Manifest};
use crate::registry::parallel;
use crate::store::Store;
use crate::tree::Kind;

/// Where a layer says its path.
const PATHS: [&str; 2] = ["org.cncf.model.filepath", "org.opencontainers.image.title"];

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

pub(super) fn pull(
    session: Session<'_>,
    manifest: &Manifest,
    store: &Store,
) -> Result<Digest, Error> {
    let layers: Vec<&Descriptor> = manifest
        .layers
        .iter()
        .filter(|layer| KINDS.iter().any(|kind| layer.media_type.contains(kind)))
        .collect();
    let config = session.small(&manifest.config, "config")?;
    // What it says is told in labels; a model does without.
    let told = serde_json::from_slice::<Config>(&config).unwrap_or_default().descriptor;
    let files = parallel::map(&layers, AT_ONCE, |layer| files(session, store, layer))?;
    let created = told.created_at.as_deref().and_then(|text| humantime::parse_rfc3339(text).ok());
    let created =
        created.and_then(|time| time.duration_since(std::time::SystemTime::UNIX_EPOCH).ok());
    let foreign = Foreign {
        files: files.concat(),
        labels: labels(told),
        created: created.map_or(0, |since| since.as_secs()),
        ..Foreign::default()
    };
    compose::store(store, session.name, &foreign)
}

fn files(
    session: Session<'_>,
    store: &Store,
    layer: &Descriptor,
) -> Result<Vec<(String, Digest, u64)>, Error> {
    if let Some(compression) = layer.compression() {
        let layer = session.layer(store, layer, compression, None)?;
        let entries = store.layer_entries(&layer.diff_id)?;
        let file = |entry: crate::tree::Entry| match entry.kind {
            Kind::File { digest, size } => Some((entry.path, digest, size)),
            _ => None,
        };
        return Ok(entries.into_iter().filter_map(file).collect());
    }
    let path = path(session, layer, "model.gguf")?;
    session.file(store, &session.blob(layer, &path))?;
    Ok(vec![(path, layer.digest, layer.size)])
}

/// The path that a layer says, which stays below the model's folder.
pub(super) fn path(
    session: Session<'_>,
    layer: &Descriptor,
    default: &str,
) -> Result<String, Error> {
    let told = layer.annotations.as_ref();
    let said = PATHS.iter().find_map(|key| told?.get(*key));
    let said = said.map_or(default, String::as_str);
    let parts: Vec<&str> =
        said.split(['/', '\\']).filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.is_empty() || parts.contains(&"..") || said.contains('\0') {
        return Err(Error::new(format!("`{}` has a file with the path `{said}`", session.name)));
    }
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
