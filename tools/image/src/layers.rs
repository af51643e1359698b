//! What is in each layer of an image, uncompressed and as a registry has it.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use llama_src::Error;

use super::layout::{Archive, Image};
use product::manifest;

/// Of a file that a layer removes.
const WHITEOUT: &str = ".wh.";
/// Where the manifest of the distribution is.
const VERSION: &str = "app/version.json";
/// Which target of the Dockerfile it is: one with a shell.
const SHELL: &str = "bin/sh";

/// One layer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layer {
    /// Bytes of its files.
    pub(super) size: u64,
    /// Bytes as a registry has it.
    pub(super) gzip: u64,
    /// Bytes of its files by path.
    pub(super) files: BTreeMap<String, u64>,
    /// Paths of earlier layers that it removes.
    removed: Vec<String>,
    has_shell: bool,
    version: Option<String>,
}

/// What a whole image is.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) layers: Vec<Layer>,
    /// The manifest of the distribution in it.
    pub(super) version: Option<manifest::Manifest>,
    pub(super) has_shell: bool,
}

impl Contents {
    /// Reads every layer of `image`.
    ///
    /// # Errors
    /// When the archive is damaged, or a layer is packed in a way that is not known.
    pub(super) fn read(archive: &mut Archive, image: &Image) -> Result<Self> {
        let mut layers = Vec::new();
        for name in &image.layers {
            let (bytes, size) = archive.read(name)?;
            layers
                .push(read(bytes, size).with_context(|| format!("cannot read the layer {name}"))?);
        }
        let version = layers.iter().rev().find_map(|layer| layer.version.as_deref());
        // Somebody else's image may have such a file too.
        let version = version.and_then(|text| serde_json::from_str(text).ok());
        let has_shell = layers.iter().any(|layer| layer.has_shell);
        Ok(Self { layers, version, has_shell })
    }

    /// Files that a later layer replaces or removes, with their bytes: they are pulled and never seen.
    pub(super) fn hidden(&self) -> BTreeMap<&str, u64> {
        let mut hidden = BTreeMap::new();
        for (at, layer) in self.layers.iter().enumerate() {
            for (path, size) in &layer.files {
                let later = &self.layers[at + 1..];
                if later.iter().any(|later| later.hides(path)) {
                    *hidden.entry(path.as_str()).or_default() += size;
                }
            }
        }
        hidden
    }
}

impl Layer {
    fn hides(&self, path: &str) -> bool {
        let below = |removed: &String| {
            path.strip_prefix(removed.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.files.contains_key(path) || self.removed.iter().any(below)
    }

    /// Its parts, the largest first: files of `/app` by name, those of the system by folder.
    pub(super) fn parts(&self) -> Vec<(String, u64)> {
        let mut parts: BTreeMap<String, u64> = BTreeMap::new();
        for (path, size) in &self.files {
            *parts.entry(part(path)).or_default() += size;
        }
        let mut parts: Vec<_> = parts.into_iter().collect();
        parts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        parts
    }

    fn take(&mut self, path: &str, entry: &mut impl Read, size: u64) -> io::Result<()> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if let Some(removed) = name.strip_prefix(WHITEOUT) {
            // An opaque folder hides what was in it; that is more than anything here does.
            self.removed.push(format!("{folder}/{removed}").trim_start_matches('/').to_owned());
            return Ok(());
        }
        if path == VERSION {
            let mut text = String::new();
            entry.read_to_string(&mut text)?;
            self.version = Some(text);
        }
        self.has_shell |= path == SHELL || path.strip_prefix("usr/") == Some(SHELL);
        self.size += size;
        self.files.insert(path.to_owned(), size);
        Ok(())
    }
}

fn part(path: &str) -> String {
    if let Some(file) = path.strip_prefix("app/") {
        return match file.split_once('/') {
            Some((folder, _)) => format!("app/{folder}"),
            None if file.starts_with("libggml-cpu-") => "app/libggml-cpu-*".to_owned(),
            None => path.to_owned(),
        };
    }
    let folders: Vec<&str> = path.split('/').collect();
    folders[..folders.len().saturating_sub(1).clamp(1, 2)].join("/")
}

/// A layer of `stored` bytes, packed or not.
fn read(bytes: impl Read, stored: u64) -> Result<Layer> {
    let mut bytes = BufReader::with_capacity(1 << 20, bytes);
    let head = bytes.fill_buf()?;
    if head.starts_with(&[0x1f, 0x8b]) {
        let layer = unpack(MultiGzDecoder::new(bytes))?;
        return Ok(Layer { gzip: stored, ..layer });
    }
    if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        bail!(
            Error::new("it is packed with zstd")
                .hint("docker image save -o FILE IMAGE, and measure that")
        );
    }
    // As `image build --push` packs it.
    let mut packed = GzEncoder::new(Count(0), Compression::best());
    let layer = unpack(Tee { from: bytes, to: &mut packed })?;
    Ok(Layer { gzip: packed.finish()?.0, ..layer })
}

fn unpack(bytes: impl Read) -> Result<Layer> {
    let mut layer = Layer::default();
    let mut tar = tar::Archive::new(bytes);
    for entry in tar.entries()? {
        let mut entry = entry?;
        let path = entry.path_bytes();
        let path = String::from_utf8_lossy(&path).trim_start_matches("./").to_owned();
        let kind = entry.header().entry_type();
        if !kind.is_dir() {
            let size = if kind.is_file() { entry.size() } else { 0 };
            layer.take(path.trim_start_matches('/'), &mut entry, size)?;
        }
    }
    // Up to the last byte, so that all of it is counted.
    io::copy(&mut tar.into_inner(), &mut io::sink())?;
    Ok(layer)
}

/// Counts what is written.
struct Count(u64);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what is read.
struct Tee<R, W> {
    from: R,
    to: W,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.to.write_all(&buffer[..read])?;
        Ok(read)
    }
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
