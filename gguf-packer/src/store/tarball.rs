//! What is in a tar archive, a foreign one included. What it says is bounded and never leaves the image.

use std::collections::BTreeMap;

use tar::{EntryType, Header};

use crate::Error;
use crate::digest::Digest;
use crate::tree::{Entry, Kind, MOST_PATH, check_path};

/// Bytes of a block; contents are padded to it.
pub(crate) const BLOCK: usize = 512;

/// What a layer may have.
const ENTRIES: usize = 1_000_000;

/// Of a pax header or a long name.
const EXTENSION: u64 = 1 << 20;

/// Where a tar comes from.
pub(crate) trait Stream {
    /// Fills `into` with bytes that are not content; fewer at the archive's end.
    fn literal(&mut self, into: &mut [u8]) -> Result<usize, Error>;
    /// Takes the next `size` bytes, a file's content.
    fn content(&mut self, size: u64) -> Result<Digest, Error>;
}

/// What an archive has.
pub(crate) enum Found {
    Entry(Entry),
    /// Another name, `target`, has the content; the entry's kind says nothing.
    HardLink {
        entry: Entry,
        target: String,
    },
}

/// Bytes between a content and the next block.
pub(crate) fn padding(size: u64) -> usize {
    usize::try_from(size.next_multiple_of(BLOCK as u64) - size).expect("less than a block")
}

/// Reads an archive to its end; `each` gets what is in it.
pub(crate) fn read(
    stream: &mut impl Stream,
    mut each: impl FnMut(Found) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut extended = BTreeMap::new();
    let mut count = 0;
    while let Some(header) = header(stream)? {
        count += 1;
        if count > ENTRIES {
            return Err(Error::new(format!("the layer has more than {ENTRIES} entries")));
        }
        let size = number(&extended, "size", header.entry_size())?;
        match header.entry_type() {
            EntryType::XHeader => pax(&extension(stream, size)?, &mut extended)?,
            EntryType::XGlobalHeader => drop(extension(stream, size)?),
            EntryType::GNULongName => long(stream, size, "path", &mut extended)?,
            EntryType::GNULongLink => long(stream, size, "linkpath", &mut extended)?,
            _ => {
                let extended = std::mem::take(&mut extended);
                if let Some(found) = entry(stream, &header, size, &extended)? {
                    each(found)?;
                }
            }
        }
    }
    rest(stream)
}

/// The next header; none at the end, of which two blocks of zeros may be missing.
fn header(stream: &mut impl Stream) -> Result<Option<Header>, Error> {
    let mut header = Header::new_old();
    let bytes = header.as_mut_bytes();
    match stream.literal(bytes)? {
        0 => return Ok(None),
        BLOCK if bytes.iter().all(|byte| *byte == 0) => return Ok(None),
        BLOCK => {}
        _ => return Err(truncated()),
    }
    let sum: u32 = bytes.iter().map(|byte| u32::from(*byte)).sum();
    let own: u32 = bytes[148..156].iter().map(|byte| u32::from(*byte)).sum();
    match header.cksum() {
        Ok(said) if said == sum - own + 8 * u32::from(b' ') => Ok(Some(header)),
        _ => Err(damaged("the checksum of a header is wrong")),
    }
}

/// An entry with its content; none when it says nothing about the image.
fn entry(
    stream: &mut impl Stream,
    header: &Header,
    size: u64,
    extended: &BTreeMap<String, String>,
) -> Result<Option<Found>, Error> {
    let raw = text(extended, "path", &header.path_bytes())?;
    let path = clean(&raw)?;
    let is_folder = header.entry_type() == EntryType::Directory || raw.ends_with('/');
    if path.is_empty() && !is_folder {
        return Err(refused(&raw, "would replace the root of the image"));
    }
    let target = match header.link_name_bytes() {
        _ if extended.contains_key("linkpath") => extended["linkpath"].clone(),
        Some(bytes) => text(extended, "linkpath", &bytes)?,
        None => String::new(),
    };
    let mut found = unkinded(path, header, extended)?;
    found.kind = match header.entry_type() {
        EntryType::Regular | EntryType::Continuous if raw.ends_with('/') => Kind::Folder,
        EntryType::Regular | EntryType::Continuous => {
            let digest = content(stream, size)?;
            return Ok(hidden(found, Kind::File { digest, size }));
        }
        EntryType::Directory => Kind::Folder,
        EntryType::Symlink if target.is_empty() || target.len() > MOST_PATH => {
            return Err(refused(&found.path, "is a link without a target"));
        }
        EntryType::Symlink => Kind::Link { target },
        EntryType::Link => {
            let target = clean(&target)?;
            skip(stream, size)?;
            return Ok(Some(Found::HardLink { entry: found, target }));
        }
        EntryType::Char | EntryType::Block | EntryType::Fifo => Kind::Special,
        EntryType::GNUSparse => {
            return Err(refused(&found.path, "is a sparse file, which is not supported"));
        }
        other => {
            let kind = char::from(other.as_byte());
            return Err(refused(&found.path, &format!("has the unknown type `{kind}`")));
        }
    };
    skip(stream, size)?;
    Ok((!found.path.is_empty()).then_some(Found::Entry(found)))
}

/// An entry whose kind says nothing yet.
fn unkinded(
    path: String,
    header: &Header,
    extended: &BTreeMap<String, String>,
) -> Result<Entry, Error> {
    Ok(Entry {
        path,
        kind: Kind::Special,
        mode: header.mode().unwrap_or(0o644) & 0o7777,
        uid: number(extended, "uid", header.uid())?,
        gid: number(extended, "gid", header.gid())?,
        mtime: number(extended, "mtime", header.mtime())?,
    })
}

