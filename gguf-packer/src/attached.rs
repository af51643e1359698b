//! The documents that are attached to an image: which there are, and where the store has them.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// Media type of an in-toto statement.
pub(crate) const PROVENANCE: &str = "application/vnd.in-toto+json";

/// Which document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An in-toto statement with an SLSA provenance.
    Provenance,
    /// A bill of materials of CycloneDX.
    Sbom,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Provenance, Self::Sbom];

    /// Media type of the document, and the artifact type of the manifest that has it.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Provenance => PROVENANCE,
            Self::Sbom => "application/vnd.cyclonedx+json",
        }
    }

    /// The type of the predicate, when the document is signed as an attestation.
    #[must_use]
    pub fn predicate_type(self) -> &'static str {
        match self {
            Self::Provenance => "https://slsa.dev/provenance/v1",
            Self::Sbom => "https://cyclonedx.org/bom",
        }
    }

    /// The document that a media type names.
    #[must_use]
    pub fn of_media_type(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.media_type() == text)
    }

    /// What it is called in a sentence.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Provenance => "provenance",
            Self::Sbom => "bill of materials",
        }
    }
}

/// A document of an image whose content the store has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attached {
    /// Which one.
    pub kind: Kind,
    /// Digest of its content.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}
