//! What the store keeps of an image besides its config and its summary.

use serde::{Deserialize, Serialize};

use super::NewImage;
use crate::Error;
use crate::attached::Attached;
use crate::digest::Digest;
use crate::reference::Name;
use crate::store::Layer;

/// The second line of an image's file; the first is its summary, so that a list is quick.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) layers: Vec<Layer>,
    pub(super) manifest: String,
    pub(super) index: Option<String>,
    pub(super) others: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) attached: Vec<Attached>,
    /// Digests of manifests that registries and archives had for it; those here may be others, since they name plain
    /// layers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) digests: Vec<Digest>,
}

impl Record {
    /// That of `image`, in place of the one that the store has.
    pub(super) fn of(image: &NewImage, known: Option<Self>, names: &[Name]) -> Result<Self, Error> {
        let (known, digests) = known.map(|known| (known.attached, known.digests)).unzip();
        let new = Some(image.attached.clone()).filter(|new| !new.is_empty());
        let mut digests: Vec<Digest> = digests.unwrap_or_default();
        digests.extend(names.iter().filter_map(Name::digest));
        digests.sort();
        digests.dedup();
        let others = image.others.iter();
        let others = others.map(|(config, manifest)| Ok((text(config)?, text(manifest)?)));
        Ok(Self {
            layers: image.layers.clone(),
            manifest: text(&image.manifest)?,
            index: image.index.as_deref().map(text).transpose()?,
            others: others.collect::<Result<_, Error>>()?,
            attached: new.or(known).unwrap_or_default(),
            digests,
        })
    }

    /// Whether the image is what a manifest with this digest describes.
    pub(super) fn has(&self, digest: &Digest) -> bool {
        let others = self.others.iter().map(|(_, manifest)| manifest);
        let mut manifests = others.chain(&self.index).chain([&self.manifest]);
        self.digests.contains(digest) || manifests.any(|bytes| Digest::of(bytes) == *digest)
    }
}

fn text(bytes: &[u8]) -> Result<String, Error> {
    String::from_utf8(bytes.to_vec())
        .map_err(|_| Error::new("a manifest of the image is not UTF-8"))
}
