//! Words that are understood, and words that are not.

use super::*;

fn refused(command: &str, words: &str) -> String {
    let words = words.split_whitespace().map(OsString::from).collect();
    parse(command, words).unwrap_err().to_string()
}

#[test]
fn words_that_cannot_be_meant_are_refused() {
    for (command, words, message) in [
        ("build", "", "no variant given\n  hint: cargo xtask image build cpu|cuda|rocm|vulkan|all"),
        ("tags", "metal", "unknown variant `metal`\n  hint: use one of: cpu cuda rocm vulkan all"),
        (
            "tags",
            "cpu --push",
            "--push does not apply to `image tags`\n  hint: use it with `image build`",
        ),
        (
            "manifest",
            "cpu --dev",
            "--dev does not apply to `image manifest`\n  hint: use it with `image build` and \
            `image tags`",
        ),
        ("build", "cpu --pull", "invalid option '--pull'\n  hint: cargo xtask image --help"),
        (
            "build",
            "cpu --output x.tar",
            "invalid --output `x.tar`\n  hint: --output oci:image.tar\n  hint: --output dir:folder",
        ),
        (
            "build",
            "cpu --registry https://GHCR.io/Me/",
            "invalid start of an image name: `https://GHCR.io/Me/`\n  hint: --registry ghcr.io/me",
        ),
        (
            "build",
            "cpu --registry /",
            "invalid start of an image name: `/`\n  hint: --registry HOST/OWNER",
        ),
        (
            "build",
            "cpu --push --output oci:x",
            "--push and --output cannot be used together\n  hint: leave one out\n--push needs a \
            registry\n  hint: --registry HOST/OWNER",
        ),
        (
            "build",
            "all --from-dist d --tag x --output oci:x",
            "--from-dist needs exactly one image\n  hint: name one instead of `all`\n--tag needs \
            exactly one image\n  hint: name one instead of `all`\n--output needs exactly one \
            image\n  hint: name one instead of `all`",
        ),
        (
            "build",
            "cuda --toolkit all --tag x",
            "--tag needs exactly one image\n  hint: name one instead of `all`",
        ),
        (
            "build",
            "cuda --from-dist d --arch 90",
            "--toolkit and --arch do not apply to --from-dist, which uses a finished build\n  \
            hint: leave them out",
        ),
    ] {
        assert_eq!(refused(command, words), message, "{command} {words}");
    }
}

#[test]
fn words_are_understood() {
    let words =
        "cpu --platform linux/amd64,linux/arm64 --tag a:1 --tag b:2 --registry localhost:5000";
    let args = parse("build", words.split(' ').map(OsString::from).collect()).unwrap();
    assert_eq!(args.platforms, ["linux/amd64", "linux/arm64"]);
    assert_eq!(args.tags, ["a:1", "b:2"]);
    assert_eq!(args.registry.as_deref(), Some("localhost:5000"));
}
