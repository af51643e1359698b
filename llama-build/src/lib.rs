//! Builds llama.cpp with its own CMake: [`Config`] → [`FlagSet`] → CMake → [`Artifacts`].
//!
//! A library, so that `llama-sys`' build script and `cargo xtask` use the same code and all that
//! decides can be tested for every target from one machine.

mod android;
mod apple;
pub mod artifacts;
pub mod backend;
#[cfg(feature = "bindgen")]
pub mod bindings;
mod cache;
pub mod cargo;
pub mod cmake;
mod compiler;
pub mod config;
pub mod cpu;
pub mod declared;
pub mod feature;
mod file_api;
pub mod flags;
mod generator;
mod given;
mod headers;
pub mod jobs;
pub mod layout;
pub mod link;
pub mod link_line;
pub mod manifest;
pub mod packages;
pub mod program;
pub mod progress;
pub mod refusal;
pub mod requirement;
pub mod source;
pub mod system;
pub mod target;
pub mod toolchain;

pub use artifacts::Artifacts;
pub use config::Config;
pub use feature::{Feature, Features};
pub use flags::FlagSet;
pub use generator::Generator;
pub use llama_src::{Error, Pin};
pub use manifest::Manifest;

#[cfg(test)]
mod tests {
    //! Shared by the unit tests of the modules.
    use super::*;
    /// A configuration for `triple` with `features`, built on Linux.
    pub(crate) fn config(triple: &str, features: &str) -> Config {
        let features = Features::parse(features.split_whitespace()).unwrap();
        Config::plain(features, triple, "x86_64-unknown-linux-gnu")
    }
}
