//! Every name that the schemes give.

use clap::ValueEnum;

use super::*;
use crate::images::Scheme;
use product::variant::Variant;

const VERSION: &str = "2508201420-abc1234";

fn identity(branch: &str) -> Identity {
    Identity {
        version: VERSION.into(),
        commit: "abc1234567890abcdef1234567890abcdef12345".into(),
        timestamp: "2508201420".into(),
        branch: branch.into(),
        epoch: 1_755_699_600,
    }
}

fn only(variant: Variant, platform: &'static str) -> Subject {
    Subject { platforms: vec![platform], ..Subject::new(variant) }
}

/// Read as 13.0 by the tests.
fn newest() -> &'static str {
    Variant::Cuda.toolkits()[0]
}

fn cuda(toolkit: &str) -> Subject {
    Subject { toolkit: Some(toolkit.into()), ..Subject::new(Variant::Cuda) }
}

fn tags(subject: &Subject, scheme: &str, branch: &str) -> Vec<String> {
    let (identity, semver) = (identity(branch), Semver::parse("1.2.3").unwrap());
    let naming = Naming { identity: &identity, registry: Some("r.io/me"), semver: Some(&semver) };
    let tags = naming.tags(subject, Scheme::from_str(scheme, false).ok()).into_iter();
    let tags = tags.map(|tag| tag.reference.replace("r.io/me/", "").replace(VERSION, "V"));
    tags.map(|tag| tag.replace(newest(), "13.0")).collect()
}

#[test]
fn a_repository_for_each_variant() {
    let of = |subject: &Subject| tags(subject, "repository", "main").join(" ");
    assert_eq!(of(&Subject::new(Variant::Cpu)), "llama-cpp-cpu:V llama-cpp-cpu:latest");
    assert_eq!(
        of(&only(Variant::Cpu, "linux/arm64")),
        "llama-cpp-cpu:V-arm64 llama-cpp-cpu:latest-arm64"
    );
    assert_eq!(
        of(&cuda(newest())),
        "llama-cpp-cuda:V llama-cpp-cuda:latest llama-cpp-cuda:V-cuda13.0 llama-cpp-cuda:cuda13.0 \
         llama-cpp-cuda:cuda13"
    );
    assert_eq!(
        of(&cuda("12.8")),
        "llama-cpp-cuda:V-cuda12.8 llama-cpp-cuda:cuda12.8 llama-cpp-cuda:cuda12"
    );
    let minimal = Subject { minimal: true, ..Subject::new(Variant::Vulkan) };
    assert_eq!(of(&minimal), "llama-cpp-vulkan:V-minimal llama-cpp-vulkan:latest-minimal");
}

#[test]
fn one_repository_whose_tags_name_variant_and_platform() {
    let of =
        |subject: &Subject| tags(subject, "platform", "main").join(" ").replace("llama-cpp:", "");
    assert_eq!(of(&Subject::new(Variant::Cpu)), "V-cpu cpu-V latest-cpu");
    assert_eq!(of(&only(Variant::Cpu, "linux/amd64")), "V-cpu-amd64 latest-cpu-amd64");
    assert_eq!(
        of(&cuda(newest())),
        "V-cuda cuda-V latest-cuda cuda-latest V-cuda-amd64 latest-cuda-amd64 cuda-amd64"
    );
    assert_eq!(
        of(&Subject { minimal: true, ..cuda("12.8") }),
        "V-cuda12.8-minimal cuda12.8-minimal-V latest-cuda12.8-minimal cuda12.8-minimal-latest \
         V-cuda12.8-minimal-amd64 latest-cuda12.8-minimal-amd64 cuda12.8-minimal-amd64"
    );
}

#[test]
fn one_repository_by_toolkit_release_and_commit() {
    let of =
        |subject: &Subject| tags(subject, "release", "main").join(" ").replace("llama-cpp:", "");
    assert_eq!(
        of(&Subject::new(Variant::Cpu)),
        "sha-abc1234-cpu 1.2.3-cpu 1.2-cpu 1-cpu sha-abc1234 1.2.3 1.2 1 cpu latest"
    );
    assert_eq!(of(&only(Variant::Vulkan, "linux/arm64")), "sha-abc1234-vulkan-arm64");
    assert_eq!(
        of(&cuda(newest())),
        "sha-abc1234-cuda 1.2.3-cuda 1.2-cuda 1-cuda cuda cuda13.0 cuda13"
    );
    assert_eq!(
        of(&cuda("12.8")),
        "sha-abc1234-cuda12.8 1.2.3-cuda12.8 1.2-cuda12.8 1-cuda12.8 cuda12.8 cuda12"
    );
    let rocm = Subject { toolkit: Some("7.2".into()), ..Subject::new(Variant::Rocm) };
    assert!(of(&rocm).ends_with(" rocm7.2 rocm7"));
    // Not the newest of its number.
    assert!(of(&cuda("12.4")).ends_with(" 1-cuda12.4 cuda12.4"));
    let minimal = Subject { minimal: true, ..Subject::new(Variant::Cpu) };
    assert_eq!(
        of(&minimal),
        "sha-abc1234-cpu-minimal 1.2.3-cpu-minimal 1.2-cpu-minimal 1-cpu-minimal sha-abc1234-minimal \
         1.2.3-minimal 1.2-minimal 1-minimal cpu-minimal latest-minimal"
    );
}

