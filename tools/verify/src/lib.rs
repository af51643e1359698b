//! `cargo xtask verify`: every promise about a distribution, checked on anybody's. It runs what is in
//! there. Everything that is wrong is told together.

#![expect(missing_docs, reason = "unpublished: names that speak need no line")]

mod archive;
mod args;
mod build_paths;
mod code;
mod facts;
mod guards;
mod instructions;
#[cfg(test)]
#[cfg(unix)]
mod made;
mod metadata;
mod open;
mod parallel;
mod program;
mod report;
mod rules;
mod runner;

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use facts::Entries;
use llama_src::Error;
use runner::Runner;

use product::kind::Kind;
use product::manifest::Manifest;
use product::variant::{PACKER, Variant};
use workspace::cargo;

pub use args::Cli;
pub use open::{WORD as OPEN_WORD, run as open};
pub use program::{devices, list_devices, registered_name};
pub use report::{NotRun, Report};

/// The program of a distribution.
const PROGRAM: &str = "llama-server";
/// The one that asks it how it is.
const HEALTHCHECK: &str = "llama-healthcheck";

fn run(dist: &Path) -> Result<()> {
    let forbidden = folders();
    let report = match (dist.is_dir(), dist.is_file()) {
        (true, _) => verify(dist, &forbidden)?,
        (_, true) => verify_archive(dist, &forbidden)?,
        _ => {
            bail!(
                Error::usage(format!("{} is neither a folder nor an archive", dist.display()))
                    .hint("cargo xtask dist")
            )
        }
    };
    workspace::screen::print(report);
    Ok(())
}

/// Folders of this machine that nothing which leaves it may name.
pub fn folders() -> Vec<String> {
    let folders = [cargo::root(), cargo::target_dir(), cargo::home(), cargo::toolkits()];
    folders.iter().map(|dir| dir.display().to_string()).filter(|dir| dir.len() > 1).collect()
}

/// Checks every promise about the distribution in `dir`, which must not name the `forbidden` paths. The
/// violations go to standard error; what this machine could not check is in the report.
///
/// # Errors
/// When there is a violation, or `dir` is no distribution.
pub fn verify(dir: &Path, forbidden: &[String]) -> Result<Report> {
    verify_as(dir, dir, forbidden)
}

/// The same for an archive, which is unpacked into a temporary folder, and the `.sha256` beside it.
///
/// # Errors
/// When there is a violation, or the archive is damaged, refused, or does not hold one distribution.
pub fn verify_archive(archive: &Path, forbidden: &[String]) -> Result<Report> {
    let has_checksum = archive::check_sum(archive)?;
    let temp = tempfile::tempdir()
        .with_context(|| format!("cannot create a folder in {}", std::env::temp_dir().display()))?;
    #[cfg(unix)]
    archive::check_runs(temp.path())?;
    let mut report = verify_as(archive, &archive::unpack(archive, temp.path())?, forbidden)?;
    let what = "SHA-256 of the archive".to_owned();
    if has_checksum {
        report.ran.push(what);
    } else {
        let why = "no .sha256 next to it".into();
        report.not_run.push(NotRun { what, why, hint: None });
    }
    Ok(report)
}

fn verify_as(shown: &Path, dir: &Path, forbidden: &[String]) -> Result<Report> {
    let (wrong, report) = inspect(&std::path::absolute(dir)?, forbidden)?;
    wrong.iter().for_each(|line| eprintln!("{line}"));
    let violations = if wrong.len() == 1 { "violation" } else { "violations" };
    ensure!(wrong.is_empty(), "{} {violations} in {}", wrong.len(), shown.display());
    Ok(report)
}

/// Violations, sorted, and what was looked at.
fn inspect(dir: &Path, forbidden: &[String]) -> Result<(Vec<String>, Report)> {
    let manifest = Manifest::read(dir)?;
    let entries = facts::gather(dir, forbidden)?;
    let mut report = Report::new(&manifest, &entries);
    let mut wrong = look(dir, &manifest, &entries);
    wrong.extend(instructions::missing_variants(dir, &manifest));
    match instructions::violations(dir, &entries, &manifest.target) {
        Ok((new, count)) => {
            wrong.extend(new);
            if count > 0 {
                report.ran.push(format!("{count} files disassembled"));
            }
        }
        Err(no_objdump) => report.not_run.push(no_objdump),
    }
    if let Ok(kind) = Kind::parse(&manifest.variant) {
        wrong.extend(start(dir, &manifest, &entries, kind, &mut report)?);
    }
    wrong.sort();
    Ok((wrong, report))
}

