//! `cargo xtask setup`: installs what is missing, with the user's leave.

pub(crate) mod docker;

use std::ffi::OsString;
use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Result, bail};
use lexopt::prelude::*;
use llama_build::config::Toolkits;
use llama_build::requirement::{Manager, Requirement};
use llama_build::toolchain::{self, Finding};
use llama_build::{Config, Features};
use llama_src::sh::Cmd;

use crate::root::{User, sudo};
use crate::screen::Screen;
use crate::vendor::{self, WithoutPage};
use crate::{cargo, toolkit};

/// Features that a build has when nobody names any.
pub(crate) const DEFAULT_FEATURES: &[&str] = &["server", "ui", "openmp", "tls"];

pub(crate) fn run(args: Vec<OsString>) -> Result<()> {
    let mut args = lexopt::Parser::from_args(args);
    let (mut features, mut yes, mut engine, mut stop) = (Vec::new(), false, false, false);
    while let Some(arg) = args.next()? {
        match arg {
            Value(word) if word == "docker" => engine = true,
            Long("features") => features = split(&args.value()?.string()?),
            Long("yes") | Short('y') => yes = true,
            Long("stop") if engine => stop = true,
            _ => return Err(arg.unexpected().into()),
        }
    }
    if engine {
        return if stop { docker::stop() } else { docker::run(yes) };
    }
    let mut config = config(&features)?;
    let env = toolkits(&mut config, yes, &mut Screen::new())?;
    ensure(&config, &[], yes)?;
    vendor::source(&mut Screen::new(), yes, WithoutPage::GoOn)?;
    eprintln!("everything that a build needs is there");
    if !env.is_empty() {
        let build = Cmd::new("cargo").args(["build", "--release", "--features"]);
        let build = build.arg(features.join(","));
        eprintln!("{}", env.iter().fold(build, |cmd, (name, path)| cmd.env(name, path)));
    }
    Ok(())
}

/// Vendors' toolkits that are not on the system: those of the user's own folder, or put there. Notes them
/// in `config`; the variables tell a build of them.
///
/// # Errors
/// When one is missing and may not, or cannot, be put there.
pub(crate) fn toolkits(
    config: &mut Config,
    yes: bool,
    screen: &mut Screen,
) -> Result<Vec<(&'static str, PathBuf)>> {
    let mut env = Vec::new();
    for (variant, what) in toolkit::lacking(config) {
        let mut find = |setup| toolkit::find(variant, None, &cargo::host(), setup, screen);
        let command = format!("cargo xtask setup --features {variant} --yes");
        let found = match find(false) {
            Ok(found) => found,
            Err(_) if yes || agreed(&command)? => find(true)?,
            Err(_) => bail!(
                "no toolkit for feature `{variant}`\n  hint: let this command bring it ({what}, into {}): add \
                 --yes\n  hint: or install the vendor's own",
                cargo::toolkits().display()
            ),
        };
        let Toolkits { cudacxx, cuda, vulkan, rocm: _ } = found.toolkits;
        for (name, there, own) in [
            ("CUDACXX", cudacxx, &mut config.toolkits.cudacxx),
            ("CUDA_PATH", cuda, &mut config.toolkits.cuda),
            ("VULKAN_SDK", vulkan, &mut config.toolkits.vulkan),
        ] {
            if let Some(path) = there {
                env.push((name, path.clone()));
                *own = Some(path);
            }
        }
    }
    Ok(env)
}

