//! Models of Ollama. Its templates are Go's, which no llama-server reads: the model's own is used, and
//! Ollama's kept beside it.

use serde_json::Value;

use super::{Foreign, Session, compose};
use crate::Error;
use crate::digest::Digest;
use crate::registry::layers::AT_ONCE;
use crate::registry::manifest::{Descriptor, Manifest};
use crate::registry::parallel;
use crate::store::Store;

/// Parameters and the server's options for them.
const OPTIONS: [(&str, &str); 14] = [
    ("num_ctx", "-c"),
    ("num_batch", "-b"),
    ("num_predict", "-n"),
    ("num_keep", "--keep"),
    ("seed", "--seed"),
    ("temperature", "--temp"),
    ("top_k", "--top-k"),
    ("top_p", "--top-p"),
    ("min_p", "--min-p"),
    ("typical_p", "--typical"),
    ("repeat_last_n", "--repeat-last-n"),
    ("repeat_penalty", "--repeat-penalty"),
    ("presence_penalty", "--presence-penalty"),
    ("frequency_penalty", "--frequency-penalty"),
];

pub(super) fn pull(
    session: Session<'_>,
    manifest: &Manifest,
    store: &Store,
) -> Result<Digest, Error> {
    let mut named: Vec<(String, &Descriptor)> = Vec::new();
    let mut arguments = Vec::new();
    let of = |kind: &str| {
        manifest.layers.iter().filter(|layer| layer.media_type.ends_with(kind)).count()
    };
    let (models, adapters) = (of(".model"), of(".adapter"));
    for layer in &manifest.layers {
        let kind = layer.media_type.rsplit("vnd.ollama.image.").next().unwrap_or_default();
        let nth =
            1 + named.iter().filter(|(_, known)| known.media_type == layer.media_type).count();
        let path = match kind {
            "model" if models > 1 => format!("model-{nth:05}-of-{models:05}.gguf"),
            "model" => "model.gguf".to_owned(),
            "projector" => "mmproj.gguf".to_owned(),
            "adapter" if adapters > 1 => format!("adapter-{nth}.lora"),
            "adapter" => "adapter.lora".to_owned(),
            "template" => "template.go.txt".to_owned(),
            "system" => "system.txt".to_owned(),
            "license" if nth > 1 => format!("LICENSE.{nth}"),
            "license" => "LICENSE".to_owned(),
            "params" => {
                arguments.extend(parameters(session, &session.small(layer, "parameters")?));
                continue;
            }
            other => {
                session.note(&format!(
                    "left out: the layer `{other}`, which llama-server has no use for"
                ));
                continue;
            }
        };
        named.push((path, layer));
    }
    parallel::map(&named, AT_ONCE, |(path, layer)| {
        session.file(store, &session.blob(layer, path))
    })?;
    for (path, layer) in &named {
        let option = match layer.media_type.rsplit('.').next() {
            Some("system") => "--system-prompt-file",
            Some("adapter") => "--lora",
            _ => continue,
        };
        arguments.extend([option.to_owned(), format!("/models/{path}")]);
    }
    let files = named.into_iter().map(|(path, layer)| (path, layer.digest, layer.size)).collect();
    compose::store(store, session.name, &Foreign { files, arguments, ..Foreign::default() })
}

/// The arguments for a model's parameters.
fn parameters(session: Session<'_>, text: &[u8]) -> Vec<String> {
    let parameters: Value = serde_json::from_slice(text).unwrap_or_default();
    let mut arguments = Vec::new();
    for (key, value) in parameters.as_object().into_iter().flatten() {
        match OPTIONS.iter().find(|(name, _)| name == key) {
            Some((_, option)) if value.is_number() => {
                arguments.extend([(*option).to_owned(), value.to_string()]);
            }
            // A template that is the model's own ends where it should.
            _ if key == "stop" => {}
            _ => session.note(&format!(
                "left out: the parameter `{key}`, which llama-server does not have"
            )),
        }
    }
    arguments
}
