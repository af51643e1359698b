//! `cargo xtask gpu-test`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    workspace::tools::main(|| gpu_test::Cli::parse().run())
}
