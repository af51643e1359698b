//! The line of `docker buildx build` for one image: a pure value, which `--plan` shows and golden tests
//! hold for every row of the release matrix.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Result, bail};
use llama_src::Error;
use llama_src::sh::Cmd;

use super::labels::{self, Facts};
use super::subject::{Subject, architecture};
use super::tags::REPOSITORY;

/// The stage that has the distribution and nothing else.
const DIST: &str = "dist";

/// Where an image goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Output {
    /// Into the engine.
    Load,
    /// To the registry that its names begin with.
    Push,
    /// Into an OCI archive.
    Archive(PathBuf),
    /// Only the distribution in it, as files in a folder.
    Folder(PathBuf),
}

impl FromStr for Output {
    type Err = anyhow::Error;

    /// One that is neither loaded nor pushed: `oci:FILE`, or `dir:FOLDER` for its distribution alone.
    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':').filter(|(_, path)| !path.is_empty()) {
            Some(("oci", file)) => Ok(Self::Archive(std::path::absolute(file)?)),
            Some(("dir", dir)) => Ok(Self::Folder(std::path::absolute(dir)?)),
            _ => bail!(
                Error::usage("no place").hint("--output oci:image.tar").hint("--output dir:folder")
            ),
        }
    }
}

/// Where layers are kept from one build to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cache {
    /// In the cache of GitHub's runners.
    Gha,
    /// Beside the images, under a tag of its own; the registry.
    Registry(String),
}

/// How an image is built, besides what it is.
#[derive(Debug, Clone)]
pub(super) struct Manner<'a> {
    /// In place of the Dockerfile's own.
    pub(super) base_image: Option<&'a str>,
    /// In place of the Dockerfile's own.
    pub(super) rust_image: Option<&'a str>,
    /// `SOURCE_DATE_EPOCH`: times in the image that are later become this one.
    pub(super) epoch: u64,
    /// Other arguments of the Dockerfile, as `NAME=VALUE`.
    pub(super) build_args: &'a [String],
    /// Certificates to trust while Cargo builds.
    pub(super) ca: Option<&'a Path>,
    /// A distribution in place of the stage that builds one.
    pub(super) from_dist: Option<&'a Path>,
    pub(super) tags: Vec<String>,
    pub(super) output: Output,
    pub(super) cache: Option<Cache>,
    /// Whether the builder can set the times of files on the way to a registry.
    pub(super) rewrites: bool,
    /// Provenance, attached. The bill of materials is in the image, and whoever signs attaches it.
    pub(super) attest: bool,
    pub(super) no_cache: bool,
}

/// The options of `docker buildx build`, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan(Vec<[String; 2]>);

impl Plan {
    pub(super) fn new(subject: &Subject, facts: &Facts<'_>, manner: &Manner<'_>) -> Self {
        let mut plan = Self(Vec::new());
        plan.add("--file", dockerfile(subject));
        let is_folder = matches!(manner.output, Output::Folder(_));
        plan.add("--target", if is_folder { DIST } else { subject.stage() });
        plan.add("--platform", subject.platforms.join(","));
        let named = |(name, value): (&str, &str)| format!("{name}={value}");
        plan.add_all("--build-arg", facts.identity.variables().map(named));
        plan.add("--build-arg", format!("SOURCE_DATE_EPOCH={}", manner.epoch));
        let arguments = [
            ("TOOLKIT", subject.toolkit.as_deref()),
            // BuildKit asks for the base of a stage that a finished distribution replaces, too.
            ("TOOLKIT_IMAGE", subject.toolkit.as_ref().and(manner.from_dist).map(|_| "scratch")),
            ("MINIMUM_CUDA", minimum_cuda(subject)),
            ("ARCHITECTURES", subject.architectures.as_deref()),
            ("BASE_IMAGE", manner.base_image),
            ("RUST_IMAGE", manner.rust_image),
        ];
        let given = arguments.into_iter().filter_map(|(name, value)| Some((name, value?)));
        plan.add_all("--build-arg", given.map(named));
        plan.add_all("--build-arg", manner.build_args.iter().cloned());
        let dist = manner.from_dist.map(|dir| format!("dist={}", dir.display()));
        plan.add_all("--build-context", dist);
        plan.add_all("--secret", manner.ca.map(|file| format!("id=ca,src={}", file.display())));
        let labels = labels::labels(subject, facts);
        let label = |(name, value): &(String, String)| named((name, value));
        if !is_folder {
            plan.add_all("--label", labels.iter().map(label));
        }
        if matches!(manner.output, Output::Push | Output::Archive(_)) {
            plan.add_all("--annotation", labels.iter().map(label));
        }
        if !is_folder {
            plan.add_all("--tag", manner.tags.iter().cloned());
        }
        plan.cache(subject, manner);
        // Provenance has the time of the build in it, and with it no two images are the same.
        plan.add("--provenance", if manner.attest { "mode=max" } else { "false" });
        plan.add("--output", output(&manner.output, manner.rewrites));
        plan
    }

