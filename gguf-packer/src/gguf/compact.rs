//! The compact header: what plans a model's memory, small enough to lie in an image's config.
//!
//! It is a GGUF file of version 3 without its weights, by gzip and base64. All metadata is in it but what the
//! tokenizer and people need (`tokenizer.*` but for the number of token types, `general.*` beyond architecture,
//! type, file type, alignment and quantization) and where shards begin (`split.*`); `tokenizer.ggml.model` is
//! `none`, and `<arch>.vocab_size` is there. The tensors of all shards stand one behind the other, as in one file. Who wants to load it unpacks
//! it and makes the file as long as the weights say; llama.cpp with `no_alloc` then lays the model out.

use std::io::{Read, Write};

use base64::Engine;

use super::{Header, Model, Tensor, Value, ValueType};
use crate::Error;

/// Keys of `general.*` that say how a model is built.
const GENERAL: [&str; 5] = [
    "general.architecture",
    "general.type",
    "general.file_type",
    "general.alignment",
    "general.quantization_version",
];

/// Bytes of a compact header that is read; it is written from less.
const LONGEST: u64 = 64 << 20;

/// How many kinds of tokens have an embedding of their own, which is a tensor's size.
const TOKEN_TYPES: &str = "tokenizer.ggml.token_type_count";

impl Model {
    /// What is enough of its file to plan memory: the compact header, and how long the file with its weights is.
    #[must_use]
    pub fn planned(&self) -> (Vec<u8>, u64) {
        let header = self.without_weights();
        let alignment = self.parts()[0].alignment();
        let tensors = self.parts().iter().flat_map(|part| &part.tensors);
        let weights = tensors.fold(0_u64, |all, tensor| {
            let bytes = tensor.bytes().checked_next_multiple_of(alignment);
            all.saturating_add(bytes.unwrap_or(u64::MAX))
        });
        let size = weights.saturating_add(header.len() as u64);
        (header, size)
    }

    /// Reads a compact header.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_compact(text: &str) -> Result<Self, Error> {
        let packed = base64::engine::general_purpose::STANDARD.decode(text);
        let packed = packed.map_err(|e| Error::new(format!("invalid compact header: {e}")))?;
        let unpacked = flate2::read::GzDecoder::new(packed.as_slice()).take(LONGEST);
        // The weights are not there, so that any end of the file will do.
        Self::new(vec![Header::read(unpacked, i64::MAX as u64)?])
    }

    /// The compact header, as text.
    #[must_use]
    pub fn compact(&self) -> String {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&self.without_weights()).expect("memory takes what is written");
        let packed = gzip.finish().expect("memory takes what is written");
        base64::engine::general_purpose::STANDARD.encode(packed)
    }

    fn without_weights(&self) -> Vec<u8> {
        let pairs = self.planning();
        let tensors: Vec<_> = self.parts().iter().flat_map(|part| &part.tensors).collect();
        let mut out = b"GGUF\x03\0\0\0".to_vec();
        out.extend((tensors.len() as u64).to_le_bytes());
        out.extend((pairs.len() as u64).to_le_bytes());
        for (key, value) in &pairs {
            string(&mut out, key);
            pair(&mut out, value);
        }
        let alignment = self.parts()[0].alignment();
        tensors.iter().fold(0, |offset, tensor| {
            describe(&mut out, tensor, offset);
            let bytes = tensor.bytes().checked_next_multiple_of(alignment).unwrap_or(u64::MAX);
            u64::saturating_add(offset, bytes)
        });
        out.resize(out.len().next_multiple_of(usize::try_from(alignment).unwrap_or(32)), 0);
        out
    }

    /// The metadata that plans memory.
    fn planning(&self) -> Vec<(String, Value)> {
        let needed = |key: &str| match key.split('.').next() {
            Some("general") => GENERAL.contains(&key),
            Some("tokenizer") => key == TOKEN_TYPES,
            Some("split") => false,
            _ => true,
        };
        let all = self.parts().iter().flat_map(|part| &part.metadata);
        let mut pairs: Vec<(String, Value)> = Vec::new();
        for (key, value) in all.filter(|(key, _)| needed(key)) {
            let measured = matches!(value, Value::Array(array) if array.items.is_none());
            if !measured && !pairs.iter().any(|(known, _)| known == key) {
                pairs.push((key.clone(), value.clone()));
            }
        }
        let vocabulary = format!("{}.vocab_size", self.architecture());
        if let (Some(Value::Array(tokens)), false) =
            (self.get("tokenizer.ggml.tokens"), pairs.iter().any(|(key, _)| *key == vocabulary))
        {
            pairs.push((vocabulary, Value::Uint32(u32::try_from(tokens.len).unwrap_or(u32::MAX))));
        }
        if self.get("tokenizer.ggml.model").is_some() || self.get("tokenizer.ggml.tokens").is_some()
        {
            pairs.push(("tokenizer.ggml.model".to_owned(), Value::String("none".to_owned())));
        }
        pairs
    }
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.bytes());
}

