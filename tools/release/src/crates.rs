//! The crates of this workspace on their way to crates.io: in order, with the address of the repository in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use llama_src::Error;
use llama_src::place;
use serde::Deserialize;

use image::line::Line;
use workspace::cargo;

/// Below which line of a manifest the address is written.
const BELOW: &str = "license.workspace = true\n";

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// A crate as `cargo metadata` knows it.
#[derive(Debug, Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    manifest_path: PathBuf,
    /// Empty: never.
    publish: Option<Vec<String>>,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    path: Option<PathBuf>,
}

/// The crates that are published, each after those that it needs.
///
/// # Errors
/// When Cargo does not know them.
pub(super) fn published() -> Result<Vec<Package>> {
    order(workspace()?)
}

fn workspace() -> Result<Vec<Package>> {
    let words = ["--no-deps", "--format-version", "1"];
    let metadata = cargo::cargo("metadata").args(words).read()?;
    let metadata: Metadata =
        serde_json::from_str(&metadata).context("cannot parse the output of `cargo metadata`")?;
    Ok(metadata.packages)
}

/// The folders of the crates called `names` and of all that they need, relative to the workspace.
#[cfg(test)]
pub(super) fn folders_of(names: &[&str]) -> Result<std::collections::BTreeSet<String>> {
    let packages = workspace()?;
    let mut left: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut folders = std::collections::BTreeSet::new();
    while let Some(name) = left.pop() {
        let package = packages.iter().find(|package| package.name == name);
        let package = package.with_context(|| format!("crate {name} not found"))?;
        let folder =
            package.manifest_path.parent().and_then(|dir| dir.strip_prefix(cargo::root()).ok());
        let folder = folder.context("a crate is in the workspace")?.to_string_lossy();
        // On Windows too.
        if folders.insert(folder.replace('\\', "/")) {
            let own = package.dependencies.iter().filter(|other| other.path.is_some());
            left.extend(own.map(|other| other.name.clone()));
        }
    }
    Ok(folders)
}

fn order(packages: Vec<Package>) -> Result<Vec<Package>> {
    let mut left: BTreeMap<String, Package> = packages
        .into_iter()
        .filter(|package| package.publish.as_ref().is_none_or(|places| !places.is_empty()))
        .map(|package| (package.name.clone(), package))
        .collect();
    let mut sorted = Vec::new();
    while !left.is_empty() {
        let waits = |package: &Package| {
            let mut own = package.dependencies.iter().filter(|other| other.path.is_some());
            own.any(|other| left.contains_key(&other.name))
        };
        let next =
            left.values().find(|package| !waits(package)).map(|package| package.name.clone());
        let next = next.context("crates of this workspace depend on each other in a cycle")?;
        sorted.extend(left.remove(&next));
    }
    Ok(sorted)
}

/// What publishes them. A crate contains llama.cpp and its page, which are no files of git's: they must be there, and be
/// the pinned ones. Cargo builds each crate from its package before it is uploaded.
pub(super) fn lines(crates: &[Package], dry_run: bool) -> Vec<Line> {
    let line = Line::of("cargo publish --locked --allow-dirty");
    let line = line.and(dry_run.then_some("--dry-run"));
    let publish = line.and(crates.iter().flat_map(|package| ["--package", package.name.as_str()]));
    vec![Line::of("cargo xtask vendor"), Line::of("cargo xtask vendor --check"), publish]
}

/// Whether the tag `version` is of these crates. `llama-sys` has build metadata behind its version.
///
/// # Errors
/// Names each crate with another version.
pub(super) fn check_version(crates: &[Package], version: &str) -> Result<()> {
    let plain = |package: &Package| package.version.split('+').next() == Some(version);
    let wrong: Vec<String> = crates
        .iter()
        .filter(|package| !plain(package))
        .map(|package| format!("{} {}", package.name, package.version))
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    bail!(
        Error::new(format!(
            "the tag is v{version}, but these crates have another version: {}",
            wrong.join(", ")
        ))
        .hint(format!("cargo xtask release version {version}"))
        .hint("or use another tag")
    )
}

/// Publishes them, or tries to. Until a crate says where its repository is, nobody finds its archives: `repository`
/// is written into the manifests while they are packed.
///
/// # Errors
/// Without an address to write, or with one that is none; when Cargo refuses a crate.
pub(super) fn run(crates: &[Package], dry_run: bool, repository: Option<&str>) -> Result<()> {
    let Some(repository) = repository else {
        ensure!(
            dry_run,
            Error::usage("no repository given, where `cargo binstall` finds the archives")
                .hint("cargo xtask release crates --repository https://github.com/OWNER/NAME")
        );
        return lines(crates, dry_run).iter().try_for_each(Line::run);
    };
    check_address(repository)?;
    // A signal ends Cargo, and this program when the manifests are as before.
    ctrlc::set_handler(|| ()).context("cannot wait for signals")?;
    let mut changed = Vec::new();
    for package in crates {
        changed.push(Manifest::with(&package.manifest_path, repository)?);
    }
    lines(crates, dry_run).iter().try_for_each(Line::run)
}

/// # Errors
/// When a page of a release can have no address below `repository`.
fn check_address(repository: &str) -> Result<()> {
    let path = repository.strip_prefix("https://").unwrap_or_default();
    let is_part = |part: &str| {
        let is_fine = |c: char| c.is_ascii_alphanumeric() || "-._:~".contains(c);
        !part.is_empty() && part.chars().all(is_fine)
    };
    ensure!(
        path.split('/').count() == 3 && path.split('/').all(is_part),
        Error::usage(format!("`{repository}` is not the address of a repository"))
            .hint("--repository https://github.com/OWNER/NAME")
    );
    Ok(())
}

/// A manifest that gets its old text back when it is no longer looked at.
struct Manifest {
    path: PathBuf,
    text: String,
}

impl Manifest {
    fn with(path: &Path, repository: &str) -> Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let text = without_repository(&text);
        let new = with_repository(&text, repository).with_context(|| {
            format!("line `{1}` not found in {0}", path.display(), BELOW.trim())
        })?;
        let manifest = Self { path: path.to_owned(), text };
        place::write_whole(path, &new)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(manifest)
    }
}

impl Drop for Manifest {
    fn drop(&mut self) {
        if place::write_whole(&self.path, &self.text).is_err() {
            let path = self.path.display();
            let error = Error::new(format!("{path} is changed"));
            eprintln!("{}", error.hint(format!("git checkout {path}")));
        }
    }
}

/// A manifest as it was before a run that was killed.
fn without_repository(manifest: &str) -> String {
    let (before, after) = manifest.split_once(BELOW).unwrap_or((manifest, ""));
    match after.split_once('\n') {
        Some((left, rest)) if left.starts_with("repository = ") => format!("{before}{BELOW}{rest}"),
        _ => manifest.to_owned(),
    }
}

/// A crate's manifest with the address in it.
pub(super) fn with_repository(manifest: &str, repository: &str) -> Option<String> {
    let at = manifest.find(BELOW)? + BELOW.len();
    Some(format!("{}repository = \"{repository}\"\n{}", &manifest[..at], &manifest[at..]))
}

#[cfg(test)]
#[path = "crates_tests.rs"]
mod tests;
