//! `cargo xtask image manifest`: joins the images of each platform, which were pushed one by one, under
//! the names that mean all of them, and writes `release.json`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use llama_build::Pin;
use llama_src::Error;
use llama_src::place;
use llama_src::sh::Cmd;
use serde::{Deserialize, Serialize};

use super::args;
use super::engine::{Engine, Wish, docker};
use super::images::Scheme;
use super::labels::{self, Facts};
use super::subject::{Platforms, Subject, platforms};
use super::tags::{Naming, Tag};
use product::identity::Identity;
use workspace::screen;

pub(super) fn run(args: &args::Manifest) -> Result<()> {
    let images = &args.images;
    let subjects = Subject::all(images, None, Platforms::All)?;
    let identity = Identity::find()?;
    if images.registry.is_none() {
        bail!(Error::usage("no registry given").hint("--registry HOST/OWNER"));
    }
    let naming = Naming::of(images, &identity);
    let scheme = images.scheme(Some(Scheme::Repository));
    let joins: Vec<Join> =
        subjects.iter().flat_map(|subject| joins(&naming, subject, scheme)).collect();
    if args.plan {
        joins.iter().for_each(|join| screen::print(format!("{}\n", join.cmd())));
        return Ok(());
    }
    Engine::find().builds(&Wish::default())?;
    // Half of a release is none: first look whether all is there.
    let sources = joins.iter().flat_map(|join| &join.sources);
    let is_missing =
        |name: &&String| docker(["buildx", "imagetools", "inspect"]).arg(name).read().is_err();
    let missing: Vec<&str> = sources.filter(is_missing).map(String::as_str).collect();
    if !missing.is_empty() {
        bail!(not_pushed(&missing));
    }
    joins.iter().try_for_each(|join| join.cmd().run())?;
    match &args.release_json {
        Some(file) => write(file, &naming, &subjects, scheme),
        None => Ok(()),
    }
}

/// The lines that make every name of `subject` an index; none where it has one platform and was pushed
/// under these names.
fn joins(naming: &Naming<'_>, subject: &Subject, scheme: Option<Scheme>) -> Vec<Join> {
    if subject.platforms.len() < 2 {
        return Vec::new();
    }
    let mut by_scheme: BTreeMap<Scheme, Vec<Tag>> = BTreeMap::new();
    for tag in naming.tags(subject, scheme) {
        by_scheme.entry(tag.scheme).or_default().push(tag);
    }
    by_scheme.into_iter().map(|(scheme, tags)| join(naming, subject, scheme, tags)).collect()
}

/// One index, under all the names of a scheme.
#[derive(Debug)]
struct Join {
    annotations: Vec<String>,
    names: Vec<String>,
    /// An image for each platform.
    sources: Vec<String>,
}

impl Join {
    fn cmd(&self) -> Cmd {
        let mut cmd = docker(["buildx", "imagetools", "create"]);
        for annotation in &self.annotations {
            cmd = cmd.arg("--annotation").arg(format!("index:{annotation}"));
        }
        for name in &self.names {
            cmd = cmd.arg("--tag").arg(name);
        }
        cmd.args(&self.sources)
    }
}

fn join(naming: &Naming<'_>, subject: &Subject, scheme: Scheme, tags: Vec<Tag>) -> Join {
    let source = super::source();
    let facts = Facts {
        identity: naming.identity,
        llama_cpp: &Pin::load().tag,
        source: source.as_deref(),
        base: "",
        cpu_variants: &[],
    };
    let of_platform = |platform: &&'static str| {
        let one = Subject { platforms: vec![*platform], ..subject.clone() };
        // The most definite name: it means this very build.
        Some(naming.tags(&one, Some(scheme)).into_iter().next()?.reference)
    };
    let labels = labels::labels(subject, &facts).into_iter();
    Join {
        annotations: labels.map(|(name, value)| format!("{name}={value}")).collect(),
        names: tags.into_iter().map(|tag| tag.reference).collect(),
        sources: subject.platforms.iter().filter_map(of_platform).collect(),
    }
}