/// A value with its type before it.
fn pair(out: &mut Vec<u8>, value: &Value) {
    out.extend(value.kind().number().to_le_bytes());
    if let Value::Array(array) = value {
        let items = array.items.as_deref().unwrap_or_default();
        out.extend(array.kind.number().to_le_bytes());
        out.extend((items.len() as u64).to_le_bytes());
        items.iter().for_each(|item| scalar(out, item));
    } else {
        scalar(out, value);
    }
}

fn scalar(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Uint8(n) => out.push(*n),
        Value::Int8(n) => out.extend(n.to_le_bytes()),
        Value::Uint16(n) => out.extend(n.to_le_bytes()),
        Value::Int16(n) => out.extend(n.to_le_bytes()),
        Value::Uint32(n) => out.extend(n.to_le_bytes()),
        Value::Int32(n) => out.extend(n.to_le_bytes()),
        Value::Float32(n) => out.extend(n.to_le_bytes()),
        Value::Bool(yes) => out.push(u8::from(*yes)),
        Value::String(text) => string(out, text),
        Value::Uint64(n) => out.extend(n.to_le_bytes()),
        Value::Int64(n) => out.extend(n.to_le_bytes()),
        Value::Float64(n) => out.extend(n.to_le_bytes()),
        Value::Array(_) => {
            debug_assert_ne!(value.kind(), ValueType::Array, "refused by the reader")
        }
    }
}

fn describe(out: &mut Vec<u8>, tensor: &Tensor, offset: u64) {
    string(out, &tensor.name);
    out.extend(u32::try_from(tensor.dimensions.len()).expect("four at most").to_le_bytes());
    tensor.dimensions.iter().for_each(|n| out.extend(n.to_le_bytes()));
    out.extend(tensor.kind.number().to_le_bytes());
    out.extend(offset.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gguf::Header;
    use crate::gguf::write::Writer;

    /// Reads a compact header as a file that is as long as its weights say.
    fn unpacked(model: &Model) -> Header {
        let packed = base64::engine::general_purpose::STANDARD.decode(model.compact()).unwrap();
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut bytes).unwrap();
        Header::read(bytes.as_slice(), bytes.len() as u64 + model.weights()).unwrap()
    }

    #[test]
    fn a_compact_header_has_what_plans_memory_and_nothing_of_the_tokenizer() {
        let writer = Writer::tiny_model().numbers("qwen2.attention.head_count_kv", &[1, 2]);
        let model = Model::new(vec![writer.header()]).unwrap();
        let header = unpacked(&model);
        let keys: Vec<_> = header.metadata.iter().map(|(key, _)| key.as_str()).collect();
        let expected = [
            "general.architecture",
            "general.file_type",
            "qwen2.block_count",
            "qwen2.attention.head_count_kv",
            "qwen2.vocab_size",
            "tokenizer.ggml.model",
        ];
        assert_eq!(keys, expected);
        assert_eq!(header.number("qwen2.vocab_size"), Some(3));
        assert_eq!(header.text("tokenizer.ggml.model"), Some("none"));
        let Some(Value::Array(heads)) = header.get("qwen2.attention.head_count_kv") else {
            panic!()
        };
        assert_eq!(heads.items, Some(vec![Value::Uint32(1), Value::Uint32(2)]));
        let described = |header: &Header| -> Vec<_> {
            header
                .tensors
                .iter()
                .map(|t| (t.name.clone(), t.dimensions.clone(), t.offset))
                .collect()
        };
        assert_eq!(described(&header), described(&writer.header()));
    }

    #[test]
    fn a_compact_header_comes_back_and_is_a_file_that_plans_memory() {
        let writer = Writer::tiny_model().u32("tokenizer.ggml.token_type_count", 2);
        let model = Model::new(vec![writer.header()]).unwrap();
        let back = Model::from_compact(&model.compact()).unwrap();
        assert_eq!(back.get("tokenizer.ggml.token_type_count"), Some(&Value::Uint32(2)));
        let (header, size) = back.planned();
        assert_eq!((&header, size), (&model.planned().0, model.planned().1));
        let file = Header::read(header.as_slice(), size).unwrap();
        // 256 × 3 in Q5_K, then 256 in F32.
        assert_eq!(size - file.data_start, 3 * 176 + 16 + 1024);
        let error = Model::from_compact("no").unwrap_err().to_string();
        assert!(error.starts_with("invalid compact header: "), "{error}");
        let cut = base64::engine::general_purpose::STANDARD.encode(b"\x1f\x8b\x08\0");
        let error = Model::from_compact(&cut).unwrap_err().to_string();
        assert!(error.starts_with("the GGUF header is truncated"), "{error}");
    }

    #[test]
    fn shards_become_one_file() {
        let shard = |no: u32, tensor: &str| {
            let writer = Writer::default().u32("split.no", no).u32("split.count", 2);
            writer.tensor(tensor, &[256], "Q4_K").header()
        };
        let model = Model::new(vec![shard(0, "a"), shard(1, "b")]).unwrap();
        let header = unpacked(&model);
        let offsets: Vec<_> = header.tensors.iter().map(|t| (t.name.as_str(), t.offset)).collect();
        assert_eq!(offsets, [("a", 0), ("b", 160)]);
        assert_eq!(header.metadata, []);
    }
}
