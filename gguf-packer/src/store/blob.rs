//! Contents of files: each once, read-only, named by its digest.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::hashing::{self, Lane};
use super::{Store, cache, disk};
use crate::Error;
use crate::digest::Digest;

/// A content that is being written; nothing of it stays unless it is finished.
pub struct NewBlob {
    path: PathBuf,
    blobs: PathBuf,
    file: File,
    lane: Lane,
    size: u64,
}

impl Store {
    /// Where the content `digest` is, or would be.
    #[must_use]
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.hex())
    }

    /// How long the content is, when the store has it.
    #[must_use]
    pub fn blob_size(&self, digest: &Digest) -> Option<u64> {
        disk::size(&self.blob_path(digest))
    }

    /// A content to write.
    ///
    /// # Errors
    /// When no file can be made.
    pub fn new_blob(&self) -> Result<NewBlob, Error> {
        let path = self.temp_path();
        let file = disk::create(&path)?;
        Ok(NewBlob { path, blobs: self.blobs(), file, lane: Lane::new(), size: 0 })
    }

    /// Takes the content of a file that stays what it is: cloned where the file system can, else copied.
    /// A file that has not changed since is not read again.
    ///
    /// # Errors
    /// When it cannot be read, or the store not be written.
    pub fn add_file(&self, from: &Path) -> Result<(Digest, u64), Error> {
        let state = cache::state(from);
        if let Some(known) = state.and_then(|state| self.known(&state)) {
            return Ok(known);
        }
        let before = cache::look(from);
        let added = self.read_in(from)?;
        if before != cache::look(from) {
            let text = format!("{} changed while it was read", from.display());
            return Err(
                Error::new(text).hint("run the same command again when no process writes the file")
            );
        }
        if let Some(state) = state.filter(|state| cache::state(from) == Some(*state)) {
            self.remember(&state, added.0.to_string().as_bytes())?;
        }
        Ok(added)
    }

    /// Takes a file of [`Store::temp_folder`] itself.
    ///
    /// # Errors
    /// When it cannot be read or moved.
    pub fn take_file(&self, from: &Path) -> Result<(Digest, u64), Error> {
        let (digest, size) = hash_file(from)?;
        disk::publish(from, &self.blob_path(&digest))?;
        Ok((digest, size))
    }

    /// Takes a file of the store's own folders whose digest was found while it was written.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn take_hashed(&self, from: &Path, digest: &Digest) -> Result<(), Error> {
        disk::publish(from, &self.blob_path(digest))
    }

    /// Takes a small content.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn add_bytes(&self, bytes: &[u8]) -> Result<Digest, Error> {
        let digest = Digest::of(bytes);
        if self.blob_size(&digest) == Some(bytes.len() as u64) {
            return Ok(digest);
        }
        let mut blob = self.new_blob()?;
        blob.write_all(bytes).map_err(|e| blob.failed(&e))?;
        blob.finish_as(&digest)?;
        Ok(digest)
    }

    /// A small content.
    ///
    /// # Errors
    /// When the store does not have it, or it has more than `at_most` bytes.
    pub fn read_blob(&self, digest: &Digest, at_most: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let path = self.blob_path(digest);
        let read = self.open_blob(digest)?.take(at_most.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|e| Error::io("read", &path, &e))?;
        if bytes.len() as u64 > at_most {
            return Err(Error::new(format!("{digest} has more than {at_most} bytes")));
        }
        Ok(bytes)
    }

    pub(crate) fn open_blob(&self, digest: &Digest) -> Result<File, Error> {
        let path = self.blob_path(digest);
        disk::open(&path).map_err(|e| e.hint("pull or build the image again"))
    }

    fn blobs(&self) -> PathBuf {
        self.root.join("blobs/sha256")
    }

    fn known(&self, state: &Digest) -> Option<(Digest, u64)> {
        let value = self.remembered(state)?;
        let digest = std::str::from_utf8(&value).ok()?.parse().ok()?;
        Some((digest, self.blob_size(&digest)?))
    }

    fn read_in(&self, from: &Path) -> Result<(Digest, u64), Error> {
        let clone = self.temp_path();
        disk::step();
        if reflink_copy::reflink(from, &clone).is_ok() {
            let taken = self.take_file(&clone);
            if taken.is_err() {
                disk::remove_file(&clone)?;
            }
            return taken;
        }
        let mut blob = self.new_blob()?;
        let failed = |e: &io::Error| Error::io("copy", from, e);
        hashing::chunks(disk::open(from)?, |chunk| blob.write_chunk(&chunk))
            .map_err(|e| failed(&e))?;
        blob.finish()
    }
}

