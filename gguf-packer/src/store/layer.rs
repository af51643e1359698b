//! Layers: tar archives that are never on the disk. Built ones are the same everywhere for the same
//! entries.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::hashing::{self, Lane};
use super::recipe::{self, LayerReader, Reader, Writer};
use super::tarball::{self, Found};
use super::{Store, disk, header};
use crate::Error;
use crate::digest::Digest;
use crate::tree::{Entry, Kind};

/// A layer that the store has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Digest of its uncompressed tar.
    pub diff_id: Digest,
    /// Bytes of its uncompressed tar.
    pub size: u64,
}

impl Store {
    /// Makes a layer of `entries`, in their order; the contents must be in the store.
    ///
    /// # Errors
    /// When a content is missing, a path is not one of an image, or the store cannot be written.
    pub fn build_layer(&self, entries: &[Entry]) -> Result<Layer, Error> {
        let temp = self.temp_path();
        let mut lane = Lane::new();
        let written = self.write_layer(entries, Writer::create(&temp)?, &mut lane);
        let size = match written {
            Ok(size) => size,
            Err(error) => {
                disk::remove_file(&temp)?;
                return Err(error);
            }
        };
        let layer = Layer { diff_id: lane.finish(), size };
        disk::publish(&temp, &self.layer_path(&layer.diff_id))?;
        Ok(layer)
    }

    /// The layer with this digest, when the store has it.
    ///
    /// # Errors
    /// When its recipe cannot be read.
    pub fn layer(&self, diff_id: &Digest) -> Result<Option<Layer>, Error> {
        let size = recipe::size(&self.layer_path(diff_id))?;
        Ok(size.map(|size| Layer { diff_id: *diff_id, size }))
    }

    /// What the layer has, in its order; hard links are files with the content they link to.
    ///
    /// # Errors
    /// When the store does not have it.
    pub fn layer_entries(&self, diff_id: &Digest) -> Result<Vec<Entry>, Error> {
        self.known_layer(diff_id)?;
        entries(&self.layer_path(diff_id))
    }

    /// Reads the layer's exact tar.
    ///
    /// # Errors
    /// When the store does not have it.
    pub fn read_layer(&self, diff_id: &Digest) -> Result<LayerReader, Error> {
        let layer = self.known_layer(diff_id)?;
        LayerReader::open(&self.layer_path(diff_id), self.root.join("blobs/sha256"), layer.size)
    }

    pub(crate) fn known_layer(&self, diff_id: &Digest) -> Result<Layer, Error> {
        self.layer(diff_id)?.ok_or_else(|| {
            Error::new(format!("the store does not have the layer {diff_id}"))
                .hint("pull or build the image again")
        })
    }

    fn write_layer(
        &self,
        entries: &[Entry],
        mut recipe: Writer,
        lane: &mut Lane,
    ) -> Result<u64, Error> {
        for entry in entries {
            if tarball::clean(&entry.path)? != entry.path {
                return Err(Error::new(format!("invalid path in an image: `{}`", entry.path)));
            }
            let head = header::head(entry)?;
            recipe.literal(&head)?;
            lane.update(&head);
            let Kind::File { digest, size } = &entry.kind else { continue };
            if *size == 0 {
                continue;
            }
            self.hash_content(digest, *size, lane)?;
            recipe.blob(digest, *size)?;
            let pad = &[0; 512][..tarball::padding(*size)];
            recipe.literal(pad)?;
            lane.update(pad);
        }
        recipe.literal(&header::TRAILER)?;
        lane.update(&header::TRAILER);
        recipe.finish()
    }

    fn hash_content(&self, digest: &Digest, size: u64, lane: &mut Lane) -> Result<(), Error> {
        let mut found = 0;
        let content = self.open_blob(digest)?.take(size.saturating_add(1));
        hashing::chunks(content, |chunk| {
            found += chunk.len() as u64;
            lane.update_shared(&chunk);
            Ok(())
        })
        .map_err(|e| Error::io("read", &self.blob_path(digest), &e))?;
        if found == size {
            return Ok(());
        }
        Err(Error::new(format!("{digest} no longer has {size} bytes"))
            .hint("build the image again with --no-cache"))
    }
}

/// What the layer with the recipe at `path` has.
pub(crate) fn entries(path: &Path) -> Result<Vec<Entry>, Error> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut files = HashMap::new();
    tarball::read(&mut Reader::open(path)?, |found| {
        let entry = match found {
            Found::Entry(entry) => entry,
            Found::HardLink { mut entry, target } => {
                entry.kind = linked(&files, &entry.path, &target)?;
                entry
            }
        };
        if let Kind::File { .. } = entry.kind {
            files.insert(entry.path.clone(), entry.kind.clone());
        }
        entries.push(entry);
        Ok(())
    })?;
    Ok(entries)
}

fn linked(files: &HashMap<String, Kind>, path: &str, target: &str) -> Result<Kind, Error> {
    files.get(target).cloned().ok_or_else(|| {
        let text =
            format!("`{path}` is a hard link to `{target}`, which is not a file in the layer");
        Error::new(format!("invalid layer: {text}"))
    })
}

#[cfg(test)]
#[path = "layer_tests.rs"]
mod tests;
