//! The words that `cargo xtask image build`, `tags` and `manifest` share: which images, and what they are called.

use anyhow::{Result, bail};
use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use llama_src::Error;
use product::args::{Variants, once, variants};
use product::variant::Variant;
use serde::Serialize;

use super::semver::Semver;

/// Which images, and what they are called.
#[derive(Debug, clap::Args)]
pub(super) struct Images {
    /// The images
    #[arg(required = true, value_name = "VARIANT", value_parser = variants())]
    variants: Vec<Variants>,
    /// Version of the vendor's toolkit, or all; default: the releases'
    #[arg(long, value_name = "X.Y|all")]
    pub(super) toolkit: Option<String>,
    /// linux/amd64, linux/arm64; default: this machine's for build, all
    /// that the variant has for tags and manifest
    #[arg(long = "platform", value_name = "LIST", value_delimiter = ',', verbatim_doc_comment)]
    pub(super) platforms: Vec<String>,
    /// The image without shell and package manager
    #[arg(long)]
    pub(super) minimal: bool,
    /// Start of the names; default: names for this machine
    #[arg(long, value_name = "HOST/OWNER", value_parser = registry)]
    pub(super) registry: Option<String>,
    /// repository: llama-cpp-cpu:VERSION; the default, except for tags
    /// platform: llama-cpp:latest-cpu-amd64
    /// release: llama-cpp:cuda12.8, llama-cpp:1.2-cpu
    /// all: the default of tags
    #[arg(long, value_name = "NAME", hide_possible_values = true, verbatim_doc_comment)]
    #[arg(value_parser = schemes())]
    scheme: Option<Schemes>,
    /// Also the names of this release
    #[arg(long, value_name = "X.Y.Z", value_parser = Semver::parse)]
    pub(super) semver: Option<Semver>,
}

/// How images are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Scheme {
    /// `llama-cpp-cpu:VERSION`.
    Repository,
    /// `llama-cpp:latest-cpu-amd64`.
    Platform,
    /// `llama-cpp:cuda12.8`, `llama-cpp:1.2-cpu`.
    Release,
}

impl Scheme {
    pub(super) const ALL: [Self; 3] = [Self::Repository, Self::Platform, Self::Release];
}

/// One scheme; `None`: every one.
#[derive(Debug, Clone, Copy)]
struct Schemes(Option<Scheme>);

fn schemes() -> impl TypedValueParser<Value = Schemes> {
    let names = Scheme::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    PossibleValuesParser::new(names.chain(["all".into()]))
        .map(|name| Schemes(Scheme::from_str(&name, false).ok()))
}

impl Images {
    pub(super) fn variants(&self) -> Vec<Variant> {
        once(self.variants.iter().flat_map(|list| list.0.iter().copied()))
    }

    /// The one scheme of the names; `None`: all of them.
    pub(super) fn scheme(&self, default: Option<Scheme>) -> Option<Scheme> {
        self.scheme.map_or(default, |given| given.0)
    }
}

/// `HOST/OWNER` as image names want it.
fn registry(name: &str) -> Result<String> {
    let plain = name.trim_end_matches('/');
    let plain = plain.split_once("://").map_or(plain, |(_, rest)| rest).to_lowercase();
    if plain == name && !plain.is_empty() {
        return Ok(plain);
    }
    let hint = if plain.is_empty() { "HOST/OWNER" } else { &plain };
    bail!(Error::usage("no image name begins with it").hint(format!("--registry {hint}")))
}
