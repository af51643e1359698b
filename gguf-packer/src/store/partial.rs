//! What is on its way: a folder for each download, in which one process at a time goes on from what is
//! there. A content that arrives by itself, in no tar, is one file in it.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use fs4::FileExt;

use super::hashing::{self, Lane};
use super::{Store, disk, gate, lock_file};
use crate::Error;
use crate::digest::Digest;

/// Takes bytes that arrive in pieces.
pub trait Receiver {
    /// How many bytes are here: the next one to write is the one after them.
    fn received(&self) -> u64;

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they cannot be right, or the store cannot be written.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error>;
}

/// The folder of one download.
pub(crate) struct Partial {
    pub(crate) path: PathBuf,
    /// None when another process has the one that could be gone on from.
    _lock: Option<File>,
    gate: PathBuf,
    temp: PathBuf,
}

/// Takes the content of a file.
pub struct BlobReceiver {
    partial: Option<Partial>,
    blobs: PathBuf,
    file: File,
    lane: Lane,
    received: u64,
}

impl Store {
    /// Takes the content of a file; goes on where the last one with the same `key` that did not finish was.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn receive_blob(&self, key: &Digest) -> Result<BlobReceiver, Error> {
        let partial = self.partial(key)?;
        let path = partial.path.join("content");
        let file = disk::go_on(&path, File::options().create(true).append(true).read(true))?;
        let (mut lane, mut received) = (Lane::new(), 0);
        let read = hashing::chunks(&file, |chunk| {
            lane.update_shared(&chunk);
            received += chunk.len() as u64;
            Ok(())
        });
        read.map_err(|e| Error::io("read", &path, &e))?;
        let blobs = self.root.join("blobs/sha256");
        Ok(BlobReceiver { partial: Some(partial), blobs, file, lane, received })
    }

    /// Removes what is left of a download whose content is there: a process was killed when it was done.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn forget_partial(&self, key: &Digest) -> Result<(), Error> {
        let path = self.root.join("partial").join(key.hex());
        if !path.exists() {
            return Ok(());
        }
        let partial = self.partial(key)?;
        // Else another process is at it, or has removed it.
        if partial.path == path { partial.clear() } else { Ok(()) }
    }

    /// The folder for what arrives; one that goes with this process when another one has it.
    pub(crate) fn partial(&self, key: &Digest) -> Result<Partial, Error> {
        let gate = self.root.join("partial.lock");
        let held = super::gate(&gate)?;
        let path = self.root.join("partial").join(key.hex());
        disk::make_folder(&path)?;
        let lock = lock_file(&path.join("lock"))?;
        let temp = self.temp_path();
        if FileExt::try_lock(&lock).is_ok() {
            return Ok(Partial { path, _lock: Some(lock), gate, temp });
        }
        drop(held);
        let path = self.temp_path();
        disk::make_folder(&path)?;
        Ok(Partial { path, _lock: None, gate, temp })
    }
}

impl Partial {
    /// Removes it.
    pub(crate) fn clear(self) -> Result<(), Error> {
        let _gate = gate(&self.gate)?;
        // A folder of which half is gone could be taken for one to go on from.
        disk::rename(&self.path, &self.temp)?;
        // On NFS and FUSE what is still open stays; it goes with the process's folder.
        let _ = disk::remove_folder(&self.temp);
        Ok(())
    }
}

impl Receiver for BlobReceiver {
    fn received(&self) -> u64 {
        self.received
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        disk::step();
        let written = self.file.write_all(bytes);
        written.map_err(|e| Error::io("write", &self.blobs, &e))?;
        self.lane.update(bytes);
        self.received += bytes.len() as u64;
        Ok(())
    }
}

impl BlobReceiver {
    /// Stores it.
    ///
    /// # Errors
    /// When it is not what it should be; then nothing of it stays.
    pub fn finish_as(mut self, expected: &Digest) -> Result<u64, Error> {
        let found = std::mem::replace(&mut self.lane, Lane::new()).finish();
        let partial = self.partial.take().expect("it is there until the end");
        if found != *expected {
            partial.clear()?;
            return Err(Error::new(format!("the content is {found}, not {expected}")));
        }
        disk::publish(&partial.path.join("content"), &self.blobs.join(found.hex()))?;
        partial.clear()?;
        Ok(self.received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_goes_on_where_it_broke_off() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_at(folder.path()).unwrap();
        let (key, bytes) = (Digest::of("key"), vec![7; 600_000]);
        let mut first = store.receive_blob(&key).unwrap();
        first.write(&bytes[..400_000]).unwrap();
        // Another one at the same time has nothing to go on from.
        assert_eq!(store.receive_blob(&key).unwrap().received(), 0);
        drop(first);
        let mut second = store.receive_blob(&key).unwrap();
        assert_eq!(second.received(), 400_000);
        second.write(&bytes[400_000..]).unwrap();
        assert_eq!(second.finish_as(&Digest::of(&bytes)).unwrap(), 600_000);
        assert_eq!(store.blob_size(&Digest::of(&bytes)), Some(600_000));
        let mut third = store.receive_blob(&key).unwrap();
        assert_eq!(third.received(), 0);
        third.write(b"x").unwrap();
        let error = third.finish_as(&key).unwrap_err().to_string();
        assert_eq!(error, format!("the content is {}, not {key}", Digest::of("x")));
        assert_eq!(disk::names(&folder.path().join("partial")).unwrap(), Vec::<String>::new());
    }
}
