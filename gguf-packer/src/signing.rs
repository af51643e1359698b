//! Signatures of images as cosign makes them with a key: what is signed, and who signs and checks it. ECDSA on the
//! curve P-256 with SHA-256, which is what `cosign generate-key-pair` makes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::digest::Digest;
use crate::reference::Name;

mod key;
mod pem;
mod sealed;

pub use key::{PrivateKey, PublicKey};

/// What cosign calls the signature of an image.
const PAYLOAD_TYPE: &str = "cosign container image signature";

/// Media type of a statement in an envelope.
const STATEMENT: &str = "application/vnd.in-toto+json";

/// The text that says which image is meant: Red Hat's "simple signing".
#[must_use]
pub fn payload(name: &Name, digest: &Digest) -> Vec<u8> {
    // As go-containerregistry writes Docker Hub's name.
    let registry = if name.registry() == "docker.io" { "index.docker.io" } else { name.registry() };
    let payload = json!({
        "critical": {
            "identity": {"docker-reference": format!("{registry}/{}", name.repository())},
            "image": {"docker-manifest-digest": digest.to_string()},
            "type": PAYLOAD_TYPE,
        },
        "optional": null,
    });
    payload.to_string().into_bytes()
}

/// Whether a payload is about the image `digest`.
#[must_use]
pub fn is_of(payload: &[u8], digest: &Digest) -> bool {
    let Ok(payload) = serde_json::from_slice::<Value>(payload) else { return false };
    let critical = &payload["critical"];
    critical["type"] == PAYLOAD_TYPE
        && critical["image"]["docker-manifest-digest"] == digest.to_string()
}

/// A signed statement in an envelope (DSSE), as `cosign attest` writes it.
#[must_use]
pub fn envelope(statement: &[u8], key: &PrivateKey) -> Vec<u8> {
    let signature = STANDARD.encode(key.sign(&to_be_signed(STATEMENT, statement)));
    let envelope = json!({
        "payloadType": STATEMENT,
        "payload": STANDARD.encode(statement),
        "signatures": [{"keyid": "", "sig": signature}],
    });
    envelope.to_string().into_bytes()
}

/// The statement in an envelope that `key` signed.
#[must_use]
pub fn opened(envelope: &[u8], key: &PublicKey) -> Option<Vec<u8>> {
    let envelope: Value = serde_json::from_slice(envelope).ok()?;
    let kind = envelope["payloadType"].as_str()?;
    let statement = STANDARD.decode(envelope["payload"].as_str()?).ok()?;
    let signed = to_be_signed(kind, &statement);
    let signatures = envelope["signatures"].as_array()?.iter();
    let mut signatures = signatures.filter_map(|one| STANDARD.decode(one["sig"].as_str()?).ok());
    (kind == STATEMENT && signatures.any(|signature| key.has_signed(&signed, &signature)))
        .then_some(statement)
}

/// Whether a statement is about the image `digest`.
#[must_use]
pub fn is_about(statement: &[u8], digest: &Digest) -> bool {
    let Ok(statement) = serde_json::from_slice::<Value>(statement) else { return false };
    let mut subjects = statement["subject"].as_array().into_iter().flatten();
    subjects.any(|subject| subject["digest"]["sha256"] == digest.hex())
}

/// What DSSE signs: the type and the text, each with its length.
fn to_be_signed(kind: &str, text: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {kind} {} ", kind.len(), text.len());
    [head.as_bytes(), text].concat()
}

#[cfg(test)]
#[path = "signing/tests.rs"]
mod tests;
