//! The command lines of `cargo xtask dist` and `cargo xtask variants`, and the words by which other commands, and this
//! program itself, start it.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use product::args::variant;
use product::variant::Variant;
use workspace::tools;

use crate::{dist, toolkit, variants};

#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
pub enum Cli {
    #[command(about = tools::about("dist"))]
    Dist(Box<dist::Args>),
    #[command(about = tools::about("variants"))]
    Variants {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print where a variant's toolkit is, as JSON
    #[command(name = toolkit::WORD, hide = true)]
    Toolkit {
        #[arg(value_parser = variant(|_| true))]
        variant: Variant,
        #[arg(long)]
        setup: bool,
    },
    #[command(name = dist::BACKEND_WORD, hide = true)]
    Backend { question: PathBuf },
    #[command(name = verify::OPEN_WORD, hide = true)]
    Open { library: PathBuf },
}

impl Cli {
    pub fn run(self) -> Result<()> {
        match self {
            Self::Dist(args) => {
                dist::run(&args, &std::env::args_os().skip(2).collect::<Vec<OsString>>())
            }
            Self::Variants { json } => variants::run(json),
            Self::Toolkit { variant, setup } => toolkit::run(variant, setup),
            Self::Backend { question } => dist::run_backend(&question),
            Self::Open { library } => {
                verify::open(&library);
                Ok(())
            }
        }
    }
}
