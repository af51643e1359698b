//! The types that a model is converted to.

use super::super::checkpoint::{Dtype, Tensor};
use super::super::kept::kept;
use crate::gguf::TensorType;

/// The type of the large tensors of a file; the small ones are F32 always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the types of ggml")]
pub enum Kind {
    F32,
    F16,
    Bf16,
    Q8_0,
    /// That of the first large tensor of 16 bits in the checkpoint, F16 without one.
    Auto,
}

impl Kind {
    /// The type with this name, in upper case, when it is one of those that are written here.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "F32" => Self::F32,
            "F16" => Self::F16,
            "BF16" => Self::Bf16,
            "Q8_0" => Self::Q8_0,
            "AUTO" => Self::Auto,
            _ => return None,
        })
    }

    /// The type that it is for these tensors.
    pub(in super::super) fn settled(self, tensors: &[Tensor]) -> Self {
        if self != Self::Auto {
            return self;
        }
        let large = tensors.iter().filter(|t| kept(&t.name) && t.shape.len() >= 2);
        large
            .filter_map(|tensor| match tensor.dtype {
                Dtype::F16 => Some(Self::F16),
                Dtype::Bf16 => Some(Self::Bf16),
                _ => None,
            })
            .next()
            .unwrap_or(Self::F16)
    }

    /// Its `general.file_type`, a `llama_ftype`.
    pub(super) fn file_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 | Self::Auto => 1,
            Self::Q8_0 => 7,
            Self::Bf16 => 32,
        }
    }

    /// The type of a tensor of this shape. Rows that blocks do not divide become F16, as in gguf-py.
    pub(in super::super) fn of(self, name: &str, shape: &[u64]) -> Self {
        let columns = shape.last().copied().unwrap_or(1);
        let weights = [".weight", ".lora_a", ".lora_b"].iter().any(|end| name.ends_with(end));
        if shape.len() <= 1 || name.ends_with("_norm.weight") || !weights {
            Self::F32
        } else if self == Self::Q8_0 && columns % 32 != 0 {
            Self::F16
        } else {
            self
        }
    }

    /// It as a type of ggml.
    pub(super) fn tensor_type(self) -> TensorType {
        let name = match self {
            Self::F32 => "F32",
            Self::F16 | Self::Auto => "F16",
            Self::Bf16 => "BF16",
            Self::Q8_0 => "Q8_0",
        };
        TensorType::from_name(name).expect("types of ggml have these names")
    }
}
