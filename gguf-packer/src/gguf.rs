//! GGUF files: their header, read within bounds, and what it says about the model.

mod compact;
mod file_type;
mod from_json;
mod json;
mod model;
mod reader;
mod scalar;
mod tensor_type;
mod value;
#[cfg(test)]
pub(crate) mod write;

pub use file_type::{file_type_name, quantizer_name};
pub use model::{Kind, Model, all_shards, check_first_shard, shards};
pub use scalar::{bits_per_weight, bytes, parameters};
pub use tensor_type::TensorType;
pub use value::{Array, Value, ValueType};

/// What stands before the weights of one GGUF file.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Whether numbers are written with the most significant byte first.
    pub big_endian: bool,
    /// Version of the format: 2 or 3.
    pub version: u32,
    /// Keys and values, in the file's order.
    pub metadata: Vec<(String, Value)>,
    /// Tensors, in the file's order.
    pub tensors: Vec<Tensor>,
    /// Bytes between the last tensor's description and the weights.
    pub padding: u64,
    /// Where the weights begin, counted from the start of the file.
    pub data_start: u64,
    /// Bytes of the whole file.
    pub size: u64,
}

/// The description of one tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// Elements in each dimension, the fastest first; at most four.
    pub dimensions: Vec<u64>,
    /// How its elements are written.
    pub kind: TensorType,
    /// Where its weights begin, counted from [`Header::data_start`].
    pub offset: u64,
    /// Where this description begins, counted from the start of the file.
    pub start: u64,
}

impl Tensor {
    /// How many elements it has.
    #[must_use]
    pub fn elements(&self) -> u64 {
        self.dimensions.iter().product()
    }

    /// How many bytes its weights take.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let (block, size) = self.kind.block();
        self.elements() / block * size
    }
}

impl Header {
    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.metadata.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    /// The text of `key`.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::text)
    }

    /// The whole number of `key`.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u64> {
        self.get(key).and_then(Value::number)
    }

    /// To how many bytes each tensor is aligned.
    #[must_use]
    pub fn alignment(&self) -> u64 {
        self.number("general.alignment").unwrap_or(32)
    }
}
