//! The command lines of `cargo xtask test`, `ci`, `check` and `fuzz`.

use std::ffi::OsString;

use anyhow::Result;
use clap::Parser;
use workspace::{cargo, tools};

use crate::{check, fuzz, test};

#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
pub enum Cli {
    #[command(about = tools::about("test"))]
    Test {
        /// Install missing packages with the system's package manager
        #[arg(short, long)]
        yes: bool,
        /// Arguments of `cargo test`
        #[arg(last = true)]
        args: Vec<OsString>,
    },
    /// Run `test` as CI runs it: it asks nobody and skips nothing
    Ci {
        /// As CI does in any case
        #[arg(short, long, hide = true)]
        yes: bool,
        /// Arguments of `cargo test`
        #[arg(last = true)]
        args: Vec<OsString>,
    },
    #[command(about = tools::about("check"))]
    Check(check::Args),
    #[command(about = tools::about("fuzz"))]
    Fuzz(fuzz::Args),
}

impl Cli {
    pub fn run(self) -> Result<()> {
        match self {
            Self::Test { yes, args } => test::run(yes, args, cargo::is_ci()),
            Self::Ci { yes: _, args } => test::run(true, args, true),
            Self::Check(args) => check::run(args),
            Self::Fuzz(args) => fuzz::run(&args),
        }
    }
}
