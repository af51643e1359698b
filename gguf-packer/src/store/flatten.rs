//! The files of an image where a container or a server can read them: links to the contents, so that they
//! cost no room.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Layer, Store, disk};
use crate::Error;
use crate::digest::Digest;
use crate::tree::{Entry, Kind, Tree};

impl Store {
    /// What the layers make when they lie on each other.
    ///
    /// # Errors
    /// When the store does not have one of them.
    pub fn tree(&self, layers: &[Layer]) -> Result<Tree, Error> {
        let mut tree = Tree::default();
        for layer in layers {
            tree.apply(&self.layer_entries(&layer.diff_id)?);
        }
        Ok(tree)
    }

    /// Makes the folder of the image's files, unless it is there: it appears as a whole.
    pub(crate) fn flatten(&self, id: &Digest, layers: &[Layer]) -> Result<(), Error> {
        let folder = self.flat_path(id);
        if folder.is_dir() {
            return Ok(());
        }
        let tree = self.tree(layers)?;
        let made = self.temp_folder()?;
        for entry in tree.iter() {
            check(&tree, entry)?;
            self.place(entry, &made.path().join(&entry.path))?;
        }
        match disk::rename(made.path(), &folder) {
            // Another process was quicker.
            Err(_) if folder.is_dir() => Ok(()),
            renamed => renamed,
        }
    }

    pub(crate) fn flat_path(&self, id: &Digest) -> PathBuf {
        self.root.join("models/layers/sha256").join(id.hex())
    }

    fn place(&self, entry: &Entry, path: &Path) -> Result<(), Error> {
        // A layer need not have the folders that its files are in.
        disk::make_folder(path.parent().expect("it is below the image's folder"))?;
        match &entry.kind {
            Kind::Folder => disk::make_folder(path),
            Kind::File { digest, size } => self.place_file(digest, *size, path),
            Kind::Link { target } => link(target, path),
            Kind::Whiteout | Kind::Opaque | Kind::Special => Ok(()),
        }
    }

    fn place_file(&self, digest: &Digest, size: u64, path: &Path) -> Result<(), Error> {
        disk::step();
        if size == 0 {
            // A content has so many links at most, and images have many empty files.
            return disk::create(path).map(drop);
        }
        let blob = self.blob_path(digest);
        if fs::hard_link(&blob, path).is_ok() {
            return Ok(());
        }
        // A file system without links, or with too many of them.
        let copied = reflink_copy::reflink_or_copy(&blob, path);
        copied.map(drop).map_err(|e| Error::io("copy", &blob, &e))
    }
}

/// Refuses what would be written through a link or into a file.
fn check(tree: &Tree, entry: &Entry) -> Result<(), Error> {
    let above = entry.path.match_indices('/').map(|(slash, _)| &entry.path[..slash]);
    for folder in above {
        let what = match tree.get(folder).map(|entry| &entry.kind) {
            None | Some(Kind::Folder) => continue,
            Some(Kind::Link { .. }) => "link",
            Some(_) => "file",
        };
        let text =
            format!("invalid image: `{}` is below `{folder}`, which is a {what}", entry.path);
        return Err(Error::new(text));
    }
    Ok(())
}

#[cfg(unix)]
fn link(target: &str, path: &Path) -> Result<(), Error> {
    disk::step();
    // No model needs them.
    disk::has_no_links(std::os::unix::fs::symlink(target, path), path).map(drop)
}

/// Links need a right there that few have; no model needs them.
#[cfg(not(unix))]
fn link(_: &str, _: &Path) -> Result<(), Error> {
    Ok(())
}
