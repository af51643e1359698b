//! `cargo xtask vendor`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    workspace::tools::main(|| pin::Cli::parse().run())
}
