//! A registry of our own on this machine: Debian's, in a container.

use std::path::Path;

use crate::docker::{self, Container, docker};
use crate::http;
use crate::process::{Finished, finish, wait_for};
use crate::server::free_port;

/// What was pushed to it goes with it.
#[derive(Debug)]
pub struct Registry {
    /// `HOST/OWNER`, as image names begin.
    pub address: String,
    /// The image of Debian's programs.
    pub tools: String,
    /// Where it runs.
    pub container: Container,
}

impl Registry {
    /// Starts one; `None` without an engine.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn start() -> Option<Self> {
        let tools = docker::tools()?;
        let port = free_port();
        let listen = format!("REGISTRY_HTTP_ADDR=127.0.0.1:{port}");
        let container = Container::start(&[
            "--network",
            "host",
            "--env",
            &listen,
            &tools,
            "docker-registry",
            "serve",
            "/etc/docker/registry/config.yml",
        ]);
        wait_for("the registry", || http::try_get(&format!("http://127.0.0.1:{port}/v2/"), None));
        Some(Self { address: format!("localhost:{port}/it"), container, tools })
    }

    /// One of Debian's programs, with `dir` as its folder and this machine's network.
    ///
    /// # Panics
    /// When it does not start.
    pub fn run(&self, dir: &Path, words: &[&str]) -> Finished {
        let volume = format!("{}:/work", dir.display());
        let own = ["run", "--rm", "--network", "host", "--env", "COSIGN_PASSWORD=", "--volume"];
        let place = [&volume, "--workdir", "/work", &self.tools];
        finish(&mut docker(&[&own[..], &place, words].concat()))
    }
}

impl Drop for Registry {
    /// The names that the engine has of what was pushed.
    fn drop(&mut self) {
        let images = format!("reference={}/*", self.address);
        let mut list =
            docker(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", &images]);
        let names = finish(&mut list).output;
        let names: Vec<&str> = names.lines().collect();
        if !names.is_empty() {
            finish(&mut docker(&[&["image", "rm", "--force"], &names[..]].concat()));
        }
    }
}
