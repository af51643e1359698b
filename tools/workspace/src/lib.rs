//! This machine and this clone, for the commands of `cargo xtask`: Cargo and what it builds, packages of the system's,
//! the source of llama.cpp, progress on a screen, and the list of tools.

pub mod built;
pub mod cargo;
pub mod install;
pub mod node;
pub mod requirements;
pub mod root;
pub mod screen;
pub mod source;
pub mod tools;
