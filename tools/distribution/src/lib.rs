//! Distributions: folders and archives with llama-server that run anywhere, and the papers in them.

#![expect(missing_docs, reason = "unpublished: names that speak need no line")]

pub mod advisories;
mod args;
pub mod component;
pub mod dist;
pub mod licenses;
pub mod sbom;
pub mod toolkit;
pub mod variants;

pub use args::Cli;
