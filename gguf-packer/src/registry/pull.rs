//! Pulls an image: the right platform's manifest and config, the layers that are not there yet, and then
//! all of it at once into the store.

use std::collections::BTreeSet;

use serde_json::Value;

use super::index::{self, Choice};
use super::manifest::{Document, Index, Manifest};
use super::{Session, formats};
use crate::Error;
use crate::attached::Kind;
use crate::digest::Digest;
use crate::image::Platform;
use crate::image::manifest::{self as media, Descriptor};
use crate::store::{Compression, Layer, NewImage, Store};

/// What a name is in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// Of a model that is no image: `modelpack`, `docker` or `ollama`.
    pub format: Option<&'static str>,
    /// The raw manifest.
    pub manifest: Vec<u8>,
    /// The raw config.
    pub config: Vec<u8>,
}

/// A manifest that was chosen.
pub(super) struct Chosen {
    raw: Vec<u8>,
    pub(super) manifest: Manifest,
    /// The raw index that it is one of.
    index: Option<(Vec<u8>, Index)>,
    /// When it is for another platform than was wanted, the one that was.
    instead_of: Option<Platform>,
}

pub(super) fn image(
    session: Session<'_>,
    platform: Option<&Platform>,
    store: &Store,
) -> Result<Digest, Error> {
    let chosen = choose(&session, platform)?;
    if let Some(known) = formats::of(&chosen.manifest) {
        return formats::pull(session, known.plan(session, &chosen.manifest)?, store);
    }
    let (config, parsed) = config(&session, &chosen)?;
    let layers = wanted(&session, &chosen.manifest, &parsed)?;
    let layers = session.layers(store, &layers)?;
    if let Some(id) = formats::image::without_command(session, &parsed, &layers, store)? {
        return Ok(id);
    }
    let plain =
        chosen.manifest.layers.iter().all(|layer| layer.compression() == Some(Compression::None));
    let mut image = NewImage { config, layers, ..NewImage::default() };
    if plain {
        let named = chosen.index.as_ref().map_or(&chosen.raw, |(raw, _)| raw);
        image.attached = session.take_documents(store, &Digest::of(named));
        image.manifest = chosen.raw;
        if let Some((raw, index)) = chosen.index {
            beside(&session, &mut image, raw, &index)?;
        }
    } else {
        let layers: Vec<(Digest, u64)> =
            image.layers.iter().map(|layer| (layer.diff_id, layer.size)).collect();
        image.manifest = media::manifest(&image.config, &layers);
    }
    store.commit(&image, std::slice::from_ref(session.name))
}

pub(super) fn inspect(
    session: Session<'_>,
    platform: Option<&Platform>,
) -> Result<Inspected, Error> {
    let chosen = choose(&session, platform)?;
    let known = formats::of(&chosen.manifest);
    let config = match known {
        Some(_) => session.small(&chosen.manifest.config, "config")?,
        None => config(&session, &chosen)?.0,
    };
    Ok(Inspected { format: known.map(|known| known.format), manifest: chosen.raw, config })
}

/// The documents about it.
pub(super) fn documents(session: &Session<'_>) -> Result<Vec<(Kind, Vec<u8>)>, Error> {
    let (raw, _) = session.manifest(None)?;
    session.documents(&Digest::of(raw))
}

/// The manifest for `platform`, or for this machine's.
pub(super) fn choose(session: &Session<'_>, platform: Option<&Platform>) -> Result<Chosen, Error> {
    let (raw, document) = session.manifest(None)?;
    let index = match document {
        Document::Manifest(manifest) => {
            return Ok(Chosen { raw, manifest: *manifest, index: None, instead_of: None });
        }
        Document::Index(index) => index,
    };
    let wanted = platform.cloned().unwrap_or_else(Platform::here);
    let (digest, instead_of) = match index::choose(session, &index, &wanted)? {
        Choice::Right(digest) => (digest, None),
        Choice::First(digest) => (digest, Some(wanted.clone())),
    };
    let (of_platform, document) = session.manifest(Some(&digest))?;
    let Document::Manifest(manifest) = document else {
        return Err(Error::new(format!("`{}` is an index that contains an index", session.name))
            .hint(format!(
                "pull that one: gguf-packer pull {}@{digest}",
                session.name.short_repository()
            )));
    };
    let mut chosen =
        Chosen { raw: of_platform, manifest: *manifest, index: Some((raw, index)), instead_of };
    if chosen.instead_of.is_some() && formats::of(&chosen.manifest).is_some() {
        session.note(&instead(&wanted));
        chosen.instead_of = None;
    }
    Ok(chosen)
}

