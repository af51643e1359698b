//! Models of Docker Model Runner: each layer is a file of a known kind.

use serde_json::Value;

use super::{Parts, Planned, command, model_pack};
use crate::Error;
use crate::artifact;
use crate::image::manifest::Descriptor;
use crate::registry::manifest::Manifest;
use crate::store::seconds;

/// Reads how the model `name` is made.
pub(super) fn read(
    name: &str,
    config: &[u8],
    manifest: &Manifest,
) -> Result<Parts<Descriptor>, Error> {
    let config: Value = serde_json::from_slice(config).unwrap_or_default();
    let ours = artifact::ours(manifest.annotations.as_ref());
    let named = named(name, manifest, ours.is_some())?;
    let (command, labels) = ours.unzip();
    let mut arguments = Vec::new();
    let is_template = |layer: &Descriptor| layer.media_type.contains("chat.template");
    if let Some((path, _)) = named.iter().find(|(_, layer)| is_template(layer)) {
        arguments.extend(["--chat-template-file".to_owned(), format!("/models/{path}")]);
    }
    if let Some(size) = config["config"]["context_size"].as_u64().filter(|size| *size > 0) {
        arguments.extend(["-c".to_owned(), size.to_string()]);
    }
    let created = config["descriptor"]["created"].as_str().and_then(seconds);
    let planned = Planned {
        command,
        arguments,
        labels: labels.unwrap_or_default(),
        created: created.unwrap_or_default(),
        ..Planned::default()
    };
    Ok((named.into_iter().map(|(path, layer)| (path, layer.clone())).collect(), planned))
}

/// The layers that are taken, and their paths; of those that we made, the command says which is the projector.
fn named<'a>(
    name: &str,
    manifest: &'a Manifest,
    ours: bool,
) -> Result<Vec<(String, &'a Descriptor)>, Error> {
    let shards = manifest.layers.iter().filter(|layer| layer.media_type.contains(".gguf")).count();
    let mut named: Vec<(String, &Descriptor)> = Vec::new();
    for layer in &manifest.layers {
        let kind = layer.media_type.as_str();
        let nth = 1 + named.iter().filter(|(_, known)| known.media_type == kind).count();
        let default = if kind.contains("mmproj") {
            "mmproj.gguf".to_owned()
        } else if kind.contains(".gguf") && shards == 1 {
            "model.gguf".to_owned()
        } else if kind.contains(".gguf") {
            format!("model-{nth:05}-of-{shards:05}.gguf")
        } else if kind.contains("chat.template") {
            "template.jinja".to_owned()
        } else if kind.contains("license") {
            if nth == 1 { "LICENSE".to_owned() } else { format!("LICENSE.{nth}") }
        } else if kind.contains(".model.file")
            && artifact::said(layer.annotations.as_ref()).is_some()
        {
            String::new()
        } else {
            continue;
        };
        let mut path = model_pack::path(name, layer, &default)?;
        // What is a projector is known by its kind alone.
        if !ours && kind.contains("mmproj") && !command::is_projector(&path) {
            path = default;
        }
        named.push((path, layer));
    }
    Ok(named)
}