/// Words of a list that commas or spaces separate.
pub(crate) fn split(list: &str) -> Vec<String> {
    list.split([',', ' ']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The configuration of a build on this machine with the default features and `more`.
pub(crate) fn config(more: &[String]) -> Result<Config> {
    let names = DEFAULT_FEATURES.iter().copied().chain(more.iter().map(String::as_str));
    let host = cargo::host();
    let config = llama_build::cargo::config_for(Features::parse(names)?, &host, &host)?;
    Ok(config.settle().0)
}

/// Makes sure that everything `config` and `also` need is there: asks, installs, or says what to type.
pub(crate) fn ensure(config: &Config, also: &[Requirement], yes: bool) -> Result<()> {
    settle(yes, || look(config, also))
}

/// The same for `rows` alone.
pub(crate) fn ensure_only(rows: &[Requirement], yes: bool) -> Result<()> {
    let config = config(&[])?;
    settle(yes, || rows.iter().map(|row| toolchain::find(row.clone(), &config)).collect())
}

fn settle(yes: bool, look: impl Fn() -> Vec<Finding>) -> Result<()> {
    let findings = look();
    let missing: Vec<&Finding> =
        findings.iter().filter(|finding| finding.result.is_err()).collect();
    let required = missing.iter().any(|finding| finding.requirement.required);
    let manager = toolchain::manager();
    let packages = packages(&missing, manager);
    // What only makes a build faster is worth a word of the user's, not an error.
    if missing.is_empty() || (!required && !yes) {
        return Ok(());
    }
    let Some(manager) = manager.filter(|_| !packages.is_empty()) else {
        bail!(toolchain::report(&missing, manager));
    };
    let install = format!("{}{} {}", sudo(), manager.install(), packages.join(" "));
    let names: Vec<&str> = missing.iter().map(|finding| finding.requirement.name).collect();
    eprintln!("missing: {}", names.join(", "));
    if manager != Manager::Apt {
        bail!("these tools are missing: {}\n  hint: install them: {install}", names.join(", "));
    }
    if !yes && !agreed(&install)? {
        bail!(
            "these tools are missing: {}\n  hint: install them: {install}\n  hint: or let this command do \
               it: add --yes",
            names.join(", ")
        );
    }
    apt(&packages)?;
    let findings = look();
    let missing: Vec<&Finding> =
        findings.iter().filter(|f| f.requirement.required && f.result.is_err()).collect();
    if missing.is_empty() { Ok(()) } else { bail!(toolchain::report(&missing, Some(manager))) }
}

fn look(config: &Config, also: &[Requirement]) -> Vec<Finding> {
    let mut findings = toolchain::inspect(config);
    // A system's own is often too old, and most often there is a copy of the page: `vendor` sees to it.
    findings.retain(|finding| !["npm", "Node.js"].contains(&finding.requirement.name));
    findings.extend(also.iter().map(|requirement| toolchain::find(requirement.clone(), config)));
    findings
}

fn packages(missing: &[&Finding], manager: Option<Manager>) -> Vec<&'static str> {
    let Some(manager) = manager else { return Vec::new() };
    let mut packages: Vec<&str> = Vec::new();
    for finding in missing {
        for package in
            finding.requirement.packages.of(manager).unwrap_or_default().split_whitespace()
        {
            if !packages.contains(&package) {
                packages.push(package);
            }
        }
    }
    packages
}

/// Asks on a terminal; elsewhere nobody can answer.
pub(crate) fn agreed(install: &str) -> Result<bool> {
    let input = std::io::stdin();
    if !input.is_terminal() || cargo::is_ci() {
        return Ok(false);
    }
    eprint!("run `{install}`? [Y/n] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    input.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes"))
}

fn apt(packages: &[&str]) -> Result<()> {
    // Of two at once, apt-get refuses one.
    let _lock = cargo::lock(&cargo::cache().join("apt"), &mut Screen::new())?;
    let (user, what) = (User::find()?, format!("install packages: {}", packages.join(" ")));
    let apt = |words: &[&str]| -> Result<()> {
        let cmd = Cmd::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(words);
        let cmd = user.as_root(&cmd, &what)?;
        eprintln!("==> {cmd}");
        Ok(cmd.run()?)
    };
    apt(&["-qq", "update"])?;
    let install = ["-qq", "install", "--yes", "--no-install-recommends"];
    apt(&[&install, packages].concat())
}
