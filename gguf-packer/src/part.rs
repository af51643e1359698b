//! A file outside of the store that gets its name when it is whole. Until then it is `.NAME.part` beside it; what
//! a killed process left there, the next one that writes the same file takes over. A link stays: its target is the
//! file. A device or a pipe is never replaced, see [`Sink`].

mod target;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::Error;

pub(crate) use target::{Sink, check_file, terminal};

/// A file that is being written; it goes with this value unless it is finished.
pub(crate) struct Part {
    file: File,
    path: PathBuf,
    to: PathBuf,
    done: bool,
}

impl Part {
    /// Begins the file `to`, empty.
    ///
    /// # Errors
    /// When it cannot be written, another process is writing it, or it is a folder, a device or a pipe.
    pub(crate) fn begin(to: &Path) -> Result<Self, Error> {
        Self::begin_at(&check_file(to)?)
    }

    /// Begins the file `to`, which is no link.
    fn begin_at(to: &Path) -> Result<Self, Error> {
        let failed = |e: &std::io::Error| Error::io("write", to, e);
        let name = to
            .file_name()
            .ok_or_else(|| Error::new(format!("{} is not a file name", to.display())))?;
        let path = to.with_file_name(format!(".{}.part", name.to_string_lossy()));
        loop {
            let file = File::options().create(true).truncate(false).write(true).open(&path);
            let file = file.map_err(|e| failed(&e))?;
            if !lock(&file) {
                let text = format!("another process is writing {}", to.display());
                return Err(Error::new(text).hint("wait until it has finished"));
            }
            // Whoever had the lock may have given the file its name.
            if is_at(&file, &path) {
                file.set_len(0).map_err(|e| failed(&e))?;
                return Ok(Self { file, path, to: to.to_owned(), done: false });
            }
        }
    }

    /// To write to.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Where it is until it is finished.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, when all of it is on the disk.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        let renamed = self.file.sync_all().and_then(|()| fs::rename(&self.path, &self.to));
        renamed.map_err(|e| Error::io("write", &self.to, &e))?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.done {
            // What cannot be removed is taken over by the next one.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(unix)]
fn lock(file: &File) -> bool {
    fs4::FileExt::try_lock(file).is_ok()
}

/// A lock there would keep out the process that writes the file for us.
#[cfg(not(unix))]
fn lock(_: &File) -> bool {
    true
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let is = |known: fs::Metadata| (known.dev(), known.ino());
    file.metadata().map(is).ok() == fs::symlink_metadata(path).map(is).ok()
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Write;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<String> =
            entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_as_a_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("m.gguf");
        fs::write(folder.path().join(".m.gguf.part"), "left by a killed process").unwrap();
        let part = Part::begin(&to).unwrap();
        let error = Part::begin(&to).map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with("another process is writing "), "{error}");
        part.file().write_all(b"abc").unwrap();
        assert_eq!(names(folder.path()), [".m.gguf.part"]);
        part.finish().unwrap();
        assert_eq!(names(folder.path()), ["m.gguf"]);
        assert_eq!(fs::read(&to).unwrap(), b"abc");
        let part = Part::begin(&to).unwrap();
        part.file().write_all(b"half").unwrap();
        drop(part);
        assert_eq!(names(folder.path()), ["m.gguf"]);
        assert_eq!(fs::read(&to).unwrap(), b"abc");
    }

    #[test]
    fn a_path_that_cannot_be_written_is_told_as_it_was_said() {
        let error = Part::begin(Path::new("/no/such/m.gguf")).map(|_| ()).unwrap_err().to_string();
        assert_eq!(error, "cannot write /no/such/m.gguf: No such file or directory (os error 2)");
        let error = Part::begin(Path::new("..")).map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with(".. is a folder\n"), "{error}");
    }
}
