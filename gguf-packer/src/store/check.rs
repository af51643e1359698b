//! Looks over the whole store: everything that is named is there and is what its name says.

use std::collections::HashSet;

use super::blob::hash_file;
use super::recipe::{Reader, Record};
use super::sweep::contents;
use super::{Layer, Store, disk};
use crate::Error;
use crate::digest::Digest;

/// What was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    /// Images.
    pub images: usize,
    /// Names of them.
    pub names: usize,
    /// Layers.
    pub layers: usize,
    /// Contents.
    pub blobs: usize,
}

impl Store {
    /// Looks at everything; `deep` reads all contents too.
    ///
    /// # Errors
    /// With everything that is wrong.
    pub fn check(&self, deep: bool) -> Result<Checked, Error> {
        let mut wrong = Vec::new();
        let mut checked = Checked::default();
        let ids = self.ids()?;
        for link in self.links()? {
            checked.names += 1;
            if !ids.contains(&link.id) {
                let text = format!(
                    "`{}` names the image {}, which is missing",
                    link.name,
                    link.id.short()
                );
                wrong.push(Error::new(text).hint("remove the name: gguf-packer prune"));
            }
        }
        for id in ids {
            checked.images += 1;
            self.check_image(&id, &mut wrong);
        }
        for name in disk::names(&self.root.join("layers/sha256"))? {
            checked.layers += 1;
            let layer = Digest::from_hex(&name);
            let Some(layer) = layer else {
                wrong.push(stranger("layers", &name));
                continue;
            };
            wrong.extend(self.check_layer(&layer).err().map(|e| self.broken(e.what(), &layer)));
        }
        for name in disk::names(&self.root.join("blobs/sha256"))? {
            checked.blobs += 1;
            let Some(digest) = Digest::from_hex(&name) else {
                wrong.push(stranger("blobs", &name));
                continue;
            };
            if deep && hash_file(&self.blob_path(&digest))?.0 != digest {
                wrong.push(self.broken(&format!("the content {digest} is corrupt"), &digest));
            }
        }
        if wrong.is_empty() { Ok(checked) } else { Err(Error::all(wrong)) }
    }

    fn check_image(&self, id: &Digest, wrong: &mut Vec<Error>) {
        let image = match self.load_nameless(id) {
            Ok(image) => image,
            Err(error) => return wrong.push(error),
        };
        if Digest::of(&image.config) != *id {
            wrong.push(spoiled(&format!("the config of the image {} is corrupt", id.short())));
        }
        if !image.folder.is_dir() {
            wrong.push(spoiled(&format!("the files of the image {} are missing", id.short())));
        }
        for attached in &image.attached {
            if self.blob_size(&attached.digest) != Some(attached.size) {
                let (what, id) = (attached.kind.words(), id.short());
                wrong.push(spoiled(&format!("the {what} of the image {id} is missing")));
            }
        }
        for Layer { diff_id, .. } in &image.layers {
            wrong.extend(self.known_layer(diff_id).err());
        }
    }

    /// The error of a layer or a content with this digest: `what` is wrong, which images need it, how to go on.
    pub(crate) fn broken(&self, what: &str, digest: &Digest) -> Error {
        let images = match self.images_with(digest) {
            Ok(images) => images,
            Err(error) => return Error::all(vec![spoiled(what), error]),
        };
        if images.is_empty() {
            return Error::new(format!("{what} (no image needs it)"))
                .hint("remove it: gguf-packer prune");
        }
        let (needed, names) = (images.join(", "), images.join(" "));
        // Remembered steps of a build would keep it.
        Error::new(format!("{what} (needed by {needed})"))
            .hint(format!("gguf-packer remove {names} && gguf-packer prune"))
            .hint("then pull or build again what was removed")
    }

    /// Names of the images that have this layer or content; IDs of those without a name.
    fn images_with(&self, digest: &Digest) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        for id in self.ids()? {
            let mut parts: HashSet<Digest> =
                self.attached_of(&id)?.iter().map(|attached| attached.digest).collect();
            for Layer { diff_id, .. } in self.layers_of(&id)? {
                parts.insert(diff_id);
                contents(&self.layer_path(&diff_id), &mut parts)?;
            }
            if !parts.contains(digest) {
                continue;
            }
            let links = self.links()?.into_iter();
            let own = links.filter(|link| link.id == id && !link.tombstone);
            let names: Vec<String> = own.map(|link| link.name.to_string()).collect();
            found.extend(if names.is_empty() { vec![id.short()] } else { names });
        }
        Ok(found)
    }

    /// The layer, when the store has it with all of its contents.
    ///
    /// # Errors
    /// When its recipe cannot be read.
    pub fn whole_layer(&self, diff_id: &Digest) -> Result<Option<Layer>, Error> {
        Ok(self.layer(diff_id)?.filter(|_| self.check_layer(diff_id).is_ok()))
    }

    fn check_layer(&self, layer: &Digest) -> Result<(), Error> {
        let size = self.known_layer(layer)?.size;
        let mut reader = Reader::open(&self.layer_path(layer))?;
        let mut bytes = 0;
        loop {
            match reader.record()? {
                Record::Literal(length) => bytes += length,
                Record::Blob(digest, length) => {
                    bytes += length;
                    if self.blob_size(&digest) != Some(length) {
                        let text = format!("the layer {layer} lacks {digest} ({length} bytes)");
                        return Err(spoiled(&text));
                    }
                }
                Record::End(_) if bytes == size => return Ok(()),
                Record::End(_) => return Err(spoiled(&format!("the layer {layer} is damaged"))),
            }
        }
    }
}

fn stranger(folder: &str, name: &str) -> Error {
    Error::new(format!("unexpected file `{name}` in `{folder}`"))
        .hint("remove it: gguf-packer prune")
}

fn spoiled(text: &str) -> Error {
    Error::new(text).hint("remove the image and pull or build it again")
}
