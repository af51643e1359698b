//! What Cargo says it built: no folder of its is guessed, since `build.target`, `build.target-dir` and their variables
//! move everything.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use llama_build::Manifest;
use llama_build::manifest;
use llama_src::sh::Cmd;
use serde::Deserialize;

use crate::cargo;
use crate::screen::Screen;

/// The programs and build folders of one run of Cargo.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Built {
    programs: Vec<PathBuf>,
    /// `OUT_DIR` of `llama-sys`.
    pub llama_sys: Option<PathBuf>,
}

/// One of Cargo's messages.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    package_id: String,
    out_dir: Option<PathBuf>,
    executable: Option<PathBuf>,
    #[serde(default)]
    profile: Profile,
}

/// How something was compiled.
#[derive(Default, Deserialize)]
struct Profile {
    test: bool,
}

impl Built {
    /// Runs `cmd`, a `cargo build` or `cargo test --no-run`, and shows its progress.
    ///
    /// # Errors
    /// What Cargo says.
    pub fn by(screen: &mut Screen, cmd: Cmd) -> Result<Self> {
        let cmd = cargo::as_typed(cmd.arg("--message-format=json-render-diagnostics"));
        let messages = screen.watch(|progress| {
            let cmd = cmd.clone().env("LLAMA_SYS_PROGRESS_FILE", progress);
            let child = cmd.command().stdout(Stdio::piped()).spawn().context("cannot run cargo")?;
            let output = child.wait_with_output()?;
            if !output.status.success() {
                bail!("a command failed with {}: {cmd}", output.status);
            }
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        })?;
        Ok(Self::read(&messages))
    }

    /// The program with this name, whatever the system adds to it.
    ///
    /// # Errors
    /// When Cargo did not build it.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        let named = |path: &&PathBuf| path.file_stem().is_some_and(|stem| stem == name);
        let program = self.programs.iter().find(named).cloned();
        program.with_context(|| format!("cargo reports no `{name}` among the built programs"))
    }

    /// Whether the server has its web UI, as llama-sys tells.
    pub fn has_page(&self) -> bool {
        let path = self.llama_sys.as_ref().map(|out| out.join(manifest::FILE));
        path.is_some_and(|path| Manifest::read(&path).is_ok_and(|manifest| manifest.ui))
    }

    fn read(messages: &str) -> Self {
        let mut built = Self::default();
        for message in messages.lines().filter_map(|line| serde_json::from_str(line).ok()) {
            let Message { package_id, out_dir, executable, profile } = message;
            if package_id.contains("llama-sys#") && out_dir.is_some() {
                built.llama_sys = out_dir;
            }
            // The unit tests of a program have its name too.
            built.programs.extend(executable.filter(|_| !profile.test));
        }
        built
    }
}

/// Builds the server with the features of `cargo build --release` and `more`; `env` says where toolkits are.
pub fn server(screen: &mut Screen, more: &[String], env: &[(&str, PathBuf)]) -> Result<Built> {
    let with = if more.is_empty() { String::new() } else { format!(" with {}", more.join(", ")) };
    screen.step(&format!("building llama-server{with}"));
    let mut cmd = cargo::cargo("build").args(["--release", "--package", "llama-server-bin"]);
    if !more.is_empty() {
        cmd = cmd.arg("--features").arg(more.join(","));
    }
    cmd = env.iter().fold(cmd, |cmd, (name, path)| cmd.env(name, path));
    Built::by(screen, cmd)
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
{"reason":"compiler-artifact","package_id":"path+file:///w/llama-server-bin#0.1.0","profile":{"test":true},"executable":"/t/deps/llama-server"}
{"reason":"compiler-artifact","package_id":"path+file:///w/llama-server-bin#0.1.0","profile":{"test":false},"executable":"/t/x86_64/release/llama-server"}
{"reason":"build-finished","success":true}
"#;
        let built = Built::read(messages);
        assert_eq!(built.llama_sys.as_deref(), Some("/o/llama".as_ref()));
        assert_eq!(
            built.program("llama-server").ok().as_deref(),
            Some("/t/x86_64/release/llama-server".as_ref())
        );
        let error = built.program("llama-healthcheck").expect_err("it is not built");
        assert_eq!(
            error.to_string(),
            "cargo reports no `llama-healthcheck` among the built programs"
        );
        assert_eq!(Built::read(""), Built::default());
    }
}
