//! The command line of `cargo xtask setup docker`; other commands call the same program with `provision`.

use anyhow::Result;
use clap::{Parser, Subcommand};
use workspace::screen::Screen;
use workspace::tools;

use crate::{docker, node};

#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
pub enum Cli {
    #[command(about = tools::about("setup"), alias = "provision")]
    Setup {
        #[command(subcommand)]
        what: What,
    },
}

#[derive(Debug, Subcommand)]
pub enum What {
    #[command(about = tools::about("setup docker"))]
    Docker {
        /// Install packages with the system's package manager
        #[arg(short, long)]
        yes: bool,
        /// Stop the engine that this command started
        #[arg(long, conflicts_with = "yes")]
        stop: bool,
    },
    /// Bring a Node.js for the web UI
    #[command(hide = true)]
    Node,
}

impl Cli {
    pub fn run(self) -> Result<()> {
        let Self::Setup { what } = self;
        match what {
            What::Docker { stop: true, .. } => docker::stop(),
            What::Docker { yes, .. } => docker::run(yes),
            What::Node => node::ensure(&mut Screen::new()).map(drop),
        }
    }
}
