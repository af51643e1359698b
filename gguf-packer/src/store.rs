//! The store on disk: the content of each file once, by its digest; layers as recipes that name such
//! contents; images, their names, and results of build steps. Safe for several processes at once, for a
//! kill at any moment and for a full disk.
//!
//! ```text
//! blobs/sha256/HEX                content of one file, read-only
//! layers/sha256/HEX               recipe of the layer whose uncompressed tar has this digest
//! images/HEX                      what belongs to the image whose config has this digest
//! models/config/sha256/HEX        that config
//! models/layers/sha256/HEX/…      the image's files, links to the blobs
//! models/metadata/HOST/REPO…/TAG  link to the config
//! cache/HEX                       results of build steps
//! partial/HEX/                    a layer that is on its way
//! temp/                           what a running process is making
//! ```

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fs4::{FileExt, TryLockError};
use tempfile::TempDir;

use crate::Error;
use crate::digest::Digest;

mod blob;
mod cache;
mod check;
mod compression;
pub(crate) mod disk;
mod flatten;
mod hashing;
mod header;
mod image;
#[cfg(test)]
pub(crate) mod kill;
mod layer;
mod names;
mod partial;
mod receive;
mod recipe;
mod sweep;
mod tarball;
#[cfg(test)]
mod trouble_tests;
mod unpack;

pub use blob::NewBlob;
pub(crate) use blob::hash_file;
pub use check::Checked;
pub use compression::Compression;
#[cfg(test)]
pub(crate) use compression::testing;
pub(crate) use hashing::Lane;
pub(crate) use image::seconds;
pub use image::{ListedImage, NewImage, StoredImage, Summary};
pub use layer::Layer;
pub use partial::{BlobReceiver, Receiver};
pub use receive::LayerReceiver;
pub use recipe::LayerReader;
pub use sweep::{Pruned, Removed};

/// How long other processes are waited for before something is removed.
const PATIENCE: Duration = Duration::from_secs(10);

/// An open store. Others may use it at the same time; nothing is removed while one does, so a process that
/// goes on to do something long with files of it keeps them by keeping this.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    /// Shared as long as the store is open, exclusive while something is removed; none where there is none
    /// and none can be made, so that nobody removes anything either.
    lock: Option<File>,
    /// Locked as long as `temp` is in use; closed before it goes, which NFS and FUSE want.
    _alive: Option<File>,
    /// None of a store that is only read.
    temp: Option<TempDir>,
    next: AtomicU64,
}

/// A folder on the store's file system that goes with this value, or with the process.
#[derive(Debug)]
pub struct TempFolder(PathBuf);

impl Store {
    /// Opens the store in the folder `root`, which is made if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn open_at(root: &Path) -> Result<Self, Error> {
        if fs::metadata(root).is_ok_and(|known| !known.is_dir()) {
            return Err(Error::new(format!("the store {} is not a folder", root.display()))
                .hint("choose a folder: --store DIR, or GGUF_PACKER_STORE_PATH=DIR"));
        }
        disk::make_folder(root).map_err(elsewhere)?;
        let root = fs::canonicalize(root).map_err(|e| Error::io("read", root, &e))?;
        let lock = lock_file(&root.join("lock"))?;
        share(&lock, &root)?;
        let (temp, alive) = begin(&root)?;
        for folder in ["blobs/sha256", "layers/sha256", "images", "cache", "partial"] {
            disk::make_folder(&root.join(folder))?;
        }
        for folder in ["config/sha256", "layers/sha256", "metadata"] {
            disk::make_folder(&root.join("models").join(folder))?;
        }
        let (lock, temp, alive) = (Some(lock), Some(temp), Some(alive));
        Ok(Self { root, lock, temp, _alive: alive, next: AtomicU64::new(0) })
    }

    /// Opens the store in the folder `root` for those who only read it: it may be another user's, or lie on a
    /// file system that cannot be written. One that can be written is opened as [`Store::open_at`] does.
    ///
    /// # Errors
    /// When there is no store and none can be made, or it cannot be read.
    pub fn open_to_read(root: &Path) -> Result<Self, Error> {
        let refused = match Self::open_at(root) {
            Ok(store) => return Ok(store),
            Err(error) => error,
        };
        if !root.join("images").is_dir() {
            return Err(refused);
        }
        let root = fs::canonicalize(root).map_err(|e| Error::io("read", root, &e))?;
        // A lock that several hold needs no right to write.
        let lock = File::open(root.join("lock")).ok();
        lock.iter().try_for_each(|lock| share(lock, &root))?;
        Ok(Self { root, lock, temp: None, _alive: None, next: AtomicU64::new(0) })
    }

    /// The store's folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A folder of its own on the store's file system.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn temp_folder(&self) -> Result<TempFolder, Error> {
        let folder = self.temp_path();
        disk::make_folder(&folder)?;
        Ok(TempFolder(folder))
    }

    /// A path that nothing has.
    fn temp_path(&self) -> PathBuf {
        let temp =
            self.temp.as_ref().map_or_else(|| self.root.join("temp"), |temp| temp.path().into());
        temp.join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }

    fn layer_path(&self, diff_id: &Digest) -> PathBuf {
        self.root.join("layers/sha256").join(diff_id.hex())
    }

    /// Does `work` while no other process has the store open.
    fn alone<T>(
        &mut self,
        patience: Duration,
        work: impl FnOnce(&Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let failed = |e: &std::io::Error| Error::io("lock", &self.root.join("lock"), e);
        let Some(lock) = &self.lock else { return Err(self.busy()) };
        // Both held at once would make two processes that wait for each other.
        FileExt::unlock(lock).map_err(|e| failed(&e))?;
        let until = Instant::now() + patience;
        let alone = loop {
            match FileExt::try_lock(lock) {
                Ok(()) => break true,
                Err(TryLockError::Error(e)) => return Err(failed(&e)),
                Err(TryLockError::WouldBlock) if Instant::now() > until => break false,
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(20)),
            }
        };
        let done = if alone { work(self) } else { Err(self.busy()) };
        if alone {
            FileExt::unlock(lock).map_err(|e| failed(&e))?;
        }
        FileExt::lock_shared(lock).map_err(|e| failed(&e))?;
        done
    }

    /// Makes the processes that change the same thing wait for each other, as long as the value lives.
    fn gate(&self, name: &str) -> Result<File, Error> {
        gate(&self.root.join(name))
    }

    fn busy(&self) -> Error {
        Error::new(format!("another gguf-packer is using the store {}", self.root.display()))
            .hint("wait until it has finished, then run the same command again")
    }
}