fn not_pushed(missing: &[&str]) -> Error {
    Error::missing("not in the registry:").log(missing.iter().copied().map(str::to_owned)).hint(
        "first push each platform: cargo xtask image build all --push --registry HOST/OWNER \
         --platform linux/amd64",
    )
}

/// `release.json`.
#[derive(Debug, PartialEq, Serialize)]
struct Release<'a> {
    schema: u32,
    version: &'a str,
    commit: &'a str,
    branch: &'a str,
    /// RFC 3339, of the commit.
    created: String,
    llama_cpp: &'a str,
    images: Vec<Published>,
}

/// An image as the registry has it.
#[derive(Debug, PartialEq, Serialize)]
struct Published {
    variant: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    toolkit: Option<String>,
    target: &'static str,
    /// By digest: it will always be this one.
    image: String,
    digest: String,
    tags: Vec<String>,
    /// Digests by platform.
    platforms: BTreeMap<String, String>,
}

/// What `imagetools inspect` says: an index, or one image.
#[derive(Debug, Deserialize)]
struct Inspected {
    digest: String,
    #[serde(default)]
    manifests: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    digest: String,
    platform: Option<Platform>,
}

#[derive(Debug, Deserialize)]
struct Platform {
    os: String,
    architecture: String,
}

fn write(
    file: &Path,
    naming: &Naming<'_>,
    subjects: &[Subject],
    scheme: Option<Scheme>,
) -> Result<()> {
    let mut images = Vec::new();
    for subject in subjects {
        let tags = naming.tags(subject, scheme);
        let tags: Vec<String> = tags.into_iter().map(|tag| tag.reference).collect();
        let first = tags.first().context("every image has a name")?;
        let inspect = docker(["buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}"]);
        let answer = inspect.arg(first).read()?;
        images.push(published(subject, tags, &answer)?);
    }
    let text = serde_json::to_string_pretty(&Release {
        schema: 1,
        version: &naming.identity.version,
        commit: &naming.identity.commit,
        branch: &naming.identity.branch,
        created: product::time::rfc3339(naming.identity.epoch),
        llama_cpp: &Pin::load().tag,
        images,
    })?;
    place::write_whole(file, &(text + "\n"))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// # Errors
/// When the registry's answer is none, or misses a platform.
fn published(subject: &Subject, tags: Vec<String>, answer: &str) -> Result<Published> {
    let first = tags.first().cloned().unwrap_or_default();
    let inspected: Inspected = serde_json::from_str(answer).with_context(|| {
        format!("cannot parse docker's description of {first}: {}", answer.trim())
    })?;
    let named = |entry: &Entry| {
        let platform = entry.platform.as_ref()?;
        Some((format!("{}/{}", platform.os, platform.architecture), entry.digest.clone()))
    };
    let mut found: BTreeMap<String, String> =
        inspected.manifests.iter().filter_map(named).collect();
    if let ([only], true) = (&platforms(subject.variant)[..], inspected.manifests.is_empty()) {
        found.insert((*only).to_owned(), inspected.digest.clone());
    }
    // Attestations have the platform `unknown/unknown`.
    found.retain(|name, _| subject.platforms.contains(&name.as_str()));
    let missing: Vec<&str> =
        subject.platforms.iter().copied().filter(|name| !found.contains_key(*name)).collect();
    if !missing.is_empty() {
        let (missing, variant) = (missing.join(","), subject.variant);
        bail!(Error::missing(format!("{first} has no image for {missing}")).hint(format!(
            "push it: cargo xtask image build {variant} --push --registry HOST/OWNER --platform \
             {missing}"
        )));
    }
    let repository = first.rsplit_once(':').map_or(first.as_str(), |(name, _)| name);
    Ok(Published {
        variant: subject.variant.to_string(),
        toolkit: subject.toolkit.clone(),
        target: subject.stage(),
        image: format!("{repository}@{}", inspected.digest),
        digest: inspected.digest,
        tags,
        platforms: found,
    })
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
