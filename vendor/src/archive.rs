//! Unpacks a `.tar.gz` that nobody has vouched for yet: nothing in it may leave the folder, link, or be
//! anything but a file or a folder, and it may not be endless. Of the modes only the executable bit is kept.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path};

use flate2::read::GzDecoder;
use tar::{Archive, Entry, EntryType};

use crate::{Error, Progress, Report};

/// How much an archive may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most entries.
    pub entries: usize,
    /// Most bytes, unpacked.
    pub bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { entries: 20_000, bytes: 1 << 30 }
    }
}

/// Files by which a llama.cpp source tree is known.
pub const MARKS: [&str; 2] = ["CMakeLists.txt", "include/llama.h"];

/// Which part of an archive is the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Everything, without so many leading folders.
    Strip(usize),
    /// This folder.
    Folder(String),
}

type Unpacked = Bounded<GzDecoder<Counted>>;
/// Called with each path and entry.
type Each<'a> = dyn FnMut(&str, &mut Entry<'_, Unpacked>) -> Result<(), Error> + 'a;

/// Unpacks `part` of `archive` into the folder `to` and tells which files are executable.
///
/// # Errors
/// When the archive is damaged or refused, or `to` cannot be written.
pub fn unpack(
    archive: &Path,
    part: &Part,
    to: &Path,
    bounds: Bounds,
    report: &mut Report<'_>,
) -> Result<BTreeSet<String>, Error> {
    let mut executables = BTreeSet::new();
    each(archive, bounds, report, &mut |path, entry| {
        let Some(path) = part.path(path) else { return Ok(()) };
        let at = to.join(&path);
        if entry.header().entry_type().is_dir() {
            return fs::create_dir_all(&at).map_err(|e| Error::io("create the folder", &at, &e));
        }
        let executable = entry.header().mode().is_ok_and(|mode| mode & 0o100 != 0);
        write(entry, &at, executable)?;
        if executable {
            executables.insert(path);
        }
        Ok(())
    })?;
    Ok(executables)
}

/// Finds the llama.cpp tree in an archive of unknown layout: the outermost folder that has all of [`MARKS`].
///
/// # Errors
/// When the archive is damaged or refused, or has no such folder.
pub fn find_tree(archive: &Path, bounds: Bounds, report: &mut Report<'_>) -> Result<Part, Error> {
    let mut found = [const { BTreeSet::new() }; MARKS.len()];
    each(archive, bounds, report, &mut |path, _| {
        for (mark, folders) in MARKS.iter().zip(&mut found) {
            if let Some(folder) = path.strip_suffix(mark) {
                folders.insert(folder.to_owned());
            }
        }
        Ok(())
    })?;
    let [first, second] = &found;
    match first.intersection(second).min_by_key(|folder| folder.len()).map(String::as_str) {
        Some("") => Ok(Part::Strip(0)),
        Some(folder) => Ok(Part::Folder(folder.trim_end_matches('/').to_owned())),
        None => {
            let what = format!("archive without llama.cpp: {}", archive.display());
            Err(Error::new(what).looked_in(format!("all its folders, for {}", MARKS.join(" and "))))
        }
    }
}

impl Part {
    /// The path inside the tree of the archive's `path`, if it is in there.
    fn path(&self, path: &str) -> Option<String> {
        let rest = match self {
            Self::Strip(0) => path,
            Self::Strip(count) => path.splitn(count + 1, '/').nth(*count)?,
            Self::Folder(folder) => path.strip_prefix(folder.as_str())?.strip_prefix('/')?,
        };
        (!rest.is_empty()).then(|| rest.to_owned())
    }
}

/// Calls `each` with every file and folder of the archive, after checking it.
fn each(
    archive: &Path,
    bounds: Bounds,
    report: &mut Report<'_>,
    each: &mut Each<'_>,
) -> Result<(), Error> {
    let damaged = |e: io::Error| Error::new(format!("damaged archive {}: {e}", archive.display()));
    let refused =
        |why: String| Error::new(format!("refused to unpack {}: {why}", archive.display()));
    let file = File::open(archive).map_err(|e| Error::io("open", archive, &e))?;
    let total = file.metadata().map_err(|e| Error::io("read", archive, &e))?.len();
    let read = std::rc::Rc::new(std::cell::Cell::new(0));
    let counted = Counted { inner: BufReader::new(file), read: read.clone() };
    let mut source =
        Archive::new(Bounded { inner: GzDecoder::new(counted), bounds, left: bounds.bytes });
    for (count, entry) in source.entries().map_err(damaged)?.enumerate() {
        let mut entry = entry.map_err(damaged)?;
        if count >= bounds.entries {
            return Err(refused(format!("more than {} entries", bounds.entries)));
        }
        if entry.header().entry_type() == EntryType::XGlobalHeader {
            continue;
        }
        let path = checked_path(&entry).map_err(refused)?;
        if !path.is_empty() {
            each(&path, &mut entry)?;
        }
        if count % 64 == 0 {
            report(Progress::Step { what: "unpack", done: read.get(), total: Some(total) });
        }
    }
    report(Progress::Step { what: "unpack", done: total, total: Some(total) });
    Ok(())
}

fn checked_path<R: Read>(entry: &Entry<'_, R>) -> Result<String, String> {
    let bytes = entry.path_bytes();
    let shown = String::from_utf8_lossy(&bytes).into_owned();
    let kind = match entry.header().entry_type() {
        EntryType::Regular | EntryType::Continuous | EntryType::Directory => None,
        EntryType::Symlink | EntryType::Link => Some("a link"),
        EntryType::Char | EntryType::Block | EntryType::Fifo => Some("a device"),
        _ => Some("neither a file nor a folder"),
    };
    if let Some(kind) = kind {
        return Err(format!("`{shown}` is {kind}"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("`{shown}` is not UTF-8"))?;
    let mut parts = Vec::new();
    for component in Path::new(text).components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str().expect("part of a UTF-8 text")),
            Component::CurDir => {}
            Component::ParentDir => return Err(format!("`{shown}` leaves the folder")),
            Component::RootDir | Component::Prefix(_) => {
                return Err(format!("`{shown}` is absolute"));
            }
        }
    }
    Ok(parts.join("/"))
}

fn write(entry: &mut impl Read, at: &Path, executable: bool) -> Result<(), Error> {
    let failed = |e| Error::io("unpack", at, &e);
    if let Some(folder) = at.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    // `create_new`: an archive that names a file twice is as wrong as one that links.
    let mut file = File::options().write(true).create_new(true).open(at).map_err(failed)?;
    io::copy(entry, &mut file).map_err(failed)?;
    if executable {
        set_executable(&file).map_err(failed)?;
    }
    Ok(())
}

#[cfg(unix)]
fn set_executable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn set_executable(_: &File) -> io::Result<()> {
    Ok(())
}

/// Counts the packed bytes, for the progress line.
struct Counted {
    inner: BufReader<File>,
    read: std::rc::Rc<std::cell::Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.read.set(self.read.get() + n as u64);
        Ok(n)
    }
}

/// Stops an archive that unpacks without end; sits below the tar reader, so headers count too.
struct Bounded<R> {
    inner: R,
    bounds: Bounds,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.left = self.left.checked_sub(n as u64).ok_or_else(|| {
            io::Error::other(format!("it unpacks to more than {} bytes", self.bounds.bytes))
        })?;
        Ok(n)
    }
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
