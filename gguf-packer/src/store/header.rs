//! Headers of the tar archives that we write: the same bytes that GNU's and Go's tar write.

use tar::{EntryType, Header};

use super::tarball::{BLOCK, padding};
use crate::Error;
use crate::tree::{Entry, Kind};

/// Ends an archive that we write.
pub(crate) const TRAILER: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The bytes that stand before the content of `entry`.
pub(crate) fn head(entry: &Entry) -> Result<Vec<u8>, Error> {
    let (path, kind, size, target) = described(entry)?;
    let mut header = Header::new_ustar();
    let mut pax = Vec::new();
    header.set_entry_type(kind);
    header.set_mode(entry.mode & 0o7777);
    for (key, value, set) in [
        ("uid", entry.uid, Header::set_uid as fn(&mut Header, u64)),
        ("gid", entry.gid, Header::set_gid),
    ] {
        fit(&mut header, &mut pax, (key, value, 0o777_7777), set);
    }
    fit(&mut header, &mut pax, ("size", size, 0o777_7777_7777), Header::set_size);
    fit(&mut header, &mut pax, ("mtime", entry.mtime, 0o777_7777_7777), Header::set_mtime);
    let fields = header.as_ustar_mut().expect("it was made as one");
    name(&mut fields.name, &mut pax, "path", &path);
    name(&mut fields.linkname, &mut pax, "linkpath", &target);
    seal(&mut header);
    let mut bytes = Vec::new();
    if !pax.is_empty() {
        let mut extension = Header::new_ustar();
        extension.set_entry_type(EntryType::XHeader);
        extension.set_mode(0o644);
        extension.set_size(pax.len() as u64);
        let fields = extension.as_ustar_mut().expect("it was made as one");
        fields.name[..9].copy_from_slice(b"PaxHeader");
        seal(&mut extension);
        bytes.extend_from_slice(extension.as_bytes());
        let pad = padding(pax.len() as u64);
        bytes.append(&mut pax);
        bytes.resize(bytes.len() + pad, 0);
    }
    bytes.extend_from_slice(header.as_bytes());
    Ok(bytes)
}

/// Writes what is left of a header as GNU's and Go's tar do, so that layers are the same whoever makes them.
fn seal(header: &mut Header) {
    let fields = header.as_ustar_mut().expect("it was made as one");
    fields.set_device_major(0);
    fields.set_device_minor(0);
    header.set_cksum();
    let sum = header.cksum().expect("it was just set");
    let bytes = header.as_mut_bytes();
    bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// Path, type, size and link target as the header has them.
fn described(entry: &Entry) -> Result<(String, EntryType, u64, String), Error> {
    let path = &entry.path;
    let hidden = |name: &str| match path.rsplit_once('/') {
        Some((folder, _)) if name != OPAQUE => format!("{folder}/{name}"),
        _ if path.is_empty() || name != OPAQUE => name.to_owned(),
        _ => format!("{path}/{name}"),
    };
    let none = String::new;
    let last = path.rsplit('/').next().unwrap_or_default();
    Ok(match &entry.kind {
        Kind::Folder => (format!("{path}/"), EntryType::Directory, 0, none()),
        Kind::File { size, .. } => (path.clone(), EntryType::Regular, *size, none()),
        Kind::Link { target } => (path.clone(), EntryType::Symlink, 0, target.clone()),
        Kind::Whiteout => (hidden(&format!(".wh.{last}")), EntryType::Regular, 0, none()),
        Kind::Opaque => (hidden(OPAQUE), EntryType::Regular, 0, none()),
        Kind::Special => {
            return Err(Error::new(format!("`{path}` is a device or a pipe: no layer gets one")));
        }
    })
}

const OPAQUE: &str = ".wh..wh..opq";

/// A number in the header, or beside it where it is too large.
fn fit(
    header: &mut Header,
    pax: &mut Vec<u8>,
    (key, value, most): (&str, u64, u64),
    set: fn(&mut Header, u64),
) {
    if value > most {
        record(pax, key, &value.to_string());
        set(header, 0);
    } else {
        set(header, value);
    }
}

/// A name in the header, or beside it where it is too long or not plain.
fn name(field: &mut [u8; 100], pax: &mut Vec<u8>, key: &str, value: &str) {
    if value.len() > field.len() || !value.is_ascii() {
        record(pax, key, value);
        let plain: Vec<u8> = value.bytes().filter(u8::is_ascii).take(field.len()).collect();
        field[..plain.len()].copy_from_slice(&plain);
    } else {
        field[..value.len()].copy_from_slice(value.as_bytes());
    }
}

/// `LENGTH KEY=VALUE\n`, whose length counts itself.
fn record(pax: &mut Vec<u8>, key: &str, value: &str) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length += 1;
    }
    pax.extend_from_slice(format!("{length} {key}={value}\n").as_bytes());
}
