//! Where things are put so that nobody ever sees half of them: a lock, a folder beside the destination
//! to work in, and a rename at the end.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::{Error, Progress, Report, walk};

/// The right to change what is in a folder, held by one process at a time and freed by its end.
#[derive(Debug)]
pub struct Lock {
    dir: PathBuf,
    _file: File,
}

impl Lock {
    /// Waits for the right to change `dir`, which is made if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn acquire(dir: &Path, report: &mut Report<'_>) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let file = append(&dir.join(".lock"))?;
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(fs4::TryLockError::WouldBlock) => {
                let text = format!("waiting for another process that is filling {}", dir.display());
                report(Progress::Say(&text));
                fs4::FileExt::lock(&file)?;
            }
            Err(fs4::TryLockError::Error(e)) => return Err(e),
        }
        Ok(Self { dir: dir.to_owned(), _file: file })
    }

    /// The right to change `dir`, a cache: nobody else may have made it.
    ///
    /// # Errors
    /// When the folder is another user's, or cannot be made or written.
    pub fn acquire_cache(dir: &Path, report: &mut Report<'_>) -> io::Result<Self> {
        check_owner(dir)?;
        Self::acquire(dir, report)
    }

    /// The first of `dirs` that can be written, locked: the package's own folder, then caches.
    ///
    /// # Errors
    /// When none can be written.
    pub fn first(dirs: &[PathBuf], report: &mut Report<'_>) -> Result<Self, Error> {
        let mut failures = Vec::new();
        for (index, dir) in dirs.iter().enumerate() {
            // Whoever runs Cargo in a package's folder runs what its owner wrote.
            let lock = if index == 0 { Self::acquire } else { Self::acquire_cache };
            match lock(dir, report) {
                Ok(lock) => return Ok(lock),
                Err(e) => failures.push(format!("{}: {e}", dir.display())),
            }
        }
        Err(Error::missing("cannot write to any folder for llama.cpp")
            .log(failures)
            .hint("choose a folder: LLAMA_SYS_CACHE_DIR=/path/to/cache"))
    }

    /// The locked folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// A folder to work in, beside the destination; what is left in it goes with it.
#[derive(Debug)]
pub struct Staging {
    dir: PathBuf,
}

impl Staging {
    /// An empty folder for filling `name`. The lock makes the one name safe, and the one name lets the next
    /// process clean up after one that was killed.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(lock: &Lock, name: &str) -> Result<Self, Error> {
        let dir = Self::path(lock, name);
        remove(&dir)?;
        fs::create_dir(&dir).map_err(|e| Error::io("create the folder", &dir, &e))?;
        Ok(Self { dir })
    }

    /// Where the folder for filling `name` is, or was left by a process that was killed.
    #[must_use]
    pub fn path(lock: &Lock, name: &str) -> PathBuf {
        lock.dir().join(format!(".{name}.new"))
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes the finished folder `from` durable and gives it its name `to`, in place of what was there.
    ///
    /// # Errors
    /// When the file system refuses; `to` is then what it was.
    ///
    /// # Panics
    /// When `to` is a root folder.
    pub fn publish(&self, from: &Path, to: &Path) -> Result<(), Error> {
        sync(from)?;
        self.rename(from, to)
    }

    /// Gives the finished folder `from`, which the caller made durable, its name `to`, in place of what
    /// was there.
    ///
    /// # Errors
    /// When the file system refuses; `to` is then what it was.
    ///
    /// # Panics
    /// When `to` is a root folder.
    pub fn rename(&self, from: &Path, to: &Path) -> Result<(), Error> {
        let old = self.dir.join("old");
        let replaces = to.exists();
        if replaces {
            fs::rename(to, &old).map_err(|e| Error::io("replace", to, &e))?;
        } else if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(|e| Error::io("create the folder", parent, &e))?;
        }
        if let Err(error) = fs::rename(from, to) {
            let error = Error::io("rename to", to, &error);
            return Err(if replaces { put_back(&old, to, error) } else { error });
        }
        let parent = to.parent().expect("a destination is inside a folder");
        sync_dir(parent).map_err(|e| Error::io("write", parent, &e))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // The next process tries again.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Gives the folder `old` its name `to` again, which nothing took after `error`.
fn put_back(old: &Path, to: &Path, error: Error) -> Error {
    let Err(again) = fs::rename(old, to) else { return error };
    // Out of the folder that goes with the staging.
    let mut kept = to.as_os_str().to_owned();
    kept.push(".old");
    let kept = PathBuf::from(kept);
    match fs::rename(old, &kept) {
        Ok(()) => error.hint(format!("the previous content is in {}: {again}", kept.display())),
        Err(_) => error.log([format!("the previous content is lost: {again}")]),
    }
}

/// Opens a file of ours for writing at its end: never one that a link, symbolic or hard, has put into a folder that
/// others can write.
///
/// # Errors
/// When it is a link, no file, another user's, or cannot be written.
pub(crate) fn append(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // A pipe that nobody reads would not open.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.custom_flags(flags.bits() as i32);
    }
    let file = options.open(path)?;
    let meta = file.metadata()?;
    let refuse = |why: &str| Err(io::Error::other(format!("refused: {why}")));
    if !meta.is_file() {
        return refuse("not a regular file");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if meta.nlink() > 1 {
            return refuse("the file has several hard links");
        }
        let folder = path.parent().and_then(|dir| fs::metadata(dir).ok()).map(|dir| dir.uid());
        if !trusted(meta.uid()) && folder != Some(meta.uid()) {
            return refuse(&format!("it belongs to user {}", meta.uid()));
        }
    }
    Ok(file)
}

