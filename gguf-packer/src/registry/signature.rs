//! Signatures in a registry, where cosign keeps them: those of the image `sha256:HEX` under the tag `sha256-HEX.sig`,
//! signed statements about it under `sha256-HEX.att`, each signature a layer of the tag's manifest.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Session;
use super::attach::EMPTY;
use super::manifest::{Document, Manifest};
use crate::Error;
use crate::attached::Attached;
use crate::digest::Digest;
use crate::image::manifest::{self as media, Descriptor};
use crate::provenance;
use crate::signing::{self, PrivateKey, PublicKey};
use crate::store::Store;

/// Media type of a layer that is signed text.
const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// Media type of a layer that is an envelope with a statement and its signature.
const ENVELOPE: &str = "application/vnd.dsse.envelope.v1+json";
/// Artifact type of what cosign 3 writes: an envelope in a bundle.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// What such a bundle says of an image: that it is signed.
const SIGN: &str = "https://sigstore.dev/cosign/sign/v1";
/// The layer's annotation with the signature, in base64.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// Signatures of one image that are looked at.
const MOST: usize = 100;
/// Bytes of a document that is signed.
const MOST_DOCUMENT: u64 = 4 << 20;

/// A signature, or a signed statement, to be.
struct Layer {
    kind: &'static str,
    bytes: Vec<u8>,
    annotations: Value,
}

