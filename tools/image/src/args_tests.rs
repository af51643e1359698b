//! Words that are understood, and words that are not.

use clap::Parser;

use product::variant::Variant;

use super::*;
use crate::{Cli, Command};

/// `image build` with these words.
pub(crate) fn build(words: &str) -> Result<Build, clap::Error> {
    let words = ["cargo xtask", "image", "build"].into_iter().chain(words.split_whitespace());
    Cli::try_parse_from(words).map(|Cli::Image(command)| match command {
        Command::Build(build) => *build,
        other => panic!("{other:?}"),
    })
}

#[test]
fn words_that_mean_nothing_are_refused() {
    for (words, message) in [
        ("build", "<VARIANT>..."),
        ("tags metal", "[possible values: cpu, "),
        ("tags cpu --push", "unexpected argument '--push' found"),
        ("build cpu --pull", "unexpected argument '--pull' found"),
        ("build cpu --scheme 003", "[possible values: repository, platform, release, all]"),
        ("build cpu --cache s3", "[possible values: gha, registry]"),
        ("build cpu --output x.tar", "hint: --output oci:image.tar\n  hint: --output dir:folder"),
        ("build cpu --registry https://GHCR.io/Me/", "hint: --registry ghcr.io/me"),
        ("build cpu --registry /", "hint: --registry HOST/OWNER"),
        ("build cpu --semver main", "hint: --semver 1.2.3"),
        ("build cpu --push --output oci:x", "'--push' cannot be used with"),
        ("build cuda --from-dist d --arch 90", "'--from-dist <DIR>' cannot be used with"),
        ("pull", "unrecognized subcommand 'pull'"),
    ] {
        let all = ["cargo xtask", "image"].into_iter().chain(words.split_whitespace());
        let error = Cli::try_parse_from(all).unwrap_err();
        assert!(error.to_string().contains(message), "{words}: {error}");
        assert_eq!(error.exit_code(), 2, "{words}");
    }
}

#[test]
fn words_that_cannot_be_meant_are_refused_all_at_once() {
    for (words, message) in [
        ("cpu --push", "--push needs a registry\n  hint: --registry HOST/OWNER"),
        (
            "all --from-dist d --tag x --output oci:x",
            "--from-dist needs exactly one image\n  hint: name one instead of `all`\n--tag needs \
            exactly one image\n  hint: name one instead of `all`\n--output needs exactly one \
            image\n  hint: name one instead of `all`",
        ),
        (
            "cuda --toolkit all --tag x",
            "--tag needs exactly one image\n  hint: name one instead of `all`",
        ),
    ] {
        assert_eq!(build(words).unwrap().check().unwrap_err().to_string(), message, "{words}");
    }
    let error = build("cpu --cache registry").unwrap().cache().unwrap_err();
    assert_eq!(error.downcast_ref::<Error>().map(Error::exit_code), Some(2));
    assert_eq!(
        error.to_string(),
        "--cache registry does not know where\n  hint: --registry HOST/OWNER"
    );
}

#[test]
fn words_are_understood() {
    let words =
        "cpu --platform linux/amd64,linux/arm64 --tag a:1 --tag b:2 --registry localhost:5000";
    let build = build(words).unwrap();
    assert_eq!(build.images.variants(), [Variant::Cpu]);
    assert_eq!(build.images.platforms, ["linux/amd64", "linux/arm64"]);
    assert_eq!(build.tags, ["a:1", "b:2"]);
    assert_eq!(build.images.registry.as_deref(), Some("localhost:5000"));
    assert_eq!(build.images.scheme(None), None);
}
