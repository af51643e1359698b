//! `cargo xtask test`, `ci`, `check` and `fuzz`.

#![expect(missing_docs, reason = "unpublished: names that speak need no line")]

mod args;
mod check;
mod fuzz;
mod test;

pub use args::Cli;