    /// To be run in the workspace.
    pub(super) fn cmd(&self) -> Cmd {
        let words = self.0.iter().flatten().filter(|word| !word.is_empty());
        Cmd::new("docker").args(["buildx", "build"]).args(words).arg(".")
    }

    fn add(&mut self, option: &str, value: impl Into<String>) {
        self.0.push([option.to_owned(), value.into()]);
    }

    fn add_all(&mut self, option: &str, values: impl IntoIterator<Item = String>) {
        values.into_iter().for_each(|value| self.add(option, value));
    }

    fn cache(&mut self, subject: &Subject, manner: &Manner<'_>) {
        if manner.no_cache {
            self.add("--no-cache", "");
        }
        let toolkit = subject.toolkit.as_ref().map(|version| format!("{version}-"));
        let platforms: Vec<&str> =
            subject.platforms.iter().map(|name| architecture(name)).collect();
        let scope = format!("{}{}", toolkit.unwrap_or_default(), platforms.join("-"));
        let place = match &manner.cache {
            None => return,
            Some(Cache::Gha) => format!("type=gha,scope={}-{scope}", subject.variant),
            Some(Cache::Registry(registry)) => {
                let repository = format!("{registry}/{REPOSITORY}-{}", subject.variant);
                format!("type=registry,ref={repository}:buildcache-{scope}")
            }
        };
        self.add("--cache-to", format!("{place},mode=max"));
        self.add("--cache-from", place);
    }
}

/// A line to paste.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("docker buildx build \\\n")?;
        for [option, value] in &self.0 {
            let value = Some(value).filter(|value| !value.is_empty());
            writeln!(f, "  {} \\", Cmd::new(option).args(value))?;
        }
        f.write_str("  .\n")
    }
}

/// The CUDA that a driver must know, if the Dockerfile names another: that of the default toolkit.
fn minimum_cuda(subject: &Subject) -> Option<&'static str> {
    let default = Subject::new(subject.variant).minimum_cuda();
    subject.minimum_cuda().filter(|own| Some(*own) != default)
}

/// The file that says how a variant's image is made.
pub(super) fn dockerfile(subject: &Subject) -> String {
    format!("docker/{}.Dockerfile", subject.variant)
}

/// Packed as small as gzip can, with the times of files set where that can be: then the same content gives
/// the same digest.
pub(super) fn output(output: &Output, rewrites: bool) -> String {
    let small = "compression=gzip,compression-level=9";
    match output {
        Output::Load => "type=docker".to_owned(),
        // Docker's own types have no annotations.
        Output::Push if rewrites => {
            format!("type=registry,oci-mediatypes=true,{small},rewrite-timestamp=true")
        }
        Output::Push => format!("type=registry,oci-mediatypes=true,{small}"),
        Output::Archive(file) => {
            format!("type=oci,dest={},{small},rewrite-timestamp=true", file.display())
        }
        Output::Folder(dir) => format!("type=local,dest={}", dir.display()),
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
