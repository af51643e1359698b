//! Archives of `ADD`: a tar, also one packed by gzip or zstd, becomes the files in it. Nothing in it may lie
//! outside of the destination or lead there.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

use tar::EntryType;

use crate::Error;
use crate::store::Compression;
use crate::tree::{Entry, Kind, MOST_PATH, Tree, check_path};

use super::copy::path;
use super::run::{Run, key};

/// Most entries of an archive.
const MOST: usize = 1_000_000;
/// Most bytes of what stands before an entry: long names are kept in memory.
const HEADERS: u64 = 1 << 20;
/// How many times its own size an archive may unpack to, once that is more than [`FREE`]. Text packs to a
/// tenth, weights do not pack.
const RATIO: u64 = 200;
/// Bytes that each archive may unpack to.
const FREE: u64 = 1 << 30;

/// What is in the file `entry` when it is an archive: paths relative to the destination.
pub(super) fn unpacked(
    run: &Run<'_>,
    entry: &Entry,
) -> Result<Option<Vec<(String, Entry)>>, Error> {
    let Kind::File { digest, .. } = &entry.kind else { return Ok(None) };
    let shown = path::name(&entry.path);
    let blob = run.store().blob_path(digest);
    let failed = |e: io::Error| Error::io("read", &blob, &e);
    let mut file = File::open(&blob).map_err(failed)?;
    let mut start = Vec::new();
    (&mut file).take(8).read_to_end(&mut start).map_err(failed)?;
    let Some(packing) = packing(&start, shown)? else { return Ok(None) };
    let again = File::open(&blob).map_err(failed)?;
    if !is_tar(packing, again) {
        return Ok(None);
    }
    let key = key("unpack", digest);
    if let Some(known) = run.remembered::<Vec<Entry>>(&key) {
        if known.iter().all(|entry| run.has_content(entry)) {
            return Ok(Some(named(known)));
        }
    }
    let file = File::open(&blob).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let from = opened(packing, file);
    let mut archive = Unpacking { run, name: shown, left: most_bytes(size), tree: Tree::default() };
    let entries = archive.read(from)?;
    run.remember(&key, &entries)?;
    Ok(Some(named(entries)))
}

fn named(entries: Vec<Entry>) -> Vec<(String, Entry)> {
    entries.into_iter().map(|entry| (entry.path.clone(), entry)).collect()
}

/// Whether a file that begins so is an archive that we unpack.
pub(crate) fn is_archive(beginning: Vec<u8>, name: &str) -> Result<bool, Error> {
    let packing = packing(&beginning, name)?;
    Ok(packing.is_some_and(|packing| is_tar(packing, io::Cursor::new(beginning))))
}

/// By the first bytes; an error for what Docker unpacks and we do not.
fn packing(start: &[u8], name: &str) -> Result<Option<Compression>, Error> {
    let lower = name.to_ascii_lowercase();
    let named = |ends: &[&str]| ends.iter().any(|end| lower.ends_with(end));
    let (xz, bzip2) = (start.starts_with(b"\xfd7zXZ"), start.starts_with(b"BZh"));
    if (xz && named(&[".tar.xz", ".txz"])) || (bzip2 && named(&[".tar.bz2", ".tbz2", ".tbz"])) {
        return Err(Error::new(format!(
            "cannot unpack `{name}`: supported formats are tar, tar.gz and tar.zst"
        ))
        .hint(format!("unpack it before the build: tar xf {name}"))
        .hint(format!("or keep it packed: `COPY {name} …`")));
    }
    // Weights are large, and no archive begins so.
    Ok((!start.starts_with(b"GGUF")).then(|| Compression::of(start)))
}

/// Whether a whole header of a tar comes first.
fn is_tar(packing: Compression, file: impl Read + 'static) -> bool {
    let mut head = [0; 512];
    let read = opened(packing, file).read_exact(&mut head);
    let sum =
        |byte: (usize, &u8)| if (148..156).contains(&byte.0) { 32 } else { u32::from(*byte.1) };
    let header = tar::Header::from_byte_slice(&head);
    read.is_ok()
        && head[0] != 0
        && header.cksum().is_ok_and(|said| said == head.iter().enumerate().map(sum).sum::<u32>())
}

fn opened(packing: Compression, file: impl Read + 'static) -> Box<dyn Read> {
    packing.plain(BufReader::with_capacity(1 << 16, file))
}

fn damaged(name: &str, error: &io::Error) -> Error {
    Error::new(format!("the archive `{name}` is damaged: {error}"))
}

fn refused(name: &str, why: &str) -> Error {
    Error::new(format!("refused to unpack `{name}`: {why}"))
        .hint("unpack it before the build, inspect it, and COPY the files that you need")
}

/// How many bytes an archive of this size may unpack to.
fn most_bytes(size: u64) -> u64 {
    size.saturating_mul(RATIO).max(FREE)
}

/// An archive that is being read.
struct Unpacking<'a> {
    run: &'a Run<'a>,
    name: &'a str,
    /// Bytes that its files may still have.
    left: u64,
    /// What was in it so far.
    tree: Tree,
}

/// Lets so many bytes through between two entries; any number while there is no limit.
struct Gate {
    from: Box<dyn Read>,
    limit: Rc<Cell<Option<u64>>>,
}

impl Read for Gate {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(left) = self.limit.get() else { return self.from.read(buffer) };
        if left == 0 {
            return Err(io::Error::other(format!(
                "the headers of an entry have more than {HEADERS} bytes"
            )));
        }
        let most = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let read = self.from.read(&mut buffer[..most])?;
        self.limit.set(Some(left - read as u64));
        Ok(read)
    }
}

