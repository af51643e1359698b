//! `cargo xtask dist` and `cargo xtask variants`, and what those start this program for once more.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    workspace::tools::main(|| distribution::Cli::parse().run())
}
