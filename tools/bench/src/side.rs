//! What is compared: our distribution, upstream's official build, and other engines.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use llama_src::Error;
use llama_src::sh::Cmd;

use product::manifest::Manifest;

pub(crate) const OURS: &str = "ours";
/// The side that ratios are to.
pub(crate) const UPSTREAM: &str = "upstream";

/// One of those that are compared.
#[derive(Debug, Clone)]
pub(crate) struct Side {
    pub(crate) name: String,
    /// What it is: a version, a commit.
    pub(crate) about: String,
    pub(crate) way: Way,
}

/// How it is measured.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    /// A `llama-server`.
    Server(PathBuf),
    /// A program that measures itself: it takes a model, the prompt's tokens and the tokens to generate, and prints its
    /// two rates as JSON.
    Driver(Cmd),
    /// Not at all; says why.
    Missing(String),
}

/// Our distribution in the folder `dist`.
pub(crate) fn ours(dist: &Path) -> Side {
    let name = OURS.to_owned();
    match Manifest::read(dist) {
        Ok(manifest) => Side {
            name,
            about: format!("the distribution {}", manifest.version),
            way: Way::Server(dist.join("llama-server")),
        },
        Err(_) => Side {
            name,
            about: "no distribution".to_owned(),
            way: Way::Missing("no distribution: cargo xtask dist".to_owned()),
        },
    }
}

/// Upstream's build in the folder `build`.
pub(crate) fn upstream(build: &Path) -> Side {
    let program = build.join("bin/llama-server");
    let way = match program.is_file() {
        true => Way::Server(program),
        false => Way::Missing(format!("no {}", program.display())),
    };
    let about = "upstream's build of the same source".to_owned();
    Side { name: UPSTREAM.to_owned(), about, way }
}

/// The side with one CPU variant, from a copy in `folder`.
pub(crate) fn only(side: Side, cpu: &str, folder: &Path) -> Result<Side> {
    let Way::Server(program) = &side.way else { return Ok(side) };
    let from = program.parent().context("a program is in a folder")?;
    let to = folder.join(&side.name);
    if to.exists() {
        fs::remove_dir_all(&to)?;
    }
    fs::create_dir_all(&to)?;
    let mut found = Vec::new();
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let variant = name.strip_prefix("libggml-cpu-").and_then(|name| name.strip_suffix(".so"));
        if path.is_file() && variant.is_none_or(|variant| variant == cpu) {
            fs::copy(&path, to.join(&name))
                .with_context(|| format!("cannot copy {}", path.display()))?;
        }
        found.extend(variant.map(str::to_owned));
    }
    if !found.iter().any(|variant| variant == cpu) {
        found.sort();
        bail!(
            Error::usage(format!("{} has no CPU variant {cpu}", side.name))
                .hint(format!("use one of {}", found.join(", ")))
        );
    }
    let (name, about) = (side.name, format!("{}, CPU variant {cpu}", side.about));
    Ok(Side { name, about, way: Way::Server(to.join("llama-server")) })
}

/// A `llama-server` of somebody else's.
pub(crate) fn server(name: &str, program: PathBuf) -> Side {
    let told = Cmd::new(&program).arg("--version").read_shown().unwrap_or_default();
    let about = told.lines().find(|line| line.starts_with("version")).unwrap_or("a llama-server");
    Side { name: name.to_owned(), about: about.to_owned(), way: Way::Server(program) }
}

/// The sides by name, as a journal takes them.
pub(crate) fn named(sides: &[Side]) -> Vec<(String, &Way)> {
    sides.iter().map(|side| (side.name.clone(), &side.way)).collect()
}

/// Those that are servers, and those that would be.
pub(crate) fn servers(sides: &[Side]) -> Vec<(String, &Way)> {
    let is_driver = |way: &&Way| matches!(way, Way::Driver(_));
    named(sides).into_iter().filter(|(_, way)| !is_driver(way)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_has_one_cpu_variant_when_it_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("build");
        fs::create_dir_all(from.join("bin/licenses")).unwrap();
        for name in ["llama-server", "libggml-cpu-zen4.so", "libggml-cpu-x64.so", "libggml.so"] {
            fs::write(from.join("bin").join(name), name).unwrap();
        }
        let folder = dir.path().join("only");
        let side = only(upstream(&from), "zen4", &folder).unwrap();
        assert_eq!(side.about, "upstream's build of the same source, CPU variant zen4");
        let Way::Server(program) = side.way else { panic!("{side:?}") };
        let names = fs::read_dir(program.parent().unwrap()).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["libggml-cpu-zen4.so", "libggml.so", "llama-server"]);
        let error = only(upstream(&from), "zen9", &folder).unwrap_err().to_string();
        assert!(error.starts_with("upstream has no CPU variant zen9\n"), "{error}");
        assert!(error.contains("use one of x64, zen4"), "{error}");
    }

    #[test]
    fn a_side_that_is_not_there_says_what_makes_it() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("bin/llama-server");
        for (side, hint) in [
            (ours(dir.path()), "no distribution: cargo xtask dist"),
            (upstream(dir.path()), &format!("no {}", program.display())),
        ] {
            let Way::Missing(why) = side.way else { panic!("{side:?}") };
            assert_eq!(why, hint);
        }
        fs::create_dir(dir.path().join("bin")).unwrap();
        fs::write(&program, "").unwrap();
        assert!(matches!(upstream(dir.path()).way, Way::Server(_)));
    }
}
