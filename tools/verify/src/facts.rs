//! What is in a distribution's folder: every entry with its mode, hash, and the facts of ELF files.
//! Nothing is judged here.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::build_paths::{self, Found};
use super::parallel;
use elf::{self, Elf};
use llama_src::walk;
use product::files;

/// Name of the folder itself among the entries.
pub(super) const ROOT: &str = ".";

/// Everything below a folder, by path with `/`, and the folder itself as [`ROOT`].
pub(super) type Entries = BTreeMap<String, Entry>;

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// Permission bits, where the system has any.
    Folder(Option<u32>),
    /// What it points to.
    Link(String),
    Regular(Regular),
    /// A device, a socket, a pipe.
    Other,
}

/// A regular file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Regular {
    /// Permission bits, where the system has any.
    pub(super) mode: Option<u32>,
    pub(super) size: u64,
    pub(super) sha256: String,
    /// Nothing when it is no ELF file, or none for this machine's processor.
    pub(super) elf: Option<Box<Elf>>,
    /// Why it could not be read as an ELF file.
    pub(super) damage: Option<String>,
    pub(super) build_paths: Found,
}

/// Looks at everything in `dir`; our own files are searched for the `forbidden` paths.
pub(super) fn gather(dir: &Path, forbidden: &[String]) -> Result<Entries> {
    let found = walk::all(dir)?.into_iter().map(|found| found.path);
    let paths: Vec<String> = std::iter::once(ROOT.to_owned()).chain(found).collect();
    let entries = parallel::map(&paths, |path| entry(dir, path, forbidden));
    paths.into_iter().zip(entries).map(|(path, entry)| Ok((path, entry?))).collect()
}

/// ELF files among `entries`.
pub(super) fn elves(entries: &Entries) -> impl Iterator<Item = (&str, &Elf)> {
    entries.iter().filter_map(|(path, entry)| match entry {
        Entry::Regular(Regular { elf: Some(elf), .. }) => Some((path.as_str(), elf.as_ref())),
        _ => None,
    })
}

/// Whether the file is a vendor's library, which is shipped as it came: such a one keeps its name with a
/// version, `libcudart.so.13`. Our own have names without, and are ours under any name.
pub(super) fn is_vendors(path: &str) -> bool {
    let versioned = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    let ours = ["libggml", "libllama", "libmtmd"].iter().any(|start| path.starts_with(start));
    !ours && path.rsplit_once(".so.").is_some_and(|(_, rest)| versioned(rest))
}

/// Whether the file is of our making: not a vendor's library, its kernels, or somebody's licence.
fn is_ours(path: &str) -> bool {
    !is_vendors(path) && (!path.contains('/') || path.starts_with("bin/"))
}

/// Whether `path` is a library of the processor, as the loader names them.
pub(super) fn is_library(path: &str) -> bool {
    !path.contains('/') && (path.ends_with(".so") || path.contains(".so."))
}

/// Code for a GPU, which ROCm's libraries load themselves; some of it comes in ELF files.
fn is_kernel(path: &str) -> bool {
    path.starts_with("rocblas/") || path.starts_with("hipblaslt/")
}

fn entry(dir: &Path, path: &str, forbidden: &[String]) -> Result<Entry> {
    let at = dir.join(path);
    let read = || format!("cannot read {}", at.display());
    let metadata = fs::symlink_metadata(&at).with_context(read)?;
    if metadata.is_dir() {
        return Ok(Entry::Folder(mode(&metadata)));
    }
    if metadata.is_symlink() {
        let target = fs::read_link(&at).with_context(read)?;
        return Ok(Entry::Link(target.to_string_lossy().into_owned()));
    }
    if !metadata.is_file() {
        return Ok(Entry::Other);
    }
    let elf = if is_kernel(path) { Ok(None) } else { elf::read(&at) };
    let mut build_paths = Found::default();
    if is_ours(path) {
        build_paths = build_paths::find(&fs::read(&at).with_context(read)?, forbidden);
    }
    let (elf, damage) = match elf {
        Ok(elf) => (elf.map(Box::new), None),
        Err(error) => (None, Some(format!("{error:#}"))),
    };
    let sha256 = files::sha256(&at)?;
    let (mode, size) = (mode(&metadata), metadata.len());
    Ok(Entry::Regular(Regular { mode, size, sha256, elf, damage, build_paths }))
}

#[cfg(unix)]
fn mode(metadata: &fs::Metadata) -> Option<u32> {
    Some(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777)
}

#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> Option<u32> {
    None
}
