//! Unpacks the archive of a distribution that nobody has vouched for: nothing in it may leave its one
//! folder, and the only links are those that a distribution has. Modes stay as they are, to be judged.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;
use tar::{Archive, Entry, EntryType};

use workspace::files;

/// How much an archive may hold.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    entries: usize,
    /// Unpacked.
    bytes: u64,
}

/// Room for thousands of ROCm's kernels, and for CUDA's libraries several times.
const BOUNDS: Bounds = Bounds { entries: 50_000, bytes: 16 << 30 };

/// Checks the `.sha256` beside `archive`; `false` when there is none.
///
/// # Errors
/// When it is there and says something else.
pub(super) fn check_sum(archive: &Path) -> Result<bool> {
    let mut beside = archive.as_os_str().to_owned();
    beside.push(".sha256");
    let beside = Path::new(&beside);
    let said = match fs::read_to_string(beside) {
        Ok(text) => text.split_whitespace().next().unwrap_or_default().to_lowercase(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).context(format!("cannot read {}", beside.display())),
    };
    let is = files::sha256(archive)?;
    ensure!(
        said == is,
        "{} has SHA-256 {is}, but {} says {said}",
        archive.display(),
        beside.display()
    );
    Ok(true)
}

/// Unpacks `archive` into the folder `to` and gives the one folder that it holds.
///
/// # Errors
/// When the archive is damaged or refused, or `to` cannot be written.
pub(super) fn unpack(archive: &Path, to: &Path) -> Result<PathBuf> {
    unpack_within(archive, to, BOUNDS)
}

fn unpack_within(archive: &Path, to: &Path, bounds: Bounds) -> Result<PathBuf> {
    let damaged = || format!("damaged archive {}", archive.display());
    let refused = |why: String| anyhow::anyhow!("refused to unpack {}: {why}", archive.display());
    let failed = || format!("cannot unpack {}", archive.display());
    let file = File::open(archive).with_context(|| format!("cannot open {}", archive.display()))?;
    // The limit is below the tar reader: endless headers end too.
    let mut source = Archive::new(GzDecoder::new(BufReader::new(file)).take(2 * bounds.bytes));
    let (mut left, mut tops, mut later) = (bounds, BTreeSet::new(), Later::default());
    for entry in source.entries().with_context(damaged)? {
        let mut entry = entry.with_context(damaged)?;
        left.spend(entry.size())
            .map_err(|()| refused(format!("it contains more than {bounds}")))?;
        let path = checked_path(&entry).map_err(refused)?;
        tops.extend(path.iter().next().map(PathBuf::from));
        take(&mut entry, &to.join(path), &mut later).with_context(failed)?;
    }
    later.finish().with_context(failed)?;
    let mut tops = tops.into_iter().map(|top| to.join(top));
    match (tops.next(), tops.next()) {
        (Some(top), None) if top.is_dir() => Ok(top),
        _ => bail!(refused("it must contain exactly one folder".into())),
    }
}

impl Bounds {
    /// Takes one entry off.
    fn spend(&mut self, bytes: u64) -> Result<(), ()> {
        self.entries = self.entries.checked_sub(1).ok_or(())?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or(())?;
        Ok(())
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} entries or {} bytes", self.entries, self.bytes)
    }
}

/// What must wait until all files are there: nothing may be written through a link, or into a folder
/// that nobody may write to.
#[derive(Default)]
struct Later {
    links: Vec<(PathBuf, PathBuf)>,
    folders: BTreeMap<PathBuf, u32>,
}

impl Later {
    fn finish(self) -> io::Result<()> {
        for (at, target) in self.links {
            link(&target, &at)?;
        }
        // The innermost first.
        self.folders.into_iter().rev().try_for_each(|(at, mode)| set_mode(&at, mode))
    }
}

fn take(entry: &mut Entry<'_, impl Read>, at: &Path, later: &mut Later) -> io::Result<()> {
    let mode = entry.header().mode()?;
    if entry.header().entry_type().is_dir() {
        later.folders.insert(at.to_owned(), mode);
        return fs::create_dir_all(at);
    }
    if let Some(folder) = at.parent() {
        fs::create_dir_all(folder)?;
    }
    if let Some(target) = entry.link_name()? {
        later.links.push((at.to_owned(), target.into_owned()));
        return Ok(());
    }
    // `create_new`: an archive that names a file twice is wrong.
    io::copy(entry, &mut File::options().write(true).create_new(true).open(at)?)?;
    set_mode(at, mode)
}

fn checked_path(entry: &Entry<'_, impl Read>) -> Result<PathBuf, String> {
    let bytes = entry.path_bytes();
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| format!("`{}` is not UTF-8", String::from_utf8_lossy(&bytes)))?;
    let path = Path::new(text);
    for component in path.components() {
        match component {
            Component::Normal(_) => {}
            Component::CurDir | Component::ParentDir => {
                return Err(format!("`{text}` leaves the folder"));
            }
            Component::RootDir | Component::Prefix(_) => {
                return Err(format!("`{text}` is absolute"));
            }
        }
    }
    let header = entry.header();
    match header.entry_type() {
        EntryType::Regular | EntryType::Directory => {}
        EntryType::Symlink => check_link(path, entry)?,
        _ => return Err(format!("`{text}` is neither a file, nor a folder, nor a symbolic link")),
    }
    match header.mode() {
        Ok(mode) if mode & 0o7000 == 0 => Ok(path.to_owned()),
        Ok(mode) => Err(format!("`{text}` has mode {mode:04o}")),
        Err(_) => Err(format!("`{text}` has no mode")),
    }
}

/// `TOP/bin/NAME` may point to `../NAME`.
fn check_link(path: &Path, entry: &Entry<'_, impl Read>) -> Result<(), String> {
    let target = entry.link_name().ok().flatten().unwrap_or_default();
    let names: Vec<_> = path.iter().collect();
    match names.as_slice() {
        [_, folder, name] if *folder == "bin" && *target == *Path::new("..").join(name) => Ok(()),
        _ => Err(format!("`{}` is a link to `{}`", path.display(), target.display())),
    }
}

#[cfg(unix)]
fn set_mode(at: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(at, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn link(target: &Path, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, at)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::Error::other("this system has no symbolic links"))
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
