//! The command line of `cargo xtask demo-model`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Parser;

/// The words that this program answers.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
pub enum Cli {
    /// Train the demo model
    DemoModel(Options),
}

/// What is asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Check the file instead of making it
    #[arg(long)]
    pub check: bool,
    /// The file
    #[arg(long, value_name = "FILE", default_value = crate::PATH)]
    pub out: PathBuf,
    /// Steps of training
    #[arg(long, value_name = "N", default_value = "3000")]
    pub steps: NonZeroUsize,
}
