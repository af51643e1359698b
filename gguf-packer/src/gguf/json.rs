//! A model's header as JSON, key by key as gguf-parser-go 0.12 writes it and GGUF Packer keeps it in an image.

use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};

use super::{Array, Header, Model, Tensor, Value};

/// `GGUF`, as a little-endian and as a big-endian file has it.
const MAGIC: (u32, u32) = (0x4655_4747, 0x4747_5546);

/// Keys whose arrays the original keeps; of all others it keeps the measures.
const KEPT: [&str; 2] = [".feed_forward_length", ".attention.head_count"];

impl Serialize for Model {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parts = self.parts();
        let one = |value: fn(&Header) -> u64| if let [part] = parts { value(part) } else { 0 };
        let each = |value: fn(&Header) -> u64| parts.iter().map(value).collect::<Vec<_>>();
        let tensors: Vec<_> = parts.iter().flat_map(|part| &part.tensors).collect();
        let mut out = serializer.serialize_struct("GGUFFile", 12)?;
        out.serialize_field("header", &Head(self))?;
        out.serialize_field("tensorInfos", &tensors)?;
        out.serialize_field("padding", &one(|part| part.padding))?;
        out.serialize_field("splitPaddings", &each(|part| part.padding))?;
        out.serialize_field("tensorDataStartOffset", &one(|part| part.data_start))?;
        out.serialize_field("splitTensorDataStartOffsets", &each(|part| part.data_start))?;
        out.serialize_field("size", &self.size())?;
        out.serialize_field("splitSizes", &each(|part| part.size))?;
        out.serialize_field("modelSize", &self.weights())?;
        out.serialize_field("splitModelSizes", &each(|part| part.size - part.data_start))?;
        out.serialize_field("modelParameters", &self.parameters())?;
        out.serialize_field("modelBitsPerWeight", &self.bits_per_weight())?;
        out.end()
    }
}

struct Head<'a>(&'a Model);

impl Serialize for Head<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parts = self.0.parts();
        let first = &parts[0];
        let pairs =
            parts.iter().flat_map(|part| &part.metadata).filter(|(key, _)| key != "split.no");
        let pairs: Vec<_> = pairs.map(|(key, value)| Pair { key, value }).collect();
        let tensors: usize = parts.iter().map(|part| part.tensors.len()).sum();
        let mut out = serializer.serialize_struct("GGUFHeader", 5)?;
        out.serialize_field("magic", if first.big_endian { &MAGIC.1 } else { &MAGIC.0 })?;
        out.serialize_field("version", &first.version)?;
        out.serialize_field("tensorCount", &tensors)?;
        out.serialize_field("metadataKVCount", &pairs.len())?;
        out.serialize_field("metadataKV", &pairs)?;
        out.end()
    }
}

struct Pair<'a> {
    key: &'a str,
    value: &'a Value,
}

impl Serialize for Pair<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("GGUFMetadataKV", 3)?;
        out.serialize_field("key", self.key.trim())?;
        out.serialize_field("valueType", &self.value.kind().number())?;
        match self.value {
            Value::Array(array) => {
                let kept = KEPT.iter().any(|suffix| self.key.ends_with(suffix));
                out.serialize_field("value", &Items { array, kept })?;
            }
            value => out.serialize_field("value", &Scalar(value))?,
        }
        out.end()
    }
}

struct Items<'a> {
    array: &'a Array,
    kept: bool,
}

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("GGUFMetadataKVArrayValue", 5)?;
        out.serialize_field("type", &self.array.kind.number())?;
        out.serialize_field("len", &self.array.len)?;
        if let (true, Some(items)) = (self.kept, &self.array.items) {
            if !items.is_empty() {
                out.serialize_field("array", &items.iter().map(Scalar).collect::<Vec<_>>())?;
            }
        }
        out.serialize_field("startOffset", &self.array.start)?;
        out.serialize_field("size", &self.array.size)?;
        out.end()
    }
}

struct Scalar<'a>(&'a Value);

impl Serialize for Scalar<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Uint8(n) => out.serialize_u8(*n),
            Value::Int8(n) => out.serialize_i8(*n),
            Value::Uint16(n) => out.serialize_u16(*n),
            Value::Int16(n) => out.serialize_i16(*n),
            Value::Uint32(n) => out.serialize_u32(*n),
            Value::Int32(n) => out.serialize_i32(*n),
            Value::Float32(n) => out.serialize_f32(*n),
            Value::Bool(yes) => out.serialize_bool(*yes),
            // The original cuts blanks off all texts.
            Value::String(text) => out.serialize_str(text.trim()),
            Value::Uint64(n) => out.serialize_u64(*n),
            Value::Int64(n) => out.serialize_i64(*n),
            Value::Float64(n) => out.serialize_f64(*n),
            // The reader refuses arrays in arrays.
            Value::Array(_) => out.serialize_seq(Some(0))?.end(),
        }
    }
}

impl Serialize for Tensor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("GGUFTensorInfo", 6)?;
        out.serialize_field("name", self.name.trim())?;
        out.serialize_field("nDimensions", &self.dimensions.len())?;
        out.serialize_field("dimensions", &self.dimensions)?;
        out.serialize_field("type", &self.kind.number())?;
        out.serialize_field("offset", &self.offset)?;
        out.serialize_field("startOffset", &self.start)?;
        out.end()
    }
}

#[cfg(test)]
mod tests {
    use crate::gguf::write::Writer;
    use crate::gguf::{Model, Value};

    #[test]
    fn a_header_is_written_key_by_key_as_the_original_does() {
        let writer = Writer::default()
            .text("general.architecture", " qwen2\n")
            .value("qwen2.attention.layer_norm_rms_epsilon", Value::Float32(1e-6))
            .numbers("qwen2.attention.head_count", &[2, 4])
            .numbers("qwen2.attention.head_count_kv", &[1, 1])
            .strings("tokenizer.ggml.tokens", &["a", "bc"])
            .tensor("blk.0.w", &[32, 2], "Q8_0");
        let model = Model::new(vec![writer.header()]).unwrap();
        let expected = concat!(
            r#"{"header":{"magic":1179993927,"version":3,"tensorCount":1,"metadataKVCount":5,"metadataKV":["#,
            r#"{"key":"general.architecture","valueType":8,"value":"qwen2"},"#,
            r#"{"key":"qwen2.attention.layer_norm_rms_epsilon","valueType":6,"value":0.000001},"#,
            r#"{"key":"qwen2.attention.head_count","valueType":9,"#,
            r#""value":{"type":4,"len":2,"array":[2,4],"startOffset":163,"size":8}},"#,
            r#"{"key":"qwen2.attention.head_count_kv","valueType":9,"#,
            r#""value":{"type":4,"len":2,"startOffset":224,"size":8}},"#,
            r#"{"key":"tokenizer.ggml.tokens","valueType":9,"#,
            r#""value":{"type":8,"len":2,"startOffset":277,"size":19}}]},"#,
            r#""tensorInfos":[{"name":"blk.0.w","nDimensions":2,"dimensions":[32,2],"type":8,"#,
            r#""offset":0,"startOffset":308}],"padding":29,"splitPaddings":[29],"#,
            r#""tensorDataStartOffset":384,"splitTensorDataStartOffsets":[384],"#,
            r#""size":480,"splitSizes":[480],"modelSize":96,"splitModelSizes":[96],"#,
            r#""modelParameters":64,"modelBitsPerWeight":12.0}"#
        );
        assert_eq!(serde_json::to_string(&model).unwrap(), expected);
    }
}
