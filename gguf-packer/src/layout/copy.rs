//! Copies contents out of the store, and compares each with its digest on the way: a file or an archive of corrupt
//! contents would be noticed only by who loads it.

use std::io::{self, ErrorKind, Read};

use crate::Error;
use crate::digest::Digest;
use crate::store::{Lane, Store};

/// Bytes that are copied at once.
pub(super) const BUFFER: usize = 1 << 20;

/// A layer, or a file of an artifact.
pub(super) struct Content {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) is_layer: bool,
}

impl Content {
    /// Gives all of it to `each`.
    ///
    /// # Errors
    /// When it is not what its digest says, cannot be read, or `each` takes no more.
    pub(super) fn copy(
        &self,
        store: &Store,
        each: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut from = self.open(store)?;
        let mut lane = Lane::new();
        let mut buffer = vec![0; BUFFER.min(usize::try_from(self.size).unwrap_or(BUFFER))];
        let mut left = self.size;
        while left > 0 {
            let some = buffer.len().min(usize::try_from(left).unwrap_or(BUFFER));
            match from.read_exact(&mut buffer[..some]) {
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Err(self.corrupt(store)),
                read => {
                    read.map_err(|e| Error::new(format!("cannot read {}: {e}", self.what())))?
                }
            }
            lane.update(&buffer[..some]);
            each(&buffer[..some])?;
            left -= some as u64;
        }
        if lane.finish() == self.digest { Ok(()) } else { Err(self.corrupt(store)) }
    }

    fn open(&self, store: &Store) -> Result<Box<dyn Read>, Error> {
        Ok(match self {
            Self { is_layer: true, .. } => Box::new(store.read_layer(&self.digest)?),
            // An empty file may be none of the store.
            Self { size: 0, .. } => Box::new(io::empty()),
            _ => Box::new(store.open_blob(&self.digest)?),
        })
    }

    fn what(&self) -> String {
        format!("the {} {}", if self.is_layer { "layer" } else { "file" }, self.digest)
    }

    fn corrupt(&self, store: &Store) -> Error {
        store.broken(&format!("{} is corrupt", self.what()), &self.digest)
    }
}
