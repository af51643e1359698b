//! The command line of `cargo xtask verify`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use workspace::tools;

use crate::open;

#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
pub enum Cli {
    #[command(about = tools::about("verify"))]
    Verify {
        /// The folder of a distribution, or its archive
        #[arg(value_name = "DIR|ARCHIVE")]
        dist: PathBuf,
    },
    #[command(name = open::WORD, hide = true)]
    Open { library: PathBuf },
}

impl Cli {
    pub fn run(self) -> Result<()> {
        match self {
            Self::Verify { dist } => crate::run(&dist),
            Self::Open { library } => {
                open::run(&library);
                Ok(())
            }
        }
    }
}
