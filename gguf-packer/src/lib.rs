//! Packs GGUF models into container images, ships them, and runs them, without a daemon.
//!
//! One way through, each folder knows only those before it:
//!
//! ```text
//! language (text → instructions) → plan (graph of content) → executor → image → store / registry → run
//! ```

pub use llama_src::Error;

pub mod cli;
pub mod digest;
pub mod gguf;
pub mod image;
pub mod language;
pub mod reference;
pub mod run;
pub mod store;
pub mod tree;
