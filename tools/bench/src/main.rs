//! `cargo xtask bench`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    workspace::tools::main(|| bench::Cli::parse().run())
}
