//! `cargo xtask check`: everything that a machine can hold us to, in seconds once built.

mod advisories;
mod bake;
mod dockerfiles;
mod features;
mod links;
mod parity;
mod readme;
mod style;
mod written;

use std::time::Instant;

use anyhow::{Result, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};

use workspace::cargo;
use workspace::screen::Screen;
use workspace::tools;

#[derive(Debug, Default, clap::Args)]
#[command(after_help = names())]
pub struct Args {
    /// Only these checks, by their names below
    #[arg(value_name = "NAME", hide_possible_values = true, value_parser = check())]
    checks: Vec<&'static Check>,
    /// Write the features, tables, Dockerfiles and format; check nothing
    #[arg(long, conflicts_with = "checks")]
    fix: bool,
}

/// One thing that is held: its name, what it is, the command that repairs it, and how to find out.
#[derive(Debug)]
struct Check {
    name: &'static str,
    about: &'static str,
    repair: &'static str,
    run: fn() -> Result<()>,
}

/// Quick ones first.
const CHECKS: &[Check] = &[
    Check {
        name: "format",
        about: "rustfmt changes nothing",
        repair: "cargo xtask check --fix",
        run: format,
    },
    Check {
        name: "style",
        about: "files and functions follow the rules of CONTRIBUTING.md",
        repair: "change the lines above: see CONTRIBUTING.md",
        run: style::run,
    },
    Check {
        name: "advisories",
        about: "vendor/advisories.toml was reviewed for the pinned release",
        repair: "update vendor/advisories.toml; the comment at its top explains how",
        run: advisories::run,
    },
    Check {
        name: "readme",
        about: "tables of the documents match the code; relative links resolve",
        repair: "fix the links above; to write the tables: cargo xtask check --fix",
        run: readme::check,
    },
    Check {
        name: "files",
        about: "the Dockerfiles and docker-bake.hcl match their sources",
        repair: "cargo xtask check --fix",
        run: || written::check(&dockerfiles::files()?),
    },
    Check {
        name: "features",
        about: "both Cargo.toml have the features of llama-build",
        repair: "cargo xtask check --fix; a feature beside the marks becomes a row of llama-build/src/feature.rs",
        run: features::check,
    },
    Check {
        name: "vendor",
        about: "tree, pin, patches and the crate's list of files agree",
        repair: "cargo xtask vendor --force",
        run: tree,
    },
    Check {
        name: "flags",
        about: "our flag sets contain all of upstream's official ones",
        repair: "change llama-build/src/flags.rs, llama-build/src/backend/rows.rs or tools/product/src/variant/rows.rs, or name the exception in tools/ci/src/check/parity.rs",
        run: parity::run,
    },
    Check {
        name: "bindings",
        about: "the declarations match the pinned headers",
        repair: "cargo xtask bindings",
        run: declarations,
    },
    Check {
        name: "lints",
        about: "clippy gives no warning",
        repair: "DOCS_RS=1 cargo clippy --fix --workspace --all-targets",
        run: lints,
    },
];

pub(crate) fn run(args: Args) -> Result<()> {
    if args.fix {
        return fix();
    }
    verdict(&if args.checks.is_empty() { CHECKS.iter().collect() } else { args.checks })
}

fn check() -> impl TypedValueParser<Value = &'static Check> {
    let find = |name: String| CHECKS.iter().find(|check| check.name == name);
    PossibleValuesParser::new(CHECKS.iter().map(|check| check.name))
        .map(move |name| find(name).expect("it is one of them"))
}

/// The checks, a line each.
fn names() -> String {
    let line = |check: &Check| format!("\n  {:<10}  {}", check.name, check.about);
    format!("Checks:{}", CHECKS.iter().map(line).collect::<String>())
}

/// Runs all, so that everything that is wrong is told at once.
fn verdict(checks: &[&Check]) -> Result<()> {
    let mut failed = Vec::new();
    for check in checks {
        let started = Instant::now();
        let result = (check.run)();
        let (name, seconds) = (check.name, started.elapsed().as_secs_f32());
        match result {
            Ok(()) => eprintln!("ok     {name:<10} {seconds:>6.1} s"),
            Err(error) => {
                eprintln!("FAILED {name:<10} {seconds:>6.1} s");
                format!("{error:#}").lines().for_each(|line| eprintln!("  {line}"));
                eprintln!("  repair: {}", check.repair);
                failed.push(name);
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!("{} of {} checks failed: {}", failed.len(), checks.len(), failed.join(", "))
}

fn fix() -> Result<()> {
    written::fix(&features::files()?)?;
    readme::fix()?;
    written::fix(&dockerfiles::files()?)?;
    Ok(cargo::cargo("fmt").arg("--all").run()?)
}

fn format() -> Result<()> {
    cargo::cargo("fmt").args(["--all", "--check"]).read()?;
    Ok(())
}

/// As docs.rs builds: types are checked, llama.cpp is not built. Clippy's units are its own, so a
/// build of llama.cpp for them would serve nobody else.
fn lints() -> Result<()> {
    let words = ["--quiet", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"];
    Screen::new().build(&cargo::cargo("clippy").args(words).env("DOCS_RS", "1"))
}

fn tree() -> Result<()> {
    Ok(tools::cmd("vendor").arg("--check").run()?)
}

fn declarations() -> Result<()> {
    Ok(tools::cmd("bindings").arg("--check").run()?)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::Cli;

    #[test]
    fn every_failure_is_told_not_only_the_first() {
        let check = |name, run| Check { name, about: "", repair: "", run };
        let bad = || bail!("wrong");
        let (a, b, c) = (check("a", bad), check("b", || Ok(())), check("c", bad));
        let checks = [&a, &b, &c];
        assert_eq!(verdict(&checks).unwrap_err().to_string(), "2 of 3 checks failed: a, c");
        assert!(verdict(&checks[1..2]).is_ok());
    }

    #[test]
    fn a_check_is_one_of_the_table() {
        let parsed = |name: &str| Cli::try_parse_from(["cargo xtask", "check", name]);
        let error = parsed("stlye").unwrap_err().to_string();
        assert!(error.contains("[possible values: format, style, advisories,"), "{error}");
        for check in CHECKS {
            let Ok(Cli::Check(args)) = parsed(check.name) else { panic!("{}", check.name) };
            assert_eq!(args.checks[0].name, check.name);
        }
    }
}
