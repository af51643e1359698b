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

use std::ffi::OsString;

use anyhow::{Context, Result, bail};
use llama_src::Error;
use llama_src::sh::Cmd;

use product::identity::Identity;
use subject::{Platforms, Subject};
use workspace::cargo;
use workspace::screen;

pub use release::IMAGES_TAG;
pub use subject::platform_of;

const HELP: &str = "\
cargo xtask image COMMAND: container images with llama-server

  build VARIANT|all     build images; VARIANT is cpu, cuda, rocm or vulkan
  build gguf-packer     build the packer's image from `dist --packer`'s folder
  tags VARIANT|all      print every name of an image for this commit
  manifest VARIANT|all  join the pushed images of all platforms in one name
  test VARIANT|gguf-packer
                        run an image and check its promises
  base                  print the base image that this machine has
  size IMAGE|ARCHIVE    print the layers; fail if the image is over budget
  version               print the version of this commit
  info                  print commit, branch, version, last and next release
  release               tag this commit, so that CI publishes its images
  clean [--plan]        remove the images that this clone built

build, tags and manifest:
  --toolkit X.Y|all     the vendor's toolkit; default: that of the releases
  --platform LIST       linux/amd64, linux/arm64; default: this machine's for
                        build, all that the variant has for tags and manifest
  --minimal             the image without shell and package manager
  --registry HOST/OWNER start of the names; default: names for this machine
  --scheme NAME         repository: llama-cpp-cpu:VERSION; default but for tags
                        platform: llama-cpp:latest-cpu-amd64
                        release: llama-cpp:cuda12.8, llama-cpp:1.2-cpu
                        all: default of tags
  --semver X.Y.Z        also the names of this release
build:
  --from-dist DIR       use this finished distribution
  --arch LIST           GPU architectures as CMake takes them
  --tag NAME            replace the names of the scheme; may be repeated
  --dev                 use names for a trial, such as llama-cpp:cpu-dev
  --push                write to the registry, not to the engine
  --output oci:FILE     write an archive, not to the engine
  --output dir:FOLDER   write only the distribution, into a folder
  --attest              attach the provenance
  --cache gha|registry  keep layers there between builds
  --no-cache            build every layer anew
  --base-image NAME     replace the base image; --rust-image likewise
  --build-arg NAME=VAL  another argument of the Dockerfile; may be repeated
  --ca FILE             trust these certificates, such as a proxy's
  --plan                print the command and run nothing; also for manifest
tags:
  --dev --json
manifest:
  --release-json FILE   write every image's names and digests
test:
  --image NAME          default: the name that build gave
  --toolkit X.Y --minimal
size:
  --json
release:
  --yes                 do it; without it, only print the steps
  --push                also push the tag
";

pub fn run(words: Vec<OsString>) -> Result<()> {
    let mut words = words.into_iter();
    let command = words.next().unwrap_or_default().to_string_lossy().into_owned();
    let rest: Vec<OsString> = words.collect();
    if is_help(&command) || rest.iter().any(|word| is_help(&word.to_string_lossy())) {
        screen::print(HELP);
        return Ok(());
    }
    match command.as_str() {
        "build" if packer::is_meant(&rest) => packer::build(rest),
        "test" if packer::is_meant(&rest) => packer::test(rest),
        "build" => build::run(rest),
        "tags" => tags(rest),
        "manifest" => index::run(rest),
        "test" => test::run(rest),
        "base" => base::run(rest),
        "size" => size::run(rest),
        "version" => release::version(rest),
        "info" => release::info(rest),
        "release" => release::release(rest),
        "clean" => clean::run(rest),
        _ => bail!(
            Error::usage(format!("unknown command `image {command}`"))
                .hint("cargo xtask image --help")
        ),
    }
}

/// Whether `image` takes these words, for the tests of those who type them.
pub fn takes(words: &[&str]) -> Result<()> {
    let rest: Vec<OsString> = words[1..].iter().map(Into::into).collect();
    match words[0] {
        "build" | "test" if packer::is_meant(&rest) => packer::parse(words[0], rest).map(drop),
        "test" => test::parse(rest).map(drop),
        "build" => {
            let args = args::parse("build", rest)?;
            Subject::all(&args, Platforms::Own).map(drop)
        }
        other => bail!("unknown command `image {other}`"),
    }
}

fn is_help(word: &str) -> bool {
    matches!(word, "" | "help" | "-h" | "--help")
}

fn tags(words: Vec<OsString>) -> Result<()> {
    let args = args::parse("tags", words)?;
    let subjects = Subject::all(&args, Platforms::All)?;
    let identity = Identity::find()?;
    let naming = tags::Naming {
        identity: &identity,
        registry: args.registry.as_deref(),
        semver: args.semver.as_ref(),
    };
    if args.dev {
        let tags: Vec<String> =
            subjects.iter().flat_map(|subject| naming.dev_tags(subject)).collect();
        let json = serde_json::to_string_pretty(&tags)?;
        screen::print(if args.json { json } else { tags.join("\n") } + "\n");
        return Ok(());
    }
    let tags: Vec<tags::Tag> =
        subjects.iter().flat_map(|subject| naming.tags(subject, args.scheme)).collect();
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
    let digest = digest.with_context(|| format!("cannot find out the newest {name}"))?;
    Ok(format!("{name}@{}", digest.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_fits_a_terminal() {
        for line in HELP.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn an_unknown_command_is_refused() {
        assert_eq!(
            run(vec!["pull".into()]).unwrap_err().to_string(),
            "unknown command `image pull`\n  hint: cargo xtask image --help"
        );
    }
}
