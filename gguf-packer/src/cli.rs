//! The command line: words become the call of a command, a command's error becomes text and an exit code.

mod args;
mod build;
mod compare;
mod context;
mod convert;
mod estimate;
mod estimate_args;
mod formats;
#[cfg(unix)]
mod frontend;
mod images;
mod list;
mod manual;
mod model;
mod output;
mod progress;
mod quantize;
mod quantize_args;
mod remote;
mod run;
mod save;
mod signing;
mod table;
mod words;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{CommandFactory, Parser, Subcommand};

use context::Context;

use crate::Error;

/// Packs GGUF models as container images, ships them and runs them, without a daemon.
#[derive(Debug, Parser)]
#[command(name = "gguf-packer", version, max_term_width = 100, disable_help_subcommand = true)]
struct Cli {
    /// Folder for built and pulled models. Default: ~/gguf-packer.
    #[arg(long, global = true, value_name = "DIR", env = "GGUF_PACKER_STORE_PATH",
          value_parser = OsStringValueParser::new().map(PathBuf::from))]
    store: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

/// What a person can ask for.
#[derive(Debug, Subcommand)]
enum Command {
    /// Build an image of a model from a GGUFPackerfile or a Dockerfile.
    Build(args::Build),
    /// Upload an image to its registry.
    Push(args::Push),
    /// Download a model: an image, an artifact, or `hf://org/repo[:quant]`.
    Pull(args::Pull),
    /// Verify the signatures of images with a key.
    Verify(args::Verify),
    /// Add a name to an image.
    Tag(args::Tag),
    /// List the images of the store.
    #[command(visible_alias = "ls")]
    List(args::List),
    /// Show the config of an image in the store or in a registry.
    Inspect(args::Inspect),
    /// Remove names and images.
    #[command(visible_alias = "rm")]
    Remove(args::Remove),
    /// Remove images without a name, all cached steps and partial downloads.
    Prune(args::Prune),
    /// Write an image to an archive or a folder.
    Save(args::Save),
    /// Read images from an archive or a folder.
    Load(args::Load),
    /// Log in to a registry. Docker's configuration stores the credentials.
    Login(args::Login),
    /// Remove the credentials of a registry.
    Logout(args::Logout),
    /// Start a server with a model.
    Run(args::Run),
    /// Convert a safetensors checkpoint to a GGUF file.
    Convert(args::Convert),
    /// Estimate the memory of a model, and what fits, without downloading its weights.
    Estimate(Box<estimate_args::Estimate>),
    /// Quantize a GGUF file.
    Quantize(args::Quantize),
    /// Measure the quality loss of a quantized model on a text.
    Compare(args::Compare),
    /// Check or locate the store.
    #[command(subcommand)]
    Store(args::Store),
    /// Serve a BuildKit build over standard input and output. `docker build` starts this command.
    #[cfg(unix)]
    #[command(hide = true)]
    LlbFrontend,
    /// Print the graph that `docker build` makes from a file, for Graphviz.
    #[cfg(unix)]
    LlbDump(args::LlbDump),
    /// Print completions for a shell.
    Completions(args::Completions),
    /// Write the manual pages into a folder.
    Man(args::Man),
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let words = words::sorted(std::env::args_os().collect(), &Cli::command());
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(told) => return said(&told),
    };
    let context = Context { store: cli.store };
    match run(&cli.command, &context) {
        Ok(code) => code,
        Err(error) => {
            output::say(&format!("error: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

/// Prints a help or the version, or what is wrong with the words.
fn said(told: &clap::Error) -> ExitCode {
    match output::written(told.print().and_then(|()| std::io::stdout().flush())) {
        Ok(()) => ExitCode::from(u8::try_from(told.exit_code()).unwrap_or(1)),
        Err(error) => {
            output::say(&format!("error: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

/// Does the step of a build that a container of BuildKit's was started for.
#[cfg(unix)]
#[must_use]
pub fn step() -> ExitCode {
    frontend::step()
}

fn run(command: &Command, context: &Context) -> Result<ExitCode, Error> {
    let done = match command {
        Command::Build(args) => return build::run(args, context),
        Command::Push(args) => remote::push_command(args, context),
        Command::Pull(args) => remote::pull_command(args, context),
        Command::Verify(args) => remote::verify_command(args),
        Command::Tag(args) => images::tag(args, context),
        Command::List(args) => list::list(args, context),
        Command::Inspect(args) => list::inspect(args, context),
        Command::Remove(args) => images::remove(args, context),
        Command::Prune(args) => images::prune(args, context),
        Command::Save(args) => save::save(args, context),
        Command::Load(args) => save::load(args, context),
        Command::Login(args) => remote::login(args),
        Command::Logout(args) => remote::logout(args),
        Command::Run(args) => run::run(args, context),
        Command::Convert(args) => convert::run(args),
        Command::Estimate(args) => estimate::run(args, context),
        Command::Quantize(args) => quantize::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Store(args) => images::store(args, context),
        #[cfg(unix)]
        Command::LlbFrontend => frontend::serve(),
        #[cfg(unix)]
        Command::LlbDump(args) => frontend::dump(args, context),
        Command::Completions(args) => manual::completions(args),
        Command::Man(args) => manual::pages(args),
    };
    done.map(|()| ExitCode::SUCCESS)
}
