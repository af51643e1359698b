//! Makes an image of a model of another format: a layer for each file of weights, and for its manifest,
//! config and platforms what a build makes too.

use std::io::Read;

use serde_json::Value;

use super::{Content, Planned, command};
use crate::Error;
use crate::artifact::FOLDER;
use crate::digest::Digest;
use crate::image::{ConfigInput, Described, History, Platform, manifest as media};
use crate::reference::Name;
use crate::store::{Layer, NewImage, Store, StoredImage};
use crate::tree::{Entry, Kind, Tree};

/// The only step in the history of what is made here.
const CREATED_BY: &str = "pull";

/// Whether the image was made of a model of another format.
pub(crate) fn is_of_other_format(image: &StoredImage) -> bool {
    let config: Value = serde_json::from_slice(&image.config).unwrap_or_default();
    let mut steps = config["history"].as_array().into_iter().flatten().peekable();
    steps.peek().is_some() && steps.all(|step| step["created_by"] == CREATED_BY)
}

/// Stores the model `what`, which has `planned` and `more` files, under `names`.
pub(super) fn store(
    store: &Store,
    (what, names): (&str, &[Name]),
    planned: &Planned<(Digest, u64)>,
    more: &[Content],
) -> Result<Digest, Error> {
    let own = planned.files.iter().map(|(path, (digest, size))| (path.clone(), *digest, *size));
    let files: Vec<Content> = own.chain(more.iter().cloned()).collect();
    let paths: Vec<&str> = files.iter().map(|(path, ..)| path.as_str()).collect();
    let explain = |error: Error| Error::new(format!("cannot make an image of `{what}`: {error}"));
    let command = match &planned.command {
        Some(command) => command.clone(),
        None => {
            let (mut command, _) = command::weights(FOLDER, &paths).map_err(explain)?;
            command.extend(planned.arguments.iter().cloned());
            command
        }
    };
    let (mut tree, mut layers) = (Tree::default(), Vec::new());
    for files in grouped(&files) {
        let entries = entries(&files);
        tree.apply(&entries);
        layers.push(store.build_layer(&entries)?);
    }
    let history = History {
        // A copy under another name is the same image.
        created_by: CREATED_BY.to_owned(),
        layers: layers.iter().map(|layer| layer.diff_id).collect(),
    };
    let input = ConfigInput {
        command: Some(&command),
        labels: &planned.labels,
        base: None,
        base_name: None,
        history: &[history],
        files: &tree,
        created: planned.created,
    };
    let described = described(store, &input).map_err(explain)?;
    commit(store, names, &described, &Platform::defaults(), layers)
}

/// Describes an image whose files are in the store.
pub(super) fn described(store: &Store, input: &ConfigInput<'_>) -> Result<Described, Error> {
    let open = |digest: &Digest| -> Result<Box<dyn Read>, Error> {
        let path = store.blob_path(digest);
        let file = std::fs::File::open(&path).map_err(|e| Error::io("read", &path, &e))?;
        Ok(Box::new(file))
    };
    Described::new(input, &open)
}

/// Stores a described image for `platforms`.
pub(super) fn commit(
    store: &Store,
    names: &[Name],
    described: &Described,
    platforms: &[Platform],
    layers: Vec<Layer>,
) -> Result<Digest, Error> {
    let pairs: Vec<(Digest, u64)> =
        layers.iter().map(|layer| (layer.diff_id, layer.size)).collect();
    let here = Platform::here();
    let mut all: Vec<(Platform, Vec<u8>, Vec<u8>)> = Vec::new();
    for platform in platforms {
        let config = described.config(platform);
        let manifest = media::manifest(&config, &pairs);
        all.push((platform.clone(), config, manifest));
    }
    let entries: Vec<(Platform, &[u8])> =
        all.iter().map(|(platform, _, manifest)| (platform.clone(), &manifest[..])).collect();
    let index = (entries.len() > 1).then(|| media::index(&entries));
    let own = all.iter().position(|(platform, ..)| *platform == here).unwrap_or(0);
    let (_, config, manifest) = all.remove(own);
    let others = all.into_iter().map(|(_, config, manifest)| (config, manifest)).collect();
    let image = NewImage { config, layers, manifest, index, others, attached: Vec::new() };
    store.commit(&image, names)
}

/// Small files together, each file of weights by itself.
fn grouped(files: &[Content]) -> Vec<Vec<&Content>> {
    let mut files: Vec<_> = files.iter().collect();
    files.sort_unstable();
    let is_weights = |path: &str| path.ends_with(".gguf") || path.ends_with(".safetensors");
    let (weights, small): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|(path, ..)| is_weights(path));
    let first = (!small.is_empty()).then_some(small);
    first.into_iter().chain(weights.into_iter().map(|file| vec![file])).collect()
}

/// The files below `/models` with the folders above them.
fn entries(files: &[&Content]) -> Vec<Entry> {
    let entry = |path: &str, kind: Kind, mode| Entry {
        path: path.to_owned(),
        kind,
        mode,
        uid: 0,
        gid: 0,
        mtime: 0,
    };
    let mut entries: Vec<Entry> = Vec::new();
    for (path, digest, size) in files {
        let path = format!("{}/{path}", FOLDER.trim_start_matches('/'));
        for (slash, _) in path.match_indices('/') {
            if !entries.iter().any(|known| known.path == path[..slash]) {
                entries.push(entry(&path[..slash], Kind::Folder, 0o755));
            }
        }
        entries.push(entry(&path, Kind::File { digest: *digest, size: *size }, 0o644));
    }
    entries
}
