//! Models that are not images of ours: each format is brought to files below `/models` and a command, of
//! which an image is made.

use super::layers::{AT_ONCE, Wanted};
use super::manifest::{Descriptor, Manifest};
use super::{Session, parallel};
use crate::Error;
use crate::artifact::Format;
use crate::digest::Digest;
use crate::store::{Compression, Store};
use crate::tree::{Entry, Kind};

pub(super) mod command;
mod compose;
mod docker_model;
pub(super) mod hugging_face;
pub(super) mod image;
mod model_pack;
mod ollama;

/// A model of another format, as its registry describes it.
#[derive(Debug, Clone, Default)]
pub(super) struct Planned {
    /// Path below `/models`, and where it is.
    pub(super) files: Vec<(String, Wanted)>,
    /// Layers that are archives of such files.
    pub(super) archives: Vec<(Descriptor, Compression)>,
    /// Arguments of the server, when the model says all of them.
    pub(super) command: Option<Vec<String>>,
    /// Arguments of the server, less those that name weights.
    pub(super) arguments: Vec<String>,
    labels: Vec<(String, String)>,
    /// Seconds since 1970.
    created: u64,
}

/// A model of another format, all of whose files are in the store.
#[derive(Debug, Clone, Default)]
pub(super) struct Foreign {
    /// Path below `/models`, content, size.
    files: Vec<(String, Digest, u64)>,
    /// Arguments of the server, when the model says all of them.
    command: Option<Vec<String>>,
    /// Arguments of the server, less those that name weights.
    arguments: Vec<String>,
    labels: Vec<(String, String)>,
    /// Seconds since 1970.
    created: u64,
}

/// A format that is read.
pub(super) struct Known {
    /// Its word.
    pub(super) format: &'static str,
    /// Reads how a model of it is made.
    pub(super) plan: fn(Session<'_>, &Manifest) -> Result<Planned, Error>,
}

/// The manifest's format; none when it is an image.
pub(super) fn of(manifest: &Manifest) -> Option<Known> {
    let config = manifest.config.media_type.as_str();
    let artifact = manifest.artifact_type.as_deref().unwrap_or_default();
    let any = |mark: &str| manifest.layers.iter().any(|layer| layer.media_type.contains(mark));
    if config.contains("vnd.cncf.model.") || artifact.contains("vnd.cncf.model.") {
        Some(Known { format: Format::ModelPack.word(), plan: model_pack::plan })
    } else if any("vnd.docker.ai.") {
        Some(Known { format: Format::Docker.word(), plan: docker_model::plan })
    } else if any("vnd.ollama.image.") {
        Some(Known { format: "ollama", plan: ollama::plan })
    } else {
        None
    }
}

/// Pulls all files of a model and stores it.
pub(super) fn pull(session: Session<'_>, planned: Planned, store: &Store) -> Result<Digest, Error> {
    let wanted = &planned.files;
    parallel::map(wanted, AT_ONCE, |(_, wanted)| session.file(store, wanted))?;
    let archives = parallel::map(&planned.archives, AT_ONCE, |(layer, compression)| {
        let layer = session.layer(store, layer, *compression, None)?;
        store.layer_entries(&layer.diff_id)
    })?;
    let file = |entry: Entry| match entry.kind {
        Kind::File { digest, size } => Some((entry.path, digest, size)),
        _ => None,
    };
    let named = planned.files.into_iter().map(|(path, file)| (path, file.digest, file.size));
    let foreign = Foreign {
        files: named.chain(archives.into_iter().flatten().filter_map(file)).collect(),
        command: planned.command,
        arguments: planned.arguments,
        labels: planned.labels,
        created: planned.created,
    };
    compose::store(store, session.name, &foreign)
}

#[cfg(test)]
mod artifact_tests;
#[cfg(test)]
mod tests;
