//! What a person types after `cargo xtask image build`, `tags` and `manifest`: they speak of the same
//! images, so they share their words.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Result, bail};
use lexopt::prelude::*;
use llama_src::Error;

use super::plan::Output;
use super::semver::Semver;
use super::tags::Scheme;
use product::variant::Variant;
use workspace::install;

/// Words that only one of the commands knows.
const OWN: &[(&str, &[&str])] = &[
    (
        "build",
        &[
            "arch",
            "attest",
            "base-image",
            "build-arg",
            "ca",
            "cache",
            "dev",
            "from-dist",
            "no-cache",
            "output",
            "plan",
            "push",
            "rust-image",
            "tag",
        ],
    ),
    ("tags", &["dev", "json"]),
    ("manifest", &["plan", "release-json"]),
];

#[derive(Debug, Default)]
pub(super) struct Args {
    pub(super) variants: Vec<Variant>,
    pub(super) toolkit: Option<String>,
    pub(super) architectures: Option<String>,
    pub(super) platforms: Vec<String>,
    pub(super) minimal: bool,
    pub(super) registry: Option<String>,
    /// None: all of them.
    pub(super) scheme: Option<Scheme>,
    pub(super) semver: Option<Semver>,
    pub(super) dev: bool,
    pub(super) tags: Vec<String>,
    pub(super) from_dist: Option<PathBuf>,
    pub(super) base_image: Option<String>,
    pub(super) rust_image: Option<String>,
    /// Arguments of the Dockerfile that have no word of their own, as `NAME=VALUE`.
    pub(super) build_args: Vec<String>,
    pub(super) ca: Option<PathBuf>,
    pub(super) output: Option<Output>,
    pub(super) cache: Option<String>,
    pub(super) release_json: Option<PathBuf>,
    pub(super) attest: bool,
    pub(super) no_cache: bool,
    pub(super) push: bool,
    pub(super) plan: bool,
    pub(super) json: bool,
}

/// The words of a command line of `command`.
///
/// # Errors
/// Names a word that means nothing.
pub(super) fn parse(command: &str, words: Vec<OsString>) -> Result<Args> {
    let mut parser = lexopt::Parser::from_args(words);
    // To have them all is right for looking, seldom for pushing.
    let scheme = (command != "tags").then_some(Scheme::Repository);
    let mut args = Args { scheme, ..Args::default() };
    while let Some(arg) = parser.next()? {
        match arg {
            Value(name) => args.variants.extend(variants(&name.string()?)?),
            Long(name) => {
                let name = name.to_owned();
                known(command, &name)?;
                args.set(&name, &mut parser)?;
            }
            Short(_) => return Err(arg.unexpected().into()),
        }
    }
    if args.variants.is_empty() {
        bail!(
            Error::usage("no variant is named")
                .hint(format!("cargo xtask image {command} cpu|cuda|rocm|vulkan|all"))
        );
    }
    args.check()?;
    Ok(args)
}

fn variants(name: &str) -> Result<Vec<Variant>> {
    if name == "all" { Ok(Variant::ALL.to_vec()) } else { Ok(vec![Variant::parse(name)?]) }
}

/// Words that several of the commands know are left to [`Args::set`].
fn known(command: &str, name: &str) -> Result<()> {
    let owners: Vec<&str> =
        OWN.iter().filter(|(_, own)| own.contains(&name)).map(|(owner, _)| *owner).collect();
    if owners.is_empty() || owners.contains(&command) {
        return Ok(());
    }
    bail!(
        Error::usage(format!("--{name} means nothing to `image {command}`"))
            .hint(format!("it is of `image {}`", owners.join("` and `image ")))
    )
}

impl Args {
    fn set(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<()> {
        let mut text = || -> Result<String> { Ok(parser.value()?.string()?) };
        match name {
            "arch" => self.architectures = Some(text()?),
            "attest" => self.attest = true,
            "base-image" => self.base_image = Some(text()?),
            "build-arg" => self.build_args.push(text()?),
            "ca" => self.ca = Some(std::path::absolute(text()?)?),
            "cache" => self.cache = Some(text()?),
            "dev" => self.dev = true,
            "from-dist" => self.from_dist = Some(std::path::absolute(text()?)?),
            "json" => self.json = true,
            "minimal" => self.minimal = true,
            "no-cache" => self.no_cache = true,
            "output" => self.output = Some(output(&text()?)?),
            "plan" => self.plan = true,
            "platform" => self.platforms = install::split(&text()?),
            "push" => self.push = true,
            "registry" => self.registry = Some(registry(&text()?)?),
            "release-json" => self.release_json = Some(std::path::absolute(text()?)?),
            "rust-image" => self.rust_image = Some(text()?),
            "scheme" => self.scheme = Scheme::parse(&text()?)?,
            "semver" => self.semver = Some(Semver::parse(&text()?)?),
            "tag" => self.tags.push(text()?),
            "toolkit" => self.toolkit = Some(text()?),
            _ => bail!(
                Error::usage(format!("invalid option '--{name}'")).hint("cargo xtask image --help")
            ),
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        let mut wrong = Vec::new();
        if self.push && self.output.is_some() {
            wrong.push(Error::usage("--push and --output are two places").hint("leave one out"));
        }
        if self.push && self.registry.is_none() && self.tags.is_empty() {
            wrong.push(Error::usage("--push does not know where to").hint("--registry HOST/OWNER"));
        }
        if self.from_dist.is_some() && (self.architectures.is_some() || self.toolkit.is_some()) {
            wrong.push(
                Error::usage(
                    "--toolkit and --arch apply to a build, and --from-dist takes a finished one",
                )
                .hint("leave them out"),
            );
        }
        let several = self.variants.len() > 1 || self.toolkit.as_deref() == Some("all");
        for (given, word) in [
            (self.from_dist.is_some(), "--from-dist"),
            (!self.tags.is_empty(), "--tag"),
            (self.output.is_some(), "--output"),
        ] {
            if several && given {
                wrong.push(
                    Error::usage(format!("{word} needs a single image"))
                        .hint("name one in place of `all`"),
                );
            }
        }
        if wrong.is_empty() { Ok(()) } else { bail!(Error::all(wrong)) }
    }
}

/// Where an image goes that is neither loaded nor pushed: `oci:FILE`, or `dir:FOLDER` for its distribution alone.
pub(super) fn output(text: &str) -> Result<Output> {
    match text.split_once(':').filter(|(_, path)| !path.is_empty()) {
        Some(("oci", file)) => Ok(Output::Archive(std::path::absolute(file)?)),
        Some(("dir", dir)) => Ok(Output::Folder(std::path::absolute(dir)?)),
        _ => bail!(
            Error::usage(format!("--output is `{text}`"))
                .hint("--output oci:image.tar")
                .hint("--output dir:folder")
        ),
    }
}

/// `HOST/OWNER` as image names want it.
fn registry(name: &str) -> Result<String> {
    let plain = name.trim_end_matches('/');
    let plain = plain.split_once("://").map_or(plain, |(_, rest)| rest).to_lowercase();
    if plain == name && !plain.is_empty() {
        return Ok(plain);
    }
    bail!(
        Error::usage(format!("no image name begins with `{name}`"))
            .hint(format!("--registry {}", if plain.is_empty() { "HOST/OWNER" } else { &plain }))
    )
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
