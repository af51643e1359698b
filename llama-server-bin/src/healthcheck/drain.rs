//! `--drain`, for `preStop` of Kubernetes: a pod's end reaches load balancers while the pod is told of it, so the server
//! serves on for some seconds before it gets SIGTERM and refuses new work.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::check::process::{self, Found};
use crate::check::server::Server;

/// How long the server serves on where nothing else is said, in seconds.
pub(crate) const SERVE_ON: u32 = 5;
/// The server's own time for running requests, in seconds.
const VARIABLE: &str = "LLAMA_SERVER_DRAIN";
/// What an end takes at most, beside that time, with some room.
const END: Duration = Duration::from_secs(10);

/// Tells the server of the container with this main process to end, after `serve_on`. Waits for its end, but where the
/// container ends with it: what waits there is killed, which Kubernetes reports as a failure. `say` gets one line, before
/// the end.
///
/// # Errors
/// When there is no server, or it does not end.
pub(crate) fn drain(
    proc: &Path,
    main: u32,
    serve_on: Duration,
    say: &dyn Fn(&str),
) -> Result<(), String> {
    server(proc, main)?;
    std::thread::sleep(serve_on);
    let server = server(proc, main)?;
    let name = server.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let number: u32 = name.parse().map_err(|_| format!("`{name}` is no process"))?;
    let pid = i32::try_from(number).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| format!("`{name}` is no process"))?;
    let tell = || {
        kill_process(pid, Signal::TERM)
            .map_err(|error| format!("SIGTERM does not reach process {number}: {error}"))
    };
    if process::is_main(proc, number) {
        // Nothing may come after the signal.
        say(&format!("draining: llama-server (process {number}) is told to end"));
        return tell();
    }
    let (start, most) = (Instant::now(), time(&server) + END);
    tell()?;
    while is_running(&server) {
        if start.elapsed() > most {
            return Err(format!("process {number} did not end within {} s", most.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    say(&format!("drained: llama-server (process {number}) has ended"));
    Ok(())
}

/// The first server that there is.
fn server(proc: &Path, main: u32) -> Result<Server, String> {
    let servers = match process::find(proc, main) {
        Found::Servers(servers) | Found::Other(_, servers) => servers,
        Found::Worker(_) | Found::Without(_) | Found::Unseen => Vec::new(),
    };
    servers.into_iter().next().ok_or_else(|| "llama-server is not running".to_owned())
}

/// The time that the server gives its running requests.
fn time(server: &Server) -> Duration {
    let environment = server.environment().unwrap_or_default();
    let seconds = environment.get(VARIABLE).and_then(|value| value.parse().ok());
    Duration::from_secs(seconds.map_or(0, |seconds: u32| seconds.into()))
}

/// Whether it has not ended yet; one that only waits for its parent to hear of its end has.
fn is_running(server: &Server) -> bool {
    let stat = std::fs::read(server.dir.join("stat")).unwrap_or_default();
    let stat = String::from_utf8_lossy(&stat);
    let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start().to_owned());
    state.is_some_and(|state| !state.starts_with(['Z', 'X']))
}
