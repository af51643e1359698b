//! Reads the vocabularies in llama.cpp's source, which are GGUF files without tensors.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What a tokenizer is made of.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    pub(super) tokens: Vec<String>,
    pub(super) scores: Vec<f32>,
    /// As sentencepiece numbers them: 1 is a normal one, 2 unknown, 3 control, 4 of the user, 6 a byte.
    pub(super) kinds: Vec<i32>,
    pub(super) merges: Vec<String>,
}

impl Vocabulary {
    /// That of `models/ggml-vocab-NAME.gguf`.
    pub(super) fn read(source: &Path, name: &str) -> Self {
        let path = source.join(format!("models/ggml-vocab-{name}.gguf"));
        let bytes = fs::read(&path).unwrap_or_else(|error| {
            panic!("{} is needed: {error}; run `cargo xtask vendor`", path.display())
        });
        let mut reader = Reader { bytes: &bytes, at: 8 };
        let (_, count) = (reader.number(8), reader.number(8));
        let mut lists = BTreeMap::new();
        for _ in 0..count {
            let key = reader.text();
            let kind = reader.number(4);
            let values = reader.values(kind);
            lists.insert(key, values);
        }
        let list = |key: &str| lists.get(&format!("tokenizer.ggml.{key}")).into_iter().flatten();
        Self {
            tokens: list("tokens").map(|it| it.text.clone()).collect(),
            scores: list("scores").map(|it| f32::from_bits(it.number as u32)).collect(),
            kinds: list("token_type").map(|it| it.number as i32).collect(),
            merges: list("merges").map(|it| it.text.clone()).collect(),
        }
    }
}

/// A value as text or as bits.
#[derive(Default)]
struct Scalar {
    text: String,
    number: u64,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, count: usize) -> &[u8] {
        self.at += count;
        &self.bytes[self.at - count..self.at]
    }

    fn number(&mut self, size: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes[..size].copy_from_slice(self.take(size));
        u64::from_le_bytes(bytes)
    }

    fn text(&mut self) -> String {
        let length = self.number(8) as usize;
        String::from_utf8_lossy(self.take(length)).into_owned()
    }

    /// All values of an array, or the one of another type.
    fn values(&mut self, kind: u64) -> Vec<Scalar> {
        let (kind, count) = if kind == 9 { (self.number(4), self.number(8)) } else { (kind, 1) };
        let mut value = || match kind {
            8 => Scalar { text: self.text(), number: 0 },
            0 | 1 | 7 => Scalar { number: self.number(1), ..Scalar::default() },
            2 | 3 => Scalar { number: self.number(2), ..Scalar::default() },
            4..=6 => Scalar { number: self.number(4), ..Scalar::default() },
            _ => Scalar { number: self.number(8), ..Scalar::default() },
        };
        (0..count).map(|_| value()).collect()
    }
}
