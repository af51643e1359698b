//! The archives of a release: which there are, what lies beside each, and how they become a release on GitHub.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::event::Policy;
use super::jobs::{self, DIR, What};
use distribution::advisories;
use distribution::dist;
use distribution::sbom;
use image::line::Line;
use product::files;

/// Where archives are.
pub(super) fn dir() -> String {
    format!("{DIR}/archives")
}

/// `cargo xtask release pack`: the distribution `from` as an archive, and beside it its SHA-256, its bill of materials
/// and its VEX under names of their own.
///
/// # Errors
/// When it is no distribution, or something cannot be written.
pub(super) fn pack(from: &Path, version: &str) -> Result<()> {
    let archive = dist::pack(from, version, Path::new(&dir()))?;
    let stem = archive.to_string_lossy().trim_end_matches(ARCHIVE).to_owned();
    for (file, ending) in PAPERS {
        let to = PathBuf::from(format!("{stem}{ending}"));
        fs::copy(from.join(file), &to).with_context(|| format!("cannot write {}", to.display()))?;
    }
    eprintln!("==> {}", archive.display());
    Ok(())
}

const ARCHIVE: &str = ".tar.gz";
/// Files of a distribution that have names of their own beside its archive, with the ends of these.
const PAPERS: [(&str, &str); 2] =
    [(sbom::FILE, ".spdx.json"), (advisories::VEX_FILE, ".openvex.json")];

/// What the archive of a job is called, without its ending.
pub(super) fn stem(what: &What, version: &str) -> String {
    let folder = match what {
        What::Images(row) => dist::folder_of(row),
        What::OneFile(arch) => dist::one_file_folder(arch.target),
        What::Packer(arch) => dist::packer::folder(arch.target),
    };
    dist::stem(version, &folder)
}

/// Bill of materials and VEX of a job, with the words that cosign has for their kinds.
pub(super) fn papers(what: &What, version: &str) -> [(&'static str, String); 2] {
    let stem = format!("{}/{}", dir(), stem(what, version));
    ["spdxjson", "openvex"].map(|kind| {
        let ending = if kind == "openvex" { PAPERS[1].1 } else { PAPERS[0].1 };
        (kind, format!("{stem}{ending}"))
    })
}

/// Paths of the archives of a release `version`.
pub(super) fn archives(version: &str) -> Vec<String> {
    let jobs = jobs::all(&Policy { packs: true, ..Policy::default() });
    let path = |job: &jobs::Job| format!("{}/{}{ARCHIVE}", dir(), stem(&job.what, version));
    jobs.iter().map(path).collect()
}

/// Lines of cosign's that sign every archive.
pub(super) fn signs(version: &str) -> Vec<Line> {
    let sign = |path: &String| {
        Line::of("sign-blob --yes --bundle").and([format!("{path}.sigstore"), path.clone()])
    };
    archives(version).iter().map(sign).collect()
}

/// Every file of a release `version`.
fn assets(version: &str) -> Vec<String> {
    let all = archives(version).into_iter().flat_map(|archive| {
        let stem = archive.trim_end_matches(ARCHIVE).to_owned();
        let beside = [".sha256", ".sigstore"].map(|ending| format!("{archive}{ending}"));
        let papers = PAPERS.map(|(_, ending)| format!("{stem}{ending}"));
        [vec![archive], beside.to_vec(), papers.to_vec()].concat()
    });
    all.collect()
}

/// What makes the release: a draft until all of it is there.
pub(super) fn lines(version: &str) -> Vec<Line> {
    let tag = format!("v{version}");
    let words = ["--draft", "--verify-tag", "--generate-notes", "--title", &tag];
    let pre = version.contains('-').then_some("--prerelease");
    let create = Line::of("gh release create").and([&tag]).and(words).and(pre);
    vec![
        create.and(assets(version)),
        Line::of("gh release edit").and([&tag]).and(["--draft=false"]),
    ]
}

/// # Errors
/// Names every file that is missing, and every archive that is not what its sum says.
pub(super) fn check(version: &str) -> Result<()> {
    let mut wrong: Vec<String> = assets(version)
        .into_iter()
        .filter(|path| !Path::new(path).is_file())
        .map(|path| format!("no {path}"))
        .collect();
    for archive in archives(version) {
        let said = fs::read_to_string(format!("{archive}.sha256")).unwrap_or_default();
        let is = files::sha256(Path::new(&archive)).unwrap_or_default();
        if !is.is_empty() && said.split_whitespace().next() != Some(&is) {
            wrong.push(format!(
                "{archive} has the SHA-256 {is}, which differs from {archive}.sha256"
            ));
        }
    }
    if wrong.is_empty() { Ok(()) } else { bail!(wrong.join("\n")) }
}

#[cfg(test)]
#[path = "archives_tests.rs"]
mod tests;
