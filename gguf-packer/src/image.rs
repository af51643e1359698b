//! Images: their config, in which GGUF Packer says what the model is, their manifests and indexes.

mod assembled;
pub mod command;
pub mod config;
mod described;
mod labels;
pub mod manifest;
mod ordered;
pub mod path;
pub mod platform;
mod weights;

pub(crate) use assembled::assembled;
pub use config::{ConfigInput, Described, History, Open, working_dir};
pub use described::described;
pub use ordered::{indented, inspect};
pub use platform::Platform;
pub(crate) use weights::find as find_named;
