//! From a checkpoint to a GGUF file, natively.

pub mod checkpoint;
mod config;
pub mod family;
pub mod key;
pub mod lora;
pub mod native;
#[cfg(test)]
mod testing;
