//! `cargo xtask verify`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    workspace::tools::main(|| verify::Cli::parse().run())
}
