//! The CPU payload of a target: built once through Cargo, the same bytes in every variant.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use llama_build::Manifest;
use llama_build::cmake::WORKER;
use llama_src::Error;

use super::plan::{self, Choice};
use workspace::built::Built;
use workspace::cargo;
use workspace::screen::Screen;

/// What Cargo built.
#[derive(Debug)]
pub(crate) struct Payload {
    /// What a person starts, `llama-server` first.
    pub programs: Vec<PathBuf>,
    /// Shared libraries, backends among them.
    pub libraries: Vec<PathBuf>,
    /// What `llama-sys` says about its build.
    pub build: Manifest,
}

impl Payload {
    /// File names of its libraries.
    pub(crate) fn names(&self) -> Vec<String> {
        let name = |path: &PathBuf| Some(path.file_name()?.to_string_lossy().into_owned());
        self.libraries.iter().filter_map(name).collect()
    }
}

/// Builds the payload that `choice` names the target of.
///
/// # Errors
/// What Cargo says; a build without its web UI.
pub(crate) fn build(screen: &mut Screen, choice: &Choice) -> Result<Payload> {
    let [root, home] = [cargo::root(), cargo::home()].map(|dir| dir.display().to_string());
    let cmd = plan::payload_command(choice, &root, &home).dir(cargo::root());
    let built = Built::by(screen, cmd)?;
    let of_cargo = ["llama-server", "llama-healthcheck"].map(|name| built.program(name));
    let mut programs = of_cargo.into_iter().collect::<Result<Vec<_>>>()?;
    let out = built.llama_sys.context("cargo names no build of `llama-sys`")?;
    let build = Manifest::read(&out.join(llama_build::manifest::FILE))?;
    ensure!(
        build.ui,
        Error::missing("llama-server was built without its web UI: see the warning above")
            .hint("cargo xtask vendor")
    );
    if !choice.one_file {
        programs.push(build.artifacts.bin.join(WORKER));
    }
    let libraries = closure(&programs, &build)?;
    Ok(Payload { programs, libraries, build })
}

/// What the programs need of the build, and the backends that they will look for.
fn closure(programs: &[PathBuf], build: &Manifest) -> Result<Vec<PathBuf>> {
    let bin = &build.artifacts.bin;
    let mut files: Vec<PathBuf> =
        build.artifacts.backends.iter().map(|name| bin.join(format!("lib{name}.so"))).collect();
    let mut look = programs.to_vec();
    look.extend(files.iter().cloned());
    while let Some(file) = look.pop() {
        let needed = elf::read(&file)?.map(|elf| elf.needed).unwrap_or_default();
        for library in needed.iter().map(|name| bin.join(name)) {
            if library.is_file() && !files.contains(&library) {
                files.push(library.clone());
                look.push(library);
            }
        }
    }
    files.sort();
    Ok(files)
}
