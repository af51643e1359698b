//! Images of anybody that have a model in GGUF and no command that says so: they get one.

use serde_json::Value;

use super::{Session, command, compose};
use crate::Error;
use crate::digest::Digest;
use crate::image::{ConfigInput, Platform, command as options};
use crate::store::{Layer, Store, seconds};
use crate::tree::Kind;

/// Stores the image with a command that names its model; none when it has a command, or no model.
pub(in crate::registry) fn without_command(
    session: Session<'_>,
    config: &Value,
    layers: &[Layer],
    store: &Store,
) -> Result<Option<Digest>, Error> {
    let has = |key: &str| config["config"][key].as_array().is_some_and(|words| !words.is_empty());
    if has("Entrypoint")
        || has("Cmd") && options::has_model(&options::of_config(config))
        || config["config"]["Model"].is_object()
    {
        return Ok(None);
    }
    let tree = store.tree(layers)?;
    let files = tree.iter().filter(|entry| matches!(entry.kind, Kind::File { .. }));
    let paths: Vec<&str> = files.map(|entry| entry.path.as_str()).collect();
    // A base image, say.
    let Ok((arguments, others)) = command::weights("", &paths) else { return Ok(None) };
    session.note(&format!("the image has no command, using `{}`", arguments.join(" ")));
    if !others.is_empty() {
        session.note(&format!("other models in the image: {}", others.join(", ")));
    }
    let created = config["created"].as_str().and_then(seconds).unwrap_or_default();
    let input = ConfigInput {
        command: Some(&arguments),
        labels: &[],
        base: Some(config),
        base_name: None,
        history: &[],
        files: &tree,
        created,
    };
    let described = compose::described(store, &input)?;
    compose::commit(
        store,
        std::slice::from_ref(session.name),
        &described,
        &[Platform::of(config).unwrap_or_else(Platform::here)],
        layers.to_vec(),
    )
    .map(Some)
}
