//! What other commands start to equip this machine: `cargo xtask setup docker`, and a Node.js for the web UI.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    workspace::tools::main(|| provision::Cli::parse().run())
}
