//! The command line of `cargo xtask bindings`.

#![expect(missing_docs, reason = "unpublished: names that speak need no line")]

use clap::Parser;

#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
pub enum Cli {
    /// Write the Rust declarations of the pinned headers
    Bindings {
        /// Only compare them with those that are there
        #[arg(long)]
        check: bool,
    },
}
