//! The image of gguf-packer, which is a frontend of `docker build` and a command line: built of a finished
//! distribution, and tried as both.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Subcommand;
use llama_src::sh::Cmd;

use super::base;
use super::engine::{self, Engine};
use super::labels::{self, Facts};
use super::plan::{self, Output};
use product::args::path;
use product::manifest::Manifest;
use product::variant::PACKER as NAME;
use workspace::cargo;
use workspace::screen;

const DOCKERFILE: &str = "docker/gguf-packer.Dockerfile";
/// What an image is called that is for nobody else.
const LOCAL: &str = "gguf-packer:local";
/// A file for the frontend, and the folder that it builds in.
const TRIAL: [&str; 2] = ["docker/tests/demo.GGUFPackerfile", "tests/models"];

/// Behind `image build`.
#[derive(Debug, Subcommand)]
pub(super) enum Build {
    /// Build the packer's image
    #[command(name = NAME)]
    Packer(Args),
}

/// Behind `image test`.
#[derive(Debug, Subcommand)]
pub(super) enum Test {
    /// Test the packer's image as a command line and as a frontend of Docker
    #[command(name = NAME)]
    Packer {
        /// The image's name
        #[arg(long, value_name = "NAME", default_value = LOCAL)]
        image: String,
    },
}

#[derive(Debug, clap::Args)]
#[command(next_line_help = true)]
pub(super) struct Args {
    /// The distribution, which `cargo xtask dist --packer --setup` makes
    #[arg(long, value_name = "DIR", value_parser = path())]
    from_dist: PathBuf,
    /// Replace the base image
    #[arg(long, value_name = "NAME")]
    base_image: Option<String>,
    /// The image's name
    #[arg(long, value_name = "NAME", default_value = LOCAL)]
    tag: String,
    /// oci:FILE: write an archive, not to the engine
    #[arg(long, value_name = "oci:FILE")]
    output: Option<Output>,
    /// Attach the provenance
    #[arg(long)]
    attest: bool,
    /// Build every layer anew
    #[arg(long)]
    no_cache: bool,
    /// Print the command and run nothing
    #[arg(long)]
    plan: bool,
}

/// `cargo xtask image build gguf-packer`.
///
/// # Errors
/// When there is no such distribution, or Docker fails.
pub(super) fn build(args: &Args) -> Result<()> {
    let dist = &args.from_dist;
    let manifest = Manifest::read(dist)?;
    let is_packer = manifest.variant == NAME;
    ensure!(
        is_packer,
        "{} is a distribution of {}, not of gguf-packer",
        dist.display(),
        manifest.product()
    );
    if !args.plan {
        Engine::find().answers()?;
    }
    let base = base::instead(args.base_image.as_deref(), args.plan)?;
    let stands_on = base.clone().map_or_else(product::base::pinned, Ok)?;
    let epoch = base::made(&stands_on).unwrap_or(manifest.source_date_epoch);
    let cmd = command(args, &manifest, base.as_deref(), &stands_on, epoch);
    if args.plan {
        screen::print(format!("{cmd}\n"));
        return Ok(());
    }
    Ok(engine::build(&cmd.dir(cargo::root()), Some(&args.tag))?)
}

fn command(
    args: &Args,
    manifest: &Manifest,
    base: Option<&str>,
    stands_on: &str,
    epoch: u64,
) -> Cmd {
    let output = args.output.clone().unwrap_or(Output::Load);
    let (identity, source) = (manifest.identity(), super::source());
    let facts = Facts {
        identity: &identity,
        llama_cpp: &manifest.llama_cpp.tag,
        source: source.as_deref(),
        base: stands_on,
        cpu_variants: &[],
    };
    let mut cmd = Cmd::new("docker").args(["buildx", "build", "--file", DOCKERFILE]);
    cmd = cmd.arg("--build-arg").arg(format!("SOURCE_DATE_EPOCH={epoch}"));
    if let Some(base) = base {
        cmd = cmd.arg("--build-arg").arg(format!("BASE_IMAGE={base}"));
    }
    cmd = cmd.arg("--build-context").arg(format!("packer={}", args.from_dist.display()));
    for (name, value) in labels::of_packer(&facts) {
        cmd = cmd.arg("--label").arg(format!("{name}={value}"));
        if matches!(output, Output::Archive(_)) {
            cmd = cmd.arg("--annotation").arg(format!("{name}={value}"));
        }
    }
    cmd = cmd.args(["--tag", &args.tag]);
    cmd = cmd.args(args.no_cache.then_some("--no-cache"));
    let provenance = if args.attest { "mode=max" } else { "false" };
    cmd.args(["--provenance", provenance, "--output", &plan::output(&output, true), "."])
}

