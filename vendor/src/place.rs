//! Where things are put so that nobody ever sees half of them: a lock, a folder beside the destination
//! to work in, and a rename at the end.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::{Error, Progress, Report};

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
        let file = File::options().create(true).append(true).open(dir.join(".lock"))?;
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

    /// The first of `dirs` that can be written, locked.
    ///
    /// # Errors
    /// When none can be written.
    pub fn first(dirs: &[PathBuf], report: &mut Report<'_>) -> Result<Self, Error> {
        let mut failures = Vec::new();
        for dir in dirs {
            match Self::acquire(dir, report) {
                Ok(lock) => return Ok(lock),
                Err(e) => failures.push(format!("{}: {e}", dir.display())),
            }
        }
        Err(Error::new("no folder to put llama.cpp in can be written")
            .log(failures)
            .hint("name a folder for it: LLAMA_SYS_CACHE_DIR=/path/to/cache"))
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
        let dir = lock.dir().join(format!(".{name}.new"));
        remove(&dir)?;
        fs::create_dir(&dir).map_err(|e| Error::io("create the folder", &dir, &e))?;
        Ok(Self { dir })
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
        if to.exists() {
            fs::rename(to, &old).map_err(|e| Error::io("replace", to, &e))?;
        } else if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(|e| Error::io("create the folder", parent, &e))?;
        }
        fs::rename(from, to).map_err(|e| Error::io("rename to", to, &e))?;
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

/// Removes a folder if it is there.
pub(crate) fn remove(dir: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", dir, &e)),
        _ => Ok(()),
    }
}

/// Writes a small file so that it is there whole or not at all.
///
/// # Errors
/// When it cannot be written; nothing is left of it then.
pub fn write_whole(to: &Path, text: &str) -> io::Result<()> {
    let mut name = to.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let aside = PathBuf::from(name);
    let written = fs::write(&aside, text)
        .and_then(|()| File::options().append(true).open(&aside)?.sync_all())
        .and_then(|()| fs::rename(&aside, to));
    if written.is_err() {
        let _ = fs::remove_file(&aside);
    }
    written
}

fn sync(dir: &Path) -> Result<(), Error> {
    let failed = |e| Error::io("read the folder", dir, &e);
    for item in fs::read_dir(dir).map_err(failed)? {
        let item = item.map_err(failed)?;
        let (kind, at) = (item.file_type().map_err(failed)?, item.path());
        if kind.is_dir() {
            sync(&at)?;
        } else if kind.is_file() {
            let file = File::options().append(true).open(&at);
            file.and_then(|file| file.sync_all()).map_err(|e| Error::io("write", &at, &e))?;
        }
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
mod tests {
    use super::*;

    #[test]
    fn a_finished_folder_replaces_the_old_one_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::acquire(dir.path(), &mut |_| ()).unwrap();
        fs::create_dir_all(dir.path().join(".x.new/leftover")).unwrap();
        fs::create_dir_all(dir.path().join("x/old")).unwrap();
        let staging = Staging::new(&lock, "x").unwrap();
        let from = staging.dir().join("tree");
        fs::create_dir(&from).unwrap();
        fs::write(from.join("file"), "new").unwrap();
        staging.publish(&from, &dir.path().join("x")).unwrap();
        drop(staging);
        let mut names: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [".lock", "x"]);
        assert!(!dir.path().join("x/old").exists() && dir.path().join("x/file").exists());
    }

    #[test]
    fn nowhere_to_write_tells_every_place_and_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Lock::first(&[file.join("a"), file.join("b")], &mut |_| ()).unwrap_err();
        assert_eq!(
            error.to_string().replace(&file.display().to_string(), "F"),
            "no folder to put llama.cpp in can be written\n\
             \x20 | F/a: Not a directory (os error 20)\n\
             \x20 | F/b: Not a directory (os error 20)\n\
             \x20 hint: name a folder for it: LLAMA_SYS_CACHE_DIR=/path/to/cache"
        );
    }
}
