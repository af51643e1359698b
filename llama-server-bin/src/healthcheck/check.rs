//! From what is to be seen in the container to a verdict.

mod ask;
mod endpoint;
mod gpu;
mod installation;
mod library;
mod process;
pub(crate) mod verdict;

use std::path::PathBuf;

use endpoint::{Endpoint, URL_VARIABLE};
use gpu::Machine;
use process::{Environment, Main, Server};
use verdict::Verdict;

/// Variable that makes a missing GPU an error.
const REQUIRE_GPU: &str = "LLAMA_REQUIRE_GPU";

/// What a verdict depends on.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) proc: PathBuf,
    pub(crate) dev: PathBuf,
    pub(crate) sys: PathBuf,
    /// Folder of `llama-server`.
    pub(crate) app: PathBuf,
    /// The container's main process.
    pub(crate) pid: u32,
    pub(crate) environment: Environment,
}

/// The verdict about `world`. Before every step that can hang, `say` gets the verdict that holds if it
/// does.
pub(crate) fn check(world: &World, say: &dyn Fn(Verdict)) -> Verdict {
    let is_required = match is_gpu_required(&world.environment) {
        Ok(is_required) => is_required,
        Err(message) => return Verdict::Unhealthy(message),
    };
    let main = process::find(&world.proc, world.pid);
    let url = world.environment.get(URL_VARIABLE).filter(|url| !url.is_empty());
    let verdict = match (url, &main) {
        (Some(url), _) => asked(Endpoint::parse(url), say),
        (None, Main::Server(server)) => asked(endpoint(server, world), say),
        (None, Main::Other(name)) => unasked(world, name, say),
        (None, Main::Without(name)) => Verdict::Unhealthy(format!(
            "llama-server is not running: `{name}` has no such child process"
        )),
        (None, Main::Unseen) => {
            Verdict::Unhealthy(format!("process {} is not to be seen in /proc", world.pid))
        }
    };
    if !verdict.is_healthy() {
        return verdict;
    }
    let no_answer = || Err("the GPU's driver does not answer".to_owned());
    say(verdict.clone().with_gpu(no_answer(), is_required));
    let server = match &main {
        Main::Server(server) => Some(server),
        _ => None,
    };
    verdict.with_gpu(gpu(world, server, is_required), is_required)
}

fn endpoint(server: &Server, world: &World) -> Result<Endpoint, String> {
    let own = server.environment();
    let environment = own.as_ref().unwrap_or(&world.environment);
    Endpoint::of(&server.arguments, environment, &server.folder())
}

/// The verdict of the server at `endpoint`.
fn asked(endpoint: Result<Endpoint, String>, say: &dyn Fn(Verdict)) -> Verdict {
    match endpoint {
        Ok(endpoint) => {
            say(Verdict::Unhealthy(format!("{endpoint} does not answer in time")));
            ask::ask(&endpoint)
        }
        Err(message) => Verdict::Unhealthy(message),
    }
}

/// The verdict where `main` does something else: a server of its own is not this program's to judge.
fn unasked(world: &World, main: &str, say: &dyn Fn(Verdict)) -> Verdict {
    say(Verdict::Unhealthy("the libraries of llama-server do not open in time".to_owned()));
    match installation::check(&world.app, library::open) {
        Ok(count) => Verdict::Healthy(format!(
            "llama-server can be started, its {count} libraries open (not asked: the main process is \
             `{main}`)"
        )),
        Err(why) => Verdict::Unhealthy(format!("llama-server cannot be started: {why}")),
    }
}

/// The variant's GPU, or why the CPU does its work.
fn gpu(
    world: &World,
    server: Option<&Server>,
    is_required: bool,
) -> Result<Option<String>, String> {
    let variant = match installation::variant(&world.app) {
        Ok(variant) => variant,
        Err(why) if is_required => return Err(why),
        // A server that somebody has copied out of an image.
        Err(_) => return Ok(None),
    };
    let nvidia = library::nvidia_gpus;
    let visible = gpu::visible(&variant, &Machine { dev: &world.dev, sys: &world.sys, nvidia })?;
    // Upstream says nothing when a backend does not open, and goes on without it.
    let missing = gpu::library(&variant)
        .filter(|library| server.and_then(|server| server.has_loaded(library)) == Some(false));
    match missing {
        Some(library) => Err(format!("llama-server has not loaded {library}")),
        None => Ok(visible),
    }
}

fn is_gpu_required(environment: &Environment) -> Result<bool, String> {
    match environment.get(REQUIRE_GPU).map_or("", String::as_str) {
        "" | "0" => Ok(false),
        "1" => Ok(true),
        other => Err(format!("{REQUIRE_GPU} is `{other}`, must be 0 or 1")),
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
