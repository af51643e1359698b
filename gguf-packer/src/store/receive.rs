//! Layers that arrive: a tar, compressed or not, is taken apart while it streams. What has arrived stays
//! when the stream breaks off, so that the next one goes on from there.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};

use super::compression::Compression;
use super::partial::{Partial, Receiver};
use super::unpack::{self, Failure, Pieces, Place, Unpacked};
use super::{Layer, Store, disk, layer};
use crate::Error;
use crate::digest::Digest;

/// Pieces that may wait to be unpacked.
const QUEUE: usize = 8;

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;

/// Takes a layer.
pub struct LayerReceiver {
    digest: Digest,
    folder: Option<Partial>,
    layers: PathBuf,
    received: u64,
    /// The compressed bytes, which only they themselves can be gone on from.
    raw: Option<File>,
    pieces: Option<SyncSender<Vec<u8>>>,
    worker: Option<JoinHandle<Result<Unpacked, Failure>>>,
}

impl Store {
    /// Takes the layer whose blob, compressed as it is, has this digest. Goes on where the last one that
    /// did not finish was.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn receive_layer(
        &self,
        digest: &Digest,
        compression: Compression,
    ) -> Result<LayerReceiver, Error> {
        let folder = self.partial(digest)?;
        let plain = compression == Compression::None;
        let (raw, received) = if plain {
            (None, unpack::received(&folder.path)?)
        } else {
            let path = folder.path.join("raw");
            let raw = File::options().create(true).append(true).read(true).open(&path);
            let raw = raw.map_err(|e| Error::io("write", &path, &e))?;
            let received = disk::size(&path).unwrap_or(0);
            disk::remove_file(&folder.path.join("recipe"))?;
            (Some(raw), received)
        };
        let (pieces, queue) = mpsc::sync_channel(QUEUE);
        let before = raw.is_some().then(|| folder.path.join("raw"));
        let source = Pieces::new(before, received, queue);
        let place = Place { folder: folder.path.clone(), blobs: self.root.join("blobs/sha256") };
        let run = move || unpack::run(place, source, compression);
        let worker = thread::Builder::new().name("unpack".to_owned()).spawn(run);
        let worker = worker.map_err(|e| Error::new(format!("cannot start a thread: {e}")))?;
        Ok(LayerReceiver {
            digest: *digest,
            folder: Some(folder),
            layers: self.root.join("layers/sha256"),
            received,
            raw,
            pieces: Some(pieces),
            worker: Some(worker),
        })
    }
}

impl Receiver for LayerReceiver {
    fn received(&self) -> u64 {
        self.received
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if let Some(raw) = &mut self.raw {
            disk::step();
            let path = self.folder.as_ref().expect("it is there until the end").path.join("raw");
            raw.write_all(bytes).map_err(|e| Error::io("write", &path, &e))?;
        }
        let pieces = self.pieces.as_ref().expect("it is there until the end");
        if pieces.send(bytes.to_vec()).is_err() {
            // The worker has given up: it says why.
            let over =
                || Failure::wrong(Error::new("the registry sent more bytes than the layer has"));
            let failure = self.join().err().unwrap_or_else(over);
            return Err(self.spoiled(failure));
        }
        self.received += bytes.len() as u64;
        Ok(())
    }
}

impl LayerReceiver {
    /// Takes the rest of the layer from `content`, which begins with what is here already. Errors call it `what`.
    ///
    /// # Errors
    /// When it cannot be read, its bytes are not those of a layer, or the store cannot be written.
    pub(crate) fn read_from(&mut self, mut content: impl Read, what: &str) -> Result<(), Error> {
        let unread = |e: io::Error| Error::new(format!("cannot read {what}: {e}"));
        let here = io::copy(&mut content.by_ref().take(self.received), &mut io::sink());
        here.map_err(unread)?;
        let mut piece = vec![0; PIECE];
        loop {
            match content.read(&mut piece).map_err(unread)? {
                0 => return Ok(()),
                read => self.write(&piece[..read])?,
            }
        }
    }

    /// Checks and stores the layer.
    ///
    /// # Errors
    /// When it is not the one that was asked for, or not the one that `expected` says it unpacks to; then
    /// nothing of it stays.
    pub fn finish(mut self, expected: Option<&Digest>) -> Result<Layer, Error> {
        let stored = self
            .join()
            .and_then(|unpacked| self.store(&unpacked, expected).map_err(Failure::wrong));
        match stored {
            Ok(layer) => self.clear().map(|()| layer),
            Err(failure) => Err(self.spoiled(failure)),
        }
    }

    fn store(&self, unpacked: &Unpacked, expected: Option<&Digest>) -> Result<Layer, Error> {
        let wrong = |what: &str, found: &Digest, wanted: &Digest| {
            Err(Error::new(format!("the layer {what} {found}, not {wanted}")))
        };
        if unpacked.digest != self.digest {
            return wrong("has the digest", &unpacked.digest, &self.digest);
        }
        if let Some(expected) = expected.filter(|expected| **expected != unpacked.diff_id) {
            return wrong("unpacks to", &unpacked.diff_id, expected);
        }
        let path = self.folder.as_ref().expect("it is there until the end").path.join("recipe");
        // Refuses what a tar may say and an image may not.
        layer::entries(&path)?;
        disk::publish(&path, &self.layers.join(unpacked.diff_id.hex()))?;
        Ok(Layer { diff_id: unpacked.diff_id, size: unpacked.size })
    }

    fn join(&mut self) -> Result<Unpacked, Failure> {
        self.pieces = None;
        let worker = self.worker.take().expect("it is waited for once");
        worker.join().expect("unpacking does not panic")
    }

    /// Nothing stays of what was wrong; what came before the disk was full does.
    fn spoiled(&mut self, failure: Failure) -> Error {
        if failure.keep {
            return failure.error;
        }
        self.clear().err().unwrap_or(failure.error)
    }

    fn clear(&mut self) -> Result<(), Error> {
        self.folder.take().map_or(Ok(()), Partial::clear)
    }
}

impl Drop for LayerReceiver {
    fn drop(&mut self) {
        // Everything that has come is written before another one goes on from it.
        self.pieces = None;
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
#[path = "receive_fuzz_tests.rs"]
mod fuzz;
#[cfg(test)]
#[path = "receive_tests.rs"]
mod tests;
