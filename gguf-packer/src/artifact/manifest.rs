//! The manifest of an artifact: its bytes are what is hashed.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::annotations::{Annotations, COMMAND, FILEPATH, METADATA, TITLE, UNTESTED};
use super::files::File;
use crate::image::config::rfc3339;
use crate::image::manifest::{Descriptor, MANIFEST};

/// What a format makes of an image.
pub(super) struct Parts {
    pub(super) artifact_type: Option<&'static str>,
    pub(super) config_type: &'static str,
    pub(super) config: Vec<u8>,
    pub(super) layers: Vec<Layer>,
    /// Arguments of llama-server.
    pub(super) command: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// A file with its media type.
pub(super) struct Layer {
    pub(super) media_type: &'static str,
    pub(super) file: File,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    media_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<&'static str>,
    config: Descriptor,
    layers: Vec<Descriptor>,
    annotations: Annotations,
}

/// What a layer was as a file.
///
/// <https://github.com/modelpack/model-spec/blob/27666dd23073a756dea79b98958224c42d65f4d0/specs-go/v1/annotations.go>
#[derive(Serialize)]
struct Metadata<'a> {
    name: &'a str,
    mode: u32,
    uid: u32,
    gid: u32,
    size: u64,
    mtime: String,
    /// 0 is a file, as modctl and Docker write it.
    typeflag: u8,
}

/// The manifest of `parts`, made of an image with the config `image`.
pub(super) fn manifest(parts: &Parts, image: &Value) -> Vec<u8> {
    let labels = image["config"]["Labels"].as_object().into_iter().flatten();
    let labels = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
    let mut annotations: Annotations = labels.collect();
    let command = serde_json::to_string(&parts.command).expect("words are JSON");
    annotations.insert(COMMAND.to_owned(), command);
    let manifest = Manifest {
        schema_version: 2,
        media_type: MANIFEST,
        artifact_type: parts.artifact_type,
        config: Descriptor::of(parts.config_type, &parts.config),
        layers: parts.layers.iter().map(entry).collect(),
        annotations,
    };
    serde_json::to_vec(&manifest).expect("all keys are texts")
}

fn entry(layer: &Layer) -> Descriptor {
    let file = &layer.file;
    let annotations = BTreeMap::from([
        (FILEPATH.to_owned(), file.path.clone()),
        (METADATA.to_owned(), metadata(file)),
        (UNTESTED.to_owned(), "false".to_owned()),
        (TITLE.to_owned(), file.path.clone()),
    ]);
    Descriptor {
        media_type: layer.media_type.to_owned(),
        digest: file.digest,
        size: file.size,
        platform: None,
        annotations: Some(annotations),
    }
}

fn metadata(file: &File) -> String {
    let metadata = Metadata {
        name: file.path.rsplit('/').next().unwrap_or(&file.path),
        mode: file.mode,
        uid: 0,
        gid: 0,
        size: file.size,
        mtime: rfc3339(file.mtime),
        typeflag: 0,
    };
    serde_json::to_string(&metadata).expect("all keys are texts")
}