#[test]
fn what_somebody_tries_out_says_so() {
    let of = |subject: &Subject| {
        let identity = identity("x");
        let naming = Naming { identity: &identity, registry: None, semver: None };
        naming.dev_tags(subject).join(" ").replace("llama-cpp:", "")
    };
    assert_eq!(of(&only(Variant::Cpu, "linux/amd64")), "cpu-dev cpu-amd64-dev amd64-dev");
    assert_eq!(of(&only(Variant::Cpu, "linux/arm64")), "cpu-dev cpu-arm64-dev arm64-dev");
    assert_eq!(of(&cuda(newest())), "cuda-dev cuda-amd64-dev amd64-cuda-dev");
    assert_eq!(of(&cuda("12.8")), "cuda12.8-dev cuda12.8-amd64-dev amd64-cuda12.8-dev");
    let minimal = Subject { minimal: true, ..only(Variant::Cpu, "linux/amd64") };
    assert_eq!(of(&minimal), "cpu-minimal-dev cpu-minimal-amd64-dev amd64-minimal-dev");
}

#[test]
fn local_images_are_told_apart() {
    let of = |subject: &Subject| {
        let identity = identity("main");
        Naming { identity: &identity, registry: None, semver: None }.local_tag(subject)
    };
    assert_eq!(of(&Subject::new(Variant::Cpu)), "llama-cpp-cpu:local");
    assert_eq!(of(&cuda(newest())), "llama-cpp-cuda:local");
    let minimal = Subject { minimal: true, ..cuda("12.8") };
    assert_eq!(of(&minimal), "llama-cpp-cuda:local-cuda12.8-minimal");
}

#[test]
fn only_the_main_branch_moves_the_names_of_the_newest() {
    let cpu = Subject::new(Variant::Cpu);
    for branch in ["main", "master"] {
        assert!(tags(&cpu, "all", branch).iter().any(|tag| tag.ends_with("latest")), "{branch}");
    }
    let moving = ["latest", "cuda13", "cuda13.0", "cuda", "cuda-amd64"];
    let name = |tag: &String| tag.split(':').nth(1).unwrap().to_owned();
    // `HEAD`: a checkout of a tag, which need not be on the main branch.
    for branch in ["topic", "HEAD"] {
        let of = tags(&cuda(newest()), "all", branch);
        assert!(of.iter().map(name).all(|tag| !moving.contains(&tag.as_str())), "{of:?}");
    }
    let dirty = Identity { commit: "abc1234-dirty".into(), ..identity("main") };
    let naming = Naming { identity: &dirty, registry: None, semver: None };
    let tags = naming.tags(&cpu, Some(Scheme::Repository));
    assert_eq!(tags.len(), 1);
    assert_eq!(tags[0].reference, format!("llama-cpp-cpu:{VERSION}"));
}

#[test]
fn a_name_is_given_once_or_moves() {
    let (identity, semver) = (identity("main"), Semver::parse("1.2.3").unwrap());
    let naming = Naming { identity: &identity, registry: None, semver: Some(&semver) };
    let subjects = [Subject::new(Variant::Cpu), Subject { minimal: true, ..cuda("12.8") }];
    let tags: Vec<Tag> = subjects.iter().flat_map(|subject| naming.tags(subject, None)).collect();
    let of = |kind: Kind| {
        let tags = tags.iter().filter(|tag| tag.kind == kind);
        let names = tags.map(|tag| tag.reference.split_once(':').unwrap().1.replace(VERSION, "V"));
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        of(Kind::Once),
        "V V-cpu cpu-V sha-abc1234-cpu 1.2.3-cpu sha-abc1234 1.2.3 V-cuda12.8-minimal V-cuda12.8-minimal \
         cuda12.8-minimal-V V-cuda12.8-minimal-amd64 sha-abc1234-cuda12.8-minimal 1.2.3-cuda12.8-minimal"
    );
    assert_eq!(of(Kind::Line), "1.2-cpu 1-cpu 1.2 1 1.2-cuda12.8-minimal 1-cuda12.8-minimal");
    assert_eq!(
        of(Kind::Newest),
        "latest latest-cpu cpu latest cuda12.8-minimal cuda12-minimal latest-cuda12.8-minimal \
         cuda12.8-minimal-latest latest-cuda12.8-minimal-amd64 cuda12.8-minimal-amd64 cuda12.8-minimal \
         cuda12-minimal"
    );
}

#[test]
fn no_two_images_of_a_release_share_a_name() {
    let mut seen = std::collections::BTreeMap::new();
    for row in product::variant::matrix() {
        for minimal in [false, true] {
            let subject = Subject {
                toolkit: row.toolkit.map(str::to_owned),
                minimal,
                ..Subject::new(row.variant)
            };
            let whole = format!("{}{:?}{minimal}", row.variant, row.toolkit);
            for tag in tags(&subject, "all", "main") {
                assert!(tag.len() < 128 && !tag.contains(char::is_whitespace));
                let other = seen.insert(tag.clone(), whole.clone());
                assert!(other.is_none_or(|other| other == whole), "{tag}");
            }
        }
    }
}
