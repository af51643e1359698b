//! `cargo xtask setup`: installs what a build needs and does not find.

use std::ffi::OsString;

use anyhow::Result;
use lexopt::prelude::*;
use llama_src::sh::Cmd;
use workspace::screen::Screen;
use workspace::source::{self, WithoutPage};
use workspace::{install, tools};

use crate::toolkits;

pub(crate) fn run(args: Vec<OsString>) -> Result<()> {
    if tools::helped("setup", &args) {
        return Ok(());
    }
    let mut args = lexopt::Parser::from_args(args);
    let (mut features, mut yes) = (Vec::new(), false);
    while let Some(arg) = args.next()? {
        match arg {
            Long("features") => features = install::split(&args.value()?.string()?),
            Long("yes") | Short('y') => yes = true,
            _ => return Err(arg.unexpected().into()),
        }
    }
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
