//! The words of each command.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

pub(super) use super::quantize_args::{Compare, Quantize};

mod convert;
mod formats;

pub(super) use convert::{Class, Convert};
pub(super) use formats::Formats;

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Progress {
    /// Bars on a terminal, lines elsewhere.
    Auto,
    /// Lines.
    Plain,
    /// Bars, where there is a terminal.
    Tty,
    /// One JSON object a line, on standard error.
    Json,
    /// Nothing.
    Quiet,
}

/// How a command shows what goes on, and how it reaches registries.
#[derive(Debug, Args)]
pub(super) struct Remote {
    /// Take plain HTTP and unknown certificates from the registry. `localhost` needs no such word.
    #[arg(long)]
    pub(super) insecure: bool,
    /// How progress is shown.
    #[arg(long, value_enum, default_value = "auto", value_name = "KIND")]
    pub(super) progress: Progress,
}

/// What of which file is wanted.
#[derive(Debug, Clone, Args)]
pub(super) struct Wanted {
    /// The file; `GGUFPackerfile` unless it is given, else a `Dockerfile` with our syntax line. `-`: standard input.
    #[arg(short, long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// A value for an `ARG`; without `=VALUE` that of the environment.
    #[arg(long = "build-arg", value_name = "KEY[=VALUE]")]
    pub(super) build_args: Vec<String>,
    /// Another place for `--from` and `FROM`: a folder, `docker-image://REF`, `oci-layout://DIR`, a URL.
    #[arg(long = "build-context", value_name = "NAME=PLACE")]
    pub(super) build_contexts: Vec<String>,
    /// The stage to build; the last unless it is given.
    #[arg(long, value_name = "STAGE")]
    pub(super) target: Option<String>,
    /// Platforms of the image; those of its base, or linux/amd64 and linux/arm64 without a base.
    #[arg(long = "platform", value_name = "OS/ARCH", value_delimiter = ',')]
    pub(super) platforms: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Build {
    #[command(flatten)]
    pub(super) wanted: Wanted,
    /// A name for the image.
    #[arg(short, long = "tag", value_name = "NAME")]
    pub(super) tags: Vec<String>,
    /// A label of the image.
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub(super) labels: Vec<String>,
    /// Write the image there too: `oci-dir=PATH`, `oci-archive=PATH` or `docker-archive=PATH`.
    #[arg(short, long = "output", value_name = "KIND=PATH")]
    pub(super) outputs: Vec<String>,
    /// Upload it under each of its names.
    #[arg(long)]
    pub(super) push: bool,
    /// Sign what is pushed, as `push` does.
    #[arg(long, value_name = "KEY", requires = "push")]
    pub(super) sign: Option<String>,
    /// Keep no provenance and no bill of materials beside the image.
    #[arg(long)]
    pub(super) no_provenance: bool,
    #[command(flatten)]
    pub(super) formats: Formats,
    /// Do every step anew.
    #[arg(long)]
    pub(super) no_cache: bool,
    /// Say what is wrong with the file, and build nothing.
    #[arg(long)]
    pub(super) check: bool,
    /// Print the ID alone.
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// Write the ID to a file.
    #[arg(long, value_name = "FILE")]
    pub(super) iidfile: Option<PathBuf>,
    #[command(flatten)]
    pub(super) remote: Remote,
    /// The folder that is built.
    #[arg(value_name = "CONTEXT", default_value = ".")]
    pub(super) context: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct LlbDump {
    #[command(flatten)]
    pub(super) wanted: Wanted,
    /// Print the operations as JSON, one a line, as `buildctl debug dump-llb` does.
    #[arg(long, group = "form")]
    pub(super) json: bool,
    /// Print the bytes that `buildctl build` takes.
    #[arg(long, group = "form")]
    pub(super) protobuf: bool,
    /// Show the graph in a browser.
    #[arg(long, group = "form")]
    pub(super) browser: bool,
    #[command(flatten)]
    pub(super) remote: Remote,
    /// The folder that would be built, or the file.
    #[arg(value_name = "PATH", default_value = ".")]
    pub(super) context: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Push {
    /// Sign it as cosign does, with a key of cosign's or a plain one: a file, or `env://VARIABLE`. $COSIGN_PASSWORD
    /// opens a sealed one.
    #[arg(long, value_name = "KEY")]
    pub(super) sign: Option<String>,
    #[command(flatten)]
    pub(super) formats: Formats,
    #[command(flatten)]
    pub(super) remote: Remote,
    /// Its name, with the registry.
    #[arg(value_name = "NAME")]
    pub(super) name: String,
}

#[derive(Debug, Args)]
pub(super) struct Pull {
    /// The platform to take from an image of several; this machine's unless it is given.
    #[arg(long, value_name = "OS/ARCH")]
    pub(super) platform: Option<String>,
    /// Take only what this public key has signed.
    #[arg(long, value_name = "KEY.pub")]
    pub(super) verify: Option<String>,
    /// As the original has it; a pull always asks the registry.
    #[arg(long, hide = true)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) remote: Remote,
    /// What to pull.
    #[arg(value_name = "NAME", required = true)]
    pub(super) names: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The public key: a file, or `env://VARIABLE`.
    #[arg(long, value_name = "KEY.pub")]
    pub(super) key: String,
    #[command(flatten)]
    pub(super) remote: Remote,
    /// Names of images in their registries.
    #[arg(value_name = "NAME", required = true)]
    pub(super) names: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Tag {
    /// A name or an ID.
    #[arg(value_name = "IMAGE")]
    pub(super) image: String,
    /// The new name.
    #[arg(value_name = "NAME")]
    pub(super) name: String,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Show the whole ID.
    #[arg(long)]
    pub(super) full_id: bool,
    /// JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// IDs alone.
    #[arg(short, long, conflicts_with = "json")]
    pub(super) quiet: bool,
}

#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// Show what it was made of: an in-toto statement with an SLSA provenance.
    #[arg(long, group = "document")]
    pub(super) provenance: bool,
    /// Show its bill of materials, of CycloneDX.
    #[arg(long, group = "document")]
    pub(super) sbom: bool,
    /// Ask the registry even where the store has the name.
    #[arg(long)]
    pub(super) force: bool,
    /// Show manifest and config of what `push --format` would upload: `modelpack` or `docker`.
    #[arg(long, value_name = "FORMAT", conflicts_with = "force")]
    pub(super) format: Option<String>,
    #[command(flatten)]
    pub(super) remote: Remote,
    /// A name or an ID.
    #[arg(value_name = "IMAGE")]
    pub(super) image: String,
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    /// JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// Names or IDs.
    #[arg(value_name = "IMAGE", required = true)]
    pub(super) images: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Prune {
    /// JSON.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Save {
    /// Where to: `oci-dir=PATH`, `oci-archive=PATH` or `docker-archive=PATH`; a path alone is a docker-archive.
    #[arg(short, long, value_name = "[KIND=]PATH")]
    pub(super) output: String,
    #[command(flatten)]
    pub(super) formats: Formats,
    /// A name or an ID.
    #[arg(value_name = "IMAGE")]
    pub(super) image: String,
}

#[derive(Debug, Args)]
pub(super) struct Load {
    /// One more name for the image.
    #[arg(short, long = "tag", value_name = "NAME")]
    pub(super) tags: Vec<String>,
    /// An archive or a folder.
    #[arg(value_name = "PATH")]
    pub(super) path: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Login {
    /// The user.
    #[arg(short, long)]
    pub(super) username: Option<String>,
    /// Read the password from standard input.
    #[arg(long)]
    pub(super) password_stdin: bool,
    /// Take plain HTTP and unknown certificates from the registry.
    #[arg(long)]
    pub(super) insecure: bool,
    /// The registry; Docker Hub unless it is given.
    #[arg(value_name = "REGISTRY", default_value = "docker.io")]
    pub(super) registry: String,
}

#[derive(Debug, Args)]
pub(super) struct Logout {
    /// The registry; Docker Hub unless it is given.
    #[arg(value_name = "REGISTRY", default_value = "docker.io")]
    pub(super) registry: String,
}

/// A manifest in place of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Manifest {
    /// Kubernetes.
    Kube,
    /// Docker Compose.
    Compose,
    /// Podman's systemd unit.
    Quadlet,
}

#[derive(Debug, Args)]
pub(super) struct Run {
    /// The server: an image, or a program; our own llama-server unless it is given.
    #[arg(long, value_name = "IMAGE|PROGRAM")]
    pub(super) by: Option<String>,
    /// Print the command, and start nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Print a manifest that runs the model, and start nothing.
    #[arg(long, value_enum, value_name = "KIND", conflicts_with = "dry_run")]
    pub(super) print: Option<Manifest>,
    /// Look for the largest context and the best split that fit this machine, and start with them.
    #[arg(long, conflicts_with = "print")]
    pub(super) fit: bool,
    #[command(flatten)]
    pub(super) remote: Remote,
    /// A name, an ID, or a GGUF file.
    #[arg(value_name = "MODEL")]
    pub(super) model: String,
    /// More arguments of llama-server.
    #[arg(last = true, value_name = "ARG")]
    pub(super) args: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Look whether everything in the store is whole.
    Check {
        /// Read every file and compare its digest.
        #[arg(long)]
        deep: bool,
    },
    /// Print the folder.
    Path,
}

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct Man {
    /// The folder.
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
}
