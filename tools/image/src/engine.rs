//! What of Docker there is on this machine, and whether it does for what is asked of it.

use anyhow::{Result, bail};
use llama_src::Error;
use llama_src::sh::Cmd;
use serde::Deserialize;

use super::plan::{Cache, Output};

/// Installs a client, buildx and an engine.
const SETUP: &str = "cargo xtask setup docker --yes";

/// Docker as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Engine {
    /// No client.
    Missing,
    /// A client; the rest may be there or not.
    Found {
        /// What it says in place of an engine's answer.
        server: Result<Server, String>,
        builder: Option<Builder>,
    },
}

/// Of an engine that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    /// Whether it keeps images as containerd does: any platform, attestations too.
    pub(super) containerd_store: bool,
}

/// What buildx builds with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Builder {
    pub(super) driver: String,
    /// Whose programs it runs; empty until it was started for the first time.
    pub(super) platforms: Vec<String>,
}

/// What a command wants of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Wish<'a> {
    pub(super) platforms: &'a [&'static str],
    pub(super) output: Option<&'a Output>,
    pub(super) cache: Option<&'a Cache>,
    pub(super) attest: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    #[serde(default)]
    driver_status: Option<Vec<[String; 2]>>,
}

/// `docker` with its first words.
pub(super) fn docker<const N: usize>(words: [&str; N]) -> Cmd {
    Cmd::new("docker").args(words)
}

/// Runs a build that names an image `tag`; twice where it failed after the engine had the image.
///
/// An engine with containerd's store may lose layers under an image that it unpacks, Docker 26 to 29 alike
/// (<https://github.com/moby/buildkit/issues/6521>). The second build finds all steps in the cache.
///
/// # Errors
/// When the build fails.
pub(super) fn build(cmd: &Cmd, tag: Option<&str>) -> Result<(), llama_src::Error> {
    let before = tag.and_then(id);
    let Err(error) = cmd.run() else { return Ok(()) };
    let after = tag.and_then(id);
    if after.is_none() || after == before {
        return Err(error);
    }
    eprintln!("{error}\nthe engine has the image and failed after that: trying once more");
    cmd.run()
}

/// What an image is, if the engine has it.
fn id(tag: &str) -> Option<String> {
    docker(["image", "inspect", "--format", "{{.Id}}", tag]).read().ok()
}

impl Engine {
    /// Looks for all of it.
    pub(super) fn find() -> Self {
        if which::which("docker").is_err() {
            return Self::Missing;
        }
        let answer = docker(["version", "--format", "{{.Server.Version}}"]).read();
        let server = match answer {
            Ok(_) => {
                let info = docker(["info", "--format", "{{json .}}"]).read();
                Ok(Server::read(&info.unwrap_or_default()))
            }
            Err(error) => {
                Err(error.to_string().lines().last().unwrap_or_default().trim().to_owned())
            }
        };
        // Without an engine it fails too: then that is what is told.
        let builder = match docker(["buildx", "version"]).read() {
            Ok(_) => {
                let text = docker(["buildx", "inspect"]).read();
                Some(Builder::read(&text.unwrap_or_default()))
            }
            Err(_) => None,
        };
        Self::Found { server, builder }
    }

    /// Whether an engine answers, for commands that run and look at images.
    ///
    /// # Errors
    /// Says what installs or starts one.
    pub(super) fn answers(&self) -> Result<()> {
        let wrong = self.silent();
        if wrong.is_empty() { Ok(()) } else { bail!(Error::all(wrong)) }
    }

    /// Whether it builds what `wish` wants.
    ///
    /// # Errors
    /// Names all that is missing and what installs it.
    pub(super) fn builds(&self, wish: &Wish<'_>) -> Result<()> {
        let mut wrong = self.silent();
        if let Self::Found { server, builder } = self {
            match (builder, server) {
                (None, _) => {
                    wrong.push(Error::missing("docker buildx is not installed").hint(SETUP))
                }
                (Some(builder), Ok(server)) => wrong.extend(builder.refuses(server, wish)),
                (Some(_), Err(_)) => {}
            }
        }
        if wrong.is_empty() { Ok(()) } else { bail!(Error::all(wrong)) }
    }

