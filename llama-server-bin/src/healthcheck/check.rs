//! From what is to be seen in the container to a verdict.

mod ask;
mod endpoint;
mod gpu;
mod installation;
mod library;
pub(crate) mod process;
pub(crate) mod server;
mod tls;
pub(crate) mod verdict;

use std::path::PathBuf;

use llama_server_bin::sockets::Listener;

use ask::Said;
use endpoint::{Endpoint, URL_VARIABLE};
use gpu::Machine;
use process::Found;
use server::{Environment, Server};
use verdict::Verdict;

/// Variable that makes a missing GPU an error.
const REQUIRE_GPU: &str = "LLAMA_REQUIRE_GPU";

/// Variable with the seconds after which a server that gets nothing done says so itself, in its answer:
/// `vendor/patches/0050`.
const STALL: &str = "LLAMA_HEALTHCHECK_STALL";

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
    let is_required = match settings(&world.environment) {
        Ok(is_required) => is_required,
        Err(message) => return Verdict::Unhealthy(message),
    };
    let found = process::find(&world.proc, world.pid);
    let url = world.environment.get(URL_VARIABLE).filter(|url| !url.is_empty());
    let servers = match &found {
        Found::Servers(servers) | Found::Other(_, servers) => servers.as_slice(),
        _ => &[],
    };
    let said = match (url, &found) {
        (Some(url), _) => asked(Endpoint::parse(url), servers.first(), say),
        (None, Found::Servers(servers)) => all(servers, world, say)
            .unwrap_or_else(|| Said::unhealthy("llama-server is not running".to_owned())),
        (None, Found::Other(name, servers)) => others(world, name, servers, say),
        (None, Found::Worker(listeners)) => worker(listeners.as_deref()),
        (None, Found::Without(name)) => Said::unhealthy(format!(
            "llama-server is not running: `{name}` has no such child process"
        )),
        (None, Found::Unseen) => Said::unhealthy(format!("cannot read /proc/{}", world.pid)),
    };
    let Said { verdict, devices } = said;
    if !verdict.is_healthy() {
        return verdict;
    }
    let no_answer = || Err("the GPU's driver does not answer".to_owned());
    say(verdict.clone().with_gpu(no_answer(), is_required));
    verdict.with_gpu(gpu(world, servers.first(), devices.as_deref(), is_required), is_required)
}

/// What `servers` and those of their models say together: one that is not well speaks for all.
fn all(servers: &[Server], world: &World, say: &dyn Fn(Verdict)) -> Option<Said> {
    let mut said = servers.iter().map(|server| one(server, world, say));
    let first = said.next()?;
    Some(said.fold(first, Said::with))
}

fn one(server: &Server, world: &World, say: &dyn Fn(Verdict)) -> Said {
    if server.listeners.as_ref().is_some_and(Vec::is_empty) {
        let why = "llama-server does not listen yet (it may be fetching its model)";
        return Said { verdict: Verdict::Starting(why.to_owned()), devices: None };
    }
    let said = asked(endpoint(server, world), Some(server), say);
    let models = server.models.iter().map(|model| one(model, world, say));
    // A model that is loading is none of the others' trouble.
    models.filter(|model| !matches!(model.verdict, Verdict::Starting(_))).fold(said, Said::with)
}

fn endpoint(server: &Server, world: &World) -> Result<Endpoint, String> {
    let own = server.environment();
    let environment = own.as_ref().unwrap_or(&world.environment);
    let bound = server.listeners.as_deref().unwrap_or_default();
    Endpoint::of(&server.arguments, environment, &server.folder(), bound)
}

/// What the server at `endpoint` says.
fn asked(
    endpoint: Result<Endpoint, String>,
    server: Option<&Server>,
    say: &dyn Fn(Verdict),
) -> Said {
    match endpoint {
        Ok(endpoint) => {
            say(Verdict::Unhealthy(format!("{endpoint} does not answer in time")));
            ask::ask(&endpoint, server.and_then(|server| server.library("libssl.so")))
        }
        Err(message) => Said::unhealthy(message),
    }
}

