//! What is released: its variants, its version, and the file in each distribution that tells both.

#![expect(missing_docs, reason = "unpublished: names that speak need no line")]

pub mod arch;
pub mod args;
pub mod base;
pub mod files;
pub mod http;
pub mod identity;
pub mod kind;
pub mod manifest;
pub mod requirements;
pub mod time;
pub mod variant;
