//! `cargo xtask image`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    workspace::tools::main(|| image::Cli::parse().run())
}