    /// Whether its builder sets the times of files on the way to a registry: the engine itself, which
    /// keeps what it pushes, does not.
    pub(super) fn rewrites(&self) -> bool {
        !matches!(self, Self::Found { builder: Some(builder), .. } if builder.driver == "docker")
    }

    /// A word about platforms that it cannot run programs of, as far as it knows.
    pub(super) fn doubt(&self, platforms: &[&str]) -> Option<Error> {
        let Self::Found { builder: Some(builder), .. } = self else { return None };
        let known = |name: &&&str| builder.platforms.iter().any(|known| known == **name);
        let unknown: Vec<&str> = platforms.iter().filter(|name| !known(name)).copied().collect();
        (!unknown.is_empty() && !builder.platforms.is_empty()).then(|| {
            let unknown = unknown.join(", ");
            Error::missing(format!(
                "the builder cannot run programs for {unknown}: such a step fails with `exec \
                format error`"
            ))
            .hint("apt-get install qemu-user-static")
        })
    }

    fn silent(&self) -> Vec<Error> {
        match self {
            Self::Missing => vec![Error::missing("docker is not installed").hint(SETUP)],
            Self::Found { server: Err(said), .. } => vec![
                Error::missing("cannot connect to a Docker engine")
                    .log([said.trim_start_matches("| ").to_owned()])
                    .hint(SETUP)
                    .hint("or use another one: docker context use NAME"),
            ],
            Self::Found { server: Ok(_), .. } => Vec::new(),
        }
    }
}

impl Server {
    /// Of the answer of `docker info`.
    fn read(json: &str) -> Self {
        let status = serde_json::from_str::<Info>(json).ok().and_then(|info| info.driver_status);
        let snapshotter = |row: &[String; 2]| {
            row[0] == "driver-type" && row[1].starts_with("io.containerd.snapshotter")
        };
        Self { containerd_store: status.unwrap_or_default().iter().any(snapshotter) }
    }
}

impl Builder {
    /// Of the answer of `docker buildx inspect`.
    fn read(text: &str) -> Self {
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.unwrap_or_default().trim().to_owned()
        };
        let platforms = value("Platforms").replace('*', "");
        let platforms = platforms.split(',').map(str::trim).filter(|name| !name.is_empty());
        Self { driver: value("Driver"), platforms: platforms.map(str::to_owned).collect() }
    }

    /// The driver `docker` is the engine itself; with its older image store it can do less than
    /// BuildKit can.
    fn refuses(&self, server: &Server, wish: &Wish<'_>) -> Option<Error> {
        let archive = matches!(wish.output, Some(Output::Archive(_)));
        let several = wish.platforms.len() > 1;
        if self.driver == "docker" && !server.containerd_store {
            let wanted = [
                (archive, "OCI archives"),
                (several, "several platforms"),
                (wish.attest, "attestations"),
                (wish.cache.is_some(), "an external cache"),
            ];
            let wanted: Vec<&str> =
                wanted.iter().filter(|(wanted, _)| *wanted).map(|(_, what)| *what).collect();
            return (!wanted.is_empty()).then(|| {
                let wanted = wanted.join(", ");
                Error::missing(format!("this engine's image store does not support {wanted}"))
                    .hint("docker buildx create --driver docker-container --use")
                    .hint(
                        "or set `\"features\": {\"containerd-snapshotter\": true}` in \
                        /etc/docker/daemon.json and restart it",
                    )
            });
        }
        let loads = matches!(wish.output, Some(Output::Load));
        (loads && several && !server.containerd_store).then(|| {
            Error::usage("this builder can load only one platform at a time into the engine")
                .hint("--platform linux/amd64")
                .hint("or --output oci:image.tar")
        })
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
