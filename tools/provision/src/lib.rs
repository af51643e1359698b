//! Toolkits and engines out of packages, for machines that have none: Debian roots, CUDA from NVIDIA's wheels,
//! Node.js, a Docker engine.

#![expect(missing_docs, reason = "unpublished: names that speak need no line")]

mod args;
pub mod assembly;
pub mod debian;
pub mod docker;
pub mod node;
pub mod stub;
mod watched;
pub mod wheels;

pub use args::Cli;
