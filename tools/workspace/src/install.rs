//! Packages of this machine's: finds what is missing and installs it, with the user's leave.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::{Context, Result, bail};
use llama_build::packages::Manager;
use llama_build::requirement::Requirement;
use llama_build::toolchain::{self, Finding};
use llama_build::{Config, Features};
use llama_src::Error;
use llama_src::sh::Cmd;

use crate::cargo;
use crate::root::{User, sudo};
use crate::screen::Screen;

/// Words of a list that commas or spaces separate.
pub fn split(list: &str) -> Vec<String> {
    list.split([',', ' ']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The configuration of a build on this machine with the default features and `more`.
pub fn config(more: &[String]) -> Result<Config> {
    let default: Vec<&str> = Features::on_by_default().names().collect();
    let names = default.into_iter().chain(more.iter().map(String::as_str));
    let host = cargo::host();
    let config = llama_build::cargo::config_for(Features::parse(names)?, &host, &host)?;
    Ok(config.settle().0)
}

/// Makes sure that everything `config` and `also` need is there: asks, installs, or says what to type.
pub fn ensure(config: &Config, also: &[Requirement], yes: bool) -> Result<()> {
    settle(yes, || look(config, also))
}

/// The same for `rows` alone.
pub fn ensure_only(rows: &[Requirement], yes: bool) -> Result<()> {
    let config = config(&[])?;
    settle(yes, || rows.iter().map(|row| toolchain::find(row.clone(), &config)).collect())
}

fn settle(yes: bool, look: impl Fn() -> Vec<Finding>) -> Result<()> {
    let findings = look();
    let missing: Vec<&Finding> =
        findings.iter().filter(|finding| finding.result.is_err()).collect();
    let manager = toolchain::manager();
    let packages = toolchain::packages(&missing, manager);
    if !is_due(&missing, yes && manager == Some(Manager::Apt) && !packages.is_empty()) {
        return Ok(());
    }
    let Some(manager) = manager.filter(|_| !packages.is_empty()) else {
        bail!(toolchain::report(&required(&missing), manager));
    };
    let sudo = if manager.needs_root() { sudo() } else { "" };
    let install = format!("{sudo}{} {}", manager.install(), packages.join(" "));
    let names: Vec<&str> = missing.iter().map(|finding| finding.requirement.name).collect();
    eprintln!("missing: {}", names.join(", "));
    let error = Error::missing(format!("these tools are missing: {}", names.join(", ")))
        .hint(format!("install them: {install}"));
    if manager != Manager::Apt {
        bail!(error);
    }
    if !yes && !agreed(&install)? {
        bail!(error.hint("or let this command do it: add --yes"));
    }
    let installed = apt(&packages);
    if required(&missing).is_empty() {
        if let Err(error) = installed {
            eprintln!("going on without {}: {error:#}", names.join(", "));
        }
        return Ok(());
    }
    installed.context(error)?;
    let findings = look();
    let missing: Vec<&Finding> = findings.iter().filter(|found| found.result.is_err()).collect();
    let missing = required(&missing);
    if missing.is_empty() { Ok(()) } else { bail!(toolchain::report(&missing, Some(manager))) }
}

/// Whether something is to be done about what is missing. What only makes a build faster is worth a command that
/// installs it, not an error.
fn is_due(missing: &[&Finding], can_install: bool) -> bool {
    !required(missing).is_empty() || can_install
}

fn required<'a>(missing: &[&'a Finding]) -> Vec<&'a Finding> {
    missing.iter().copied().filter(|finding| finding.requirement.required).collect()
}

fn look(config: &Config, also: &[Requirement]) -> Vec<Finding> {
    let mut findings = toolchain::inspect(config);
    // A system's own is often too old, and most often there is a copy of the page: `vendor` sees to it.
    findings.retain(|finding| !["npm", "Node.js"].contains(&finding.requirement.name));
    findings.extend(also.iter().map(|requirement| toolchain::find(requirement.clone(), config)));
    findings
}

/// Asks on a terminal; elsewhere nobody can answer.
pub fn agreed(install: &str) -> Result<bool> {
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
    // apt-get fails while another one holds its lock.
    let mut screen = Screen::new();
    let _lock = cargo::lock(&cargo::cache().join("apt"), &mut |news| screen.news(news))?;
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

#[cfg(test)]
mod tests {
    use llama_build::requirement::Missing;

    use super::*;
    use crate::requirements;

    #[test]
    fn what_only_makes_builds_faster_is_installed_but_never_an_error() {
        let missing = |required| {
            let requirement = Requirement { required, ..requirements::rustfmt() };
            Finding { requirement, result: Err(Missing { too_old: None, looked_in: Vec::new() }) }
        };
        let (needed, optional) = (missing(true), missing(false));
        assert!(!is_due(&[], false));
        // `--yes` where no command of ours may install packages, as on macOS.
        assert!(!is_due(&[&optional], false));
        assert!(is_due(&[&optional], true));
        assert!(is_due(&[&optional, &needed], false));
    }
}
