//! A small language model of our own, from text to GGUF file: corpus, tokenizer, training and file
//! format in plain Rust, so that the demo model can be made again without a build of llama.cpp.
//!
//! Nothing here asks the clock, the machine or a hash map's order, and sums always run in the same
//! order, whatever the number of cores: the same sources give the same file.

pub mod args;
mod attention;
pub mod check;
pub mod corpus;
pub mod export;
pub mod gguf;
mod layer;
mod matmul;
pub mod model;
pub mod ops;
mod pass;
pub mod rng;
pub mod tokenizer;
pub mod train;

/// Where the finished model is checked in, seen from the workspace root.
pub const PATH: &str = "tests/models/llama-demo.gguf";
