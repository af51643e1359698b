//! Packs GGUF models into container images, ships them, and runs them, without a daemon.
//!
//! One way through, each folder knows only those before it:
//!
//! ```text
//! language (text → instructions) → plan (graph of content) → executor → image → store / registry → run
//! ```

// The frontend, which is for Linux's containers, uses parts that nothing else does.
#![cfg_attr(not(unix), allow(dead_code))]

pub use llama_src::Error;

/// The first argument of the process that is the quantizer; what follows are arguments of `llama-quantize`.
pub const QUANTIZER: &str = "__quantize";

/// The first argument of the process that is llama.cpp's planner; what follows are [`estimate::planner`]'s.
pub const PLANNER: &str = "__estimate";

/// The first argument of the process that compares two models; what follows is a [`compare::Task`].
pub const COMPARER: &str = "__compare";

/// The first argument of the process that does one step of a build in a container of BuildKit's.
pub const STEP: &str = "__step";

pub mod artifact;
pub mod attached;
pub mod build;
pub mod cli;
pub mod compare;
pub mod convert;
pub mod digest;
pub mod estimate;
pub mod executor;
#[cfg(unix)]
pub mod frontend;
pub mod gguf;
mod hub;
pub mod image;
pub mod language;
pub mod layout;
#[cfg(test)]
mod mutation;
mod parallel;
mod part;
pub mod plan;
pub mod process;
pub mod progress;
pub mod provenance;
pub mod reference;
pub mod registry;
pub mod run;
pub mod signing;
pub mod store;
pub mod tree;
mod web;
