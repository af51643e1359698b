//! What an image of ours was made of, as documents that others read: an SLSA provenance and a bill of materials.
//! Pure: both depend on the file, its sources and the image alone, so the same build gives the same bytes.
//!
//! They name no user, no password, no query of an address, no value of a build argument, and no path of this machine.

use serde_json::Value;

use crate::attached::Kind;
use crate::digest::Digest;
use crate::executor::Material;
use crate::image::Platform;
use crate::tree::Tree;

mod address;
mod sbom;
mod statement;
#[cfg(test)]
#[path = "provenance/tests.rs"]
mod tests;

pub use statement::statement;

/// What is known of a build.
#[derive(Debug)]
pub struct Build<'a> {
    /// Name of the file, without its folder.
    pub file: &'a str,
    /// Its text.
    pub text: &'a str,
    /// Its instructions, without what may be secret in them.
    pub outline: &'a [String],
    /// The stage that was asked for.
    pub target: Option<&'a str>,
    /// Names of the build arguments that were given.
    pub arguments: Vec<&'a str>,
    /// Platforms of the image.
    pub platforms: Vec<&'a Platform>,
    /// What it was made of.
    pub materials: &'a [Material],
    /// All files of the image.
    pub files: &'a Tree,
    /// The image's config.
    pub config: &'a Value,
    /// Whether it stands on another image, whose own files are not told.
    pub has_base: bool,
    /// The image's index and manifests: what each is for, and its digest.
    pub subjects: Vec<(String, Digest)>,
}

/// The documents of a build.
#[must_use]
pub fn documents(build: &Build<'_>) -> Vec<(Kind, Vec<u8>)> {
    let bytes = |value: &Value| serde_json::to_vec(value).expect("all keys are texts");
    let provenance = statement(&build.subjects, Kind::Provenance, statement::provenance(build));
    vec![(Kind::Provenance, bytes(&provenance)), (Kind::Sbom, bytes(&sbom::sbom(build)))]
}

/// The statement that an attestation of a document signs: the document itself, or one around it.
#[must_use]
pub fn to_be_signed(kind: Kind, document: &[u8], subjects: &[(String, Digest)]) -> Vec<u8> {
    match kind {
        Kind::Provenance => document.to_vec(),
        Kind::Sbom => {
            let predicate = serde_json::from_slice(document).unwrap_or(Value::Null);
            serde_json::to_vec(&statement(subjects, kind, predicate)).expect("all keys are texts")
        }
    }
}