/// The config, which says whether another platform's image will do.
fn config(session: &Session<'_>, chosen: &Chosen) -> Result<(Vec<u8>, Value), Error> {
    let raw = session.small(&chosen.manifest.config, "config")?;
    let parsed: Value = serde_json::from_slice(&raw)
        .map_err(|e| Error::new(format!("cannot read the config of `{}`: {e}", session.name)))?;
    if parsed["rootfs"]["diff_ids"].as_array().is_none() {
        let kind = &chosen.manifest.config.media_type;
        return Err(Error::new(format!(
            "`{}` is neither an image nor a model: its config has the type `{kind}`",
            session.name
        )));
    }
    let Some(wanted) = &chosen.instead_of else { return Ok((raw, parsed)) };
    if !is_model(&parsed) {
        let (_, index) = chosen.index.as_ref().expect("another platform comes from an index");
        return Err(index::missing(session, index, wanted));
    }
    session.note(&instead(wanted));
    Ok((raw, parsed))
}

fn instead(wanted: &Platform) -> String {
    format!(
        "no matching manifest for {wanted}, using the first one: a model is the same for all \
        platforms"
    )
}

/// Whether the image says of itself that it is a model.
fn is_model(config: &Value) -> bool {
    let labels = config["config"]["Labels"].as_object();
    config["config"]["Model"].is_object()
        || labels.is_some_and(|labels| labels.keys().any(|key| key.starts_with("gguf.model.")))
}

/// The layers with their compression and what they unpack to.
fn wanted(
    session: &Session<'_>,
    manifest: &Manifest,
    config: &Value,
) -> Result<Vec<(Descriptor, Compression, Digest)>, Error> {
    let ids: Vec<Digest> = serde_json::from_value(config["rootfs"]["diff_ids"].clone())
        .map_err(|e| Error::new(format!("cannot read the config of `{}`: {e}", session.name)))?;
    if ids.len() != manifest.layers.len() {
        let (layers, ids) = (manifest.layers.len(), ids.len());
        let text = format!(
            "the manifest of `{}` has {layers} layers, but its config lists {ids}",
            session.name
        );
        return Err(Error::new(text));
    }
    let with_kind = |(layer, id): (&Descriptor, Digest)| {
        let compression = layer.compression().ok_or_else(|| {
            let kind = &layer.media_type;
            Error::new(format!("a layer of `{}` has the unsupported type `{kind}`", session.name))
        })?;
        Ok((layer.clone(), compression, id))
    };
    manifest.layers.iter().zip(ids).map(with_kind).collect()
}

/// The other platforms, when they have the same layers: then all of them are pushed again as they are.
fn beside(
    session: &Session<'_>,
    image: &mut NewImage,
    raw: Vec<u8>,
    index: &Index,
) -> Result<(), Error> {
    let own = Digest::of(&image.manifest);
    let have: BTreeSet<Digest> = image.layers.iter().map(|layer: &Layer| layer.diff_id).collect();
    let mut others = Vec::new();
    for entry in index.manifests.iter().filter(|entry| entry.digest != own) {
        let (bytes, document) = session.manifest(Some(&entry.digest))?;
        let Document::Manifest(manifest) = document else { return Ok(()) };
        if !manifest.layers.iter().all(|layer| have.contains(&layer.digest)) {
            return Ok(());
        }
        others.push((session.small(&manifest.config, "config")?, bytes));
    }
    (image.index, image.others) = (Some(raw), others);
    Ok(())
}

#[cfg(test)]
#[path = "pull_tests.rs"]
mod tests;
