//! What the integration tests share: what they need from outside, real servers, plain HTTP.

pub mod browser;
#[path = "../../gguf-packer/tests/convert/checkpoints/mod.rs"]
pub mod checkpoints;
pub mod docker;
mod engine;
pub mod gguf;
pub mod http;
pub mod hub;
pub mod manifest;
pub mod needs;
pub mod packer;
pub mod pod;
pub mod process;
pub mod registry;
pub mod server;
pub mod tiny;
pub mod workspace;
