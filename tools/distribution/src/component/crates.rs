//! The crates that are compiled into our programs: which, from `cargo tree`, whose answer is exactly the
//! build's; what they are, from `cargo metadata`. Build dependencies run on the build machine alone and
//! nothing of them is shipped, so they are left out.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use llama_src::Error;
use serde::Deserialize;

use super::{Component, Group, Text, joined, license_files};
use product::manifest::Manifest;
use product::variant;
use workspace::cargo;

/// What a distribution is of.
#[derive(Debug)]
pub struct Program {
    /// Its crate.
    pub package: &'static str,
    /// What that is compiled with.
    pub features: &'static str,
    /// What its licence is called in `licenses/`.
    license: &'static str,
    /// Whether llama.cpp's web UI is in it.
    pub has_page: bool,
}

/// llama-server and its health check. Other features choose what is in llama.cpp.
pub const SERVER: Program = Program {
    package: "llama-server-bin",
    features: "build",
    license: "llama-server.txt",
    has_page: true,
};

pub const PACKER: Program = Program {
    package: variant::PACKER,
    features: "quantize,fetch,openmp",
    license: "gguf-packer.txt",
    has_page: false,
};

impl Program {
    /// Of the distribution that `manifest` describes.
    pub fn of(manifest: &Manifest) -> &'static Self {
        if manifest.variant == variant::PACKER { &PACKER } else { &SERVER }
    }
}

const RUST_STD: &str = "\
The Rust standard library, copyright (c) The Rust Project Contributors, is licensed under the Apache
License 2.0 or the MIT license. It, and the crates in it, are passed on under the Apache License 2.0;
parts of it that come from the LLVM Project with the LLVM exceptions; its Unicode data under the
Unicode License V3.
";

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    license_file: Option<PathBuf>,
    /// None for a crate of this workspace.
    source: Option<String>,
    manifest_path: PathBuf,
}

/// Crates in `program` for `target`, and the standard library of `rustc`.
///
/// # Errors
/// When Cargo fails or a crate has no licence or no licence text.
pub(super) fn read(program: &Program, target: &str, rustc: &str) -> Result<Vec<Component>> {
    let tree = cargo::cargo("tree")
        .args([
            "--package",
            program.package,
            "--no-default-features",
            "--features",
            program.features,
        ])
        .args(["--edges", "normal,no-proc-macro", "--target", target])
        .args(["--prefix", "none", "--format", "{p}", "--locked"])
        .read()?;
    let metadata = cargo::cargo("metadata")
        .args(["--format-version", "1", "--locked", "--filter-platform", target])
        .read()?;
    let packages = select(&tree, &metadata)?;
    let mut components = vec![rust_std(rustc)?];
    let mut wrong = Vec::new();
    for package in &packages {
        match component(program, package) {
            Ok(component) => components.push(component),
            Err(error) => wrong.push(format!("{error:#}")),
        }
    }
    if wrong.is_empty() { Ok(components) } else { bail!("{}", wrong.join("\n")) }
}

/// Packages of `metadata` that are in `tree`, lines such as `rustix v1.1.6`.
fn select(tree: &str, metadata: &str) -> Result<Vec<Package>> {
    let metadata: Metadata =
        serde_json::from_str(metadata).context("`cargo metadata` gives another form")?;
    let mut packages = metadata.packages;
    packages.retain(|package| {
        tree.lines().any(|line| {
            let mut words = line.split(' ');
            words.next() == Some(package.name.as_str())
                && words.next().and_then(|word| word.strip_prefix('v')) == Some(&package.version)
        })
    });
    Ok(packages)
}

fn component(program: &Program, package: &Package) -> Result<Component> {
    let Package { name, version, .. } = package;
    let Some(license) = &package.license else {
        bail!(
            Error::new(format!("the crate {name} {version} states no licence"))
                .hint(format!("cargo tree -p {} -i {name}", program.package))
        );
    };
    // Old crates write a choice with a slash.
    let license = license.replace('/', " OR ");
    let third = package.source.is_some();
    let group = if third { Group::Crate } else { Group::Own };
    let texts = match third {
        true => vec![Text {
            path: format!("crates/{name}-{version}.txt"),
            content: crate_text(program, package)?,
        }],
        false if name == program.package => vec![Text {
            path: program.license.to_owned(),
            content: super::read_text(&cargo::root().join("LICENSE"))?,
        }],
        false => Vec::new(),
    };
    Ok(Component {
        version: Some(version.clone()),
        purl: third.then(|| format!("pkg:cargo/{name}@{version}")),
        texts,
        ..Component::new(group, name, &license)
    })
}

