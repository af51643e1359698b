//! What other commands start to equip this machine: `cargo xtask setup docker`, and a Node.js for the web UI.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, bail};
use provision::{docker, node};
use workspace::screen::Screen;
use workspace::tools;

fn main() -> ExitCode {
    tools::main(|_, args| run(&args))
}

fn run(args: &[OsString]) -> Result<()> {
    if tools::helped("setup", args) {
        return Ok(());
    }
    let words: Vec<&str> = args.iter().map(|arg| arg.to_str().unwrap_or_default()).collect();
    match words[..] {
        ["docker"] => docker::run(false),
        ["docker", "--yes" | "-y"] => docker::run(true),
        ["docker", "--stop"] => docker::stop(),
        ["node"] => node::ensure(&mut Screen::new()).map(drop),
        _ => bail!("usage: cargo xtask setup docker [--yes|--stop]"),
    }
}
