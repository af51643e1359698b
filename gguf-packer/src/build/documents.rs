//! What a built image was made of, as documents in the store.

use std::path::Path;

use super::{Request, json};
use crate::Error;
use crate::attached::Attached;
use crate::digest::Digest;
use crate::executor::{BuiltStage, Material};
use crate::image::{Described, Platform};
use crate::provenance::{self, Build};
use crate::store::{NewImage, Store};

/// Writes and stores the documents of `image`, which was built as `images`.
pub(super) fn store(
    request: &Request<'_>,
    store: &Store,
    image: &NewImage,
    images: &[(Platform, Described, BuiltStage)],
) -> Result<Vec<Attached>, Error> {
    let mut materials: Vec<Material> = Vec::new();
    for material in images.iter().flat_map(|(.., stage)| &stage.materials) {
        if !materials.contains(material) {
            materials.push(material.clone());
        }
    }
    let file = Path::new(request.script.file()).file_name();
    let file = file.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let Some((.., first)) = images.first() else { return Ok(Vec::new()) };
    let build = Build {
        file: &file,
        text: request.script.text(),
        outline: &request.script.redacted(),
        target: request.settings.target.as_deref(),
        arguments: request.settings.build_args.keys().map(String::as_str).collect(),
        platforms: images.iter().map(|(platform, ..)| platform).collect(),
        materials: &materials,
        files: &first.entries,
        config: &json(&image.config),
        has_base: first.base.is_some(),
        subjects: subjects(image, images),
    };
    let documents = provenance::documents(&build).into_iter().map(|(kind, bytes)| {
        let digest = store.add_bytes(&bytes)?;
        Ok(Attached { kind, digest, size: bytes.len() as u64 })
    });
    documents.collect()
}

/// What others may ask about: the index, and the manifest of each platform.
fn subjects(
    image: &NewImage,
    images: &[(Platform, Described, BuiltStage)],
) -> Vec<(String, Digest)> {
    let index = image.index.as_ref().map(|index| ("index".to_owned(), Digest::of(index)));
    let manifests = std::iter::once((&image.config, &image.manifest))
        .chain(image.others.iter().map(|(config, manifest)| (config, manifest)));
    let of_platform = |(config, manifest): (&Vec<u8>, &Vec<u8>)| {
        let own =
            images.iter().find(|(platform, described, _)| described.config(platform) == *config);
        let name = own.map_or_else(|| "manifest".to_owned(), |(platform, ..)| platform.to_string());
        (name, Digest::of(manifest))
    };
    index.into_iter().chain(manifests.map(of_platform)).collect()
}
