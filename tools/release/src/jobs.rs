//! The jobs that build a release: one for each row of the release matrix, each one-file server and each gguf-packer;
//! and the commands of each. Pure.

use anyhow::{Result, bail};
use llama_src::Error;
use serde::Serialize;

use super::event::Policy;
use distribution::dist::{self, packer};
use image::line::Line;
use product::arch::Arch;
use product::variant::{self, Row};

/// Where everything of a release is put, and looked for.
pub(super) const DIR: &str = "dist/release";

/// What a job builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// A distribution and its images.
    Images(Row),
    /// The server of one file.
    OneFile(Arch),
    /// gguf-packer and its image.
    Packer(Arch),
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub(super) id: String,
    pub(super) what: What,
}

/// As a workflow's matrix has it.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    id: String,
    runner: &'static str,
}

/// All jobs that `policy` wants.
pub(super) fn all(policy: &Policy) -> Vec<Job> {
    let images =
        variant::matrix().into_iter().map(|row| Job { id: row.id(), what: What::Images(row) });
    let job = |name: &str, what: fn(Arch) -> What, arch: Arch| Job {
        id: format!("{name}-{}", arch.docker),
        what: what(arch),
    };
    let one_file =
        Arch::ALL.into_iter().filter(|arch| policy.packs && dist::has_one_file(arch.target));
    let one_file = one_file.map(|arch| job("one-file", What::OneFile, arch));
    let packers = Arch::ALL.map(|arch| job(packer::NAME, What::Packer, arch));
    images.chain(one_file).chain(packers).collect()
}

/// The job called `id`, whatever the event.
///
/// # Errors
/// When there is none; names them all.
pub(super) fn find(id: &str) -> Result<Job> {
    let jobs = all(&Policy { packs: true, ..Policy::default() });
    let ids: Vec<&str> = jobs.iter().map(|job| job.id.as_str()).collect();
    match jobs.iter().find(|job| job.id == id) {
        Some(job) => Ok(job.clone()),
        None => {
            bail!(
                Error::usage(format!("unknown job `{id}`"))
                    .hint(format!("use one of: {}", ids.join(" ")))
            )
        }
    }
}

/// The image archive of a job.
pub(super) fn image(id: &str, minimal: bool) -> String {
    format!("{DIR}/images/{id}{}.tar", if minimal { "-minimal" } else { "" })
}

impl Job {
    pub(super) fn entry(&self) -> Entry {
        Entry { id: self.id.clone(), runner: self.runner() }
    }

    /// The machine of GitHub's whose processor it is for.
    fn runner(&self) -> &'static str {
        match &self.what {
            What::Images(row) => row.arch.runner,
            What::OneFile(arch) | What::Packer(arch) => arch.runner,
        }
    }

    /// What it runs. `version` is that of the archives; `base` stands in for the Dockerfile's.
    pub(super) fn lines(&self, policy: &Policy, version: &str, base: Option<&str>) -> Vec<Line> {
        match &self.what {
            What::Images(row) => self.images(row, policy, version, base),
            What::OneFile(arch) => {
                let out = format!("{DIR}/dists");
                let name = dist::one_file_folder(arch.target);
                vec![
                    Line::of(&format!("cargo xtask dist --one-file --setup --out {out}")),
                    pack(&format!("{out}/{name}"), version),
                ]
            }
            What::Packer(arch) => self.packer(arch.target, policy, version, base),
        }
    }

    /// Built on the machine itself, as the server of one file is; the image holds the archive's program.
    fn packer(
        &self,
        target: &str,
        policy: &Policy,
        version: &str,
        base: Option<&str>,
    ) -> Vec<Line> {
        let (out, file) = (format!("{DIR}/dists"), image(&self.id, false));
        let folder = format!("{out}/{}", packer::folder(target));
        let name = packer::NAME;
        let build = Line::of(&format!(
            "cargo xtask image build {name} --from-dist {folder} --output oci:{file} --attest"
        ));
        let base = base.into_iter().flat_map(|base| ["--base-image", base]);
        let mut lines = vec![
            Line::of("cargo xtask setup docker --yes"),
            Line::of(&format!("cargo xtask dist --packer --setup --out {out}")),
            build.and(base).and(policy.new_base.then_some("--no-cache")),
            Line::of(&format!("docker load --input {file}")),
            Line::of(&format!("cargo xtask image test {name}")),
        ];
        lines.extend(policy.packs.then(|| pack(&folder, version)));
        lines
    }

    /// The distribution is built once, in the Dockerfile's own stages, and is what both images and the archive hold.
    fn images(&self, row: &Row, policy: &Policy, version: &str, base: Option<&str>) -> Vec<Line> {
        let (id, variant) = (&self.id, row.variant);
        let folder = format!("{DIR}/dists/{}", dist::folder_of(row));
        let base = base.into_iter().flat_map(|base| ["--base-image", base]);
        let build = Line::of(&format!("cargo xtask image build {variant}"));
        let mut first =
            build.clone().and(["--platform", row.platform, "--output", &format!("dir:{folder}")]);
        first = first.and(row.toolkit.into_iter().flat_map(|toolkit| ["--toolkit", toolkit]));
        first = first.and(base.clone()).and(policy.new_base.then_some("--no-cache"));
        if policy.one_architecture {
            let code = variant.row().gpu_code;
            first = first.and(code.into_iter().flat_map(|code| ["--arch", code.tried]));
        }
        // GitHub lends too little for those of CUDA and ROCm.
        let cache = policy.cache && row.toolkit.is_none();
        first = first.and(cache.then_some(["--cache", "gha"]).into_iter().flatten());
        let mut lines = vec![Line::of("cargo xtask setup docker --yes"), first];
        for minimal in [false, true] {
            let (file, flag) = (image(id, minimal), minimal.then_some("--minimal"));
            let of_dist = ["--from-dist", &folder, "--output", &format!("oci:{file}"), "--attest"];
            let from_dist = build.clone().and(of_dist).and(base.clone()).and(flag);
            lines.push(from_dist.and(policy.new_base.then_some("--no-cache")));
            lines.push(Line::of(&format!("docker load --input {file}")));
            let toolkit = row.toolkit.into_iter().flat_map(|toolkit| ["--toolkit", toolkit]);
            lines.push(
                Line::of(&format!("cargo xtask image test {variant}")).and(toolkit).and(flag),
            );
        }
        lines.extend(policy.packs.then(|| pack(&folder, version)));
        lines
    }
}

fn pack(dist: &str, version: &str) -> Line {
    Line::of(&format!("cargo xtask release pack {dist} --version {version}"))
}

#[cfg(test)]
#[path = "jobs_tests.rs"]
mod tests;
