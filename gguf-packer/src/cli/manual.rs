//! Completions for shells, and manual pages.

use clap::CommandFactory;

use super::{Cli, args, output};
use crate::Error;

pub(super) fn completions(args: &args::Completions) -> Result<(), Error> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "gguf-packer", &mut text);
    output::print(&String::from_utf8_lossy(&text))
}

pub(super) fn pages(args: &args::Man) -> Result<(), Error> {
    let failed = |e: std::io::Error| Error::io("write manual pages into", &args.dir, &e);
    std::fs::create_dir_all(&args.dir).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), &args.dir).map_err(failed)
}
