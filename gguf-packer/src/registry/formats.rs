//! Models that are not images of ours: each format is brought to files below `/models` and a command, of
//! which an image is made.

use super::Session;
use super::layers::{AT_ONCE, Wanted};
use super::manifest::Manifest;
use crate::Error;
use crate::artifact::Format;
use crate::digest::Digest;
use crate::image::manifest::Descriptor;
use crate::parallel;
use crate::store::{Compression, Store};
use crate::tree::{Entry, Kind};

pub(crate) use compose::is_of_other_format;
pub(crate) use layout::{Opened, load};

pub(super) mod command;
mod compose;
mod docker_model;
pub(super) mod hugging_face;
pub(super) mod image;
mod layout;
mod model_pack;
mod ollama;

/// What a model of another format says of itself, and its archives.
#[derive(Debug, Clone, Default)]
pub(super) struct Planned {
    /// Layers that are archives of files below `/models`.
    pub(super) archives: Vec<(Descriptor, Compression)>,
    /// Arguments of the server, when the model says all of them.
    command: Option<Vec<String>>,
    /// Arguments of the server, less those that name weights.
    arguments: Vec<String>,
    labels: Vec<(String, String)>,
    /// Seconds since 1970.
    created: u64,
}

/// A model with its files that are in no archive: the path of each below `/models`, and where it is.
pub(super) type Parts<File> = (Vec<(String, File)>, Planned);

/// Path below `/models`, content, size.
type Content = (String, Digest, u64);

/// A format that is read.
pub(super) struct Known {
    /// Its word.
    pub(super) format: &'static str,
    read: Read,
}

type ReadConfig = fn(&str, &[u8], &Manifest) -> Result<Parts<Descriptor>, Error>;

/// Reads how a model is made.
enum Read {
    /// Of its name, its config and its manifest.
    Config(ReadConfig),
    /// Of layers too, which are asked for.
    Layers(fn(Session<'_>, &Manifest) -> Result<Parts<Wanted>, Error>),
}

impl Planned {
    /// The command of the server; `weights` says which arguments name the weights.
    pub(super) fn command(
        &self,
        weights: impl FnOnce() -> Result<Vec<String>, Error>,
    ) -> Result<Vec<String>, Error> {
        match &self.command {
            Some(command) => Ok(command.clone()),
            None => Ok([weights()?, self.arguments.clone()].concat()),
        }
    }
}

impl Known {
    /// How the model of a registry is made.
    pub(super) fn plan(
        &self,
        session: Session<'_>,
        manifest: &Manifest,
    ) -> Result<Parts<Wanted>, Error> {
        match self.read {
            Read::Layers(plan) => plan(session, manifest),
            Read::Config(read) => {
                let config = session.small(&manifest.config, "config")?;
                let (files, planned) = read(&session.name.to_string(), &config, manifest)?;
                let wanted = |(path, layer): (String, Descriptor)| {
                    let wanted = session.blob(&layer, &path);
                    (path, wanted)
                };
                Ok((files.into_iter().map(wanted).collect(), planned))
            }
        }
    }
}

/// The manifest's format; none when it is an image.
pub(super) fn of(manifest: &Manifest) -> Option<Known> {
    let config = manifest.config.media_type.as_str();
    let artifact = manifest.artifact_type.as_deref().unwrap_or_default();
    let any = |mark: &str| manifest.layers.iter().any(|layer| layer.media_type.contains(mark));
    if config.contains("vnd.cncf.model.") || artifact.contains("vnd.cncf.model.") {
        Some(Known { format: Format::ModelPack.word(), read: Read::Config(model_pack::read) })
    } else if any("vnd.docker.ai.") {
        Some(Known { format: Format::Docker.word(), read: Read::Config(docker_model::read) })
    } else if any("vnd.ollama.image.") {
        Some(Known { format: "ollama", read: Read::Layers(ollama::plan) })
    } else {
        None
    }
}

/// Pulls all files of a model and stores it.
pub(super) fn pull(
    session: Session<'_>,
    (files, planned): Parts<Wanted>,
    store: &Store,
) -> Result<Digest, Error> {
    parallel::map(&files, AT_ONCE, |(_, wanted)| session.file(store, wanted))?;
    let archives = parallel::map(&planned.archives, AT_ONCE, |(layer, compression)| {
        let layer = session.layer(store, layer, *compression, None)?;
        store.layer_entries(&layer.diff_id)
    })?;
    let (what, names) = (session.name.to_string(), std::slice::from_ref(session.name));
    let files = files.into_iter().map(|(path, file)| (path, file.digest, file.size));
    let files: Vec<Content> = files.chain(unpacked(archives)).collect();
    compose::store(store, (&what, names), &planned, &files)
}

/// The files of archives.
fn unpacked(archives: Vec<Vec<Entry>>) -> impl Iterator<Item = Content> {
    let file = |entry: Entry| match entry.kind {
        Kind::File { digest, size } => Some((entry.path, digest, size)),
        _ => None,
    };
    archives.into_iter().flatten().filter_map(file)
}

#[cfg(test)]
mod artifact_tests;
#[cfg(test)]
mod tests;
