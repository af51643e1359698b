//! `cargo xtask setup`: installs what a build needs and does not find.

use std::ffi::OsString;

use anyhow::Result;
use llama_src::sh::Cmd;
use workspace::install;
use workspace::screen::Screen;
use workspace::source::{self, WithoutPage};

use crate::{args, toolkits};

pub(crate) fn run(args: Vec<OsString>) -> Result<()> {
    let Some(args) = args::parse("setup", args)? else { return Ok(()) };
    let (features, yes) = (args.features.unwrap_or_default(), args.yes);
    let mut config = install::config(&features)?;
    let env = toolkits::find(&mut config, yes)?;
    install::ensure(&config, &[], yes)?;
    source::with_page(&mut Screen::new(), yes, WithoutPage::GoOn)?;
    eprintln!("everything that a build needs is installed");
    if !env.is_empty() {
        let build = Cmd::new("cargo").args(["build", "--release", "--features"]);
        let build = build.arg(features.join(","));
        eprintln!("{}", env.iter().fold(build, |cmd, (name, path)| cmd.env(name, path)));
    }
    Ok(())
}
