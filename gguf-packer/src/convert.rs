//! From a checkpoint to a GGUF file, natively.

pub mod key;
