//! Models that are not images of ours: each format is brought to files below `/models` and a command, of
//! which an image is made.

use super::Session;
use super::manifest::Manifest;
use crate::Error;
use crate::digest::Digest;
use crate::store::Store;

mod command;
mod compose;
mod docker_model;
pub(super) mod hugging_face;
pub(super) mod image;
mod model_pack;
mod ollama;

/// A model of another format, all of whose files are in the store.
#[derive(Debug, Clone, Default)]
pub(super) struct Foreign {
    /// Path below `/models`, content, size.
    files: Vec<(String, Digest, u64)>,
    /// Arguments of the server, less those that name weights.
    arguments: Vec<String>,
    labels: Vec<(String, String)>,
    /// Seconds since 1970.
    created: u64,
}

/// Pulls a model of another format.
pub(super) type Pull = fn(Session<'_>, &Manifest, &Store) -> Result<Digest, Error>;

/// How the manifest's format is pulled; none when it is an image.
pub(super) fn of(manifest: &Manifest) -> Option<Pull> {
    let config = manifest.config.media_type.as_str();
    let artifact = manifest.artifact_type.as_deref().unwrap_or_default();
    let any = |mark: &str| manifest.layers.iter().any(|layer| layer.media_type.contains(mark));
    if config.contains("vnd.cncf.model.") || artifact.contains("vnd.cncf.model.") {
        Some(model_pack::pull)
    } else if any("vnd.docker.ai.") {
        Some(docker_model::pull)
    } else if any("vnd.ollama.image.") {
        Some(ollama::pull)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