impl TempFolder {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        // What stays is removed with the store's own folder, or by the next process.
        let _ = disk::remove_folder(&self.0);
    }
}

/// Removes what dead processes left and makes a folder for this one.
fn begin(root: &Path) -> Result<(TempDir, File), Error> {
    let all = root.join("temp");
    disk::make_folder(&all)?;
    let _gate = gate(&root.join("temp.lock"))?;
    for name in disk::names(&all)? {
        let folder = all.join(name);
        let owned = File::open(folder.join("lock"))
            .is_ok_and(|lock| matches!(FileExt::try_lock(&lock), Err(TryLockError::WouldBlock)));
        if !owned {
            disk::remove_folder(&folder)?;
        }
    }
    let temp = tempfile::Builder::new().prefix("").tempdir_in(&all);
    let temp = temp.map_err(|e| Error::io("create a folder in", &all, &e))?;
    let path = temp.path().join("lock");
    let alive = lock_file(&path)?;
    FileExt::lock(&alive).map_err(|e| Error::io("lock", &path, &e))?;
    Ok((temp, alive))
}

fn gate(path: &Path) -> Result<File, Error> {
    let file = lock_file(path)?;
    FileExt::lock(&file).map_err(|e| Error::io("lock", path, &e))?;
    Ok(file)
}

fn lock_file(path: &Path) -> Result<File, Error> {
    let file = File::options().create(true).append(true).open(path);
    file.map_err(|e| elsewhere(Error::io("write", path, &e)))
}

fn elsewhere(error: Error) -> Error {
    error.hint("choose another folder: --store DIR, or GGUF_PACKER_STORE_PATH=DIR")
}

fn share(lock: &File, root: &Path) -> Result<(), Error> {
    FileExt::lock_shared(lock).map_err(|e| Error::io("lock", &root.join("lock"), &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dead_processes_left_is_removed_and_what_living_ones_make_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let first = Store::open_at(folder.path()).unwrap();
        let mine = first.temp_folder().unwrap();
        fs::write(mine.path().join("x"), "1").unwrap();
        let dead = first.root().join("temp/dead");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join("lock"), "").unwrap();
        let half = first.root().join("temp/half");
        fs::create_dir(&half).unwrap();
        let second = Store::open_at(folder.path()).unwrap();
        assert!(!dead.exists() && !half.exists());
        assert!(mine.path().join("x").exists());
        drop((mine, first, second));
        assert_eq!(disk::names(&folder.path().join("temp")).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn nothing_is_removed_while_another_process_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Store::open_at(folder.path()).unwrap();
        let second = Store::open_at(folder.path()).unwrap();
        let error = first.alone(Duration::ZERO, |_| Ok(())).unwrap_err().to_string();
        let start = format!("another gguf-packer is using the store {}", first.root().display());
        assert!(error.starts_with(&start), "{error}");
        drop(second);
        let root = folder.path().to_owned();
        let opened = first
            .alone(Duration::ZERO, |_| {
                let other = thread::spawn(move || Store::open_at(&root).map(drop));
                thread::sleep(Duration::from_millis(50));
                Ok((other.is_finished(), other))
            })
            .unwrap();
        assert!(!opened.0, "a process opened the store while another one had it alone");
        opened.1.join().unwrap().unwrap();
    }
}
