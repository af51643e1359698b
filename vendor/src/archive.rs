//! Unpacks a `.tar.gz` that nobody has vouched for yet: nothing in it may leave the folder, nothing is written through a
//! link, and it may not be endless.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

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

/// What an archive may hold besides plain files and folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contents {
    /// Nothing. Only the executable bit of a mode is kept.
    Source,
    /// Links `FOLDER/bin/NAME` to `../NAME`. Modes are kept as they are, for a judge.
    Distribution,
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

/// Unpacks `part` of the source `archive` into the folder `to` and tells which files are executable.
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
    each(archive, Contents::Source, bounds, report, &mut |path, entry| {
        let Some(path) = part.path(path) else { return Ok(()) };
        let at = to.join(&path);
        if entry.header().entry_type().is_dir() {
            return create(&at);
        }
        let executable = entry.header().mode().is_ok_and(|mode| mode & 0o100 != 0);
        write(entry, &at, executable.then_some(0o755))?;
        if executable {
            executables.insert(path);
        }
        Ok(())
    })?;
    Ok(executables)
}

/// Unpacks the `archive` of a distribution into the empty folder `to` and gives the one folder that it holds.
///
/// # Errors
/// When the archive is damaged or refused, or `to` cannot be written.
pub fn unpack_distribution(archive: &Path, to: &Path, bounds: Bounds) -> Result<PathBuf, Error> {
    // They must wait until all files are there: nothing may be written through a link, or into a folder that nobody may
    // write to.
    let (mut links, mut folders) = (Vec::new(), BTreeMap::new());
    let mut tops = BTreeSet::new();
    create(to)?;
    each(archive, Contents::Distribution, bounds, &mut |_| (), &mut |path, entry| {
        let at = to.join(path);
        tops.extend(path.split('/').next().map(|top| to.join(top)));
        let mode = entry.header().mode().map_err(|e| Error::io("unpack", &at, &e))?;
        if entry.header().entry_type().is_dir() {
            create(&at)?;
            folders.insert(at, mode);
        } else if entry.header().entry_type().is_symlink() {
            links.push(at);
        } else {
            write(entry, &at, Some(mode))?;
        }
        Ok(())
    })?;
    for at in links {
        at.parent().map_or(Ok(()), create)?;
        link(&at).map_err(|e| Error::io("unpack", &at, &e))?;
    }
    // The innermost first.
    for (at, mode) in folders.into_iter().rev() {
        set_mode(&at, mode).map_err(|e| Error::io("unpack", &at, &e))?;
    }
    match (tops.pop_first(), tops.pop_first()) {
        (Some(top), None) if top.is_dir() => Ok(top),
        _ => Err(refused(archive, "it must hold exactly one folder")),
    }
}

/// Finds the llama.cpp tree in an archive of unknown layout: the outermost folder that has all of [`MARKS`].
///
/// # Errors
/// When the archive is damaged or refused, or has no such folder.
pub fn find_tree(archive: &Path, bounds: Bounds, report: &mut Report<'_>) -> Result<Part, Error> {
    let mut found = [const { BTreeSet::new() }; MARKS.len()];
    each(archive, Contents::Source, bounds, report, &mut |path, _| {
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
            Err(Error::missing(what)
                .looked_in(format!("all its folders, for {}", MARKS.join(" and "))))
        }
    }
}

/// Whether `dir` is such a folder.
pub fn is_tree(dir: &Path) -> bool {
    MARKS.iter().all(|mark| dir.join(mark).is_file())
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
    contents: Contents,
    bounds: Bounds,
    report: &mut Report<'_>,
    each: &mut Each<'_>,
) -> Result<(), Error> {
    let damaged =
        |e: io::Error| Error::refused(format!("damaged archive {}: {e}", archive.display()));
    let file = File::open(archive).map_err(|e| Error::io("open", archive, &e))?;
    let total = file.metadata().map_err(|e| Error::io("read", archive, &e))?.len();
    let read = std::rc::Rc::new(std::cell::Cell::new(0));
    let counted = Counted { inner: BufReader::new(file), read: read.clone() };
    let mut source =
        Archive::new(Bounded { inner: GzDecoder::new(counted), bounds, left: bounds.bytes });
    for (count, entry) in source.entries().map_err(damaged)?.enumerate() {
        let mut entry = entry.map_err(damaged)?;
        if count >= bounds.entries {
            return Err(refused(archive, &format!("more than {} entries", bounds.entries)));
        }
        if entry.header().entry_type() == EntryType::XGlobalHeader {
            continue;
        }
        let path = checked_path(&entry, contents).map_err(|why| refused(archive, &why))?;
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

fn refused(archive: &Path, why: &str) -> Error {
    Error::refused(format!("refused to unpack {}: {why}", archive.display()))
}

fn checked_path<R: Read>(entry: &Entry<'_, R>, contents: Contents) -> Result<String, String> {
    let bytes = entry.path_bytes();
    let shown = String::from_utf8_lossy(&bytes).into_owned();
    if let Some(kind) = refused_kind(entry, &shown, contents) {
        return Err(format!("`{shown}` is {kind}"));
    }
    match entry.header().mode() {
        Ok(mode) if contents == Contents::Distribution && mode & 0o7000 != 0 => {
            return Err(format!("`{shown}` has mode {mode:04o}"));
        }
        Ok(_) => {}
        Err(_) => return Err(format!("`{shown}` has no mode")),
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

/// What an entry is, if it is nothing that `contents` may have.
fn refused_kind<R: Read>(entry: &Entry<'_, R>, path: &str, contents: Contents) -> Option<String> {
    let kind = entry.header().entry_type();
    let is_file = matches!(kind, EntryType::Regular | EntryType::Continuous | EntryType::Directory);
    let target = entry.link_name().ok().flatten();
    if is_file
        || (contents == Contents::Distribution
            && kind.is_symlink()
            && is_own(path, target.as_deref()))
    {
        return None;
    }
    Some(match (kind, target) {
        (EntryType::Symlink | EntryType::Link, Some(to)) => format!("a link to `{}`", to.display()),
        (EntryType::Symlink | EntryType::Link, None) => "a link".to_owned(),
        (EntryType::Char | EntryType::Block | EntryType::Fifo, _) => "a device".to_owned(),
        _ => "neither a file nor a folder".to_owned(),
    })
}

/// `FOLDER/bin/NAME` may be a link to `../NAME`.
fn is_own(path: &str, target: Option<&Path>) -> bool {
    match Path::new(path).iter().collect::<Vec<_>>()[..] {
        [_, bin, name] => bin == "bin" && target == Some(&Path::new("..").join(name)),
        _ => false,
    }
}

fn create(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(|e| Error::io("create the folder", folder, &e))
}

fn write(entry: &mut impl Read, at: &Path, mode: Option<u32>) -> Result<(), Error> {
    let failed = |e| Error::io("unpack", at, &e);
    at.parent().map_or(Ok(()), create)?;
    // `create_new`: an archive that names a file twice is as wrong as one that links.
    let mut file = File::options().write(true).create_new(true).open(at).map_err(failed)?;
    io::copy(entry, &mut file).map_err(failed)?;
    mode.map_or(Ok(()), |mode| set_mode(at, mode)).map_err(failed)
}

#[cfg(unix)]
fn set_mode(at: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(at, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

/// `bin/NAME` as a link to `../NAME`.
#[cfg(unix)]
fn link(at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(Path::new("..").join(at.file_name().unwrap_or_default()), at)
}

#[cfg(not(unix))]
fn link(_: &Path) -> io::Result<()> {
    Err(io::Error::other("this system has no symbolic links"))
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
