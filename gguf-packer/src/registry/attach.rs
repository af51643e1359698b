//! Documents about an image: attached to it in the registry as OCI's referrers, and found there again. A registry
//! without the interface for referrers (before OCI 1.1) has a list of them under the tag `sha256-HEX`.

use reqwest::Method;
use reqwest::header::ACCEPT;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Session;
use super::ask::Ask;
use super::manifest::Document;
use crate::Error;
use crate::attached::{Attached, Kind};
use crate::digest::Digest;
use crate::image::manifest::{self as media, Descriptor};
use crate::store::{Store, StoredImage};

/// Media type of a config that says nothing, and that config.
pub(super) const EMPTY: (&str, &[u8]) = ("application/vnd.oci.empty.v1+json", b"{}");

/// Bytes of a list of referrers, and of a document, that are read.
const MOST: u64 = 4 << 20;

/// Documents of one image that are read.
const MOST_DOCUMENTS: usize = 8;

/// A manifest that refers to an image.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Referrer {
    digest: Digest,
    #[serde(default)]
    artifact_type: Option<String>,
}

/// The index and the manifests of an image as others refer to them, what its name is first.
pub(super) fn subjects(image: &StoredImage) -> Vec<Descriptor> {
    let index = image.index.iter().map(|index| Descriptor::of(media::INDEX, index));
    let manifests =
        std::iter::once(&image.manifest).chain(image.others.iter().map(|(_, manifest)| manifest));
    index.chain(manifests.map(|manifest| Descriptor::of(media::MANIFEST, manifest))).collect()
}

impl Session<'_> {
    /// Attaches what the store has about the image to its index and to each of its manifests.
    pub(super) fn attach(&self, store: &Store, image: &StoredImage) -> Result<(), Error> {
        if image.attached.is_empty() {
            return Ok(());
        }
        self.push_bytes(EMPTY.1)?;
        for attached in &image.attached {
            self.push_bytes(&store.read_blob(&attached.digest, MOST)?)?;
        }
        for subject in subjects(image) {
            let mut listed = Vec::new();
            for attached in &image.attached {
                let manifest = of(attached, &subject);
                if !self.put_referrer(&manifest)? {
                    listed.push((attached.kind, manifest));
                }
            }
            self.list(&subject.digest, &listed)?;
        }
        Ok(())
    }

    /// Puts a manifest that refers to another one; says whether the registry lists it by itself.
    fn put_referrer(&self, manifest: &[u8]) -> Result<bool, Error> {
        let response = self.put(manifest, None)?;
        Ok(response.headers().contains_key("oci-subject"))
    }

    /// Adds manifests to the list that stands in for the registry's own.
    fn list(&self, subject: &Digest, new: &[(Kind, Vec<u8>)]) -> Result<(), Error> {
        if new.is_empty() {
            return Ok(());
        }
        let tag = tag(subject);
        let before = self.optional(&tag)?;
        let before: Option<Value> = before.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let known = before.as_ref().and_then(|index| index["manifests"].as_array().cloned());
        let mut all = known.unwrap_or_default();
        for (kind, manifest) in new {
            let mut entry = serde_json::to_value(Descriptor::of(media::MANIFEST, manifest))
                .expect("all keys are texts");
            entry["artifactType"] = kind.media_type().into();
            if all.iter().all(|one| one["digest"] != entry["digest"]) {
                all.push(entry);
            }
        }
        let index = json!({"schemaVersion": 2, "mediaType": media::INDEX, "manifests": all});
        if before.as_ref() == Some(&index) {
            return Ok(());
        }
        self.put(index.to_string().as_bytes(), Some(&tag)).map(drop)
    }

    /// The documents about the manifest `subject`, with their contents.
    pub(super) fn documents(&self, subject: &Digest) -> Result<Vec<(Kind, Vec<u8>)>, Error> {
        let mut documents = Vec::new();
        for (kind, digest) in self.referrers(subject, Kind::of_media_type)? {
            let (_, document) = self.manifest(Some(&digest))?;
            let Document::Manifest(manifest) = document else { continue };
            let layers = manifest.layers;
            let wanted =
                |layer: &&Descriptor| layer.media_type == kind.media_type() && layer.size <= MOST;
            if let Some(layer) = layers.iter().find(wanted) {
                let bytes = self.small(layer, kind.words())?;
                if serde_json::from_slice::<Value>(&bytes).is_ok() {
                    documents.push((kind, bytes));
                }
            }
        }
        documents.sort();
        documents.dedup();
        Ok(documents)
    }

    /// The manifests that refer to `subject` and whose artifact type is one that is `wanted`.
    pub(super) fn referrers<K>(
        &self,
        subject: &Digest,
        wanted: impl Fn(&str) -> Option<K>,
    ) -> Result<Vec<(K, Digest)>, Error> {
        #[derive(Deserialize)]
        struct List {
            manifests: Vec<Referrer>,
        }
        let path = self.path(&format!("referrers/{subject}"));
        let response = self.ask(&Ask::new(Method::GET, path).header(ACCEPT, media::INDEX))?;
        let own = response.status().is_success().then(|| self.client.http.body(response, MOST));
        let own =
            own.and_then(Result::ok).and_then(|body| serde_json::from_slice::<List>(&body).ok());
        let list = match own {
            Some(list) => Some(list),
            None => {
                self.optional(&tag(subject))?.and_then(|body| serde_json::from_slice(&body).ok())
            }
        };
        let all = list.map(|list| list.manifests).unwrap_or_default().into_iter();
        let of_kind =
            all.filter_map(|one| Some((wanted(one.artifact_type.as_deref()?)?, one.digest)));
        Ok(of_kind.take(MOST_DOCUMENTS).collect())
    }

    /// Brings the documents about `subject` into the store. None is no trouble: few images have them.
    pub(super) fn take_documents(&self, store: &Store, subject: &Digest) -> Vec<Attached> {
        let taken = self.documents(subject).and_then(|documents| {
            let keep = |(kind, bytes): (Kind, Vec<u8>)| {
                let digest = store.add_bytes(&bytes)?;
                Ok(Attached { kind, digest, size: bytes.len() as u64 })
            };
            documents.into_iter().map(keep).collect::<Result<Vec<_>, Error>>()
        });
        taken.unwrap_or_else(|error| {
            self.note(&format!("cannot pull the provenance: {error}"));
            Vec::new()
        })
    }
}

/// The manifest that attaches a document.
fn of(attached: &Attached, subject: &Descriptor) -> Vec<u8> {
    let kind = attached.kind.media_type();
    let annotations = json!({"in-toto.io/predicate-type": attached.kind.predicate_type()});
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media::MANIFEST,
        "artifactType": kind,
        "config": Descriptor::of(EMPTY.0, EMPTY.1),
        "layers": [{
            "mediaType": kind, "digest": attached.digest, "size": attached.size,
            "annotations": annotations,
        }],
        "subject": subject,
    });
    manifest.to_string().into_bytes()
}

/// The tag of the list of what refers to `subject`.
fn tag(subject: &Digest) -> String {
    format!("sha256-{}", subject.hex())
}