/// A file, or the layers below that its name hides.
fn hidden(mut entry: Entry, file: Kind) -> Option<Found> {
    let (folder, name) = entry.path.rsplit_once('/').unwrap_or(("", &entry.path));
    let Some(gone) = name.strip_prefix(".wh.") else {
        entry.kind = file;
        return Some(Found::Entry(entry));
    };
    (entry.kind, entry.path) = match gone {
        ".wh..opq" => (Kind::Opaque, folder.to_owned()),
        // What AUFS keeps for itself.
        _ if gone.starts_with(".wh.") || gone.is_empty() => return None,
        _ if folder.is_empty() => (Kind::Whiteout, gone.to_owned()),
        _ => (Kind::Whiteout, format!("{folder}/{gone}")),
    };
    Some(Found::Entry(entry))
}

fn content(stream: &mut impl Stream, size: u64) -> Result<Digest, Error> {
    let digest = stream.content(size)?;
    let mut pad = [0; BLOCK];
    let pad = &mut pad[..padding(size)];
    if stream.literal(pad)? < pad.len() { Err(truncated()) } else { Ok(digest) }
}

/// What stands after a header that should have nothing after it.
fn skip(stream: &mut impl Stream, size: u64) -> Result<(), Error> {
    if size > 0 { extension(stream, size).map(drop) } else { Ok(()) }
}

fn extension(stream: &mut impl Stream, size: u64) -> Result<Vec<u8>, Error> {
    if size > EXTENSION {
        return Err(damaged(&format!("a header is too large: {size} bytes")));
    }
    let size = usize::try_from(size).expect("1 MiB at most");
    let mut bytes = vec![0; size.next_multiple_of(BLOCK)];
    if stream.literal(&mut bytes)? < bytes.len() {
        return Err(truncated());
    }
    bytes.truncate(size);
    Ok(bytes)
}

fn long(
    stream: &mut impl Stream,
    size: u64,
    key: &str,
    extended: &mut BTreeMap<String, String>,
) -> Result<(), Error> {
    let mut bytes = extension(stream, size)?;
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    let name = String::from_utf8(bytes).map_err(|_| damaged("a name is not UTF-8"))?;
    extended.insert(key.to_owned(), name);
    Ok(())
}

fn pax(bytes: &[u8], extended: &mut BTreeMap<String, String>) -> Result<(), Error> {
    let broken = || damaged("invalid pax header");
    let mut left = bytes;
    while !left.is_empty() {
        let space = left.iter().position(|byte| *byte == b' ').ok_or_else(broken)?;
        let length = std::str::from_utf8(&left[..space]).ok().and_then(|text| text.parse().ok());
        let length: usize = length.ok_or_else(broken)?;
        let record = left.get(space + 1..length).and_then(|record| record.strip_suffix(b"\n"));
        let record = record.ok_or_else(broken)?;
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(broken)?;
        let key = std::str::from_utf8(&record[..equals]).map_err(|_| broken())?;
        if key.starts_with("GNU.sparse.") {
            return Err(damaged("it contains a sparse file, which is not supported"));
        }
        // Others, extended attributes say, may be any bytes; the recipe keeps them.
        if ["path", "linkpath", "size", "uid", "gid", "mtime"].contains(&key) {
            let value = std::str::from_utf8(&record[equals + 1..]).map_err(|_| broken())?;
            extended.insert(key.to_owned(), value.to_owned());
        }
        left = &left[length..];
    }
    Ok(())
}

fn number(
    extended: &BTreeMap<String, String>,
    key: &str,
    own: std::io::Result<u64>,
) -> Result<u64, Error> {
    match extended.get(key) {
        // Times have fractions, and there are some before 1970.
        Some(text) if key == "mtime" && text.starts_with('-') => Ok(0),
        Some(text) => {
            let whole = if key == "mtime" { text.split('.').next().unwrap_or(text) } else { text };
            whole.parse().map_err(|_| damaged(&format!("invalid `{key}`: `{text}`")))
        }
        // Some leave out what they do not care for.
        None if key != "size" => Ok(own.unwrap_or_default()),
        None => own.map_err(|e| damaged(&e.to_string())),
    }
}

fn text(extended: &BTreeMap<String, String>, key: &str, own: &[u8]) -> Result<String, Error> {
    if let Some(text) = extended.get(key) {
        return Ok(text.clone());
    }
    String::from_utf8(own.to_vec()).map_err(|_| damaged("a name is not UTF-8"))
}

/// A path as entries have it; empty for the image's root.
pub(crate) fn clean(path: &str) -> Result<String, Error> {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") || path.contains('\0') {
        return Err(refused(path, "is outside the image"));
    }
    check_path(path).map_err(|why| Error::new(format!("invalid layer: {why}")))?;
    Ok(parts.join("/"))
}

/// What stands behind the end.
fn rest(stream: &mut impl Stream) -> Result<(), Error> {
    let mut bytes = [0; 16 * BLOCK];
    while stream.literal(&mut bytes)? > 0 {}
    Ok(())
}

fn refused(path: &str, why: &str) -> Error {
    Error::new(format!("invalid layer: `{path}` {why}"))
}

fn damaged(why: &str) -> Error {
    Error::new(format!("cannot read the layer as a tar archive: {why}"))
}

fn truncated() -> Error {
    Error::new("the layer ends in the middle of an entry")
}
