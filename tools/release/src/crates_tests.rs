//! The crates on their way to crates.io, and where `cargo binstall` finds their programs.

use toml::Value;

use super::*;
use crate::archives;
use crate::jobs::{self, What};
use product::arch::Arch;

#[test]
fn every_crate_comes_after_those_that_it_needs() {
    let crates = published().unwrap();
    let names: Vec<&str> = crates.iter().map(|package| package.name.as_str()).collect();
    for wanted in ["llama-src", "llama-build", "llama-sys", "llama-server-bin", "gguf-packer"] {
        assert!(names.contains(&wanted), "{wanted} is not in {names:?}");
    }
    assert!(!names.contains(&"xtask") && !names.contains(&"llama-tests"), "{names:?}");
    for (index, package) in crates.iter().enumerate() {
        for other in package.dependencies.iter().filter(|other| other.path.is_some()) {
            let at = names.iter().position(|name| *name == other.name);
            // What is never published may only be needed by tests.
            assert!(at.is_none_or(|at| at < index), "{} before {}", package.name, other.name);
        }
    }
    let texts = |dry_run| lines(&crates, dry_run).iter().map(|line| line.0.join(" ")).collect();
    let texts: [Vec<String>; 2] = [texts(true), texts(false)];
    // What a clone lacks comes first.
    assert_eq!(texts[0][..2], ["cargo xtask vendor", "cargo xtask vendor --check"]);
    assert!(texts[0][2].starts_with("cargo publish --locked --allow-dirty --dry-run --package "));
    assert!(!texts[1].concat().contains("--dry-run"));
}

#[test]
fn only_the_address_of_a_repository_is_written() {
    check_address("https://github.com/o/n.rs").unwrap();
    for text in
        ["", "http://h/o/n", "https://h/o", "https://h/o/n/", "https://h/o/n\"", "https://h//n"]
    {
        assert!(check_address(text).is_err(), "{text}");
    }
}

#[test]
fn a_tag_is_of_the_version_of_every_crate() {
    let crates = published().unwrap();
    check_version(&crates, env!("CARGO_PKG_VERSION")).unwrap();
    let error = check_version(&crates, "99.0.0").unwrap_err().to_string();
    assert!(
        error.starts_with("the tag is v99.0.0, but these crates have another version: "),
        "{error}"
    );
    for package in &crates {
        assert!(error.contains(&package.name), "{} is not named: {error}", package.name);
    }
}

#[test]
fn a_manifest_has_the_address_while_it_is_packed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("Cargo.toml");
    let before = "[package]\nname = \"x\"\nlicense.workspace = true\n\n[lib]\n";
    fs::write(&path, before).unwrap();
    let held = Manifest::with(&path, "https://github.com/o/n").unwrap();
    let during: Value = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(during["package"]["repository"].as_str(), Some("https://github.com/o/n"));
    drop(held);
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    // What a run left that was killed goes with the next one.
    std::mem::forget(Manifest::with(&path, "https://github.com/o/killed").unwrap());
    drop(Manifest::with(&path, "https://github.com/o/n").unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    assert_eq!(with_repository("[package]\n", "x"), None);
    for package in published().unwrap() {
        let text = fs::read_to_string(&package.manifest_path).unwrap();
        let named = with_repository(&text, "https://h/o/n").expect("every crate can get one");
        let value: Value = toml::from_str(&named).unwrap();
        assert_eq!(value["package"]["repository"].as_str(), Some("https://h/o/n"));
    }
}

/// A template of `cargo binstall`'s, as it fills it.
fn filled(template: &str, target: &str, bin: &str) -> String {
    let values = [
        ("repo", "https://github.com/o/n"),
        ("version", "1.2.3"),
        ("target", target),
        ("bin", bin),
        ("binary-ext", ""),
    ];
    let text = values.iter().fold(template.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{ {name} }}"), value)
    });
    assert!(!text.contains('{'), "{text}");
    text
}

/// What `cargo binstall gguf-packer` asks for, likewise.
#[test]
fn cargo_binstall_finds_the_packer() {
    let manifest = manifest("gguf-packer");
    let binstall = &manifest["package"]["metadata"]["binstall"];
    assert_eq!(binstall["pkg-fmt"].as_str(), Some("tgz"));
    let archives = archives::archives("1.2.3");
    let packers: Vec<_> = archives.iter().filter(|path| path.contains("/gguf-packer-")).collect();
    assert_eq!(packers.len(), Arch::ALL.len());
    for Arch { target, .. } in Arch::ALL {
        let url = filled(binstall["pkg-url"].as_str().unwrap(), target, "");
        let file = url.rsplit('/').next().unwrap();
        assert!(
            packers.iter().any(|path| path.ends_with(&format!("/{file}"))),
            "{file}: {packers:?}"
        );
        let place = filled(binstall["bin-dir"].as_str().unwrap(), target, "gguf-packer");
        assert_eq!(place, format!("{}/gguf-packer", file.trim_end_matches(".tar.gz")));
    }
}

fn manifest(name: &str) -> Value {
    let manifest = cargo::root().join(name).join("Cargo.toml");
    toml::from_str(&fs::read_to_string(manifest).unwrap()).unwrap()
}

/// The address that `cargo binstall llama-server-bin` asks for is that of an archive of the release, and the programs
/// lie in it where it looks.
#[test]
fn cargo_binstall_finds_the_archives_of_a_release() {
    let manifest = manifest("llama-server-bin");
    let binstall = &manifest["package"]["metadata"]["binstall"];
    assert_eq!(binstall["pkg-fmt"].as_str(), Some("tgz"));
    let (url, place) =
        (binstall["pkg-url"].as_str().unwrap(), binstall["bin-dir"].as_str().unwrap());
    let archives = archives::archives("1.2.3");
    let policy = crate::event::Policy { packs: true, ..Default::default() };
    let mut found = 0;
    for job in jobs::all(&policy) {
        let What::OneFile(Arch { target, .. }) = job.what else { continue };
        let url = filled(url, target, "");
        let file = url.strip_prefix("https://github.com/o/n/releases/download/v1.2.3/").unwrap();
        assert!(
            archives.iter().any(|path| path.ends_with(&format!("/{file}"))),
            "{file}: {archives:?}"
        );
        let folder = archives::stem(&job.what, "1.2.3");
        for bin in manifest["bin"].as_array().unwrap() {
            let name = bin["name"].as_str().unwrap();
            let inside = filled(place, target, name);
            let inside = inside.strip_prefix(&format!("{folder}/")).unwrap().to_owned();
            let files = distribution::dist::plan::files(product::variant::Variant::Cpu, true);
            assert!(files.contains(&inside), "no {inside} in {files:?}");
            found += 1;
        }
    }
    assert_eq!(found, 4);
}
