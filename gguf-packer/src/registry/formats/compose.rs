//! Makes an image of a model of another format: a layer for each file of weights, and for its manifest,
//! config and platforms what a build makes too.

use serde_json::Value;

use super::{Content, Planned, command};
use crate::Error;
use crate::artifact::FOLDER;
use crate::digest::Digest;
use crate::image::{self, ConfigInput, Described, History, Platform};
use crate::reference::Name;
use crate::store::{Layer, Store, StoredImage};
use crate::tree::{Entry, Kind, Tree};

/// The only step in the history of what is made here.
const CREATED_BY: &str = "pull";

/// Whether the image was made of a model of another format.
pub(crate) fn is_of_other_format(image: &StoredImage) -> bool {
    let config: Value = serde_json::from_slice(&image.config).unwrap_or_default();
    let mut steps = config["history"].as_array().into_iter().flatten().peekable();
    steps.peek().is_some() && steps.all(|step| step["created_by"] == CREATED_BY)
}

/// Stores the model `what`, which consists of `files`, under `names`.
pub(super) fn store(
    store: &Store,
    (what, names): (&str, &[Name]),
    planned: &Planned,
    files: &[Content],
) -> Result<Digest, Error> {
    let paths: Vec<&str> = files.iter().map(|(path, ..)| path.as_str()).collect();
    let explain = |error: Error| Error::new(format!("cannot make an image of `{what}`: {error}"));
    let weights = || command::weights(FOLDER, &paths).map(|(command, _)| command);
    let command = planned.command(weights).map_err(explain)?;
    let (mut tree, mut layers) = (Tree::default(), Vec::new());
    for files in grouped(files) {
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
    Described::new(input, &|digest| Ok(Box::new(store.open_blob(digest)?)))
}

/// Stores a described image for `platforms`.
pub(super) fn commit(
    store: &Store,
    names: &[Name],
    described: &Described,
    platforms: &[Platform],
    layers: Vec<Layer>,
) -> Result<Digest, Error> {
    let configs = platforms.iter().map(|one| (one.clone(), described.config(one)));
    store.commit(&image::assembled(configs.collect(), layers), names)
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
