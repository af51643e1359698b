//! Images: their config, in which GGUF Packer says what the model is, their manifests and indexes.

pub mod command;
pub mod config;
mod labels;
pub mod manifest;
pub mod path;
pub mod platform;

pub use config::{ConfigInput, Described, History, working_dir};
pub use platform::Platform;
