//! Writes and reads GGUF files: metadata and tensors, in the types that our models need.

mod quants;
mod read;

use std::path::Path;

use llama_src::Error;

pub use quants::half;
use quants::{dequantise, quantise};
use read::Reader;

/// Every tensor's bytes begin at a multiple of it.
pub const ALIGNMENT: usize = 32;
const MAGIC: [u8; 8] = *b"GGUF\x03\0\0\0";
/// Values that share one scale in [`Kind::Q8_0`].
const BLOCK: usize = 32;

/// A value of the metadata.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "named after GGUF's types")]
pub enum Value {
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    Text(String),
    I32s(Vec<i32>),
    F32s(Vec<f32>),
    Texts(Vec<String>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// How a tensor's values are stored, as ggml numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 32-bit floats.
    F32 = 0,
    /// Blocks of 32 signed bytes with a 16-bit scale.
    Q8_0 = 8,
}

/// A tensor with its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// Its sizes, the fastest dimension first.
    pub shape: Vec<usize>,
    /// How its values are stored.
    pub kind: Kind,
    /// Its stored values.
    pub data: Vec<u8>,
}

impl Tensor {
    /// A tensor of `values` stored as `kind`; for [`Kind::Q8_0`] rows are multiples of 32.
    #[must_use]
    pub fn new(name: impl Into<String>, shape: &[usize], kind: Kind, values: &[f32]) -> Self {
        let data = match kind {
            Kind::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Kind::Q8_0 => values.chunks(BLOCK).flat_map(quantise).collect(),
        };
        Self { name: name.into(), shape: shape.to_vec(), kind, data }
    }

    /// The values as floats.
    #[must_use]
    pub fn values(&self) -> Vec<f32> {
        match self.kind {
            Kind::F32 => self.data.chunks_exact(4).map(|b| f32::from_le_bytes(array(b))).collect(),
            Kind::Q8_0 => self.data.chunks_exact(2 + BLOCK).flat_map(dequantise).collect(),
        }
    }
}

/// A whole file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct File {
    /// Metadata, in order.
    pub metadata: Vec<(String, Value)>,
    /// Tensors, in order.
    pub tensors: Vec<Tensor>,
}

impl File {
    /// Sets one more key of the metadata.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.metadata.push((key.into(), value.into()));
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let described = self.tensors.iter().map(|tensor| Described {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            kind: tensor.kind as u32,
            size: tensor.data.len(),
        });
        let mut out = head(&self.metadata, &described.collect::<Vec<_>>());
        for tensor in &self.tensors {
            out.extend(&tensor.data);
            out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
        }
        out
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When `path` cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        std::fs::write(path, self.to_bytes()).map_err(|e| Error::io("write", path, &e))
    }

    /// Reads a file that [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// When `path` cannot be read, is cut short or has parts that this module does not write.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, &e))?;
        let broken =
            || Error::new(format!("not a GGUF file that this program wrote: {}", path.display()));
        Reader::new(&bytes).file().ok_or_else(broken)
    }
}

/// What a file says about a tensor before any tensor's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// Its sizes, the fastest dimension first.
    pub shape: Vec<usize>,
    /// How its values are stored, as ggml numbers it.
    pub kind: u32,
    /// Bytes of its stored values.
    pub size: usize,
}

/// Everything before the first tensor's bytes, for files that are too large for memory. The bytes of
/// `tensors` follow in order, each filled up with zeros to a multiple of [`ALIGNMENT`].
#[must_use]
pub fn head(metadata: &[(String, Value)], tensors: &[Described]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    put_len(&mut out, tensors.len());
    put_len(&mut out, metadata.len());
    for (key, value) in metadata {
        put_text(&mut out, key);
        put_value(&mut out, value);
    }
    let mut offset = 0;
    for tensor in tensors {
        put_text(&mut out, &tensor.name);
        out.extend((tensor.shape.len() as u32).to_le_bytes());
        tensor.shape.iter().for_each(|n| put_len(&mut out, *n));
        out.extend(tensor.kind.to_le_bytes());
        put_len(&mut out, offset);
        offset += tensor.size.next_multiple_of(ALIGNMENT);
    }
    out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
    out
}

fn put_len(out: &mut Vec<u8>, n: usize) {
    out.extend((n as u64).to_le_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_len(out, text.len());
    out.extend(text.bytes());
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    let mut kind = |kind: u32| out.extend(kind.to_le_bytes());
    match value {
        Value::U32(_) => kind(4),
        Value::I32(_) => kind(5),
        Value::F32(_) => kind(6),
        Value::Bool(_) => kind(7),
        Value::Text(_) => kind(8),
        Value::I32s(_) => [9, 5].into_iter().for_each(kind),
        Value::F32s(_) => [9, 6].into_iter().for_each(kind),
        Value::Texts(_) => [9, 8].into_iter().for_each(kind),
    }
    match value {
        Value::U32(v) => out.extend(v.to_le_bytes()),
        Value::I32(v) => out.extend(v.to_le_bytes()),
        Value::F32(v) => out.extend(v.to_le_bytes()),
        Value::Bool(v) => out.push(u8::from(*v)),
        Value::Text(v) => put_text(out, v),
        Value::I32s(v) => {
            put_len(out, v.len());
            v.iter().for_each(|v| out.extend(v.to_le_bytes()));
        }
        Value::F32s(v) => {
            put_len(out, v.len());
            v.iter().for_each(|v| out.extend(v.to_le_bytes()));
        }
        Value::Texts(v) => {
            put_len(out, v.len());
            v.iter().for_each(|v| put_text(out, v));
        }
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the caller took that many")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_back_and_a_cut_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.gguf");
        let mut file = File::default();
        file.set("text", "ü");
        file.metadata.push(("numbers".to_owned(), Value::I32s(vec![-1, 2])));
        let values: Vec<f32> = (0..64).map(|i| i as f32 / 10.0 - 3.0).collect();
        file.tensors.push(Tensor::new("a", &[3], Kind::F32, &values[..3]));
        file.tensors.push(Tensor::new("b", &[32, 2], Kind::Q8_0, &values));
        file.write(&path).unwrap();
        assert_eq!(File::read(&path).unwrap(), file);
        for (was, is) in values.iter().zip(file.tensors[1].values()) {
            assert!((was - is).abs() < 0.02, "{was} became {is}");
        }
        let bytes = file.to_bytes();
        std::fs::write(&path, &bytes[..bytes.len() - 40]).unwrap();
        assert!(File::read(&path).is_err());
    }
}
