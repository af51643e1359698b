//! Headers of safetensors files. What one says is checked against the length of the file.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::{Dtype, Tensor};
use crate::Error;

/// The longest header that the safetensors library reads.
const LONGEST: u64 = 100_000_000;

/// Bytes of an element of each type of the format; none for those of less than a byte.
const WIDTHS: &[(&str, u64)] = &[
    ("BOOL", 1),
    ("U8", 1),
    ("I8", 1),
    ("F8_E5M2", 1),
    ("F8_E4M3", 1),
    ("F8_E8M0", 1),
    ("U16", 2),
    ("I16", 2),
    ("F16", 2),
    ("BF16", 2),
    ("U32", 4),
    ("I32", 4),
    ("F32", 4),
    ("U64", 8),
    ("I64", 8),
    ("F64", 8),
    ("C64", 8),
];

/// A tensor in the header.
#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// All of them, by name.
struct Entries(BTreeMap<String, Entry>);

/// The tensors in the file at `path`, by name.
pub(super) fn read(path: &Path) -> Result<Vec<Tensor>, Error> {
    let failed = |e: &std::io::Error| Error::io("read", path, e);
    let mut file = File::open(path).map_err(|e| failed(&e))?;
    let size = file.metadata().map_err(|e| failed(&e))?.len();
    let mut length = [0; 8];
    if size < 8 {
        return Err(short(path, &format!("it has only {size} bytes")));
    }
    file.read_exact(&mut length).map_err(|e| failed(&e))?;
    let length = u64::from_le_bytes(length);
    if length > size - 8 {
        return Err(short(
            path,
            &format!("its header needs {length} bytes, but the file has {size}"),
        ));
    }
    if length > LONGEST {
        let what = format!("the header of {} is too large: {length} bytes", path.display());
        return Err(Error::new(what).hint("the file is damaged: fetch it again"));
    }
    let header = std::io::BufReader::new((&file).take(length));
    let entries: Entries = serde_json::from_reader(header).map_err(|e| {
        let what = format!("cannot read the header of {}: {e}", path.display());
        Error::new(what).hint("the file is damaged: fetch it again")
    })?;
    let mut wrong = Vec::new();
    let mut tensors = Vec::new();
    for (name, entry) in entries.0 {
        match tensor(path, name, entry, 8 + length, size) {
            Ok(tensor) => tensors.push(tensor),
            Err(e) => wrong.push(e),
        }
    }
    overlapping(path, &tensors, &mut wrong);
    if wrong.is_empty() { Ok(tensors) } else { Err(Error::all(wrong)) }
}

fn tensor(path: &Path, name: String, entry: Entry, data: u64, end: u64) -> Result<Tensor, Error> {
    let (from, to) = entry.data_offsets;
    let place = || format!("{name} in {}", path.display());
    if from > to {
        return Err(damaged(&format!("invalid offsets: {} ends before it begins", place())));
    }
    if to > end - data {
        return Err(short(
            path,
            &format!(
                "tensor {name} ends at byte {}, but the file ends at byte {end}",
                data.saturating_add(to)
            ),
        ));
    }
    let elements = entry.shape.iter().try_fold(1_u64, |all, &n| all.checked_mul(n));
    let width = WIDTHS.iter().find(|row| row.0 == entry.dtype).map(|row| row.1);
    if let Some(width) = width {
        if elements.and_then(|all| all.checked_mul(width)) != Some(to - from) {
            let (shape, bytes) = (&entry.shape, to - from);
            let what = format!(
                "{} has {bytes} bytes, which does not match its shape {shape:?} and type {}",
                place(),
                entry.dtype
            );
            return Err(damaged(&what));
        }
    }
    let dtype = match entry.dtype.as_str() {
        "F32" => Dtype::F32,
        "F16" => Dtype::F16,
        "BF16" => Dtype::Bf16,
        _ => Dtype::Other(entry.dtype),
    };
    let (file, shape) = (path.to_owned(), entry.shape);
    Ok(Tensor { name, dtype, shape, file, start: data + from, size: to - from })
}

fn overlapping(path: &Path, tensors: &[Tensor], wrong: &mut Vec<Error>) {
    let mut order: Vec<&Tensor> = tensors.iter().filter(|tensor| tensor.size > 0).collect();
    order.sort_by_key(|tensor| tensor.start);
    for pair in order.windows(2) {
        if pair[0].start + pair[0].size > pair[1].start {
            let (a, b) = (&pair[0].name, &pair[1].name);
            wrong.push(damaged(&format!("{a} and {b} overlap in {}", path.display())));
        }
    }
}

fn short(path: &Path, why: &str) -> Error {
    let what = format!("{} is truncated: {why}", path.display());
    Error::new(what).hint("fetch the file again")
}

fn damaged(what: &str) -> Error {
    Error::new(what).hint("the file is damaged: fetch it again")
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Header)
    }
}

struct Header;

impl<'de> Visitor<'de> for Header {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object that maps names to tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut all = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let entry = map.next_value()?;
            if all.insert(name.clone(), entry).is_some() {
                return Err(A::Error::custom(format!("duplicate tensor {name}")));
            }
        }
        Ok(Entries(all))
    }
}
