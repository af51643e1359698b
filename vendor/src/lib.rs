//! Which llama.cpp, where from, and proof that it is that one.
//!
//! [`Pin`] names the release, [`SourceTree::prepare`] finds or fetches and verifies it,
//! [`SourceTree::copy_patched`] lays out what is built, [`Ui::prepare`] builds the web page once.
//! Everything below the build stands on this crate, so the two things that all of them need live
//! here too: [`Error`] (what a person is told) and [`sh`] (how programs are run).

pub mod archive;
mod copy;
mod error;
#[cfg(feature = "fetch")]
pub mod fetch;
mod patch;
pub mod pin;
#[cfg(feature = "fetch")]
mod pip;
pub mod place;
mod progress;
pub mod sh;
mod source;
mod stamp;
pub mod subset;
pub mod tree;
mod ui;

pub use copy::Copied;
pub use error::Error;
pub use patch::Patch;
pub use pin::Pin;
pub use progress::{Progress, Report};
pub use source::{Origin, Request, SourceTree};
pub use ui::{NoUi, Ui};

/// The vendor folder: this crate's own.
#[must_use]
pub fn root() -> std::path::PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}
