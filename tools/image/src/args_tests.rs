//! Words that are understood, and words that are not.

use super::*;

fn refused(command: &str, words: &str) -> String {
    let words = words.split_whitespace().map(OsString::from).collect();
    let error = parse(command, words).unwrap_err().to_string();
    error.replace(&Variant::names("|"), "A|B").replace(&Variant::names(" "), "A B")
}

#[test]
fn words_that_cannot_be_meant_are_refused() {
    for (command, words, message) in [
        ("build", "", "no variant is named\n  hint: cargo xtask image build A|B|all"),
        ("tags", "metal", "no variant `metal`\n  hint: variants: A B all"),
        (
            "tags",
            "cpu --push",
            "--push means nothing to `image tags`\n  hint: it is of `image build`",
        ),
        (
            "manifest",
            "cpu --dev",
            "--dev means nothing to `image manifest`\n  hint: it is of `image build` and `image tags`",
        ),
        ("build", "cpu --pull", "invalid option '--pull'\n  hint: cargo xtask image --help"),
        (
            "build",
            "cpu --output x.tar",
            "--output is `x.tar`\n  hint: --output oci:image.tar\n  hint: --output dir:folder",
        ),
        (
            "build",
            "cpu --registry https://GHCR.io/Me/",
            "no image name begins with `https://GHCR.io/Me/`\n  hint: --registry ghcr.io/me",
        ),
        (
            "build",
            "cpu --registry /",
            "no image name begins with `/`\n  hint: --registry HOST/OWNER",
        ),
        (
            "build",
            "cpu --push --output oci:x",
            "--push and --output are two places\n  hint: leave one out\n\
             --push does not know where to\n  hint: --registry HOST/OWNER",
        ),
        (
            "build",
            "all --from-dist d --tag x --output oci:x",
            "--from-dist needs a single image\n  hint: name one in place of `all`\n\
             --tag needs a single image\n  hint: name one in place of `all`\n\
             --output needs a single image\n  hint: name one in place of `all`",
        ),
        (
            "build",
            "cuda --toolkit all --tag x",
            "--tag needs a single image\n  hint: name one in place of `all`",
        ),
        (
            "build",
            "cuda --from-dist d --arch 90",
            "--toolkit and --arch apply to a build, and --from-dist takes a finished one\n  hint: leave them out",
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
