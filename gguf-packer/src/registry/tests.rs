//! What the tests of the registry share: stores, images, a client, and the news that it tells.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use super::fake::Registry;
use super::*;
use crate::gguf::write::Writer;
use crate::image::manifest as media;
use crate::store::{Layer, NewImage};
use crate::tree::{Entry, Kind};

/// A client, a store, and what they were told.
pub(super) struct Bench {
    pub(super) folder: tempfile::TempDir,
    pub(super) store: Store,
    pub(super) client: Client,
    pub(super) notes: Mutex<Vec<String>>,
    pub(super) ends: Mutex<Vec<String>>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(|settings| settings)
    }

    pub(super) fn with(change: impl FnOnce(Settings) -> Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_at(&folder.path().join("store")).unwrap();
        let settings = Settings {
            docker_config: Some(folder.path().join("docker/config.json")),
            podman_auth: vec![folder.path().join("auth.json")],
            tries: 3,
            pause: Duration::from_millis(1),
            longest: Duration::from_secs(1),
            stall: Duration::from_millis(500),
            answer: Duration::from_millis(1500),
            ..Settings::default()
        };
        let client = Client::new(change(settings)).unwrap();
        Self { folder, store, client, notes: Mutex::default(), ends: Mutex::default() }
    }

    pub(super) fn report(&self, event: Event<'_>) {
        match event {
            Event::Note(text) => self.notes.lock().unwrap().push(text.to_owned()),
            Event::Done { text, .. } => self.ends.lock().unwrap().push(text.to_owned()),
            Event::Started { .. } | Event::Step { .. } => {}
        }
    }

    pub(super) fn pull(&self, name: &Name) -> Result<Digest, Error> {
        self.pull_for(name, Some("linux/amd64"))
    }

    pub(super) fn pull_for(&self, name: &Name, platform: Option<&str>) -> Result<Digest, Error> {
        let platform = platform.map(|platform| platform.parse().unwrap());
        self.client.pull(name, platform.as_ref(), &self.store, &|event| self.report(event))
    }

    pub(super) fn push(&self, name: &Name) -> Result<Digest, Error> {
        let image = self.store.find(&name.full())?;
        self.client.push_image(&image, name, &self.store, None, &|event| self.report(event))
    }

    pub(super) fn refused(&self, name: &Name) -> String {
        let error = self.pull(name).unwrap_err().to_string();
        assert_eq!(self.store.images().unwrap(), [], "nothing is stored by halves");
        error
    }

    pub(super) fn notes(&self) -> Vec<String> {
        std::mem::take(&mut self.notes.lock().unwrap())
    }

    pub(super) fn ends(&self) -> Vec<String> {
        let mut ends = std::mem::take(&mut *self.ends.lock().unwrap());
        ends.sort_unstable();
        ends
    }

    /// Downloads that are not finished.
    pub(super) fn partial(&self) -> usize {
        std::fs::read_dir(self.store.root().join("partial")).unwrap().count()
    }

    /// A layer with one file.
    pub(super) fn layer(&self, path: &str, bytes: &[u8]) -> Layer {
        let digest = self.store.add_bytes(bytes).unwrap();
        let kind = Kind::File { digest, size: bytes.len() as u64 };
        let entry = Entry { path: path.to_owned(), kind, mode: 0o644, uid: 0, gid: 0, mtime: 0 };
        self.store.build_layer(&[entry]).unwrap()
    }

    /// An image for two platforms with these layers, stored under `name`.
    pub(super) fn image(&self, name: &Name, layers: &[Layer]) -> Digest {
        let pairs: Vec<(Digest, u64)> =
            layers.iter().map(|layer| (layer.diff_id, layer.size)).collect();
        let [amd64, arm64] = ["amd64", "arm64"].map(|architecture| config(architecture, layers));
        let manifests = [&amd64, &arm64].map(|config| media::manifest(config, &pairs));
        let platforms = Platform::defaults();
        let index = media::index(&[
            (platforms[0].clone(), &manifests[0]),
            (platforms[1].clone(), &manifests[1]),
        ]);
        let [manifest, other] = manifests;
        let image = NewImage {
            config: amd64,
            layers: layers.to_vec(),
            manifest,
            index: Some(index),
            others: vec![(arm64, other)],
            attached: Vec::new(),
        };
        self.store.commit(&image, std::slice::from_ref(name)).unwrap()
    }
}

pub(super) fn config(architecture: &str, layers: &[Layer]) -> Vec<u8> {
    let ids: Vec<String> = layers.iter().map(|layer| layer.diff_id.to_string()).collect();
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "config": { "Labels": { "gguf.model.architecture": "qwen2" }, "Cmd": ["-m", "/models/m.gguf"] },
        "rootfs": { "type": "layers", "diff_ids": ids },
    });
    config.to_string().into_bytes()
}

/// Any bytes.
pub(super) fn bytes(count: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..count).map(&mut next).collect()
}

/// A small model.
pub(super) fn model() -> Vec<u8> {
    Writer::tiny_model().bytes()
}

/// Puts a manifest of blobs into the registry: media type, content, annotations of each.
pub(super) fn artifact(
    registry: &Registry,
    repository: &str,
    artifact_type: Option<&str>,
    config: (&str, &[u8]),
    layers: &[(&str, &[u8], Value)],
) -> Digest {
    let descriptor = |(kind, bytes, annotations): &(&str, &[u8], Value)| {
        let digest = registry.blob(repository, bytes);
        json!({ "mediaType": kind, "digest": digest, "size": bytes.len(), "annotations": annotations })
    };
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": media::MANIFEST,
        "config": descriptor(&(config.0, config.1, json!({}))),
        "layers": layers.iter().map(descriptor).collect::<Vec<_>>(),
    });
    if let Some(artifact_type) = artifact_type {
        manifest["artifactType"] = artifact_type.into();
    }
    registry.manifest(repository, "1", media::MANIFEST, manifest.to_string().as_bytes())
}
