//! The words of each command.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::run::print::Gpus;

pub(super) use super::quantize_args::{Compare, Quantize};

mod convert;
mod formats;

pub(super) use super::progress::Progress;
pub(super) use convert::{Class, Convert};
pub(super) use formats::Formats;

/// How a command shows what goes on, and how it reaches registries.
#[derive(Debug, Args)]
pub(super) struct Remote {
    /// Allow plain HTTP and unknown certificates of the registry. `localhost` does not need this option.
    #[arg(long)]
    pub(super) insecure: bool,
    /// How progress is shown.
    #[arg(long, value_enum, default_value = "auto", value_name = "KIND")]
    pub(super) progress: Progress,
}

/// What of which file is wanted.
#[derive(Debug, Clone, Args)]
pub(super) struct Wanted {
    /// The build file. Default: `GGUFPackerfile`, or a `Dockerfile` with our syntax line. `-` reads standard input.
    #[arg(short, long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Set the value of an `ARG`. Without `=VALUE` it comes from the environment.
    #[arg(long = "build-arg", value_name = "KEY[=VALUE]")]
    pub(super) build_args: Vec<String>,
    /// Additional build context for `--from` and `FROM`: a folder, `docker-image://REF`, `oci-layout://DIR` or a URL.
    #[arg(long = "build-context", value_name = "NAME=PLACE")]
    pub(super) build_contexts: Vec<String>,
    /// The stage to build. Default: the last one.
    #[arg(long, value_name = "STAGE")]
    pub(super) target: Option<String>,
    /// Platforms of the image. Default: those of its base image; without one linux/amd64 and linux/arm64.
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
    /// Also write the image to a file or folder: `oci-dir=PATH`, `oci-archive=PATH` or `docker-archive=PATH`.
    #[arg(short, long = "output", value_name = "KIND=PATH")]
    pub(super) outputs: Vec<String>,
    /// Push the image under each of its names.
    #[arg(long)]
    pub(super) push: bool,
    /// Sign the pushed image, as `push --sign` does.
    #[arg(long, value_name = "KEY", requires = "push")]
    pub(super) sign: Option<String>,
    /// Store no provenance and no bill of materials with the image.
    #[arg(long)]
    pub(super) no_provenance: bool,
    #[command(flatten)]
    pub(super) formats: Formats,
    /// Do not use cached steps.
    #[arg(long)]
    pub(super) no_cache: bool,
    /// Check the build file, and build nothing.
    #[arg(long)]
    pub(super) check: bool,
    /// Print only the image ID.
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// Write the image ID to a file.
    #[arg(long, value_name = "FILE")]
    pub(super) iidfile: Option<PathBuf>,
    #[command(flatten)]
    pub(super) remote: Remote,
    /// The folder to build.
    #[arg(value_name = "CONTEXT", default_value = ".")]
    pub(super) context: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct LlbDump {
    #[command(flatten)]
    pub(super) wanted: Wanted,
    /// Print the operations as JSON, one per line, as `buildctl debug dump-llb` does.
    #[arg(long, group = "form")]
    pub(super) json: bool,
    /// Print the bytes that `buildctl build` reads.
    #[arg(long, group = "form")]
    pub(super) protobuf: bool,
    /// Show the graph in a browser.
    #[arg(long, group = "form")]
    pub(super) browser: bool,
    #[command(flatten)]
    pub(super) remote: Remote,
    /// The folder to build, or the build file.
    #[arg(value_name = "PATH", default_value = ".")]
    pub(super) context: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Push {
    /// Sign the image as cosign does. KEY is a file or `env://VARIABLE`, with a key of cosign or a plain private key.
    /// $COSIGN_PASSWORD is the password of an encrypted key.
    #[arg(long, value_name = "KEY")]
    pub(super) sign: Option<String>,
    #[command(flatten)]
    pub(super) formats: Formats,
    #[command(flatten)]
    pub(super) remote: Remote,
    /// Name of the image, with the registry.
    #[arg(value_name = "NAME")]
    pub(super) name: String,
}

#[derive(Debug, Args)]
pub(super) struct Pull {
    /// The platform to pull from an image for several. Default: the platform of this machine.
    #[arg(long, value_name = "OS/ARCH")]
    pub(super) platform: Option<String>,
    /// Pull only if this public key verifies the signature.
    #[arg(long, value_name = "KEY.pub")]
    pub(super) verify: Option<String>,
    /// As the original has it; a pull always asks the registry.
    #[arg(long, hide = true)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) remote: Remote,
    /// Names of the models to pull.
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
    /// Show full IDs.
    #[arg(long)]
    pub(super) full_id: bool,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// Print only IDs.
    #[arg(short, long, conflicts_with = "json")]
    pub(super) quiet: bool,
}

#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// Show how the image was built: an in-toto statement with an SLSA provenance.
    #[arg(long, group = "document")]
    pub(super) provenance: bool,
    /// Show the bill of materials of the image, in CycloneDX.
    #[arg(long, group = "document")]
    pub(super) sbom: bool,
    /// Ask the registry even if the store has the name.
    #[arg(long)]
    pub(super) force: bool,
    /// Show the manifest and config that `push --format` would upload: `modelpack` or `docker`.
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
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// Names or IDs.
    #[arg(value_name = "IMAGE", required = true)]
    pub(super) images: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Prune {
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Save {
    /// Where to write: `oci-dir=PATH`, `oci-archive=PATH`, `docker-archive=PATH`, or only a path for a docker-archive.
    /// `-` is standard output.
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
    /// Additional name for the image.
    #[arg(short, long = "tag", value_name = "NAME")]
    pub(super) tags: Vec<String>,
    /// An archive or a folder.
    #[arg(value_name = "PATH")]
    pub(super) path: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Login {
    /// The user name.
    #[arg(short, long)]
    pub(super) username: Option<String>,
    /// Read the password from standard input.
    #[arg(long)]
    pub(super) password_stdin: bool,
    /// Allow plain HTTP and unknown certificates of the registry.
    #[arg(long)]
    pub(super) insecure: bool,
    /// The registry. Default: Docker Hub.
    #[arg(value_name = "REGISTRY", default_value = "docker.io")]
    pub(super) registry: String,
}

#[derive(Debug, Args)]
pub(super) struct Logout {
    /// The registry. Default: Docker Hub.
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
    /// The server: an image or a program. Default: our own llama-server.
    #[arg(long, value_name = "IMAGE|PROGRAM")]
    pub(super) by: Option<String>,
    /// Print the command, and start nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Print a manifest that runs the model, and start nothing.
    #[arg(long, value_enum, value_name = "KIND", conflicts_with = "dry_run")]
    pub(super) print: Option<Manifest>,
    /// The manifest asks for GPUs, for one unless there is a number: nvidia, amd, intel, intel-xe.
    #[arg(long, value_name = "VENDOR[=N]", requires = "print")]
    pub(super) gpu: Option<Gpus>,
    /// Find the largest context and the best split that fit this machine, and start with them.
    #[arg(long, conflicts_with = "print")]
    pub(super) fit: bool,
    #[command(flatten)]
    pub(super) remote: Remote,
    /// A name, an ID, or a GGUF file.
    #[arg(value_name = "MODEL")]
    pub(super) model: String,
    /// Additional arguments of llama-server.
    #[arg(last = true, value_name = "ARG")]
    pub(super) args: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Check that everything in the store is intact.
    Check {
        /// Read every file and compare its digest.
        #[arg(long)]
        deep: bool,
    },
    /// Print the folder of the store.
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
    /// The folder to write to.
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
}
