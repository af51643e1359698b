//! Reads a header as a stranger may have written it: nothing is taken for granted, and no memory is set aside
//! for what a number claims.

use std::collections::HashSet;
use std::io::{BufReader, Read};

use super::{Array, Header, Tensor, TensorType, Value, ValueType};
use crate::Error;

/// Bytes of metadata that are held; the largest models have some tens of kilobytes beside their vocabulary.
const HELD: u64 = 16 << 20;

/// Bytes of an array that is held.
const HELD_ARRAY: u64 = 64 << 10;

/// Tensors of a file; the largest models have some thousands.
const TENSORS: u64 = 1 << 16;

/// Bytes to which weights may be aligned; llama.cpp aligns them to 32, and the largest pages have some thousands.
const ALIGNMENT: u32 = 1 << 20;

/// The fewest bytes of a key with its value, and of a tensor's description.
const SMALLEST: (u64, u64) = (8 + 1 + 4 + 1, 8 + 4 + 4 + 8);

impl Header {
    /// Reads the header at the beginning of a file of `size` bytes.
    ///
    /// # Errors
    /// When it is no GGUF file, is of a version that llama.cpp does not read, is cut off, or contradicts itself.
    /// The error does not know the file's name.
    pub fn read(reader: impl Read, size: u64) -> Result<Self, Error> {
        let mut source = Source {
            inner: BufReader::with_capacity(64 << 10, reader),
            at: 0,
            size,
            big: false,
            held: 0,
        };
        let version = source.version()?;
        let tensors = source.count("tensors", SMALLEST.1)?;
        let pairs = source.count("keys", SMALLEST.0)?;
        let metadata = source.metadata(pairs)?;
        let mut header = Self {
            big_endian: source.big,
            version,
            metadata,
            tensors: Vec::new(),
            padding: 0,
            data_start: 0,
            size,
        };
        header.check_alignment()?;
        header.tensors = source.tensors(tensors)?;
        let padding = source.at.next_multiple_of(header.alignment()) - source.at;
        // Without weights nothing needs to follow.
        header.padding = padding.min(size - source.at);
        header.data_start = source.at + header.padding;
        header.check_weights(source.at + padding)?;
        Ok(header)
    }

    /// Refuses an alignment with which nobody can compute, or which would pad a header to gigabytes.
    pub(super) fn check_alignment(&self) -> Result<(), Error> {
        let wrong = match self.get("general.alignment") {
            None => return Ok(()),
            Some(Value::Uint32(n)) if n.is_power_of_two() && *n <= ALIGNMENT => return Ok(()),
            Some(Value::Uint32(n)) if n.is_power_of_two() => {
                format!("is {n}, but at most {ALIGNMENT} is allowed")
            }
            Some(Value::Uint32(n)) => format!("is {n}, which is not a power of two"),
            Some(_) => "is not of type uint32".to_owned(),
        };
        Err(broken(format!("`general.alignment` {wrong}")))
    }

    fn check_weights(&self, data_start: u64) -> Result<(), Error> {
        for tensor in &self.tensors {
            if tensor.offset % self.alignment() != 0 {
                let name = shown(&tensor.name);
                return Err(broken(format!("the weights of `{name}` are not aligned")));
            }
            let end =
                data_start.checked_add(tensor.offset).and_then(|at| at.checked_add(tensor.bytes()));
            if end.is_none_or(|end| end > self.size) {
                let end =
                    end.map_or("past the 64-bit limit".to_owned(), |end| format!("at byte {end}"));
                let (name, size) = (shown(&tensor.name), self.size);
                return Err(Error::new(format!(
                    "the file is truncated: the weights of `{name}` end {end}, but the file has \
                    {size} bytes"
                ))
                .hint("get the file again"));
            }
        }
        Ok(())
    }
}

fn broken(what: impl std::fmt::Display) -> Error {
    Error::new(format!("the GGUF header is broken: {what}"))
        .hint("get the file again, or convert it again")
}

/// A name from the file as an error shows it.
fn shown(name: &str) -> String {
    name.chars().take(64).flat_map(char::escape_default).collect()
}

struct Source<R> {
    inner: BufReader<R>,
    at: u64,
    size: u64,
    big: bool,
    held: u64,
}

macro_rules! number {
    ($name:ident, $type:ty) => {
        fn $name(&mut self) -> Result<$type, Error> {
            let bytes = self.bytes()?;
            Ok(if self.big { <$type>::from_be_bytes(bytes) } else { <$type>::from_le_bytes(bytes) })
        }
    };
}