/// Fails when `dir`, a cache, is another user's, who could change what is kept there; a folder that is not there is not.
///
/// # Errors
/// Says whose it is.
pub fn check_owner(dir: &Path) -> io::Result<()> {
    #[cfg(unix)]
    for meta in [fs::symlink_metadata(dir), fs::metadata(dir)].into_iter().flatten() {
        use std::os::unix::fs::MetadataExt;
        if !trusted(meta.uid()) {
            let text = format!("refused: it belongs to user {}, who can change it", meta.uid());
            return Err(io::Error::other(text));
        }
    }
    #[cfg(not(unix))]
    let _ = dir;
    Ok(())
}

/// Whether files of `user` are as good as our own.
#[cfg(unix)]
fn trusted(user: u32) -> bool {
    user == 0 || user == rustix::process::geteuid().as_raw()
}

/// Removes a folder if it is there.
pub(crate) fn remove(dir: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", dir, &e)),
        _ => Ok(()),
    }
}

/// The bytes that this user may still write to the disk of `dir`.
///
/// # Errors
/// When the operating system does not say.
pub fn free_space(dir: &Path) -> io::Result<u64> {
    fs4::available_space(dir)
}

/// Makes `at` a file with `new` in it and says whether it had to be written. The time of a file thus tells when it last
/// changed.
///
/// # Errors
/// When it cannot be written.
pub fn write_if_different(at: &Path, new: &[u8]) -> Result<bool, Error> {
    if fs::metadata(at).is_ok_and(|meta| meta.is_file() && meta.len() == new.len() as u64)
        && fs::read(at).is_ok_and(|old| old == new)
    {
        return Ok(false);
    }
    let failed = |e| Error::io("write", at, &e);
    let folder = at.parent().expect("a file is inside a folder");
    if !folder.is_dir() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    if at.is_dir() {
        fs::remove_dir_all(at).map_err(failed)?;
    }
    fs::write(at, new).map_err(failed)?;
    Ok(true)
}

/// Writes a small file so that it is there whole or not at all.
///
/// # Errors
/// When it cannot be written; nothing is left of it then.
pub fn write_whole(to: &Path, text: &str) -> io::Result<()> {
    let mut name = to.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let aside = PathBuf::from(name);
    // Left by a process of the same number, or put there as a link.
    let _ = fs::remove_file(&aside);
    let written = File::options()
        .create_new(true)
        .write(true)
        .open(&aside)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&aside, to));
    if written.is_err() {
        let _ = fs::remove_file(&aside);
    }
    written
}

/// Files first, then the folders that name them, the innermost first.
fn sync(dir: &Path) -> Result<(), Error> {
    for found in walk::all(dir)?.into_iter().rev() {
        let at = dir.join(&found.path);
        let synced = if found.kind.is_dir() {
            sync_dir(&at)
        } else if found.kind.is_file() {
            File::options().append(true).open(&at).and_then(|file| file.sync_all())
        } else {
            Ok(())
        };
        synced.map_err(|e| Error::io("write", &at, &e))?;
    }
    sync_dir(dir).map_err(|e| Error::io("write", dir, &e))
}

#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Windows has no way to sync a folder through the standard library.
#[cfg(not(unix))]
fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
