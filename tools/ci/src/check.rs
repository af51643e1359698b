//! `cargo xtask check`: everything that a machine can hold us to, in seconds once built.

mod advisories;
mod dockerfiles;
mod features;
mod links;
mod parity;
mod pin;
mod readme;
mod style;

use std::ffi::OsString;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use llama_src::Error;

use workspace::cargo;
use workspace::screen::Screen;
use workspace::tools;

const HELP: &str = "\
cargo xtask check [NAME...]: run all automatic checks, or only those named

  format     rustfmt changes nothing
  style      files and functions follow the rules of CONTRIBUTING.md
  pin        the version of llama-sys names the pinned release
  advisories vendor/advisories.toml was reviewed for the pinned release and matches the patches
  readme     tables of README.md, SECURITY.md and docs/ match the code, and every relative link resolves
  files      docker/{cpu,cuda,rocm,vulkan}.Dockerfile match docker/Dockerfile.in
  features   both Cargo.toml have the features of llama-build/src/feature.rs
  vendor     tree, pin, patches and the crate's list of files agree
  flags      our flag sets contain all of upstream's official ones
  bindings   the declarations match the pinned headers
  lints      clippy gives no warning

  --fix      write the features, tables, Dockerfiles and format; check nothing
";

/// One thing that is held: its name, the command that repairs it, and how to find out.
struct Check {
    name: &'static str,
    repair: &'static str,
    run: fn() -> Result<()>,
}

/// Quick ones first.
const CHECKS: &[Check] = &[
    Check { name: "format", repair: "cargo xtask check --fix", run: format },
    Check { name: "style", repair: "change the lines above: see CONTRIBUTING.md", run: style::run },
    Check { name: "pin", repair: "cargo xtask vendor --update <tag>", run: pin::run },
    Check {
        name: "advisories",
        repair: "change vendor/advisories.toml: its head says how",
        run: advisories::run,
    },
    Check {
        name: "readme",
        repair: "mend the links above; cargo xtask check --fix writes the tables",
        run: readme::check,
    },
    Check { name: "files", repair: "cargo xtask check --fix", run: dockerfiles::check },
    Check { name: "features", repair: "cargo xtask check --fix", run: features::check },
    Check { name: "vendor", repair: "cargo xtask vendor --force", run: tree },
    Check {
        name: "flags",
        repair: "change llama-build/src/flags.rs or tools/product/src/variant.rs, or name the exception in tools/ci/src/check/parity.rs",
        run: parity::run,
    },
    Check { name: "bindings", repair: "cargo xtask bindings", run: declarations },
    Check {
        name: "lints",
        repair: "DOCS_RS=1 cargo clippy --fix --workspace --all-targets",
        run: lints,
    },
];

pub(crate) fn run(args: Vec<OsString>) -> Result<()> {
    use lexopt::prelude::*;
    let mut args = lexopt::Parser::from_args(args);
    let mut named = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Value(name) => named.push(find(&name.string()?)?),
            Long("fix") => return fix(),
            Long("help") | Short('h') => {
                workspace::screen::print(HELP);
                return Ok(());
            }
            _ => return Err(arg.unexpected().into()),
        }
    }
    verdict(&if named.is_empty() { CHECKS.iter().collect() } else { named })
}

fn find(name: &str) -> Result<&'static Check> {
    let check = CHECKS.iter().find(|check| check.name == name);
    check.with_context(|| {
        Error::usage(format!("no check `{name}`")).hint("cargo xtask check --help")
    })
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
    features::fix()?;
    readme::fix()?;
    dockerfiles::fix()?;
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
    use super::*;

    #[test]
    fn every_failure_is_told_not_only_the_first() {
        let check = |name, run| Check { name, repair: "", run };
        let bad = || bail!("wrong");
        let (a, b, c) = (check("a", bad), check("b", || Ok(())), check("c", bad));
        let checks = [&a, &b, &c];
        assert_eq!(verdict(&checks).unwrap_err().to_string(), "2 of 3 checks failed: a, c");
        assert!(verdict(&checks[1..2]).is_ok());
    }

    #[test]
    fn an_unknown_word_is_refused() {
        assert!(run(vec!["--fxi".into()]).is_err());
        let error = run(vec!["pin".into(), "pni".into()]).unwrap_err().to_string();
        assert_eq!(error, "no check `pni`\n  hint: cargo xtask check --help");
    }

    #[test]
    fn help_names_every_check() {
        for check in CHECKS {
            assert!(HELP.contains(&format!("\n  {:<10} ", check.name)), "{}", check.name);
        }
    }
}