fn crate_text(program: &Program, package: &Package) -> Result<String> {
    let Package { name, version, .. } = package;
    let folder = package.manifest_path.parent().unwrap_or(Path::new(""));
    let mut files = license_files(folder)?;
    let named = package.license_file.as_ref().map(|file| folder.join(file));
    files.extend(named.filter(|file| !files.contains(file)));
    if files.is_empty() {
        bail!(
            Error::new(format!("the crate {name} {version} has no licence text"))
                .hint(format!("cargo tree -p {} -i {name}", program.package))
        );
    }
    joined(&files)
}

fn rust_std(rustc: &str) -> Result<Component> {
    let numbered = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    let Some(version) = rustc.split_whitespace().find(numbered) else {
        bail!("no version of rustc in the manifest's tools: `{rustc}`");
    };
    let texts = [
        include_str!("texts/Apache-2.0.txt"),
        include_str!("texts/LLVM-exception.txt"),
        include_str!("texts/Unicode-3.0.txt"),
    ];
    let text = Text {
        path: "crates/rust-std.txt".to_owned(),
        content: format!("{RUST_STD}\n{}", texts.join("\n")),
    };
    Ok(Component {
        version: Some(version.to_owned()),
        supplier: Some("The Rust Project".to_owned()),
        purl: Some(format!("pkg:github/rust-lang/rust@{version}")),
        texts: vec![text],
        ..Component::new(Group::Crate, "rust-std", "(MIT OR Apache-2.0) AND Unicode-3.0")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(dir: &Path, license: Option<&str>) -> Package {
        Package {
            name: "a".into(),
            version: "1.0.0".into(),
            license: license.map(str::to_owned),
            license_file: None,
            source: Some("registry".into()),
            manifest_path: dir.join("Cargo.toml"),
        }
    }

    #[test]
    fn only_the_crates_of_the_tree_are_taken_with_their_versions() {
        let one = |name: &str, version: &str| {
            format!(
                r#"{{"name":"{name}","version":"{version}","license":"MIT","license_file":null,"source":null,"manifest_path":"x"}}"#
            )
        };
        let list = [one("a", "1.0.0"), one("a", "2.0.0"), one("b", "1.0.0"), one("c", "0.1.0")];
        let metadata = format!(r#"{{"packages":[{}]}}"#, list.join(","));
        let found = select("a v2.0.0\nc v0.1.0 (/a b/c)\nc v0.1.0 (/a b/c) (*)\n", &metadata);
        let names: Vec<String> =
            found.unwrap().iter().map(|p| format!("{} {}", p.name, p.version)).collect();
        assert_eq!(names, ["a 2.0.0", "c 0.1.0"]);
    }

    #[test]
    fn a_crate_without_licence_or_text_is_named() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(
            component(&SERVER, &package(dir.path(), None)).unwrap_err().to_string(),
            "the crate a 1.0.0 states no licence\n  hint: cargo tree -p llama-server-bin -i a"
        );
        assert_eq!(
            component(&SERVER, &package(dir.path(), Some("MIT"))).unwrap_err().to_string(),
            "the crate a 1.0.0 has no licence text\n  hint: cargo tree -p llama-server-bin -i a"
        );
        std::fs::write(dir.path().join("LICENSE"), "text").unwrap();
        let component = component(&SERVER, &package(dir.path(), Some("MIT/Apache-2.0"))).unwrap();
        assert_eq!(component.license, "MIT OR Apache-2.0");
        assert_eq!(component.purl.unwrap(), "pkg:cargo/a@1.0.0");
        let text = Text { path: "crates/a-1.0.0.txt".into(), content: "text\n".into() };
        assert_eq!(component.texts, [text]);
    }

    #[test]
    fn the_standard_library_has_the_compiler_s_version() {
        for text in ["1.95.0", "rustc 1.95.0 (59807616e 2026-04-14)"] {
            assert_eq!(rust_std(text).unwrap().version.unwrap(), "1.95.0");
        }
        let error = rust_std("").unwrap_err().to_string();
        assert_eq!(error, "no version of rustc in the manifest's tools: ``");
    }
}