/// `cargo xtask image test gguf-packer`: as a command line, and as the frontend of a build.
///
/// # Errors
/// What it does not do.
pub(super) fn test(image: &str) -> Result<()> {
    Engine::find().answers()?;
    for words in trials(image) {
        Cmd::new("docker").args(&words).dir(cargo::root()).read()?;
        eprintln!("ok: docker {}", words.join(" "));
    }
    Ok(())
}

/// What it is tried with: each one has to succeed.
fn trials(image: &str) -> [Vec<String>; 3] {
    let command = ["run", "--rm", "--read-only", "--network=none", "--entrypoint", NAME, image];
    let with = |word: &'static str| [&command[..], &[word]].concat();
    let syntax = format!("BUILDKIT_SYNTAX={image}");
    let [file, folder] = TRIAL;
    let build = ["buildx", "build", "--build-arg", &syntax, "--file", file];
    let build = [&build[..], &["--no-cache", "--output", "type=cacheonly", folder]].concat();
    [with("--version"), with("--help"), build]
        .map(|words| words.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> Args {
        let build = crate::args::tests::build(words).unwrap();
        let Some(Build::Packer(args)) = build.packer else { panic!("{words}") };
        args
    }

    #[test]
    fn it_is_made_of_a_distribution() {
        for words in ["gguf-packer --no-cache", "gguf-packer --from-dist /d --arch 90"] {
            assert!(crate::args::tests::build(words).is_err(), "{words}");
        }
        for words in ["--from-dist /d gguf-packer", "cpu gguf-packer", ""] {
            assert!(crate::args::tests::build(words).is_err(), "{words}");
        }
    }

    #[test]
    fn the_line_of_docker_has_the_distribution_the_base_and_the_labels() {
        let text = "gguf-packer --from-dist /d --output oci:/o.tar --attest --no-cache";
        let args = parsed(text);
        let manifest = Manifest { variant: NAME.into(), ..Manifest::example() };
        let shown = command(&args, &manifest, Some("b"), "b", 7).to_string();
        for part in [
            "docker buildx build --file docker/gguf-packer.Dockerfile --build-arg SOURCE_DATE_EPOCH=7 --build-arg \
             BASE_IMAGE=b --build-context packer=/d ",
            "--label org.opencontainers.image.title=gguf-packer ",
            "--annotation org.opencontainers.image.base.name=b ",
            "--tag gguf-packer:local --no-cache --provenance mode=max --output type=oci,dest=/o.tar,",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        let args = parsed("gguf-packer --from-dist /d --tag x:1");
        let shown = command(&args, &manifest, None, "debian:x@sha256:0a", 7).to_string();
        assert!(!shown.contains("BASE_IMAGE") && !shown.contains("--annotation"), "{shown}");
        assert!(shown.ends_with("--tag x:1 --provenance false --output type=docker ."), "{shown}");
    }

    #[test]
    fn what_it_is_tried_with_is_there() {
        let root = cargo::root();
        let file = std::fs::read_to_string(root.join(TRIAL[0])).unwrap();
        let copied = file.lines().find_map(|line| line.strip_prefix("COPY ")).unwrap();
        let model = copied.split(' ').next().unwrap();
        assert!(root.join(TRIAL[1]).join(model).is_file(), "{model}");
        let [version, _, build] = trials("x:1").map(|words| words.join(" "));
        assert!(version.ends_with(" --entrypoint gguf-packer x:1 --version"), "{version}");
        assert!(build.starts_with("buildx build --build-arg BUILDKIT_SYNTAX=x:1 "), "{build}");
    }
}
