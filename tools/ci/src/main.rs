//! `cargo xtask test`, `ci`, `check` and `fuzz`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    workspace::tools::main(|| ci::Cli::parse().run())
}
