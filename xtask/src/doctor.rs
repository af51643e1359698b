//! `cargo xtask doctor`: what a build needs, found or not, and the command that installs it.

use std::ffi::OsString;

use anyhow::{Result, bail};
use llama_build::backend::Backend;
use llama_build::packages::Manager;
use llama_build::toolchain::{self, Finding};
use workspace::{install, requirements, screen};

use crate::args;

pub(crate) fn run(args: Vec<OsString>) -> Result<()> {
    let Some(args::Args { features, .. }) = args::parse("doctor", args)? else { return Ok(()) };
    // Without a word about features: every backend, so that a person sees what could be built.
    let asked = features.is_some();
    let backends = || Backend::all().map(|backend| backend.feature().to_owned()).collect();
    let config = install::config(&features.unwrap_or_else(backends))?;
    let mut findings = toolchain::inspect(&config);
    findings.extend(
        [
            requirements::chromium(),
            requirements::clang(),
            requirements::rustfmt(),
            requirements::clippy(),
        ]
        .map(|requirement| toolchain::find(requirement, &config)),
    );
    screen::print(table(&findings, toolchain::manager()));
    let needed = |finding: &&Finding| {
        let row = &finding.requirement;
        row.required
            && (asked && row.needed_for.starts_with("feature") || row.needed_for == "every build")
    };
    let missing = findings.iter().filter(needed).filter(|finding| finding.result.is_err()).count();
    if missing == 0 { Ok(()) } else { bail!("{missing} of these tools are missing") }
}

/// Lines of at most 80 columns where the names allow it.
fn table(findings: &[Finding], manager: Option<Manager>) -> String {
    let mut text = String::new();
    for finding in findings {
        let row = &finding.requirement;
        let state = match &finding.result {
            Ok(found) if found.version.is_empty() => "found".to_owned(),
            Ok(found) => found.version.clone(),
            Err(missing) => match &missing.too_old {
                Some(_) => "too old".to_owned(),
                None if row.required => "missing".to_owned(),
                None => "missing, optional".to_owned(),
            },
        };
        text.push_str(&format!("{:<22} {:<18} {}\n", row.name, state, row.needed_for));
        match &finding.result {
            Ok(found) if found.path.is_absolute() => {
                text.push_str(&format!("    {}\n", found.path.display()))
            }
            Ok(_) => {}
            Err(missing) => {
                missing.too_old.iter().for_each(|why| text.push_str(&format!("    {why}\n")));
                let commands = toolchain::commands(row.packages, manager);
                let hint = row
                    .hint
                    .clone()
                    .filter(|_| manager.is_some_and(|m| row.packages.of(m).is_none()));
                commands
                    .into_iter()
                    .chain(hint)
                    .for_each(|line| text.push_str(&format!("    {line}\n")));
            }
        }
    }
    text
}
