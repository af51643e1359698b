//! Runs a model: by our own llama-server, by an image, or by another program; or prints what would run it.

mod alias;
pub mod compat;
mod container;
mod host;
mod passed;
pub mod print;
mod start;
mod target;
mod template;

pub use host::Host;
pub use start::{By, Start, plan};
pub use target::Target;