/// Violations that can be seen without running anything.
fn look(dir: &Path, manifest: &Manifest, entries: &Entries) -> Vec<String> {
    let sbom = std::fs::read_to_string(dir.join(metadata::SBOM)).ok();
    let mut wrong = rules::violations(manifest, entries);
    wrong.extend(code::violations(manifest, entries));
    wrong.extend(guards::violations(entries));
    wrong.extend(metadata::violations(manifest, entries, sbom.as_deref()));
    wrong
}

/// Whether a program belongs at `path`, whatever the distribution is of.
fn is_program(path: &str) -> bool {
    [PROGRAM, HEALTHCHECK, PACKER].contains(&path)
}

/// Opens the libraries and runs the program.
fn start(
    dir: &Path,
    manifest: &Manifest,
    entries: &Entries,
    kind: Kind,
    report: &mut Report,
) -> Result<Vec<String>> {
    let runner = match Runner::find(&manifest.target) {
        Ok(runner) => runner,
        Err(missing) => {
            report.not_run.push(missing);
            return Ok(Vec::new());
        }
    };
    match kind {
        Kind::Server(variant) => start_server(dir, manifest, entries, (variant, &runner), report),
        Kind::Packer => {
            report.ran.push(format!("{PACKER} --version{runner}"));
            Ok(program::says_its_name(PACKER, &runner.cmd(&dir.join(PACKER))).into_iter().collect())
        }
    }
}

fn start_server(
    dir: &Path,
    manifest: &Manifest,
    entries: &Entries,
    (variant, runner): (Variant, &Runner),
    report: &mut Report,
) -> Result<Vec<String>> {
    let opened = open::every(dir, entries, variant, runner)?;
    let shown = program::run(dir, manifest, variant, runner, &opened.libraries);
    report.ran.push(format!("{} libraries opened", opened.libraries.len()));
    let devices = if shown.devices.is_empty() { "none".into() } else { shown.devices.join(", ") };
    report.ran.push(format!("{PROGRAM} --version, --list-devices ({devices}){runner}"));
    report.not_run.extend(opened.not_run.into_iter().chain(shown.not_run));
    Ok(opened.violations.into_iter().chain(shown.violations).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn violations_are_counted_and_sorted() {
        let mut dist = made::Dist::new();
        dist.manifest.target = "pdp11-unknown-linux-gnu".into();
        dist.entries();
        let error = |dist: &made::Dist| verify(&dist.dir(), &[]).unwrap_err().to_string();
        assert_eq!(error(&dist), format!("1 violation in {}", dist.dir().display()));
        dist.mode("licenses", 0o700);
        assert_eq!(error(&dist), format!("2 violations in {}", dist.dir().display()));
        let (wrong, report) = inspect(&dist.dir(), &[]).unwrap();
        assert_eq!(
            wrong,
            [
                "licenses: has mode 0700, must be 0755",
                "version.json: no cuda distribution exists for target `pdp11-unknown-linux-gnu`",
            ]
        );
        assert_eq!(report.files, 10);
        let not_run: Vec<&str> = report.not_run.iter().map(|row| row.why.as_str()).collect();
        assert_eq!(not_run, ["no objdump for pdp11", "no qemu-pdp11"]);
    }

    /// A distribution of gguf-packer, whose program is for another machine, so that nothing runs.
    #[cfg(unix)]
    #[test]
    fn gguf_packer_is_a_distribution_too() {
        let mut dist = made::Dist::new();
        dist.manifest.variant = PACKER.into();
        let needed = vec!["libssl.so.3", "libstdc++.so.6"];
        dist.elf(PACKER, &elf::made::Made { needed, ..Default::default() });
        for path in ["libggml-cuda.so", "libcudart.so.13"] {
            std::fs::remove_file(dist.dir().join(path)).unwrap();
        }
        dist.list();
        let entries = dist.entries();
        assert_eq!(look(&dist.dir(), &dist.manifest, &entries), [""; 0]);
        let needed = vec!["libcuda.so.1"];
        dist.elf(PACKER, &elf::made::Made { needed, ..Default::default() });
        dist.list();
        assert_eq!(
            look(&dist.dir(), &dist.manifest, &dist.entries()),
            [
                "gguf-packer: needs `libcuda.so.1`, which is neither in the distribution nor allowed for gguf-packer"
            ]
        );
    }

    #[test]
    fn what_is_no_distribution_is_told() {
        assert_eq!(
            run(Path::new("no/such")).unwrap_err().to_string(),
            "no/such is neither a folder nor an archive\n  hint: cargo xtask dist"
        );
        let dir = tempfile::tempdir().unwrap();
        let error = verify(dir.path(), &[]).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("{} is not a distribution: version.json not found", dir.path().display())
        );
    }
}
