//! What the store does to the disk: each change is one step after which a killed process leaves nothing
//! that a later one takes for whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::Error;

/// Files from this size on are written to the disk itself before they get their name. After a power cut a
/// smaller one may be empty, which shows by its size: it is then made or pulled again.
const SYNC_FROM: u64 = 4 << 20;

/// Makes a folder and those above it.
pub(crate) fn make_folder(path: &Path) -> Result<(), Error> {
    step();
    fs::create_dir_all(path).map_err(|e| Error::io("create the folder", path, &e))
}

/// A new file, for writing.
pub(crate) fn create(path: &Path) -> Result<File, Error> {
    step();
    let file = File::options().write(true).create_new(true).open(path);
    file.map_err(|e| Error::io("create", path, &e))
}

/// Opens the file that an earlier process may have left at `path`, or a new one.
///
/// A read-only file was being published when that process was killed. It may be a link to the published one, which
/// nobody may change: a copy takes its place.
pub(crate) fn go_on(path: &Path, options: &mut OpenOptions) -> Result<File, Error> {
    if fs::metadata(path).is_ok_and(|file| file.permissions().readonly()) {
        let copy = path.with_extension("copy");
        remove_file(&copy)?;
        let (mut from, mut to) = (open(path)?, create(&copy)?);
        io::copy(&mut from, &mut to).map_err(|e| Error::io("write", &copy, &e))?;
        rename(&copy, path)?;
    }
    step();
    options.open(path).map_err(|e| Error::io("write", path, &e))
}

/// Opens a file for reading.
pub(crate) fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(|e| Error::io("read", path, &e))
}

/// A file's content, when there is one.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if is_absent(&e) => Ok(None),
        Err(e) => Err(Error::io("read", path, &e)),
    }
}

/// Whether the error says that nothing is there.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Size of a file, when there is one.
pub(crate) fn size(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|file| file.len())
}

/// Gives the file `from` the name `to`, whatever had it.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    step();
    fs::rename(from, to).map_err(|e| Error::io("write", to, &e))
}

/// Writes `bytes` to `temp`, then gives it the name `to`, whatever had it.
pub(crate) fn replace(temp: &Path, to: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut file = create(temp)?;
    file.write_all(bytes).map_err(|e| Error::io("write", to, &e))?;
    drop(file);
    rename(temp, to)
}

/// Gives the finished file `from` the name `to` unless a whole one has it. Links to the one that is there
/// stay links to the one that is there, so that content is on the disk once.
pub(crate) fn publish(from: &Path, to: &Path) -> Result<(), Error> {
    let bytes = fs::metadata(from).map_err(|e| Error::io("read", from, &e))?.len();
    if bytes >= SYNC_FROM {
        let file = open(from)?;
        file.sync_all().map_err(|e| Error::io("write", to, &e))?;
    }
    make_read_only(from)?;
    step();
    match fs::hard_link(from, to) {
        Ok(()) => remove_file(from),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && size(to) == Some(bytes) => {
            remove_file(from)
        }
        // A file system without links, or what a power cut left.
        Err(_) => rename(from, to),
    }
}

/// Whether a link could not be made because the file system has none, as FAT.
#[cfg(unix)]
pub(crate) fn has_no_links(linked: io::Result<()>, path: &Path) -> Result<bool, Error> {
    match linked {
        Ok(()) => Ok(false),
        // ENOSYS, EOPNOTSUPP; Linux says EPERM.
        Err(e) if matches!(e.kind(), io::ErrorKind::Unsupported) => Ok(true),
        Err(e) if matches!(e.kind(), io::ErrorKind::PermissionDenied) => Ok(true),
        Err(e) => Err(Error::io("create the link", path, &e)),
    }
}

/// Removes a file that may be gone already.
pub(crate) fn remove_file(path: &Path) -> Result<(), Error> {
    step();
    match fs::remove_file(path) {
        Err(e) if !is_absent(&e) => Err(Error::io("remove", path, &e)),
        _ => Ok(()),
    }
}

/// Removes a folder, which may be gone already, with what is in it.
pub(crate) fn remove_folder(path: &Path) -> Result<(), Error> {
    step();
    match fs::remove_dir_all(path) {
        Err(e) if !is_absent(&e) => Err(Error::io("remove", path, &e)),
        _ => Ok(()),
    }
}

/// The names in a folder, ordered; none when it is not there.
pub(crate) fn names(path: &Path) -> Result<Vec<String>, Error> {
    let failed = |e: &io::Error| Error::io("read the folder", path, e);
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if is_absent(&e) => return Ok(Vec::new()),
        Err(e) => return Err(failed(&e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        // No name of ours is anything but text.
        names.extend(entry.map_err(|e| failed(&e))?.file_name().into_string().ok());
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(unix)]
fn make_read_only(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    step();
    fs::set_permissions(path, fs::Permissions::from_mode(0o444))
        .map_err(|e| Error::io("write", path, &e))
}

/// Elsewhere a read-only file cannot be removed.
#[cfg(not(unix))]
fn make_read_only(_: &Path) -> Result<(), Error> {
    Ok(())
}

#[cfg(not(test))]
pub(crate) fn step() {}

#[cfg(test)]
pub(crate) use super::kill::step;
