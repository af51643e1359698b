//! Models of Ollama. Its templates are Go's, which no llama-server reads: the model's own is used, and
//! Ollama's kept beside it.

use serde_json::Value;

use super::{Parts, Planned, Session};
use crate::Error;
use crate::image::manifest::Descriptor;
use crate::registry::layers::Wanted;
use crate::registry::manifest::Manifest;

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

pub(super) fn plan(session: Session<'_>, manifest: &Manifest) -> Result<Parts<Wanted>, Error> {
    let (mut named, mut arguments): (Vec<(String, &Descriptor)>, Vec<String>) = Default::default();
    for layer in &manifest.layers {
        let all = manifest.layers.iter().filter(|known| known.media_type == layer.media_type);
        let nth =
            1 + named.iter().filter(|(_, known)| known.media_type == layer.media_type).count();
        match kind(layer) {
            "params" => {
                arguments.extend(parameters(session, &session.small(layer, "parameters")?));
            }
            kind => match path(kind, nth, all.count()) {
                Some(path) => named.push((path, layer)),
                None => session
                    .note(&format!("skipped the layer `{kind}`: llama-server does not use it")),
            },
        }
    }
    for (path, layer) in &named {
        let option = match kind(layer) {
            "system" => "--system-prompt-file",
            "adapter" => "--lora",
            _ => continue,
        };
        arguments.extend([option.to_owned(), format!("/models/{path}")]);
    }
    let file = |(path, layer): (String, &Descriptor)| {
        let wanted = session.blob(layer, &path);
        (path, wanted)
    };
    let planned = Planned { arguments, ..Planned::default() };
    Ok((named.into_iter().map(file).collect(), planned))
}

fn kind(layer: &Descriptor) -> &str {
    layer.media_type.rsplit("vnd.ollama.image.").next().unwrap_or_default()
}

/// Where the `nth` of so many layers of a kind is put; none when it is of no use.
fn path(kind: &str, nth: usize, of: usize) -> Option<String> {
    Some(match kind {
        "model" if of > 1 => format!("model-{nth:05}-of-{of:05}.gguf"),
        "model" => "model.gguf".to_owned(),
        "projector" => "mmproj.gguf".to_owned(),
        "adapter" if of > 1 => format!("adapter-{nth}.lora"),
        "adapter" => "adapter.lora".to_owned(),
        "template" => "template.go.txt".to_owned(),
        "system" => "system.txt".to_owned(),
        "license" if nth > 1 => format!("LICENSE.{nth}"),
        "license" => "LICENSE".to_owned(),
        _ => return None,
    })
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
            _ => session
                .note(&format!("skipped the parameter `{key}`: llama-server has no such option")),
        }
    }
    arguments
}
