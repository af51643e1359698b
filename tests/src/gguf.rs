//! Headers of models without their weights: what a planner of memory reads.

use std::fs::File;
use std::io::Write;
use std::path::Path;

/// A value of the metadata.
#[derive(Debug, Clone)]
pub enum Value {
    /// `uint32`.
    U32(u32),
    /// `float32`.
    F32(f32),
    /// `bool`.
    Bool(bool),
    /// `string`.
    Text(String),
}

/// Types of tensors: number, bytes of an element.
const F32: (u32, u64) = (0, 4);
const F16: (u32, u64) = (1, 2);

/// A model whose weights are holes in a file: F16 matrices, F32 vectors.
#[derive(Debug, Clone, Default)]
pub struct Header {
    metadata: Vec<(String, Value)>,
    tensors: Vec<(String, Vec<u64>)>,
}

impl Header {
    /// One more key.
    #[must_use]
    pub fn key(mut self, key: &str, value: Value) -> Self {
        self.metadata.push((key.to_owned(), value));
        self
    }

    /// One more tensor.
    #[must_use]
    pub fn tensor(mut self, name: impl Into<String>, dimensions: &[u64]) -> Self {
        self.tensors.push((name.into(), dimensions.to_vec()));
        self
    }

    /// Writes it into a file that is as long as its weights say, and takes the room of the header alone.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, path: &Path) {
        let mut out = b"GGUF\x03\0\0\0".to_vec();
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            string(&mut out, key);
            match value {
                Value::U32(value) => {
                    out.extend([4_u32.to_le_bytes(), value.to_le_bytes()].concat())
                }
                Value::F32(value) => {
                    out.extend([6_u32.to_le_bytes(), value.to_le_bytes()].concat())
                }
                Value::Bool(value) => {
                    out.extend(7_u32.to_le_bytes());
                    out.push(u8::from(*value));
                }
                Value::Text(value) => {
                    out.extend(8_u32.to_le_bytes());
                    string(&mut out, value);
                }
            }
        }
        let mut offset = 0_u64;
        for (name, dimensions) in &self.tensors {
            let (kind, width) = if dimensions.len() > 1 { F16 } else { F32 };
            string(&mut out, name);
            out.extend(u32::try_from(dimensions.len()).expect("at most four").to_le_bytes());
            dimensions.iter().for_each(|size| out.extend(size.to_le_bytes()));
            out.extend(kind.to_le_bytes());
            out.extend(offset.to_le_bytes());
            offset += (dimensions.iter().product::<u64>() * width).next_multiple_of(32);
        }
        out.resize(out.len().next_multiple_of(32), 0);
        let size = out.len() as u64 + offset;
        let written = File::create(path).and_then(|mut file| {
            file.write_all(&out)?;
            file.set_len(size)
        });
        written.unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}