impl Unpacking<'_> {
    /// Everything in the archive; contents go into the store.
    fn read(&mut self, from: Box<dyn Read>) -> Result<Vec<Entry>, Error> {
        let limit = Rc::new(Cell::new(None));
        let mut archive = tar::Archive::new(Gate { from, limit: Rc::clone(&limit) });
        let broken = |e: io::Error| damaged(self.name, &e);
        let mut entries = archive.entries().map_err(broken)?;
        for count in 0.. {
            self.run.go_on()?;
            limit.set(Some(HEADERS));
            let Some(entry) = entries.next() else { break };
            limit.set(None);
            let mut entry = entry.map_err(|e| damaged(self.name, &e))?;
            if count >= MOST {
                return Err(self.refused(&format!("it contains more than {MOST} entries")));
            }
            if let Some(entry) = self.one(&mut entry)? {
                self.tree.apply(&[entry]);
            }
        }
        limit.set(None);
        // What follows the last entry tells whether the packed file is whole.
        let rest = io::copy(&mut archive.into_inner(), &mut io::sink());
        rest.map_err(|e| damaged(self.name, &e))?;
        Ok(self.tree.iter().cloned().collect())
    }

    fn one(&mut self, entry: &mut tar::Entry<'_, Gate>) -> Result<Option<Entry>, Error> {
        let name = self.name;
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(None);
        }
        let path = inner(name, &entry.path_bytes())?;
        if path.is_empty() {
            return Ok(None);
        }
        let below_link = path::folders(&path)
            .find(|folder| self.tree.get(folder).is_some_and(|known| known.kind != Kind::Folder));
        if let Some(folder) = below_link {
            return Err(
                self.refused(&format!("`{path}` is inside `{folder}`, which is not a folder"))
            );
        }
        let mode = entry.header().mode().map_err(|e| damaged(name, &e))? & 0o7777;
        let kind = match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.content(entry)?
            }
            EntryType::Directory => Kind::Folder,
            EntryType::Symlink => Kind::Link { target: link(name, &path, entry)? },
            EntryType::Link => hard_link(name, &path, entry, &self.tree)?,
            _ => {
                let why = format!("`{path}` is not a file, a folder or a link");
                return Err(self.refused(&why));
            }
        };
        Ok(Some(Entry { path, kind, mode, uid: 0, gid: 0, mtime: 0 }))
    }

    fn content(&mut self, entry: &mut tar::Entry<'_, Gate>) -> Result<Kind, Error> {
        // A hole in a file has a size too.
        if entry.size() > self.left {
            return Err(self.refused("it unpacks to far more than its own size"));
        }
        self.left -= entry.size();
        let mut blob = self.run.store().new_blob()?;
        let mut buffer = vec![0; 1 << 16];
        loop {
            self.run.go_on()?;
            let read = entry.read(&mut buffer).map_err(|e| damaged(self.name, &e))?;
            if read == 0 {
                let (digest, size) = blob.finish()?;
                return Ok(Kind::File { digest, size });
            }
            io::Write::write_all(&mut blob, &buffer[..read]).map_err(|e| blob.failed(&e))?;
        }
    }

    fn refused(&self, why: &str) -> Error {
        refused(self.name, why)
    }
}

/// The content of an earlier file of the archive.
fn hard_link(
    name: &str,
    path: &str,
    entry: &tar::Entry<'_, Gate>,
    tree: &Tree,
) -> Result<Kind, Error> {
    let target = inner(name, &entry.link_name_bytes().unwrap_or_default())?;
    match tree.get(&target).map(|known| &known.kind) {
        Some(kind @ Kind::File { .. }) => Ok(kind.clone()),
        _ => {
            let why = format!(
                "`{path}` is a hard link to `{target}`, which is not a file in the archive"
            );
            Err(refused(name, &why))
        }
    }
}

/// A path of the archive, which may not lead out of it.
fn inner(name: &str, path: &[u8]) -> Result<String, Error> {
    let shown = String::from_utf8_lossy(path);
    check_path(&shown).map_err(|why| refused(name, &why))?;
    let text =
        std::str::from_utf8(path).map_err(|_| refused(name, &format!("`{shown}` is not UTF-8")))?;
    if text.starts_with('/') {
        return Err(refused(name, &format!("`{shown}` is absolute")));
    }
    if text.split('/').any(|part| part == "..") {
        return Err(refused(name, &format!("`{shown}` is outside the archive")));
    }
    Ok(path::clean(text).expect("there is no `..`"))
}

/// The target of a symbolic link, which may not lead out of the archive.
fn link(name: &str, path: &str, entry: &tar::Entry<'_, Gate>) -> Result<String, Error> {
    let bytes = entry.link_name_bytes().unwrap_or_default();
    let shown = String::from_utf8_lossy(&bytes).into_owned();
    if bytes.len() > MOST_PATH {
        return Err(refused(name, &format!("the target of `{path}` is too long")));
    }
    let target = std::str::from_utf8(&bytes)
        .map_err(|_| refused(name, &format!("the target of `{path}` is not UTF-8")))?;
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let out = target.starts_with('/') || path::clean(&format!("{folder}/{target}")).is_none();
    if out || target.is_empty() {
        return Err(refused(
            name,
            &format!("`{path}` links to `{shown}`, which is outside the archive"),
        ));
    }
    Ok(target.to_owned())
}

#[cfg(test)]
#[path = "unpack_fuzz_tests.rs"]
mod fuzz;
#[cfg(test)]
#[path = "unpack_tests.rs"]
mod tests;