impl<R: Read> Source<R> {
    number!(u32, u32);
    number!(u64, u64);

    fn version(&mut self) -> Result<u32, Error> {
        let magic: [u8; 4] = self.bytes()?;
        if magic != *b"GGUF" {
            return Err(Error::new(format!(
                "not a GGUF file: it begins with `{}` instead of `GGUF`",
                magic.escape_ascii()
            ))
            .hint("if it is a Git LFS pointer, fetch the file: git lfs pull")
            .hint("if it is a safetensors file, convert it with CONVERT"));
        }
        let bytes: [u8; 4] = self.bytes()?;
        self.big = u32::from_le_bytes(bytes).trailing_zeros() >= 16;
        let version = if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        match version {
            2 | 3 => Ok(version),
            1 => Err(Error::new("the GGUF file has version 1, which llama.cpp no longer reads")
                .hint("convert the model again")),
            _ => Err(Error::new(format!(
                "unsupported GGUF version {version}: versions 2 and 3 are supported"
            ))),
        }
    }

    /// A number of things of which each takes `smallest` bytes or more.
    fn count(&mut self, what: &str, smallest: u64) -> Result<u64, Error> {
        let count = self.u64()?;
        if count > self.remaining() / smallest || count > TENSORS {
            let size = self.size;
            return Err(broken(format!("it declares {count} {what} in a file of {size} bytes")));
        }
        Ok(count)
    }

    fn metadata(&mut self, count: u64) -> Result<Vec<(String, Value)>, Error> {
        let (mut metadata, mut seen) = (Vec::new(), HashSet::new());
        for _ in 0..count {
            let key = self.string()?;
            if key.is_empty() || !seen.insert(key.clone()) {
                return Err(broken(format!("the key `{}` is empty or a duplicate", shown(&key))));
            }
            let kind = self.value_type(&key)?;
            let value =
                if kind == ValueType::Array { self.array(&key)? } else { self.value(kind)? };
            metadata.push((key, value));
        }
        Ok(metadata)
    }

    fn value_type(&mut self, key: &str) -> Result<ValueType, Error> {
        let number = self.u32()?;
        ValueType::from_number(number)
            .ok_or_else(|| broken(format!("`{}` has the unknown type {number}", shown(key))))
    }

    /// A value that is no array.
    fn value(&mut self, kind: ValueType) -> Result<Value, Error> {
        Ok(match kind {
            ValueType::Uint8 => Value::Uint8(self.byte()?),
            ValueType::Int8 => Value::Int8(i8::from_ne_bytes([self.byte()?])),
            ValueType::Bool => Value::Bool(self.byte()? != 0),
            ValueType::Uint16 => Value::Uint16(self.u16()?),
            ValueType::Int16 => Value::Int16(i16::from_ne_bytes(self.u16()?.to_ne_bytes())),
            ValueType::Uint32 => Value::Uint32(self.u32()?),
            ValueType::Int32 => Value::Int32(i32::from_ne_bytes(self.u32()?.to_ne_bytes())),
            ValueType::Float32 => Value::Float32(f32::from_bits(self.u32()?)),
            ValueType::Uint64 => Value::Uint64(self.u64()?),
            ValueType::Int64 => Value::Int64(i64::from_ne_bytes(self.u64()?.to_ne_bytes())),
            ValueType::Float64 => Value::Float64(f64::from_bits(self.u64()?)),
            ValueType::String => Value::String(self.string()?),
            ValueType::Array => return Err(broken("an array contains an array")),
        })
    }

    number!(u16, u16);

    fn array(&mut self, key: &str) -> Result<Value, Error> {
        let start = self.at;
        let kind = self.value_type(key)?;
        let len = self.u64()?;
        let smallest = kind.width().unwrap_or(8);
        if len > self.remaining() / smallest {
            let (key, size) = (shown(key), self.size);
            return Err(broken(format!("`{key}` declares {len} items in a file of {size} bytes")));
        }
        let items_start = self.at;
        let hold = !key.starts_with("tokenizer.") && len * smallest <= HELD_ARRAY;
        let items = if hold {
            Some(self.items(kind, len)?)
        } else {
            self.skip_items(kind, len).map(|()| None)?
        };
        Ok(Value::Array(Array { kind, len, items, start, size: self.at - items_start }))
    }