impl Session<'_> {
    /// Signs manifests of one model, and what the store has about them. What is signed with the key already
    /// stays as it is.
    pub(super) fn sign(
        &self,
        store: &Store,
        subjects: &[Descriptor],
        attached: &[Attached],
        key: &PrivateKey,
    ) -> Result<(), Error> {
        let public = key.public();
        let names: Vec<(String, Digest)> =
            subjects.iter().map(|subject| (self.name.short_repository(), subject.digest)).collect();
        let mut statements = Vec::new();
        for attached in attached {
            let document = store.read_blob(&attached.digest, MOST_DOCUMENT)?;
            let statement = provenance::to_be_signed(attached.kind, &document, &names);
            statements.push((attached.kind.predicate_type(), statement));
        }
        for subject in subjects {
            let digest = &subject.digest;
            if !self.is_signed(digest, &public)? {
                let payload = signing::payload(self.name, digest);
                let signature = STANDARD.encode(key.sign(&payload));
                let annotations = json!({ SIGNATURE: signature });
                self.add(
                    &tag(digest, "sig"),
                    vec![Layer { kind: SIMPLE_SIGNING, bytes: payload, annotations }],
                )?;
            }
            let known = self.attested(digest, &public)?;
            let new = statements.iter().filter(|(_, statement)| !known.contains(statement));
            let layer = |(predicate, statement): &(&str, Vec<u8>)| Layer {
                kind: ENVELOPE,
                bytes: signing::envelope(statement, key),
                annotations: json!({ SIGNATURE: "", "predicateType": predicate }),
            };
            self.add(&tag(digest, "att"), new.map(layer).collect())?;
        }
        Ok(())
    }

    /// Adds layers to those that a tag has.
    fn add(&self, tag: &str, new: Vec<Layer>) -> Result<(), Error> {
        if new.is_empty() {
            return Ok(());
        }
        let before =
            self.optional(tag)?.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        let mut layers =
            before.and_then(|manifest| manifest["layers"].as_array().cloned()).unwrap_or_default();
        for Layer { kind, bytes, annotations } in new {
            self.push_bytes(&bytes)?;
            layers.push(json!({
                "mediaType": kind, "size": bytes.len(), "digest": Digest::of(&bytes),
                "annotations": annotations,
            }));
        }
        let ids: Vec<&Value> = layers.iter().map(|layer| &layer["digest"]).collect();
        // As cosign writes it: an image of nothing, made at no time.
        let none = "0001-01-01T00:00:00Z";
        let config = json!({
            "architecture": "", "created": none, "history": vec![json!({"created": none}); ids.len()],
            "os": "", "rootfs": {"type": "layers", "diff_ids": ids}, "config": {},
        });
        let config = config.to_string().into_bytes();
        self.push_bytes(&config)?;
        let manifest = json!({
            "schemaVersion": 2, "mediaType": media::MANIFEST,
            "config": Descriptor::of(media::CONFIG, &config), "layers": layers,
        });
        self.put(manifest.to_string().as_bytes(), Some(tag)).map(drop)
    }

    /// Whether `key` has signed the image `digest`.
    pub(super) fn is_signed(&self, digest: &Digest, key: &PublicKey) -> Result<bool, Error> {
        for layer in self.layers_of(&tag(digest, "sig"), SIMPLE_SIGNING)? {
            let signature = layer.annotations.as_ref().and_then(|all| all.get(SIGNATURE));
            let Some(signature) = signature.and_then(|text| STANDARD.decode(text).ok()) else {
                continue;
            };
            let payload = self.small(&layer, "signature")?;
            if key.has_signed(&payload, &signature) && signing::is_of(&payload, digest) {
                return Ok(true);
            }
        }
        self.is_signed_in_bundle(digest, key)
    }

    /// As [`Session::is_signed`], by what cosign 3 writes.
    fn is_signed_in_bundle(&self, digest: &Digest, key: &PublicKey) -> Result<bool, Error> {
        for ((), referrer) in self.referrers(digest, |kind| is_bundle(kind).then_some(()))? {
            let (_, document) = self.manifest(Some(&referrer))?;
            let Document::Manifest(manifest) = document else { continue };
            let layers = manifest.layers;
            let Some(layer) = layers.iter().find(|layer| layer.media_type == BUNDLE) else {
                continue;
            };
            let bundle: Value =
                serde_json::from_slice(&self.small(layer, "signature")?).unwrap_or_default();
            let envelope = bundle["dsseEnvelope"].to_string();
            let Some(statement) = signing::opened(envelope.as_bytes(), key) else { continue };
            let parsed: Value = serde_json::from_slice(&statement).unwrap_or_default();
            if parsed["predicateType"] == SIGN && signing::is_about(&statement, digest) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The statements about the image `digest` that `key` has signed.
    fn attested(&self, digest: &Digest, key: &PublicKey) -> Result<Vec<Vec<u8>>, Error> {
        let mut statements = Vec::new();
        for layer in self.layers_of(&tag(digest, "att"), ENVELOPE)? {
            let statement = signing::opened(&self.small(&layer, "statement")?, key);
            statements.extend(statement.filter(|statement| signing::is_about(statement, digest)));
        }
        Ok(statements)
    }

    /// The layers of one kind that a tag has; none when there is no such tag.
    fn layers_of(&self, tag: &str, kind: &str) -> Result<Vec<Descriptor>, Error> {
        let Some(bytes) = self.optional(tag)? else { return Ok(Vec::new()) };
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|e| {
            Error::new(format!(
                "cannot read the manifest `{tag}` of {}: {e}",
                self.name.short_repository()
            ))
        })?;
        let mut layers = manifest.layers;
        layers.retain(|layer| layer.media_type == kind && layer.size <= MOST_DOCUMENT * 2);
        layers.truncate(MOST);
        Ok(layers)
    }

    /// The manifest that the name is now; an error unless `key` has signed it.
    pub(super) fn verified(&self, key: &PublicKey) -> Result<Digest, Error> {
        let (raw, _) = self.manifest(None)?;
        let digest = Digest::of(raw);
        if self.is_signed(&digest, key)? {
            return Ok(digest);
        }
        let repository = self.name.short_repository();
        Err(Error::new(format!("`{}` is not signed with this key", self.name))
            .looked_in(format!("{repository}:{}", tag(&digest, "sig")))
            .looked_in(format!("the referrers of {repository}@{digest}"))
            .hint("check that the key belongs to the publisher of the image")
            .hint(format!(
                "or sign it, if you may push it: cosign sign --key KEY {repository}@{digest}"
            )))
    }
}

/// Where a registry has no list of its own, cosign 3.1 lists a bundle by its config.
fn is_bundle(artifact_type: &str) -> bool {
    artifact_type == BUNDLE || artifact_type == EMPTY.0
}

fn tag(digest: &Digest, what: &str) -> String {
    format!("sha256-{}.{what}", digest.hex())
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
