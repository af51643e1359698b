//! Makes small GGUF files for tests.

use super::{Header, TensorType, Value};

/// A GGUF file to be.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    pub(crate) version: u32,
    pub(crate) big: bool,
    metadata: Vec<(String, Item)>,
    tensors: Vec<(String, Vec<u64>, TensorType)>,
}

#[derive(Debug, Clone)]
enum Item {
    Value(Value),
    Strings(Vec<String>),
    Numbers(Vec<u32>),
}

impl Default for Writer {
    fn default() -> Self {
        Self { version: 3, big: false, metadata: Vec::new(), tensors: Vec::new() }
    }
}

impl Writer {
    pub(crate) fn value(mut self, key: &str, value: Value) -> Self {
        self.metadata.push((key.to_owned(), Item::Value(value)));
        self
    }

    pub(crate) fn text(self, key: &str, value: &str) -> Self {
        self.value(key, Value::String(value.to_owned()))
    }

    pub(crate) fn u32(self, key: &str, value: u32) -> Self {
        self.value(key, Value::Uint32(value))
    }

    pub(crate) fn strings(mut self, key: &str, items: &[&str]) -> Self {
        let items = items.iter().map(|&text| text.to_owned()).collect();
        self.metadata.push((key.to_owned(), Item::Strings(items)));
        self
    }

    pub(crate) fn numbers(mut self, key: &str, items: &[u32]) -> Self {
        self.metadata.push((key.to_owned(), Item::Numbers(items.to_vec())));
        self
    }

    pub(crate) fn tensor(mut self, name: &str, dimensions: &[u64], kind: &str) -> Self {
        let kind = TensorType::from_name(kind).expect("a type of ggml");
        self.tensors.push((name.to_owned(), dimensions.to_vec(), kind));
        self
    }

    /// A small model of the architecture `qwen2`, whose weights are zeros.
    pub(crate) fn tiny_model() -> Self {
        Self::default()
            .text("general.architecture", "qwen2")
            .text("general.name", "Tiny")
            .u32("general.file_type", 17)
            .u32("qwen2.block_count", 1)
            .text("tokenizer.chat_template", "{{ messages }}")
            .strings("tokenizer.ggml.tokens", &["a", "b", "c"])
            .tensor("token_embd.weight", &[256, 3], "Q5_K")
            .tensor("blk.0.attn_norm.weight", &[256], "F32")
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        self.u32_to(&mut out, self.version);
        self.u64_to(&mut out, self.tensors.len() as u64);
        self.u64_to(&mut out, self.metadata.len() as u64);
        for (key, item) in &self.metadata {
            self.string_to(&mut out, key);
            self.item_to(&mut out, item);
        }
        let mut offset = 0;
        for (name, dimensions, kind) in &self.tensors {
            self.string_to(&mut out, name);
            self.u32_to(&mut out, u32::try_from(dimensions.len()).expect("few dimensions"));
            dimensions.iter().for_each(|&n| self.u64_to(&mut out, n));
            self.u32_to(&mut out, kind.number());
            self.u64_to(&mut out, offset);
            let (block, size) = kind.block();
            offset += (dimensions.iter().product::<u64>() / block * size).next_multiple_of(32);
        }
        if !self.tensors.is_empty() {
            let start = out.len().next_multiple_of(32);
            out.resize(start + usize::try_from(offset).expect("a small file"), 0);
        }
        out
    }

    /// What is read of it.
    pub(crate) fn header(&self) -> Header {
        let bytes = self.bytes();
        Header::read(bytes.as_slice(), bytes.len() as u64).expect("a file that can be read")
    }

    fn item_to(&self, out: &mut Vec<u8>, item: &Item) {
        match item {
            Item::Value(value) => {
                self.u32_to(out, value.kind().number());
                self.value_to(out, value);
            }
            Item::Strings(items) => {
                self.array_to(out, 8, items.len());
                items.iter().for_each(|item| self.string_to(out, item));
            }
            Item::Numbers(items) => {
                self.array_to(out, 4, items.len());
                items.iter().for_each(|&item| self.u32_to(out, item));
            }
        }
    }

    fn array_to(&self, out: &mut Vec<u8>, kind: u32, len: usize) {
        self.u32_to(out, 9);
        self.u32_to(out, kind);
        self.u64_to(out, len as u64);
    }

    fn value_to(&self, out: &mut Vec<u8>, value: &Value) {
        match value {
            Value::String(text) => self.string_to(out, text),
            Value::Uint32(n) => self.u32_to(out, *n),
            Value::Uint64(n) => self.u64_to(out, *n),
            Value::Float32(n) => self.u32_to(out, n.to_bits()),
            Value::Bool(yes) => out.push(u8::from(*yes)),
            other => panic!("no test writes {other:?}"),
        }
    }

    fn string_to(&self, out: &mut Vec<u8>, text: &str) {
        self.u64_to(out, text.len() as u64);
        out.extend(text.bytes());
    }

    fn u32_to(&self, out: &mut Vec<u8>, n: u32) {
        out.extend(if self.big { n.to_be_bytes() } else { n.to_le_bytes() });
    }

    fn u64_to(&self, out: &mut Vec<u8>, n: u64) {
        out.extend(if self.big { n.to_be_bytes() } else { n.to_le_bytes() });
    }
}
