//! `gguf-packer` with a store of its own, and with nothing of the environment that could change what it does.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::needs;
use crate::process::{Finished, command, finish};

/// The program, a store and a home.
#[derive(Debug)]
pub struct Packer {
    program: PathBuf,
    dir: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

impl Packer {
    /// With an empty store; `None` without the program.
    ///
    /// # Panics
    /// When there is no room for a store.
    pub fn new() -> Option<Self> {
        let program = needs::gguf_packer()?;
        let dir = tempfile::tempdir().expect("there is room for a store");
        Some(Self { program, dir, environment: Vec::new() })
    }

    /// With one more variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// The folder of the store.
    pub fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    /// A command that is not started yet.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = command(&self.program);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["HF_", "LLAMA_", "DOCKER_", "REGISTRY_AUTH_FILE", "XDG_"]
                .iter()
                .any(|ours| text.starts_with(ours))
            {
                command.env_remove(&name);
            }
        }
        command.env("GGUF_PACKER_STORE_PATH", self.store());
        command.env("HOME", self.dir.path()).env("DOCKER_CONFIG", self.dir.path().join("docker"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.args(words);
        command
    }

    /// Runs it in `dir` to its end.
    ///
    /// # Panics
    /// When it hangs.
    pub fn run_in(&self, dir: &Path, words: &[&str]) -> Finished {
        finish(self.command(words).current_dir(dir))
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it hangs.
    pub fn run(&self, words: &[&str]) -> Finished {
        finish(&mut self.command(words))
    }

    /// Runs it in `dir`; its output.
    ///
    /// # Panics
    /// When it fails.
    pub fn does_in(&self, dir: &Path, words: &[&str]) -> String {
        let Finished { status, output } = self.run_in(dir, words);
        assert!(status.success(), "gguf-packer {words:?} ended with {status}:\n{output}");
        output
    }

    /// Runs it; its output.
    ///
    /// # Panics
    /// When it fails.
    pub fn does(&self, words: &[&str]) -> String {
        self.does_in(self.dir.path(), words)
    }

    /// What it lists.
    ///
    /// # Panics
    /// When it fails.
    pub fn list(&self) -> Vec<Value> {
        let output = self.does(&["list", "--json"]);
        serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"))
    }
}
