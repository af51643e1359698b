//! The CPU payload of a target: built once through Cargo, the same bytes in every variant.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use llama_build::Manifest;
use serde::Deserialize;

use super::plan::{self, Choice};
use crate::screen::Screen;
use crate::{cargo, elf};

/// What Cargo built.
#[derive(Debug)]
pub(crate) struct Payload {
    /// `llama-server`.
    pub(crate) server: PathBuf,
    /// `llama-healthcheck`.
    pub(crate) healthcheck: PathBuf,
    /// Shared libraries, backends among them.
    pub(crate) libraries: Vec<PathBuf>,
    /// What `llama-sys` says about its build.
    pub(crate) build: Manifest,
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
    let cmd = plan::payload_command(choice, &root, &home)
        .arg("--message-format=json-render-diagnostics")
        .dir(cargo::root());
    let cmd = cargo::as_typed(cmd);
    let messages = screen.watch(|progress| {
        let cmd = cmd.clone().env("LLAMA_SYS_PROGRESS_FILE", progress);
        let child = cmd.command().stdout(Stdio::piped()).spawn().context("cannot run cargo")?;
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("a command failed with {}: {cmd}", output.status);
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    })?;
    let Cargos { server, healthcheck, manifest } =
        read(&messages).context("cargo does not name what it built")?;
    let build = Manifest::read(&manifest)?;
    ensure!(
        build.ui,
        "llama-server was built without its web UI: see the warning above\n  hint: cargo xtask vendor"
    );
    let libraries = closure(&server, &build)?;
    Ok(Payload { server, healthcheck, libraries, build })
}

/// One of Cargo's messages.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    package_id: String,
    out_dir: Option<PathBuf>,
    executable: Option<PathBuf>,
}

/// Where Cargo has put the programs, and the manifest of the build behind them.
#[derive(Debug, PartialEq, Eq)]
struct Cargos {
    server: PathBuf,
    healthcheck: PathBuf,
    manifest: PathBuf,
}

fn read(messages: &str) -> Option<Cargos> {
    let messages: Vec<Message> =
        messages.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let program = |name: &str| {
        let mut programs = messages.iter().filter_map(|message| message.executable.clone());
        programs.find(|program| program.ends_with(name))
    };
    let ours = messages.iter().filter(|message| message.package_id.contains("llama-sys#"));
    let out = ours.filter_map(|message| message.out_dir.clone()).next_back()?;
    Some(Cargos {
        server: program("llama-server")?,
        healthcheck: program("llama-healthcheck")?,
        manifest: out.join(llama_build::manifest::FILE),
    })
}

/// What the server needs of the build, and the backends that it will look for.
fn closure(server: &Path, build: &Manifest) -> Result<Vec<PathBuf>> {
    let bin = &build.artifacts.bin;
    let mut files: Vec<PathBuf> =
        build.artifacts.backends.iter().map(|name| bin.join(format!("lib{name}.so"))).collect();
    let mut look = vec![server.to_owned()];
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_tells_where_things_are() {
        let messages = r#"
{"reason":"build-script-executed","package_id":"path+file:///w/other#0.1.0","out_dir":"/o/other"}
{"reason":"build-script-executed","package_id":"path+file:///w/llama-sys#0.1.0","out_dir":"/o/llama"}
{"reason":"compiler-artifact","package_id":"path+file:///w/llama-server-bin#0.1.0","executable":null}
{"reason":"compiler-artifact","package_id":"path+file:///w/llama-server-bin#0.1.0","executable":"/t/llama-healthcheck"}
{"reason":"compiler-artifact","package_id":"path+file:///w/llama-server-bin#0.1.0","executable":"/t/llama-server"}
{"reason":"build-finished","success":true}
"#;
        let due = Cargos {
            server: "/t/llama-server".into(),
            healthcheck: "/t/llama-healthcheck".into(),
            manifest: "/o/llama/llama-build.json".into(),
        };
        assert_eq!(read(messages), Some(due));
        assert_eq!(read(&messages.replace("/t/llama-healthcheck", "/t/other")), None);
        assert_eq!(read(""), None);
    }
}
