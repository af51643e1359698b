//! Models as artifacts: what an image of the store is as CNCF ModelPack and for Docker Model Runner. A file is a
//! layer by itself, as it is, so both have the blobs that the store has: nothing is written to make one.

mod annotations;
mod docker_model;
mod files;
mod manifest;
mod model_pack;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use crate::Error;
use crate::digest::Digest;
use crate::gguf::{self, Model};
use crate::store::{Store, StoredImage};

pub(crate) use annotations::{ours, said};
pub(crate) use files::FOLDER;

/// Bytes of a manifest that registries take.
const MANIFEST: usize = 4 << 20;

/// What a model is in a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// An image for containers.
    Image,
    /// CNCF ModelPack, as of its specification v0.0.7.
    ModelPack,
    /// Docker Model Runner's own, with the config v0.2.
    Docker,
}

/// An image of the store as an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Which kind it is.
    pub format: Format,
    /// The raw manifest.
    pub manifest: Vec<u8>,
    /// The raw config that the manifest names.
    pub config: Vec<u8>,
    /// The contents that the manifest names, each once, with their bytes: they are in the store.
    pub blobs: Vec<(Digest, u64)>,
    /// What of the image is not in it, or is of no use to those whose format it is.
    pub warnings: Vec<String>,
}

impl Format {
    const ALL: [Self; 3] = [Self::Image, Self::ModelPack, Self::Docker];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::ModelPack => "modelpack",
            Self::Docker => "docker",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|format| format.word() == text).ok_or_else(|| {
            let words = Self::ALL.map(Self::word).join(", ");
            Error::new(format!("unknown model format `{text}`")).hint(format!("use one of {words}"))
        })
    }
}

impl Artifact {
    /// What `image` is in `format`; none when it is what it is already.
    ///
    /// # Errors
    /// When its command names no model in GGUF that it has, or a content is missing.
    pub fn of(format: Format, image: &StoredImage, store: &Store) -> Result<Option<Self>, Error> {
        if format == Format::Image {
            return Ok(None);
        }
        let config: Value = serde_json::from_slice(&image.config)
            .map_err(|e| Error::new(format!("cannot read the image's config: {e}")))?;
        let files = files::Files::of(&config, &store.tree(&image.layers)?)?;
        let headers = files.headers(store)?;
        let parts = match format {
            Format::Docker => docker_model::parts(files, &headers, &config),
            _ => model_pack::parts(files, &headers, &config),
        };
        let manifest = manifest::manifest(&parts, &config);
        if manifest.len() > MANIFEST {
            let text = format!("the image has too many files to be `{format}`");
            return Err(Error::new(format!(
                "{text}: the manifest would be larger than the limit, {} bytes",
                manifest.len()
            )));
        }
        let mut seen = BTreeSet::new();
        let blobs = parts.layers.iter().map(|layer| (layer.file.digest, layer.file.size));
        let blobs = blobs.filter(|(digest, _)| seen.insert(*digest)).collect();
        Ok(Some(Self { format, manifest, config: parts.config, blobs, warnings: parts.warnings }))
    }
}

impl Artifact {
    /// What it is, as OCI tells a list of manifests: what the manifest says, else the type of its config.
    #[must_use]
    pub fn artifact_type(&self) -> &'static str {
        match self.format {
            Format::Docker => docker_model::CONFIG,
            _ => model_pack::ARTIFACT,
        }
    }
}

/// The type of most tensors, by llama.cpp's name: the original's names have two readings of some.
fn file_type(model: &Model) -> String {
    gguf::quantizer_name(gguf::file_type_name(model.file_type())).to_owned()
}

#[cfg(test)]
mod schema_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
