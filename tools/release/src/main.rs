//! `cargo xtask release`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    workspace::tools::main(|| release::Cli::parse().run())
}
