//! Runs a plan: sources become contents of the store, instructions become layers. What a node made is
//! remembered by the content that it was made of, so a second build does nothing again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use crate::Error;
use crate::convert::{By, Request, Watch};
use crate::language::ignore::Ignore;
use crate::plan::{Context, Plan};
use crate::store::{Layer, Store};

pub(crate) mod backend;
#[cfg(test)]
#[path = "executor/build_tests.rs"]
mod build_tests;
pub(crate) mod convert;
pub(crate) mod copy;
mod event;
mod layers;
pub(crate) mod made;
mod material;
mod native;
pub(crate) mod node;
pub(crate) mod output;
mod place;
pub mod quantize;
mod result;
pub(crate) mod run;
mod schedule;
#[cfg(test)]
pub(crate) mod site;
pub(crate) mod source;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod unpack;
mod web;

use backend::Build;

pub use event::{Event, Unit};
pub use material::{Content, Material};
pub use output::BuiltLayer;
pub use result::BuiltStage;
pub(crate) use run::located;

/// The folder of relative destinations, unless the base image sets another one.
pub const WORKING_FOLDER: &str = "models";

/// What a build needs besides its plan.
pub struct Settings<'a> {
    /// Where contents, layers and results are.
    pub store: &'a Store,
    /// The file that is built, as errors call it, and its text, of which they show a line. A step that BuildKit runs
    /// has neither.
    pub file: (&'a str, &'a str),
    /// The folder that is built.
    pub folder: Folder,
    /// Named contexts.
    pub contexts: &'a BTreeMap<String, Context>,
    /// Where images come from.
    pub images: Images<'a>,
    /// Runs llama.cpp's quantizer.
    pub tool: &'a Tool<'a>,
    /// Converts a checkpoint.
    pub converter: &'a Converter<'a>,
    /// Do everything again.
    pub no_cache: bool,
    /// `SOURCE_DATE_EPOCH`: the time of everything that is made.
    pub source_date: Option<u64>,
    /// Token for Hugging Face; sent nowhere else.
    pub token: Option<String>,
    /// The server for which the token is, when it is not Hugging Face's own.
    pub endpoint: Option<String>,
    /// Receives what happens.
    pub on_event: &'a (dyn Fn(Event<'_>) + Sync),
    /// Ends the build when it becomes true.
    pub stop: &'a AtomicBool,
}

/// A folder of the disk.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// What of it does not count.
    pub ignore: Ignore,
    /// The file that says so, as errors call it.
    pub ignore_file: Option<String>,
}

/// Where images come from.
#[derive(Clone, Copy)]
pub struct Images<'a> {
    /// The image with this reference for this platform: the store's, else it is pulled.
    pub find: &'a Find<'a>,
    /// The image of this OCI layout with this tag for this platform, read into the store.
    pub layout: &'a FindLayout<'a>,
}

/// See [`Images::find`].
pub type Find<'a> = dyn Fn(&str, Option<&str>) -> Result<BaseImage, Error> + Sync + 'a;
/// See [`Images::layout`].
pub type FindLayout<'a> =
    dyn Fn(&str, Option<&str>, Option<&str>) -> Result<BaseImage, Error> + Sync + 'a;
/// Runs llama.cpp's quantizer.
pub type Tool<'a> = dyn Fn(ToolRun<'_>) -> Result<(), Error> + Sync + 'a;

/// Converts a checkpoint; says who did.
pub type Converter<'a> = dyn Fn(&Request<'_>, &mut Watch<'_>) -> Result<By, Error> + Sync + 'a;

/// One run of the quantizer.
pub struct ToolRun<'a> {
    /// The folder it runs in; the paths in its arguments are relative to it.
    pub folder: &'a std::path::Path,
    /// `llama-quantize`'s own arguments: options, the file to read, the file to write, the type.
    pub arguments: &'a [String],
    /// Receives each line that it prints.
    pub on_line: &'a mut dyn FnMut(&str),
    /// Whether it is to end before it is done.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

/// An image that a stage begins with or copies from; its layers are in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseImage {
    /// Its whole config.
    pub config: serde_json::Value,
    /// Its layers, the lowest first.
    pub layers: Vec<Layer>,
    /// Digest of its manifest.
    pub digest: String,
    /// Its name.
    pub name: String,
}

/// Builds the target of a plan.
///
/// # Errors
/// Everything that is wrong, each with the place of its instruction.
pub fn build(plan: &Plan, settings: &Settings<'_>) -> Result<BuiltStage, Error> {
    build_by(plan, settings, &native::Native)
}

/// A build of which parts are asked.
pub(crate) fn native<'a>(plan: &'a Plan, settings: &'a Settings<'a>) -> run::Run<'a> {
    run::Run::new(plan, settings)
}

/// The files of a plan's result, made by the store of this machine.
pub(crate) fn files(run: &run::Run<'_>) -> Result<std::sync::Arc<crate::tree::Tree>, Error> {
    schedule::run(Build { run, backend: &native::Native }).map(|output| output.tree)
}

/// The commit that a repository is at now; `run` has one node at least.
pub(crate) fn commit_now(
    run: &run::Run<'_>,
    wanted: &crate::plan::HuggingFace,
) -> Result<String, Error> {
    source::hugging_face::commit_now(run, &run.teller(0), wanted)
}

/// Paths, sizes and addresses of the files of a repository; `run` has one node at least.
pub(crate) fn addresses(
    run: &run::Run<'_>,
    wanted: &crate::plan::HuggingFace,
) -> Result<Vec<(String, u64, String)>, Error> {
    source::hugging_face::addresses(run, &run.teller(0), wanted)
}

/// Builds the target of a plan by another backend than the store.
///
/// # Errors
/// As [`build`].
pub(crate) fn build_by(
    plan: &Plan,
    settings: &Settings<'_>,
    backend: &dyn backend::Backend,
) -> Result<BuiltStage, Error> {
    let run = run::Run::new(plan, settings);
    let build = Build { run: &run, backend };
    node::check(build)?;
    let output = schedule::run(build)?;
    result::finish(&run, output)
}
