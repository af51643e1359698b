//! Images on their way to a registry: pushed by digest, so that no name means them before they are signed and
//! scanned; then named. Skopeo does it, which keeps every byte, and so every digest.

mod bundle;
mod kind;
mod names;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use llama_src::place;
use serde::{Deserialize, Serialize};

use super::tags::Naming;
use crate::line::Line;
use crate::semver::Semver;
use kind::Image;
use product::identity::Identity;

pub use bundle::{Descriptor, read_archive};
pub use kind::Of;
pub use names::{Current, current, nobody};

/// What all images of a release have in common.
#[derive(Debug, Clone)]
pub struct Release {
    /// `HOST/OWNER`.
    pub registry: String,
    pub identity: Identity,
    pub semver: Option<Semver>,
    /// Page of this repository.
    pub source: Option<String>,
}

/// An image that was built and tested: one platform.
#[derive(Debug, Clone)]
pub struct Built {
    pub of: Of,
    /// An OCI archive.
    pub archive: PathBuf,
    /// Bill of materials and VEX, with cosign's words for them.
    pub papers: [(&'static str, String); 2],
}

/// An index that gets names: all platforms of an image, or one of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushed {
    /// Or `gguf-packer`.
    pub variant: String,
    pub toolkit: Option<String>,
    pub minimal: bool,
    pub platforms: Vec<String>,
    /// Of the index.
    pub digest: String,
}

/// An image for the scanner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scanned {
    /// As in `cuda-12.8-amd64-minimal`.
    pub name: String,
    /// By digest.
    pub image: String,
}

/// What `push` does, and what it leaves to those after it.
#[derive(Debug)]
pub struct Push {
    /// Files to write before: path and text.
    pub files: Vec<(PathBuf, String)>,
    pub lines: Vec<Line>,
    pub pushed: Vec<Pushed>,
    pub scan: Vec<Scanned>,
    /// Lines of cosign's.
    pub sign: Vec<Line>,
}

/// Reads what is in an archive.
pub type Reader<'a> = &'a dyn Fn(&Path) -> Result<Descriptor>;

/// Plans to push all that is `built`, with indexes of their platforms below `dir`.
///
/// # Errors
/// When an archive cannot be read.
pub fn push(release: &Release, built: &[Built], dir: &Path, read: Reader<'_>) -> Result<Push> {
    let mut push = Push {
        files: Vec::new(),
        lines: Vec::new(),
        pushed: Vec::new(),
        scan: Vec::new(),
        sign: Vec::new(),
    };
    let mut read_once = Vec::new();
    for one in built {
        let descriptor = read(&one.archive)?;
        push.archive(release, one, &descriptor);
        read_once.push((one, descriptor));
    }
    let mut done: Vec<Image> = Vec::new();
    for (one, _) in &read_once {
        for image in [one.of.whole(), one.of.single()] {
            if done.contains(&image) {
                continue;
            }
            let parts = read_once.iter().filter(|(part, _)| {
                part.of.whole() == one.of.whole() && image.platforms().contains(&part.of.platform())
            });
            push.index(release, &image, &parts.collect::<Vec<_>>(), dir);
            done.push(image);
        }
    }
    Ok(push)
}

impl Release {
    fn naming(&self) -> Naming<'_> {
        Naming {
            identity: &self.identity,
            registry: Some(&self.registry),
            semver: self.semver.as_ref(),
        }
    }

    /// Programs speak plain HTTP with a registry of this machine alone.
    fn plain(&self) -> bool {
        let host = self.registry.split(['/', ':']).next().unwrap_or_default();
        matches!(host, "localhost" | "127.0.0.1")
    }

    /// `skopeo copy`, as it keeps digests.
    fn copy(&self, what: &[&str], from: String, to: String) -> Line {
        let words = ["skopeo", "copy", "--preserve-digests", "--retry-times", "3"];
        let mut line = Line(Vec::new()).and(words).and(what.iter().copied());
        if self.plain() {
            let from_registry = from.starts_with("docker://").then_some("--src-tls-verify=false");
            line = line.and(from_registry).and(["--dest-tls-verify=false"]);
        }
        line.and([from, to])
    }
}

impl Push {
    /// One platform, into each repository that will name it.
    fn archive(&mut self, release: &Release, built: &Built, descriptor: &Descriptor) {
        let from = format!("oci-archive:{}", built.archive.display());
        let repositories = built.of.whole().repositories(release);
        for repository in &repositories {
            let to = format!("docker://{repository}@{}", descriptor.digest);
            self.lines.push(release.copy(&["--all"], from.clone(), to));
            for (kind, file) in &built.papers {
                let attest = Line::of(&format!("attest --yes --type {kind} --predicate"));
                let image = format!("{repository}@{}", descriptor.image);
                self.sign.push(attest.and([file.clone(), image]));
            }
        }
        let image = format!("{}@{}", repositories[0], descriptor.image);
        self.scan.push(Scanned { name: built.of.id(), image });
    }

    /// The index of `parts`, likewise.
    fn index(
        &mut self,
        release: &Release,
        image: &Image,
        parts: &[&(&Built, Descriptor)],
        dir: &Path,
    ) {
        let entries = parts.iter().flat_map(|(_, descriptor)| descriptor.entries.clone());
        let annotations = bundle::annotations(release, image);
        let index = bundle::Index::new(entries.collect(), annotations);
        let layout = dir.join(self.pushed.len().to_string());
        self.files.extend(index.files(&layout));
        for repository in image.repositories(release) {
            let by_digest = format!("{repository}@{}", index.digest);
            let (from, to) = (format!("oci:{}", layout.display()), format!("docker://{by_digest}"));
            self.lines.push(release.copy(&["--multi-arch", "index-only"], from, to));
            // Its platforms are signed with the first index that has them, which is the one of all.
            let recursive = image.is_whole().then_some("--recursive");
            self.sign.push(Line::of("sign --yes").and(recursive).and([by_digest]));
        }
        self.pushed.push(image.pushed(index.digest));
    }

    /// Writes the indexes.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self) -> Result<()> {
        for (path, text) in &self.files {
            let folder = path.parent().context("a file is in a folder")?;
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
            place::write_whole(path, text)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

/// What gives every name, and `release.json`, which says which image has which.
#[derive(Debug)]
pub struct Named {
    pub lines: Vec<Line>,
    /// Why other names are left.
    pub kept: Vec<String>,
    pub document: String,
}

/// Names what is `pushed`; `look` says what has a name now.
///
/// # Errors
/// When `pushed` is not of this release, or the registry does not answer.
pub fn name(
    release: &Release,
    pushed: &[Pushed],
    look: &dyn Fn(&str) -> Result<Option<Current>>,
) -> Result<Named> {
    names::plan(release, pushed, look)
}

#[cfg(test)]
#[path = "publish_tests.rs"]
mod tests;
