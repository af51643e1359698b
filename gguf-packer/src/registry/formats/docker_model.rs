//! Models of Docker Model Runner: each layer is a file of a known kind.

use serde_json::Value;

use super::{Foreign, Session, command, compose, model_pack};
use crate::Error;
use crate::digest::Digest;
use crate::registry::layers::AT_ONCE;
use crate::registry::manifest::{Descriptor, Manifest};
use crate::registry::parallel;
use crate::store::Store;

pub(super) fn pull(
    session: Session<'_>,
    manifest: &Manifest,
    store: &Store,
) -> Result<Digest, Error> {
    let config = session.small(&manifest.config, "config")?;
    let config: Value = serde_json::from_slice(&config).unwrap_or_default();
    let shards = manifest.layers.iter().filter(|layer| layer.media_type.contains(".gguf")).count();
    let mut named: Vec<(String, &Descriptor)> = Vec::new();
    let mut weights = 0;
    for layer in &manifest.layers {
        let kind = layer.media_type.as_str();
        let default = if kind.contains("mmproj") {
            "mmproj.gguf".to_owned()
        } else if kind.contains(".gguf") {
            weights += 1;
            if shards == 1 {
                "model.gguf".to_owned()
            } else {
                format!("model-{weights:05}-of-{shards:05}.gguf")
            }
        } else if kind.contains("chat.template") {
            "template.jinja".to_owned()
        } else if kind.contains("license") {
            let before = named.iter().filter(|(path, _)| path.starts_with("LICENSE")).count();
            if before == 0 { "LICENSE".to_owned() } else { format!("LICENSE.{before}") }
        } else {
            continue;
        };
        let mut path = model_pack::path(session, layer, &default)?;
        // What is a projector is known by its kind alone.
        if kind.contains("mmproj") && !command::is_projector(&path) {
            path = "mmproj.gguf".to_owned();
        }
        named.push((path, layer));
    }
    parallel::map(&named, AT_ONCE, |(path, layer)| {
        session.file(store, &session.blob(layer, path))
    })?;
    let mut arguments = Vec::new();
    if let Some((path, _)) =
        named.iter().find(|(_, layer)| layer.media_type.contains("chat.template"))
    {
        arguments.extend(["--chat-template-file".to_owned(), format!("/models/{path}")]);
    }
    if let Some(size) = config["config"]["context_size"].as_u64().filter(|size| *size > 0) {
        arguments.extend(["-c".to_owned(), size.to_string()]);
    }
    let created = config["descriptor"]["created"]
        .as_str()
        .and_then(|text| humantime::parse_rfc3339(text).ok());
    let created =
        created.and_then(|time| time.duration_since(std::time::SystemTime::UNIX_EPOCH).ok());
    let foreign = Foreign {
        files: named.into_iter().map(|(path, layer)| (path, layer.digest, layer.size)).collect(),
        arguments,
        created: created.map_or(0, |since| since.as_secs()),
        ..Foreign::default()
    };
    compose::store(store, session.name, &foreign)
}
