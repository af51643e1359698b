//! What a person types after `cargo xtask image build`, `tags` and `manifest`, besides the words that they share
//! (`images.rs`).

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::ValueEnum;
use llama_src::Error;
use product::args::path;

use super::images::Images;
use super::packer;
use super::plan::{Cache, Output};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(disable_help_subcommand = true, next_line_help = true)]
pub struct Build {
    #[command(flatten)]
    pub(super) images: Images,
    /// Use this finished distribution
    #[arg(long, value_name = "DIR", value_parser = path(),
          conflicts_with_all = ["architectures", "toolkit"])]
    pub(super) from_dist: Option<PathBuf>,
    /// GPU architectures as CMake takes them
    #[arg(long = "arch", value_name = "LIST")]
    pub(super) architectures: Option<String>,
    /// Replace the names of the scheme; may be repeated
    #[arg(long = "tag", value_name = "NAME")]
    pub(super) tags: Vec<String>,
    /// Use names for a trial, such as llama-cpp:cpu-dev
    #[arg(long)]
    pub(super) dev: bool,
    /// Write to the registry, not to the engine
    #[arg(long, conflicts_with = "output")]
    pub(super) push: bool,
    /// oci:FILE: write an archive, not to the engine
    /// dir:FOLDER: write only the distribution, into a folder
    #[arg(long, value_name = "oci:FILE|dir:FOLDER", verbatim_doc_comment)]
    pub(super) output: Option<Output>,
    /// Attach the provenance
    #[arg(long)]
    pub(super) attest: bool,
    /// Keep layers there between builds
    #[arg(long, value_name = "PLACE")]
    pub(super) cache: Option<Place>,
    /// Build every layer anew
    #[arg(long)]
    pub(super) no_cache: bool,
    /// Replace the base image
    #[arg(long, value_name = "NAME")]
    pub(super) base_image: Option<String>,
    /// Replace the image in which Cargo runs
    #[arg(long, value_name = "NAME")]
    pub(super) rust_image: Option<String>,
    /// Another argument of the Dockerfile; may be repeated
    #[arg(long = "build-arg", value_name = "NAME=VALUE")]
    pub(super) build_args: Vec<String>,
    /// Trust these certificates, such as a proxy's
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub(super) ca: Option<PathBuf>,
    /// Print the command and run nothing
    #[arg(long)]
    pub(super) plan: bool,
    #[command(subcommand)]
    pub(super) packer: Option<packer::Build>,
}

/// Where layers are kept.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Place {
    Gha,
    Registry,
}

#[derive(Debug, clap::Args)]
#[command(next_line_help = true)]
pub struct Tags {
    #[command(flatten)]
    pub(super) images: Images,
    /// Print the names for a trial
    #[arg(long)]
    pub(super) dev: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(next_line_help = true)]
pub struct Manifest {
    #[command(flatten)]
    pub(super) images: Images,
    /// Write every image's names and digests
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub(super) release_json: Option<PathBuf>,
    /// Print the commands and run nothing
    #[arg(long)]
    pub(super) plan: bool,
}

impl Build {
    /// What the parser cannot see.
    ///
    /// # Errors
    /// Names all of it.
    pub(super) fn check(&self) -> Result<()> {
        let (mut wrong, images) = (Vec::new(), &self.images);
        if self.push && images.registry.is_none() && self.tags.is_empty() {
            wrong.push(Error::usage("--push needs a registry").hint("--registry HOST/OWNER"));
        }
        let several = images.variants().len() > 1 || images.toolkit.as_deref() == Some("all");
        for (given, word) in [
            (self.from_dist.is_some(), "--from-dist"),
            (!self.tags.is_empty(), "--tag"),
            (self.output.is_some(), "--output"),
        ] {
            if several && given {
                wrong.push(
                    Error::usage(format!("{word} needs exactly one image"))
                        .hint("name one instead of `all`"),
                );
            }
        }
        if wrong.is_empty() { Ok(()) } else { bail!(Error::all(wrong)) }
    }

    /// # Errors
    /// Without a registry that could keep them.
    pub(super) fn cache(&self) -> Result<Option<Cache>> {
        match (self.cache, &self.images.registry) {
            (None, _) => Ok(None),
            (Some(Place::Gha), _) => Ok(Some(Cache::Gha)),
            (Some(Place::Registry), Some(registry)) => {
                Ok(Some(Cache::Registry(registry.to_owned())))
            }
            (Some(Place::Registry), None) => bail!(
                Error::usage("--cache registry does not know where").hint("--registry HOST/OWNER")
            ),
        }
    }
}

#[cfg(test)]
#[path = "args_tests.rs"]
pub(super) mod tests;
