//! Runs a model: by our own llama-server, by an image, or by another program; or prints what would run it.

pub mod compat;
mod container;
pub mod print;
mod start;
mod target;
mod template;

pub use start::{By, Host, Start, plan};
pub use target::{Source, Target};