impl NewBlob {
    /// Gives it its name.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn finish(mut self) -> Result<(Digest, u64), Error> {
        let digest = std::mem::replace(&mut self.lane, Lane::new()).finish();
        disk::publish(&self.path, &self.blobs.join(digest.hex()))?;
        Ok((digest, self.size))
    }

    /// Gives it its name when it is what it should be.
    ///
    /// # Errors
    /// When it is something else; then nothing is stored.
    pub fn finish_as(mut self, expected: &Digest) -> Result<u64, Error> {
        let digest = std::mem::replace(&mut self.lane, Lane::new()).finish();
        if digest != *expected {
            return Err(Error::new(format!("the content is {digest}, not {expected}")));
        }
        disk::publish(&self.path, &self.blobs.join(digest.hex()))?;
        Ok(self.size)
    }

    /// Says what failed while it was written.
    #[must_use]
    pub fn failed(&self, error: &io::Error) -> Error {
        Error::io("write", &self.path, error)
    }

    fn write_chunk(&mut self, chunk: &std::sync::Arc<Vec<u8>>) -> io::Result<()> {
        self.file.write_all(chunk)?;
        self.lane.update_shared(chunk);
        self.size += chunk.len() as u64;
        Ok(())
    }
}

impl Write for NewBlob {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        disk::step();
        let n = self.file.write(bytes)?;
        self.lane.update(&bytes[..n]);
        self.size += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for NewBlob {
    fn drop(&mut self) {
        // Finished ones have another name by now; the rest goes, here or with the process's folder.
        let _ = fs::remove_file(&self.path);
    }
}

/// Digest and size of a file.
pub(crate) fn hash_file(path: &Path) -> Result<(Digest, u64), Error> {
    let (mut lane, mut size) = (Lane::new(), 0);
    let read = hashing::chunks(disk::open(path)?, |chunk| {
        lane.update_shared(&chunk);
        size += chunk.len() as u64;
        Ok(())
    });
    read.map_err(|e| Error::io("read", path, &e))?;
    Ok((lane.finish(), size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_at(&folder.path().join("store")).unwrap();
        (folder, store)
    }

    fn files(store: &Store) -> Vec<String> {
        let mut names = disk::names(&store.blobs()).unwrap();
        names.extend(disk::names(store.temp.as_ref().unwrap().path()).unwrap());
        names
    }

    #[test]
    fn the_same_content_is_there_once_and_read_only() {
        let (_folder, store) = store();
        let digest = store.add_bytes(b"abc").unwrap();
        assert_eq!(digest, Digest::of("abc"));
        let mut blob = store.new_blob().unwrap();
        blob.write_all(b"abc").unwrap();
        assert_eq!(blob.finish().unwrap(), (digest, 3));
        assert_eq!(files(&store), [digest.hex(), "lock".to_owned()]);
        assert_eq!(store.blob_size(&digest), Some(3));
        assert_eq!(store.read_blob(&digest, 3).unwrap(), b"abc");
        let error = store.read_blob(&digest, 2).unwrap_err().to_string();
        assert_eq!(error, format!("{digest} has more than 2 bytes"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(store.blob_path(&digest)).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o444);
        }
    }

    #[test]
    fn a_content_that_is_not_what_it_should_be_is_not_stored() {
        let (_folder, store) = store();
        let mut blob = store.new_blob().unwrap();
        blob.write_all(b"abc").unwrap();
        let expected = Digest::of("abd");
        let error = blob.finish_as(&expected).unwrap_err().to_string();
        assert_eq!(error, format!("the content is {}, not {expected}", Digest::of("abc")));
        drop(store.new_blob().unwrap());
        assert_eq!(files(&store), ["lock"]);
        let error = store.read_blob(&expected, 9).unwrap_err().to_string();
        assert!(error.contains("cannot read") && error.contains(&expected.hex()), "{error}");
    }

    #[test]
    fn what_a_power_cut_left_of_a_content_is_replaced() {
        let (_folder, store) = store();
        fs::write(store.blob_path(&Digest::of("abc")), "").unwrap();
        let digest = store.add_bytes(b"abc").unwrap();
        assert_eq!(store.read_blob(&digest, 9).unwrap(), b"abc");
    }

    #[test]
    fn a_file_is_read_again_only_when_it_changed() {
        let (folder, store) = store();
        let (path, size) = (folder.path().join("m.gguf"), hashing::CHUNK + 7);
        let first = vec![1; size];
        fs::write(&path, &first).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(150));
        let added = (Digest::of(&first), size as u64);
        assert_eq!(store.add_file(&path).unwrap(), added);
        // Only the memory can know it now.
        let state = cache::state(&path).unwrap();
        let other = store.add_bytes(b"other").unwrap();
        store.remember(&state, other.to_string().as_bytes()).unwrap();
        assert_eq!(store.add_file(&path).unwrap(), (other, 5));
        // What it remembers is gone.
        fs::remove_file(store.blob_path(&other)).unwrap();
        assert_eq!(store.add_file(&path).unwrap(), added);
        fs::write(&path, vec![2; size]).unwrap();
        assert_eq!(store.add_file(&path).unwrap().0, Digest::of(vec![2; size]));
        assert_eq!(fs::read(&path).unwrap(), vec![2; size], "the file stays what it is");
    }

    #[test]
    fn a_file_of_ours_is_moved() {
        let (_folder, store) = store();
        let temp = store.temp_folder().unwrap();
        let path = temp.path().join("out.gguf");
        fs::write(&path, "abc").unwrap();
        assert_eq!(store.take_file(&path).unwrap(), (Digest::of("abc"), 3));
        assert!(!path.exists());
        assert_eq!(store.blob_size(&Digest::of("abc")), Some(3));
    }
}
