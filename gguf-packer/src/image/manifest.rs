//! Manifests and indexes of OCI, written once: their bytes are what is hashed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Platform;
use crate::digest::Digest;
use crate::store::Compression;

/// Media type of an image's manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of a config.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Media type of a layer that is not compressed.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// What a manifest or an index says of another document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    #[serde(default)]
    pub media_type: String,
    /// Its name.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// For which machines, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What else is said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

impl Descriptor {
    /// Describes `bytes`.
    #[must_use]
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            platform: None,
            annotations: None,
        }
    }

    /// How the layer is compressed; none when it is no tar.
    pub(crate) fn compression(&self) -> Option<Compression> {
        let kind = self.media_type.trim_end_matches(".encrypted");
        if kind.ends_with("tar+gzip") || kind.ends_with("tar.gzip") {
            Some(Compression::Gzip)
        } else if kind.ends_with("tar+zstd") || kind.ends_with("tar.zstd") {
            Some(Compression::Zstd)
        } else if kind.ends_with(".tar") {
            Some(Compression::None)
        } else {
            None
        }
    }
}

/// The manifest of an image with `config` and the layers `layers`: the digest and size of each tar.
#[must_use]
pub fn manifest(config: &[u8], layers: &[(Digest, u64)]) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Manifest {
        schema_version: u32,
        media_type: &'static str,
        config: Descriptor,
        layers: Vec<Descriptor>,
    }
    let layer = |&(digest, size): &(Digest, u64)| Descriptor {
        media_type: LAYER.to_owned(),
        digest,
        size,
        platform: None,
        annotations: None,
    };
    let manifest = Manifest {
        schema_version: 2,
        media_type: MANIFEST,
        config: Descriptor::of(CONFIG, config),
        layers: layers.iter().map(layer).collect(),
    };
    serde_json::to_vec(&manifest).expect("all keys are texts")
}

/// The index of `manifests`, each for its platform.
#[must_use]
pub fn index(manifests: &[(Platform, &[u8])]) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Index {
        schema_version: u32,
        media_type: &'static str,
        manifests: Vec<Descriptor>,
    }
    let entry = |(platform, bytes): &(Platform, &[u8])| Descriptor {
        platform: Some(platform.clone()),
        ..Descriptor::of(MANIFEST, bytes)
    };
    let index = Index {
        schema_version: 2,
        media_type: INDEX,
        manifests: manifests.iter().map(entry).collect(),
    };
    serde_json::to_vec(&index).expect("all keys are texts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_names_the_config_and_plain_layers() {
        let layer = Digest::of("layer");
        let text = String::from_utf8(manifest(b"{}", &[(layer, 5)])).unwrap();
        let config = Digest::of("{}");
        let expected = format!(
            "{{\"schemaVersion\":2,\"mediaType\":\"{MANIFEST}\",\
             \"config\":{{\"mediaType\":\"{CONFIG}\",\"digest\":\"{config}\",\"size\":2}},\
             \"layers\":[{{\"mediaType\":\"{LAYER}\",\"digest\":\"{layer}\",\"size\":5}}]}}"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn an_index_names_a_manifest_for_each_platform() {
        let platforms = Platform::defaults();
        let text = index(&[(platforms[0].clone(), b"a"), (platforms[1].clone(), b"bc")]);
        let (a, bc) = (Digest::of("a"), Digest::of("bc"));
        let entry = |digest, size, architecture| {
            format!(
                "{{\"mediaType\":\"{MANIFEST}\",\"digest\":\"{digest}\",\"size\":{size},\
                 \"platform\":{{\"architecture\":\"{architecture}\",\"os\":\"linux\"}}}}"
            )
        };
        let expected = format!(
            "{{\"schemaVersion\":2,\"mediaType\":\"{INDEX}\",\"manifests\":[{},{}]}}",
            entry(a, 1, "amd64"),
            entry(bc, 2, "arm64")
        );
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
