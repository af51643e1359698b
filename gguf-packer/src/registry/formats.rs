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

pub(crate) use compose::is_of_other_format;
pub(crate) use layout::load;

pub(super) mod command;
mod compose;
mod docker_model;
pub(super) mod hugging_face;
pub(super) mod image;
mod layout;
mod model_pack;
mod ollama;

/// A model of another format: what it says of itself, and its files.
#[derive(Debug, Clone)]
pub(super) struct Planned<File = Wanted> {
    /// Path below `/models`, and where it is.
    pub(super) files: Vec<(String, File)>,
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

/// A model whose files are layers.
type Described = Planned<Descriptor>;

/// Path below `/models`, content, size.
type Content = (String, Digest, u64);

/// A format that is read.
pub(super) struct Known {
    /// Its word.
    pub(super) format: &'static str,
    read: Read,
}

/// Reads how a model is made.
enum Read {
    /// Of its name, its config and its manifest.
    Config(fn(&str, &[u8], &Manifest) -> Result<Described, Error>),
    /// Of layers too, which are asked for.
    Layers(fn(Session<'_>, &Manifest) -> Result<Planned, Error>),
}

impl<File> Default for Planned<File> {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            archives: Vec::new(),
            command: None,
            arguments: Vec::new(),
            labels: Vec::new(),
            created: 0,
        }
    }
}

impl<File> Planned<File> {
    /// The same with other files.
    fn map<Other>(self, file: impl Fn(&str, File) -> Other) -> Planned<Other> {
        let files = self.files.into_iter().map(|(path, one)| {
            let other = file(&path, one);
            (path, other)
        });
        Planned {
            files: files.collect(),
            archives: self.archives,
            command: self.command,
            arguments: self.arguments,
            labels: self.labels,
            created: self.created,
        }
    }
}

impl Known {
    /// How the model of a registry is made.
    pub(super) fn plan(&self, session: Session<'_>, manifest: &Manifest) -> Result<Planned, Error> {
        match self.read {
            Read::Layers(plan) => plan(session, manifest),
            Read::Config(read) => {
                let config = session.small(&manifest.config, "config")?;
                let planned = read(&session.name.to_string(), &config, manifest)?;
                Ok(planned.map(|path, layer| session.blob(&layer, path)))
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
pub(super) fn pull(session: Session<'_>, planned: Planned, store: &Store) -> Result<Digest, Error> {
    let wanted = &planned.files;
    parallel::map(wanted, AT_ONCE, |(_, wanted)| session.file(store, wanted))?;
    let archives = parallel::map(&planned.archives, AT_ONCE, |(layer, compression)| {
        let layer = session.layer(store, layer, *compression, None)?;
        store.layer_entries(&layer.diff_id)
    })?;
    let planned = planned.map(|_, file| (file.digest, file.size));
    let (what, names) = (session.name.to_string(), std::slice::from_ref(session.name));
    compose::store(store, (&what, names), &planned, &unpacked(archives))
}

/// The files of archives.
fn unpacked(archives: Vec<Vec<Entry>>) -> Vec<Content> {
    let file = |entry: Entry| match entry.kind {
        Kind::File { digest, size } => Some((entry.path, digest, size)),
        _ => None,
    };
    archives.into_iter().flatten().filter_map(file).collect()
}

#[cfg(test)]
mod artifact_tests;
#[cfg(test)]
mod tests;
