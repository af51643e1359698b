//! Removing: names, the images that no name is left of, and then everything that nothing refers to.

use std::collections::HashSet;
use std::path::Path;

use super::recipe::{Reader, Record};
use super::{PATIENCE, Store, cache, disk};
use crate::Error;
use crate::digest::Digest;
use crate::reference::Name;

/// What removing an image or a name did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Names that are gone.
    pub names: Vec<Name>,
    /// The image that is gone with its last name.
    pub image: Option<Digest>,
    /// Bytes that are free now.
    pub freed: u64,
}

/// What pruning did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Images without a name.
    pub images: Vec<Digest>,
    /// Results of build steps.
    pub cached: usize,
    /// Downloads that had not been finished.
    pub partial: usize,
    /// Layers that no image has.
    pub layers: usize,
    /// Contents that no layer has.
    pub blobs: usize,
    /// Bytes that are free now.
    pub freed: u64,
}

impl Store {
    /// Removes a name, and the image when that was its last one; by ID the image with all its names. What
    /// other images or remembered build steps need stays.
    ///
    /// # Errors
    /// When there is no such image, or another process uses the store.
    pub fn remove(&mut self, text: &str) -> Result<Removed, Error> {
        self.find_removable(text)?;
        self.alone(PATIENCE, |store| store.remove_alone(text))
    }

    /// Removes what nothing needs: images without a name, remembered build steps, unfinished downloads,
    /// and what only they referred to.
    ///
    /// # Errors
    /// When another process uses the store.
    pub fn prune(&mut self) -> Result<Pruned, Error> {
        self.alone(PATIENCE, Self::prune_alone)
    }

    pub(crate) fn remove_alone(&self, text: &str) -> Result<Removed, Error> {
        let id = self.find_removable(text)?;
        let by_name = text.parse::<Name>().ok().filter(|name| self.named(name) == Some(id));
        let mut removed = Removed::default();
        let mut stays = false;
        let links: Vec<_> = self.links()?.into_iter().filter(|link| link.id == id).collect();
        for link in links.iter().filter(|link| !link.tombstone) {
            if by_name.as_ref().is_some_and(|name| *name != link.name) {
                stays = true;
                continue;
            }
            self.unlink(&link.path)?;
            removed.names.push(link.name.clone());
        }
        if stays {
            return Ok(removed);
        }
        for link in links.iter().filter(|link| link.tombstone) {
            self.unlink(&link.path)?;
        }
        disk::remove_file(&self.image_path(&id))?;
        removed.image = Some(id);
        removed.freed = self.sweep()?.freed;
        Ok(removed)
    }

    fn prune_alone(&self) -> Result<Pruned, Error> {
        let mut pruned = Pruned::default();
        let (mut nameless, mut tombstones) = (self.ids()?, Vec::new());
        for link in self.links()? {
            if link.tombstone {
                tombstones.push(link.path);
            } else {
                nameless.retain(|id| *id != link.id);
            }
        }
        tombstones.iter().try_for_each(|path| self.unlink(path))?;
        for id in nameless {
            disk::remove_file(&self.image_path(&id))?;
            pruned.images.push(id);
        }
        let (cache, partial) = (self.root.join("cache"), self.root.join("partial"));
        for name in disk::names(&cache)? {
            disk::remove_file(&cache.join(name))?;
            pruned.cached += 1;
        }
        for name in disk::names(&partial)? {
            let folder = partial.join(name);
            pruned.freed += weigh(&folder)?;
            disk::remove_folder(&folder)?;
            pruned.partial += 1;
        }
        let swept = self.sweep()?;
        (pruned.layers, pruned.blobs) = (swept.layers, swept.blobs);
        pruned.freed += swept.freed;
        Ok(pruned)
    }

    /// Removes what no image, remembered step or unfinished download refers to.
    fn sweep(&self) -> Result<Pruned, Error> {
        let ids: HashSet<Digest> = self.ids()?.into_iter().collect();
        for link in self.links()?.iter().filter(|link| !ids.contains(&link.id)) {
            self.unlink(&link.path)?;
        }
        let mut swept = Pruned::default();
        let models = self.root.join("models");
        each_but(&models.join("config/sha256"), &ids, disk::remove_file)?;
        each_but(&models.join("layers/sha256"), &ids, |path| {
            // Half of it must not be taken for the whole.
            let temp = self.temp_path();
            disk::rename(path, &temp)?;
            disk::remove_folder(&temp)
        })?;
        let mut layers = self.mentioned()?;
        let mut blobs = layers.clone();
        for id in &ids {
            layers.extend(self.layers_of(id)?.iter().map(|layer| layer.diff_id));
        }
        for id in &ids {
            blobs.extend(self.attached_of(id)?.iter().map(|attached| attached.digest));
        }
        each_but(&self.root.join("layers/sha256"), &layers, |path| {
            swept.layers += 1;
            swept.freed += disk::size(path).unwrap_or(0);
            disk::remove_file(path)
        })?;
        for layer in &layers {
            contents(&self.layer_path(layer), &mut blobs)?;
        }
        for name in disk::names(&self.root.join("partial"))? {
            contents(&self.root.join("partial").join(name).join("recipe"), &mut blobs)?;
        }
        each_but(&self.root.join("blobs/sha256"), &blobs, |path| {
            swept.blobs += 1;
            swept.freed += disk::size(path).unwrap_or(0);
            disk::remove_file(path)
        })?;
        Ok(swept)
    }

    /// Digests in remembered values: of contents or layers, whoever wrote them.
    fn mentioned(&self) -> Result<HashSet<Digest>, Error> {
        let mut mentioned = HashSet::new();
        let cache = self.root.join("cache");
        for name in disk::names(&cache)? {
            let bytes = disk::read(&cache.join(name))?.unwrap_or_default();
            let text = String::from_utf8_lossy(cache::checked(&bytes).unwrap_or_default());
            for (at, _) in text.match_indices("sha256:") {
                mentioned.extend(text.get(at + 7..at + 71).and_then(Digest::from_hex));
            }
        }
        Ok(mentioned)
    }
}

/// Adds the contents that a recipe names, as far as it can be read.
pub(super) fn contents(recipe: &Path, blobs: &mut HashSet<Digest>) -> Result<(), Error> {
    if disk::size(recipe).is_none() {
        return Ok(());
    }
    let Ok(mut reader) = Reader::open(recipe) else { return Ok(()) };
    loop {
        match reader.record() {
            Ok(Record::Blob(digest, _)) => drop(blobs.insert(digest)),
            Ok(Record::Literal(_)) => {}
            Ok(Record::End(_)) | Err(_) => return Ok(()),
        }
    }
}

/// Does `work` for each path of `folder` whose name is not one of `keep`.
fn each_but(
    folder: &Path,
    keep: &HashSet<Digest>,
    mut work: impl FnMut(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    for name in disk::names(folder)? {
        if !Digest::from_hex(&name).is_some_and(|digest| keep.contains(&digest)) {
            work(&folder.join(name))?;
        }
    }
    Ok(())
}

fn weigh(folder: &Path) -> Result<u64, Error> {
    let names = disk::names(folder)?;
    Ok(names.iter().filter_map(|name| disk::size(&folder.join(name))).sum())
}
