//! `cargo xtask image`: container images made of distributions. One file per word.

#![expect(missing_docs, reason = "unpublished: names that speak need no line")]

mod args;
mod base;
mod budget;
mod build;
mod clean;
mod contract;
mod dist;
#[cfg(test)]
#[path = "doors_tests.rs"]
mod doors_tests;
mod engine;
mod images;
mod index;
mod labels;
mod layers;
mod layout;
pub mod line;
mod packer;
mod plan;
pub mod publish;
mod release;
pub mod semver;
mod size;
mod subject;
mod tags;
mod test;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use llama_src::sh::Cmd;

use product::identity::Identity;
use subject::{Platforms, Subject};
use workspace::cargo;
use workspace::screen;
use workspace::tools;

pub use release::IMAGES_TAG;

#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
pub enum Cli {
    #[command(subcommand, about = tools::about("image"))]
    Image(Command),
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build images
    Build(Box<args::Build>),
    /// Print every name of an image for this commit
    Tags(args::Tags),
    /// Join the pushed images of all platforms in one name
    Manifest(args::Manifest),
    /// Run an image and check its promises
    Test(test::Args),
    /// Print the base image that this machine has
    Base,
    /// Print the layers; fail if the image is over budget
    Size {
        /// The name of an image, or its archive
        #[arg(value_name = "IMAGE|ARCHIVE")]
        image: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the version of this commit
    Version,
    /// Print commit, branch, version, last and next release
    Info,
    /// Tag this commit, so that CI publishes its images
    Release {
        /// Do it; without it, only print the steps
        #[arg(short, long)]
        yes: bool,
        /// Also push the tag
        #[arg(long)]
        push: bool,
    },
    /// Remove the images that this clone built
    Clean {
        /// Print the command and run nothing
        #[arg(long)]
        plan: bool,
    },
}

impl Cli {
    pub fn run(self) -> Result<()> {
        let Self::Image(command) = self;
        match command {
            Command::Build(args) => build::run(&args),
            Command::Tags(args) => tags(&args),
            Command::Manifest(args) => index::run(&args),
            Command::Test(args) => test::run(args),
            Command::Base => base::run(),
            Command::Size { image, json } => size::run(&image, json),
            Command::Version => release::version(),
            Command::Info => release::info(),
            Command::Release { yes, push } => release::release(yes, push),
            Command::Clean { plan } => clean::run(plan),
        }
    }
}

/// Whether `image` takes these words, for the tests of those who type them.
pub fn takes(words: &[&str]) -> Result<()> {
    let Cli::Image(command) = Cli::try_parse_from(["cargo xtask", "image"].iter().chain(words))?;
    match command {
        Command::Build(args) if args.packer.is_none() => {
            args.check()?;
            Subject::all(&args.images, args.architectures.as_deref(), Platforms::Own).map(drop)
        }
        _ => Ok(()),
    }
}

fn tags(args: &args::Tags) -> Result<()> {
    let images = &args.images;
    let subjects = Subject::all(images, None, Platforms::All)?;
    let identity = Identity::find()?;
    let naming = tags::Naming::of(images, &identity);
    if args.dev {
        let tags: Vec<String> =
            subjects.iter().flat_map(|subject| naming.dev_tags(subject)).collect();
        let json = serde_json::to_string_pretty(&tags)?;
        screen::print(if args.json { json } else { tags.join("\n") } + "\n");
        return Ok(());
    }
    // To have them all is right for looking, seldom for pushing.
    let scheme = images.scheme(None);
    let tags: Vec<tags::Tag> =
        subjects.iter().flat_map(|subject| naming.tags(subject, scheme)).collect();
    if args.json {
        screen::print(serde_json::to_string_pretty(&tags)? + "\n");
    } else {
        tags.iter().for_each(|tag| screen::print(format!("{}\n", tag.reference)));
    }
    Ok(())
}

/// The page of this repository, where its remote has one.
pub fn source() -> Option<String> {
    let remote = Cmd::new("git").dir(cargo::root()).args(["remote", "get-url", "origin"]).read();
    labels::page(&remote.ok()?)
}

/// The newest image of the name that the Dockerfiles' base has, by digest.
///
/// # Errors
/// When the registry does not answer.
pub fn newest_base() -> Result<String> {
    let base = product::base::pinned()?;
    let name = base.split('@').next().unwrap_or(&base);
    let inspect = ["buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", name];
    let digest = Cmd::new("docker").args(inspect).read();
    let digest = digest.with_context(|| format!("cannot look up the latest {name}"))?;
    Ok(format!("{name}@{}", digest.trim()))
}