/// The verdict where `main` does something else: when to start a server is its affair, but one that runs has
/// to be well.
fn others(world: &World, main: &str, servers: &[Server], say: &dyn Fn(Verdict)) -> Said {
    let said = servers.iter().map(|server| one(server, world, say));
    let said = said.filter(|said| !matches!(said.verdict, Verdict::Starting(_)));
    if let Some(said) = said.reduce(Said::with) {
        return said;
    }
    say(Verdict::Unhealthy("the libraries of llama-server do not open in time".to_owned()));
    let verdict = match installation::check(&world.app, library::open) {
        Ok(count) => Verdict::Healthy(format!(
            "llama-server can be started, its {count} libraries open (not asked: the main process is \
             `{main}`)"
        )),
        Err(why) => Verdict::Unhealthy(format!("llama-server cannot be started: {why}")),
    };
    Said { verdict, devices: None }
}

/// The verdict about `ggml-rpc-server`. Nobody connects to it: it serves one server at a time, for days.
fn worker(listeners: Option<&[Listener]>) -> Said {
    let verdict = match listeners {
        None => Verdict::Healthy("ggml-rpc-server runs".to_owned()),
        Some(listeners) => match listeners.iter().find_map(Listener::tcp) {
            Some(address) => Verdict::Healthy(format!("ggml-rpc-server listens on {address}")),
            None => Verdict::Starting("ggml-rpc-server does not listen yet".to_owned()),
        },
    };
    Said { verdict, devices: None }
}

/// The GPUs that the server uses, or why the CPU does its work. `devices` is what it says of itself.
fn gpu(
    world: &World,
    server: Option<&Server>,
    devices: Option<&str>,
    is_required: bool,
) -> Result<Option<String>, String> {
    let used = devices.filter(|devices| *devices != "none");
    let variant = installation::variant(&world.app);
    // A server that somebody has copied out of an image has no variant.
    let name = variant.as_deref().unwrap_or_default();
    let nvidia = library::nvidia_gpus;
    let visible = gpu::visible(name, &Machine { dev: &world.dev, sys: &world.sys, nvidia })?;
    // Upstream says nothing when a backend does not open, and goes on without it.
    let missing = gpu::library(name)
        .filter(|library| server.and_then(|server| server.has_loaded(library)) == Some(false));
    if let Some(library) = missing {
        return Err(format!("llama-server has not loaded {library}"));
    }
    let has_device = server.and_then(|server| server.has_open(gpu::is_device));
    match (used, visible) {
        // Another machine's, which does the work there.
        (Some(used), _) if used.starts_with("RPC") => Ok(Some(used.to_owned())),
        (Some(used), _) if has_device == Some(false) => {
            Err(format!("{used} is made of software: llama-server has no GPU's device open"))
        }
        (Some(used), _) => Ok(Some(used.to_owned())),
        (None, Some(visible)) if devices.is_some() => {
            Err(format!("no part of the model is on {visible} (--device, --n-gpu-layers)"))
        }
        // A router before its first model, or a server that does not say what it uses.
        (None, Some(visible)) if has_device == Some(false) => {
            Ok(Some(format!("{visible} in reach")))
        }
        (None, visible) => match variant {
            Err(why) if is_required => Err(why),
            _ => Ok(visible),
        },
    }
}

/// Whether a GPU is required, once everything that is set makes sense.
fn settings(environment: &Environment) -> Result<bool, String> {
    let of = |name| environment.get(name).map_or("", String::as_str);
    let stall = of(STALL);
    if !stall.is_empty() && stall.parse::<u32>().is_err() {
        return Err(format!("{STALL} is `{stall}`, must be a number of seconds"));
    }
    match of(REQUIRE_GPU) {
        "" | "0" => Ok(false),
        "1" => Ok(true),
        other => Err(format!("{REQUIRE_GPU} is `{other}`, must be 0 or 1")),
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
