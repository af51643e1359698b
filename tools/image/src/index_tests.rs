//! Lines that join images, and what `release.json` says of them.

use super::*;
use crate::images::Scheme;
use clap::ValueEnum;
use product::arch::Arch;
use product::variant::Variant;

const INDEX: &str = r#"{"schemaVersion":2,"digest":"sha256:11","manifests":[
    {"digest":"sha256:aa","platform":{"os":"linux","architecture":"amd64"}},
    {"digest":"sha256:bb","platform":{"os":"linux","architecture":"arm64","variant":"v8"}},
    {"digest":"sha256:cc","platform":{"os":"unknown","architecture":"unknown"}}]}"#;

fn identity() -> Identity {
    Identity {
        version: "V".into(),
        commit: "abc1234567890abcdef1234567890abcdef12345".into(),
        timestamp: "2508201420".into(),
        branch: "main".into(),
        epoch: 1_755_699_600,
    }
}

/// For the two platforms that [`INDEX`] has.
fn subject(variant: Variant) -> Subject {
    let mut subject = Subject::new(variant);
    subject.platforms.truncate(2);
    subject
}

fn lines(variant: Variant, scheme: &str) -> Vec<String> {
    let identity = identity();
    let naming = Naming { identity: &identity, registry: Some("r.io/me"), semver: None };
    let scheme = Scheme::from_str(scheme, false).ok();
    let cmds = joins(&naming, &Subject::new(variant), scheme);
    let short = |join: Join| {
        let line = join.cmd().to_string();
        let tags = line.find("--tag").unwrap();
        format!("{} … {}", &line[..line.find(" --annotation").unwrap()], &line[tags..])
    };
    cmds.into_iter().map(short).collect()
}

#[test]
fn names_of_several_platforms_are_joined() {
    let expected = [
        "docker buildx imagetools create … --tag r.io/me/llama-cpp-cpu:V --tag \
         r.io/me/llama-cpp-cpu:latest r.io/me/llama-cpp-cpu:V-",
        "docker buildx imagetools create … --tag r.io/me/llama-cpp:V-cpu --tag \
         r.io/me/llama-cpp:cpu-V --tag r.io/me/llama-cpp:latest-cpu r.io/me/llama-cpp:V-cpu-",
        "docker buildx imagetools create … --tag r.io/me/llama-cpp:sha-abc1234-cpu --tag \
         r.io/me/llama-cpp:sha-abc1234 --tag r.io/me/llama-cpp:cpu --tag r.io/me/llama-cpp:latest \
         r.io/me/llama-cpp:sha-abc1234-cpu-",
    ];
    // The last name is that of each processor's image.
    let expected = expected.map(|line| {
        let (line, name) = line.rsplit_once(' ').unwrap();
        let sources = Arch::ALL.map(|arch| format!("{name}{}", arch.docker));
        format!("{line} {}", sources.join(" "))
    });
    assert_eq!(lines(Variant::Cpu, "all"), expected);
    assert!(lines(Variant::Cuda, "all").is_empty());
}

#[test]
fn an_index_says_what_it_is() {
    let identity = identity();
    let naming = Naming { identity: &identity, registry: Some("r.io/me"), semver: None };
    let line = joins(&naming, &Subject::new(Variant::Vulkan), Some(Scheme::Repository))[0]
        .cmd()
        .to_string();
    assert!(line.contains("--annotation index:org.opencontainers.image.version=V "), "{line}");
    assert!(line.contains("--annotation index:llama-server.variant=vulkan "), "{line}");
}

/// Every name that a join takes from was pushed by `image build` for that platform.
#[test]
fn what_is_joined_is_what_was_pushed() {
    let identity = identity();
    let naming = Naming { identity: &identity, registry: Some("r.io/me"), semver: None };
    for variant in [Variant::Cpu, Variant::Vulkan] {
        let whole = Subject::new(variant);
        let pushed: Vec<String> = whole
            .platforms
            .iter()
            .flat_map(|platform| {
                let one = Subject { platforms: vec![*platform], ..whole.clone() };
                naming.tags(&one, None)
            })
            .map(|tag| tag.reference)
            .collect();
        for join in joins(&naming, &whole, None) {
            assert_eq!(join.sources.len(), whole.platforms.len());
            assert!(join.sources.iter().all(|source| pushed.contains(source)), "{join:?}");
        }
    }
}

#[test]
fn a_release_names_digests() {
    let cpu = subject(Variant::Cpu);
    let tags = vec!["r.io:5000/me/llama-cpp-cpu:V".to_owned(), "x".to_owned()];
    let published = published(&cpu, tags, INDEX).unwrap();
    assert_eq!(published.image, "r.io:5000/me/llama-cpp-cpu@sha256:11");
    let platforms: Vec<_> = published.platforms.iter().map(|(a, b)| format!("{a} {b}")).collect();
    assert_eq!(platforms, ["linux/amd64 sha256:aa", "linux/arm64 sha256:bb"]);
    assert_eq!(published.toolkit, None);
}

#[test]
fn a_single_image_is_of_the_variants_only_platform() {
    let one =
        published(&Subject::new(Variant::Cuda), vec!["r/c:V".into()], r#"{"digest":"sha256:1"}"#);
    let one = one.unwrap();
    assert_eq!(one.platforms["linux/amd64"], "sha256:1");
    assert_eq!(one.toolkit.as_deref(), Some(Variant::Cuda.toolkits()[0]));
}

#[test]
fn a_platform_that_was_not_pushed_is_named() {
    let refused = |answer: &str| {
        published(&subject(Variant::Cpu), vec!["r/c:V".into()], answer).unwrap_err().to_string()
    };
    assert_eq!(
        refused(r#"{"digest":"sha256:1"}"#),
        "r/c:V has no image for linux/amd64,linux/arm64\n  hint: push it: cargo xtask image build \
        cpu --push --registry HOST/OWNER --platform linux/amd64,linux/arm64"
    );
    assert_eq!(refused("?\n"), "cannot parse docker's description of r/c:V: ?");
}

#[test]
fn what_was_not_pushed_is_told_before_anything_is_joined() {
    assert_eq!(
        not_pushed(&["r/a:1-amd64", "r/a:1-arm64"]).to_string(),
        "not in the registry:\n  | r/a:1-amd64\n  | r/a:1-arm64\n  hint: first push each platform: cargo \
         xtask image build all --push --registry HOST/OWNER --platform linux/amd64"
    );
}
