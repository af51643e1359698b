//! Models of other formats in a layout: its files stand for the registry's.

use std::io;

use super::{Read, compose, unpacked};
use crate::Error;
use crate::digest::Digest;
use crate::image::manifest::Descriptor;
use crate::reference::Name;
use crate::registry::manifest::Manifest;
use crate::store::{Compression, Store};
use crate::tree::Entry;

/// The content of a file, and how many bytes it has.
pub(crate) type Opened = (Box<dyn io::Read>, u64);

/// Opens a content of the layout.
type Open<'a> = &'a dyn Fn(&Digest) -> Result<Opened, Error>;

/// Stores the model with this manifest and config under `names`. Says which image it is; none when it is an image
/// already.
///
/// # Errors
/// When a file of it is missing or is not what its digest says, or it is of a format that registries alone have.
pub(crate) fn load(
    store: &Store,
    names: &[Name],
    (manifest, config): (&[u8], &[u8]),
    open: Open<'_>,
) -> Result<Option<Digest>, Error> {
    let known = serde_json::from_slice::<Manifest>(manifest).ok();
    let known = known.and_then(|manifest| Some((super::of(&manifest)?, manifest)));
    let Some((known, manifest)) = known else { return Ok(None) };
    let what = names.first().map_or_else(|| "the model".to_owned(), Name::to_string);
    let Read::Config(read) = known.read else {
        let text = format!("`{what}` has the format {}", known.format);
        return Err(Error::new(format!("{text}, which can only be pulled from a registry"))
            .hint("gguf-packer pull NAME"));
    };
    let (files, planned) = read(&what, config, &manifest)?;
    files.iter().try_for_each(|(_, layer)| file(store, layer, open))?;
    let archives = planned.archives.iter().map(|(layer, how)| archive(store, layer, *how, open));
    let archives = archives.collect::<Result<Vec<_>, _>>()?;
    let files = files.into_iter().map(|(path, layer)| (path, layer.digest, layer.size));
    let files: Vec<_> = files.chain(unpacked(archives)).collect();
    compose::store(store, (&what, names), &planned, &files).map(Some)
}

/// Takes a file, unless the store has it.
fn file(store: &Store, layer: &Descriptor, open: Open<'_>) -> Result<(), Error> {
    if store.blob_size(&layer.digest) == Some(layer.size) {
        return Ok(());
    }
    let (mut content, _) = open(&layer.digest)?;
    let mut blob = store.new_blob()?;
    io::copy(&mut content, &mut blob).map_err(|e| blob.failed(&e))?;
    blob.finish_as(&layer.digest).map(drop)
}

/// Takes an archive; its entries.
fn archive(
    store: &Store,
    layer: &Descriptor,
    compression: Compression,
    open: Open<'_>,
) -> Result<Vec<Entry>, Error> {
    let (content, _) = open(&layer.digest)?;
    let mut receiver = store.receive_layer(&layer.digest, compression)?;
    receiver.read_from(content, &format!("the layer {}", layer.digest))?;
    store.layer_entries(&receiver.finish(None)?.diff_id)
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
