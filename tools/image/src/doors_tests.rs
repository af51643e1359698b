//! Every way that a person has to build an image leads to a stage that its Dockerfile has, with one default
//! toolkit: `image build`, `make`, `scripts`.

use std::collections::BTreeSet;

use llama_src::sh::Cmd;

use super::args;
use super::subject::{Platforms, Subject};
use product::variant::Variant;
use workspace::cargo;

/// A Dockerfile's stages and arguments, as far as names of stages are made of them.
struct Dockerfile {
    text: String,
    stages: BTreeSet<String>,
}

impl Dockerfile {
    fn read(variant: Variant) -> Self {
        let path = cargo::root().join(format!("docker/{variant}.Dockerfile"));
        let text = std::fs::read_to_string(path).unwrap();
        let names = text.lines().filter_map(|line| line.strip_prefix("FROM ")?.split_once(" AS "));
        let stages = names.map(|(_, name)| name.to_owned()).collect();
        Self { text, stages }
    }

    fn default(&self, name: &str) -> Option<&str> {
        product::base::argument(&self.text, name)
    }

    /// The stage that the toolkit is taken from when TOOLKIT is `toolkit`.
    fn toolkit_stage(&self, toolkit: &str) -> Option<String> {
        Some(self.default("TOOLKIT_IMAGE")?.replace("${TOOLKIT}", toolkit))
    }
}

/// Fails unless the words after `image build` mean images whose stages there are.
fn leads_somewhere(words: &[&str]) {
    let build = args::tests::build(&words.join(" ")).unwrap();
    build.check().unwrap();
    let architectures = build.architectures.as_deref();
    let subjects = Subject::all(&build.images, architectures, Platforms::Own).unwrap();
    assert!(!subjects.is_empty(), "{words:?}");
    for subject in subjects {
        let file = Dockerfile::read(subject.variant);
        assert!(file.stages.contains(subject.stage()), "{words:?}");
        assert!(file.stages.contains("dist"), "{words:?}");
        if let Some(toolkit) = &subject.toolkit {
            let stage = file.toolkit_stage(toolkit).unwrap();
            assert!(file.stages.contains(&stage), "{words:?}: no stage {stage}");
        }
    }
}

#[test]
fn every_image_that_can_be_named_has_its_stages() {
    leads_somewhere(&["all"]);
    leads_somewhere(&["all", "--toolkit", "all", "--minimal"]);
    for variant in Variant::ALL {
        leads_somewhere(&[variant.name()]);
        for toolkit in variant.toolkits() {
            leads_somewhere(&[variant.name(), "--toolkit", toolkit]);
        }
    }
}

#[test]
fn a_dockerfile_has_the_default_toolkit_of_the_table() {
    for variant in Variant::ALL {
        let file = Dockerfile::read(variant);
        assert_eq!(file.default("TOOLKIT"), variant.toolkits().first().copied(), "{variant}");
    }
}

/// What `make TARGET` would run, as words.
#[cfg(target_os = "linux")]
fn made(target: &str, more: &[&str]) -> Vec<Vec<String>> {
    let make = Cmd::new("make").args(["--dry-run", target]).args(more).dir(cargo::root());
    let text = make.env_remove("MAKEFLAGS").read().expect("make comes with every compiler");
    let lines = text.lines().filter(|line| line.starts_with("cargo xtask image build "));
    lines.map(|line| line.split_whitespace().skip(4).map(str::to_owned).collect()).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn make_leads_there_too() {
    let targets = Variant::ALL.map(Variant::name).into_iter().chain(["build-local"]);
    let all: Vec<_> = targets.flat_map(|target| made(target, &[])).collect();
    assert_eq!(all.len(), Variant::ALL.len() + 1);
    for words in all.iter().chain(&made("cuda", &["TOOLKIT=12.8"])) {
        leads_somewhere(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }
    for variant in Variant::ALL {
        let words = made(&format!("publish-{variant}"), &["REGISTRY=localhost:5000/me"]);
        leads_somewhere(&words[0].iter().map(String::as_str).collect::<Vec<_>>());
    }
}

/// What a script would run after `cargo xtask image build`.
#[cfg(unix)]
fn scripted(script: &str, words: &[&str]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let cargo = dir.path().join("cargo");
    std::fs::write(&cargo, "#!/bin/sh\nprintf '%s\\n' \"$@\"\n").unwrap();
    product::files::set_mode(&cargo, 0o755).unwrap();
    let path = format!("{}:/usr/bin:/bin", dir.path().display());
    let script = cargo::root().join("scripts").join(script);
    let said = Cmd::new("sh").arg(script).args(words).env("PATH", path).read().unwrap();
    let mut said = said.lines().map(str::to_owned);
    assert_eq!(said.by_ref().take(3).collect::<Vec<_>>(), ["xtask", "image", "build"]);
    said.collect()
}

#[cfg(unix)]
#[test]
fn scripts_lead_there_too() {
    for (script, words) in [
        ("build-cpu.sh", &["--no-cache"][..]),
        ("build-cuda.sh", &["12.8", "--no-cache"]),
        ("build-cuda.sh", &[]),
        ("build-rocm.sh", &["7.2", "--no-cache"]),
        ("build-rocm.sh", &[]),
    ] {
        let words = scripted(script, words);
        leads_somewhere(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }
}
