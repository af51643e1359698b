//! Pushes an image as the store has it: layers, configs, manifests, and the name last, so that nobody finds
//! a name of which something is missing.

use std::collections::BTreeSet;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response};
use serde_json::Value;

use super::ask::Ask;
use super::attach::subjects;
use super::{Session, layers, refusal};
use crate::Error;
use crate::artifact::Artifact;
use crate::digest::Digest;
use crate::image::manifest as media;
use crate::parallel;
use crate::signing::PrivateKey;
use crate::store::{Layer, Store, StoredImage};
use crate::tree::{Entry, Kind};

/// A repository, and what it may have.
type Neighbour = (String, BTreeSet<Digest>);

/// Repositories to mount a layer from that are tried.
const MOUNTS: usize = 3;

pub(super) fn image(
    session: Session<'_>,
    image: &StoredImage,
    store: &Store,
    sign: Option<&PrivateKey>,
) -> Result<Digest, Error> {
    let neighbours = neighbours(&session, store, |layer| Ok(vec![layer.diff_id]))?;
    let mut seen = BTreeSet::new();
    let unique: Vec<Layer> =
        image.layers.iter().filter(|layer| seen.insert(layer.diff_id)).copied().collect();
    parallel::map(&unique, layers::AT_ONCE, |layer| {
        session.push_layer(store, &layer.diff_id, layer.size, &having(&neighbours, &layer.diff_id))
    })?;
    session.push_bytes(&image.config)?;
    for (config, _) in &image.others {
        session.push_bytes(config)?;
    }
    let name = session.name.tag();
    if image.index.is_some() {
        session.put_manifest(&image.manifest, None)?;
        for (_, manifest) in &image.others {
            session.put_manifest(manifest, None)?;
        }
    }
    let named = image.index.as_ref().unwrap_or(&image.manifest);
    if sign.is_some() || !image.attached.is_empty() {
        // What refers to it comes before its name, and it before what refers to it.
        session.put_manifest(named, None)?;
        about(&session, store, image, sign)?;
    }
    session.put_manifest(named, name)
}

/// Attaches documents and signatures. An old registry that takes no documents has the image all the same.
fn about(
    session: &Session<'_>,
    store: &Store,
    image: &StoredImage,
    sign: Option<&PrivateKey>,
) -> Result<(), Error> {
    if let Err(error) = session.attach(store, image) {
        session.note(&format!("cannot push the provenance: {error}"));
    }
    sign.map_or(Ok(()), |key| session.sign(store, &subjects(image), &image.attached, key))
}

/// Pushes an image of the store as an artifact.
pub(super) fn artifact(
    session: Session<'_>,
    artifact: &Artifact,
    store: &Store,
    sign: Option<&PrivateKey>,
) -> Result<Digest, Error> {
    let neighbours = neighbours(&session, store, |layer| files_of(store, layer))?;
    parallel::map(&artifact.blobs, layers::AT_ONCE, |(digest, size)| {
        session.push_file(store, digest, *size, &having(&neighbours, digest))
    })?;
    session.push_bytes(&artifact.config)?;
    if let Some(key) = sign {
        // The documents are about the image.
        session.put_manifest(&artifact.manifest, None)?;
        let subject = media::Descriptor::of(media::MANIFEST, &artifact.manifest);
        session.sign(store, &[subject], &[], key)?;
    }
    session.put_manifest(&artifact.manifest, session.name.tag())
}

/// The contents of a layer, which a registry has when the model was pushed as an artifact.
fn files_of(store: &Store, layer: &Layer) -> Result<Vec<Digest>, Error> {
    let entries = store.layer_entries(&layer.diff_id)?.into_iter();
    let digest = |entry: Entry| match entry.kind {
        Kind::File { digest, .. } => Some(digest),
        _ => None,
    };
    Ok(entries.filter_map(digest).collect())
}

/// A few repositories that may have what has this digest.
fn having(neighbours: &[Neighbour], digest: &Digest) -> Vec<String> {
    let having = neighbours.iter().filter(|(_, known)| known.contains(digest));
    having.map(|(name, _)| name.clone()).take(MOUNTS).collect()
}

/// Other repositories of the registry that are in the store, with what they have of their images' layers.
fn neighbours(
    session: &Session<'_>,
    store: &Store,
    of: impl Fn(&Layer) -> Result<Vec<Digest>, Error>,
) -> Result<Vec<Neighbour>, Error> {
    let mut neighbours: Vec<Neighbour> = Vec::new();
    for (name, layers) in store.names_with_layers()? {
        let other = name.repository() != session.name.repository();
        if other && name.registry() == session.registry() {
            let digests =
                layers.iter().map(&of).collect::<Result<Vec<_>, _>>()?.into_iter().flatten();
            match neighbours.iter_mut().find(|(known, _)| known == name.repository()) {
                Some((_, known)) => known.extend(digests),
                None => neighbours.push((name.repository().to_owned(), digests.collect())),
            }
        }
    }
    Ok(neighbours)
}

impl Session<'_> {
    /// Puts a manifest under a tag, or under its own digest.
    fn put_manifest(&self, manifest: &[u8], tag: Option<&str>) -> Result<Digest, Error> {
        let digest = Digest::of(manifest);
        let response = self.put(manifest, tag)?;
        let told = response.headers().get("docker-content-digest");
        let told = told.and_then(|value| value.to_str().ok()?.parse::<Digest>().ok());
        match told.filter(|told| *told != digest) {
            None => Ok(digest),
            Some(told) => {
                let text =
                    format!("{} stored a different manifest for `{}`", self.registry(), self.name);
                Err(Error::new(format!("{text}: {told}, not {digest}")))
            }
        }
    }

    /// As [`Session::put_manifest`]; the registry's answer.
    pub(super) fn put(&self, manifest: &[u8], tag: Option<&str>) -> Result<Response, Error> {
        let name = tag.map_or_else(|| Digest::of(manifest).to_string(), str::to_owned);
        let parsed: Value = serde_json::from_slice(manifest).unwrap_or_default();
        let index = parsed["manifests"].is_array();
        let kind = parsed["mediaType"].as_str().unwrap_or(if index {
            media::INDEX
        } else {
            media::MANIFEST
        });
        let ask = Ask::new(Method::PUT, self.path(&format!("manifests/{name}")));
        let response = self.ask(&ask.header(CONTENT_TYPE, kind).body(manifest))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refusal::of(self, response))
    }
}

#[cfg(test)]
#[path = "push_tests.rs"]
mod tests;