    fn items(&mut self, kind: ValueType, len: u64) -> Result<Vec<Value>, Error> {
        self.hold(len * size_of::<Value>() as u64)?;
        (0..len).map(|_| self.value(kind)).collect()
    }

    fn skip_items(&mut self, kind: ValueType, len: u64) -> Result<(), Error> {
        match kind.width() {
            Some(width) => self.skip(len * width),
            None if kind == ValueType::Array => Err(broken("an array contains an array")),
            None => (0..len).try_for_each(|_| {
                let len = self.length()?;
                self.skip(len)
            }),
        }
    }

    fn tensors(&mut self, count: u64) -> Result<Vec<Tensor>, Error> {
        let (mut tensors, mut seen) = (Vec::new(), HashSet::new());
        for _ in 0..count {
            let tensor = self.tensor()?;
            if !seen.insert(tensor.name.clone()) {
                return Err(broken(format!("duplicate tensor `{}`", shown(&tensor.name))));
            }
            tensors.push(tensor);
        }
        Ok(tensors)
    }

    fn tensor(&mut self) -> Result<Tensor, Error> {
        let start = self.at;
        let name = self.string()?;
        let of = shown(&name);
        let count = self.u32()?;
        if count > 4 {
            return Err(broken(format!(
                "the tensor `{of}` has {count} dimensions, but at most 4 are allowed"
            )));
        }
        let dimensions: Vec<u64> = (0..count).map(|_| self.u64()).collect::<Result<_, _>>()?;
        let number = self.u32()?;
        let Some(kind) = TensorType::from_number(number) else {
            return Err(broken(format!("the tensor `{of}` has the unknown type {number}"))
                .hint("update gguf-packer: a newer version may know this type"));
        };
        let (block, bytes) = kind.block();
        let elements = dimensions.iter().try_fold(1_u64, |all, &n| all.checked_mul(n));
        if elements.is_none_or(|n| n > i64::MAX as u64 || (n / block).checked_mul(bytes).is_none())
        {
            return Err(broken(format!(
                "the dimensions of the tensor `{of}` are too large: {dimensions:?}"
            )));
        }
        let row = dimensions.first().copied().unwrap_or(1);
        if row % block != 0 {
            let name = kind.name();
            return Err(broken(format!(
                "a row of `{of}` has {row} elements, which is not a multiple of the block size of \
                {name}, {block}"
            )));
        }
        Ok(Tensor { name, dimensions, kind, offset: self.u64()?, start })
    }

    fn string(&mut self) -> Result<String, Error> {
        let len = self.length()?;
        self.hold(len)?;
        let mut bytes = Vec::new();
        self.inner.by_ref().take(len).read_to_end(&mut bytes).map_err(|e| unreadable(&e))?;
        self.advance(bytes.len() as u64, len)?;
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }

    fn hold(&mut self, bytes: u64) -> Result<(), Error> {
        self.held += bytes;
        if self.held > HELD {
            return Err(broken(format!("it has more than {HELD} bytes besides the vocabulary")));
        }
        Ok(())
    }

    /// The length of a string, which lies in the file.
    fn length(&mut self) -> Result<u64, Error> {
        let len = self.u64()?;
        if len > self.remaining() { Err(self.cut_off()) } else { Ok(len) }
    }

    fn byte(&mut self) -> Result<u8, Error> {
        self.bytes().map(|[byte]| byte)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        match self.inner.read_exact(&mut bytes) {
            Ok(()) => self.advance(N as u64, N as u64).map(|()| bytes),
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Err(self.cut_off()),
            Err(e) => Err(unreadable(&e)),
        }
    }

    fn skip(&mut self, count: u64) -> Result<(), Error> {
        let skipped = std::io::copy(&mut self.inner.by_ref().take(count), &mut std::io::sink());
        self.advance(skipped.map_err(|e| unreadable(&e))?, count)
    }

    /// Counts `read` bytes, which should be `wanted` and inside the file.
    fn advance(&mut self, read: u64, wanted: u64) -> Result<(), Error> {
        if read < wanted || read > self.remaining() {
            return Err(self.cut_off());
        }
        self.at += read;
        Ok(())
    }

    fn remaining(&self) -> u64 {
        self.size - self.at
    }

    fn cut_off(&self) -> Error {
        Error::new(format!("the GGUF header is truncated: the file has {} bytes", self.size))
            .hint("get the file again")
    }
}

fn unreadable(error: &std::io::Error) -> Error {
    Error::new(format!("cannot read the GGUF header: {error}"))
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
