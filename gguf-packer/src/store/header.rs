//! Headers of the tar archives that we write: the same bytes that Go's tar writes for
//! BuildKit and containerd, so that a layer is the same whoever made it.

use std::collections::BTreeMap;

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
    let mut pax = Records::new();
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
        bytes = extension(&path, &pax);
    }
    bytes.extend_from_slice(header.as_bytes());
    Ok(bytes)
}

/// What does not fit into a header, by its key.
type Records = BTreeMap<&'static str, String>;

/// The header of `records` and they themselves, which stand before the header of `path`.
fn extension(path: &str, records: &Records) -> Vec<u8> {
    let text: String = records.iter().map(|(key, value)| record(key, value)).collect();
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::XHeader);
    header.set_mode(0);
    header.set_size(text.len() as u64);
    let (folder, file) = path.rsplit_once('/').map_or(("", path), |(folder, file)| (folder, file));
    let parts = [folder, "PaxHeaders.0", file];
    let said = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    let fields = header.as_ustar_mut().expect("it was made as one");
    plain(&mut fields.name, &said);
    while let Some(last) = fields.name.iter().rposition(|byte| *byte != 0) {
        if fields.name[last] != b'/' {
            break;
        }
        fields.name[last] = 0;
    }
    seal(&mut header);
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes.resize(bytes.len() + padding(text.len() as u64), 0);
    bytes
}

/// Writes what is left of a header as GNU's and Go's tar do.
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
            return Err(Error::new(format!(
                "`{path}` is a device or a pipe, which a layer cannot contain"
            )));
        }
    })
}

const OPAQUE: &str = ".wh..wh..opq";

/// A number in the header, or beside it where it is too large.
fn fit(
    header: &mut Header,
    pax: &mut Records,
    (key, value, most): (&'static str, u64, u64),
    set: fn(&mut Header, u64),
) {
    if value > most {
        pax.insert(key, value.to_string());
        set(header, 0);
    } else {
        set(header, value);
    }
}

/// A name in the header, or beside it where it is too long or not plain.
fn name(field: &mut [u8; 100], pax: &mut Records, key: &'static str, value: &str) {
    if value.len() > field.len() || !value.is_ascii() {
        pax.insert(key, value.to_owned());
    }
    plain(field, value);
    // Some readers take what ends in a slash for a folder.
    if value.len() > field.len() && field[99] == b'/' {
        let end = field.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
        field[end..].fill(0);
    }
}

/// As much of a text as a field holds, without what is not ASCII.
fn plain(field: &mut [u8; 100], text: &str) {
    for (to, from) in field.iter_mut().zip(text.bytes().filter(u8::is_ascii)) {
        *to = from;
    }
}

/// `LENGTH KEY=VALUE\n`, whose length counts itself.
fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length += 1;
    }
    format!("{length} {key}={value}\n")
}
