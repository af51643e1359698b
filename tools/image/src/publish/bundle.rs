//! What is in an image's archive, and the index that joins those of several platforms.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use llama_build::Pin;
use llama_src::Error;
use llama_src::tree::hex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::labels::{Facts, OWN};
use super::super::layout::Archive;
use super::Release;
use super::kind::Image;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Which release an index is of, where it is of one.
pub(super) const RELEASE: &str = "release";

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Of the whole: what an archive is pushed as.
    pub digest: String,
    /// Of the image itself, without attestations.
    pub image: String,
    /// As an index lists them: the image, and its attestations.
    pub entries: Vec<Value>,
}

/// Reads an OCI archive of one image.
///
/// # Errors
/// When it is none, or has several.
pub fn read_archive(path: &Path) -> Result<Descriptor> {
    let read = || format!("cannot read {}", path.display());
    let mut archive = Archive::open(path)?;
    let top = archive.bytes("index.json").with_context(read)?;
    let top: Value = serde_json::from_slice(&top).with_context(read)?;
    let [one] = top["manifests"].as_array().map(Vec::as_slice).unwrap_or_default() else {
        bail!(
            Error::new(format!("{} has not one image", path.display()))
                .hint("cargo xtask release build JOB")
        );
    };
    let digest = text(one, "digest").with_context(read)?;
    let blob = format!("blobs/{}", digest.replace(':', "/"));
    let blob = archive.bytes(&blob).with_context(read)?;
    ensure!(
        digest == format!("sha256:{}", hex(&Sha256::digest(&blob))),
        "{} is damaged: what it calls {digest} is something else",
        path.display()
    );
    let inner: Value = serde_json::from_slice(&blob).with_context(read)?;
    Descriptor::new(digest, one, &inner)
        .with_context(|| format!("{} has no image with a platform", path.display()))
}

impl Descriptor {
    fn new(digest: String, outer: &Value, inner: &Value) -> Option<Self> {
        let entries = match inner["manifests"].as_array() {
            Some(entries) => entries.clone(),
            None => {
                // What the archive alone needs does not leave it.
                let kept = ["mediaType", "digest", "size", "platform"];
                let kept = kept.map(|key| (key.to_owned(), outer[key].clone()));
                vec![Value::Object(
                    kept.into_iter().filter(|(_, value)| !value.is_null()).collect(),
                )]
            }
        };
        let is_image =
            |entry: &&Value| entry["platform"]["os"].as_str().is_some_and(|os| os != "unknown");
        let image = text(entries.iter().find(is_image)?, "digest")?;
        Some(Self { digest, image, entries })
    }
}

fn text(value: &Value, key: &str) -> Option<String> {
    value[key].as_str().map(str::to_owned)
}

/// What an index says about itself: the labels of its images, and its release.
pub(super) fn annotations(release: &Release, image: &Image) -> BTreeMap<String, String> {
    let facts = Facts {
        identity: &release.identity,
        llama_cpp: &Pin::load().tag,
        source: release.source.as_deref(),
        base: "",
        cpu_variants: &[],
    };
    let semver =
        release.semver.as_ref().map(|version| (format!("{OWN}{RELEASE}"), version.to_string()));
    image.labels(&facts).into_iter().chain(semver).collect()
}

/// An index, as its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Index {
    pub(super) digest: String,
    text: String,
}

impl Index {
    pub(super) fn new(entries: Vec<Value>, annotations: BTreeMap<String, String>) -> Self {
        let index = json!({
            "schemaVersion": 2, "mediaType": INDEX, "manifests": entries, "annotations": annotations,
        });
        let text = index.to_string();
        Self { digest: format!("sha256:{}", hex(&Sha256::digest(&text))), text }
    }

    /// The files of an OCI layout in `dir` that has it alone.
    pub(super) fn files(&self, dir: &Path) -> [(PathBuf, String); 3] {
        let one = json!({ "mediaType": INDEX, "digest": self.digest, "size": self.text.len() });
        let top = json!({ "schemaVersion": 2, "manifests": [one] });
        let blob = dir.join("blobs").join(self.digest.replace(':', "/"));
        let version = json!({ "imageLayoutVersion": "1.0.0" });
        [
            (blob, self.text.clone()),
            (dir.join("index.json"), top.to_string()),
            (dir.join("oci-layout"), version.to_string()),
        ]
    }
}
