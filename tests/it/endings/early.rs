//! Ends before the server is ready, and what the first process of a container has to do.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use llama_tests::process::{KilledOnDrop, command, finish, wait_for};
use llama_tests::server::free_port;
use llama_tests::{http, needs};
use rustix::process::Signal;

use super::{END, children, handles_sigterm, is_there, send};

/// The server as process 1 of a container without an engine, with these arguments, and its number outside.
fn as_process_1(port: u16, args: &[String]) -> Option<(KilledOnDrop, i32)> {
    let (unshare, program, model) = (needs::unshare()?, needs::server()?, needs::demo_model()?);
    let mut unshared = command(unshare);
    unshared.args(["--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    unshared.arg(&program).arg("-m").arg(model).args(["--offline", "--port"]);
    unshared.arg(port.to_string()).args(args).stderr(Stdio::null());
    let child = KilledOnDrop(unshared.spawn().unwrap());
    let pid = child.0.id().try_into().unwrap();
    let program = program.canonicalize().unwrap();
    let is_server =
        |pid: i32| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program);
    let server = wait_for("process 1", || {
        children(pid).first().map(|(pid, _)| *pid).filter(|pid| is_server(*pid))
    });
    Some((child, server))
}

pub(super) fn ends_well(what: &str, child: &mut Child, start: Instant) {
    let status = wait_for("its end", || child.try_wait().unwrap());
    eprintln!("{what}: it ended after {:.2} s", start.elapsed().as_secs_f32());
    assert_eq!(status.code(), Some(0), "{what}: {status}");
    assert!(start.elapsed() < END, "{what}: it took {:?}", start.elapsed());
}

/// What makes a server read this pipe while it loads; nobody writes, so it loads for ever.
fn loads_for_ever(folder: &Path) -> [String; 4] {
    let pipe = folder.join("pipe");
    assert!(finish(command("/usr/bin/mkfifo").arg(&pipe)).status.success());
    ["--spec-type", "ngram-cache", "-lcs", pipe.to_str().unwrap()].map(str::to_owned)
}

/// The kernel does not kill a first process that has no handler: it goes on as if nothing were.
#[test]
fn process_1_ends_at_once_while_it_loads() {
    let folder = tempfile::tempdir().unwrap();
    let args = loads_for_ever(folder.path());
    for signal in [Signal::TERM, Signal::INT] {
        let port = free_port();
        let Some((mut child, server)) = as_process_1(port, &args) else { return };
        let health = format!("http://127.0.0.1:{port}/health");
        wait_for("503 from /health", || {
            http::try_get(&health, None).filter(|answer| answer.status == 503)
        });
        let start = Instant::now();
        send(server, signal);
        ends_well("process 1 that loads", &mut child.0, start);
        assert!(!is_there(server));
    }
}

#[test]
fn process_1_ends_at_once_from_its_first_instruction_on() {
    let folder = tempfile::tempdir().unwrap();
    let args = loads_for_ever(folder.path());
    for _ in 0..10 {
        let Some((mut child, server)) = as_process_1(free_port(), &args) else { return };
        // The handlers are the first that `main` does, and the linker is done in some milliseconds.
        wait_for("a handler of SIGTERM", || handles_sigterm(server).then_some(()));
        let start = Instant::now();
        send(server, Signal::TERM);
        ends_well("process 1 that starts", &mut child.0, start);
    }
}

/// The parents of these are gone: the one is a tool's, the other is what somebody runs in the container.
#[test]
fn process_1_waits_for_orphans() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    let script = format!("(sleep 1; : > '{}') & exit 0", mark.display());
    let servers = serde_json::json!({
        "mcpServers": { "orphans": { "command": "/bin/sh", "args": ["-c", script] } },
    });
    let config = folder.path().join("mcp.json");
    std::fs::write(&config, servers.to_string()).unwrap();
    let args = ["--mcp-servers-config", config.to_str().unwrap()].map(str::to_owned);
    let Some((mut child, server)) = as_process_1(free_port(), &args) else { return };
    wait_for("the end of an orphan", || mark.exists().then_some(()));
    let start = Instant::now();
    while children(server).iter().any(|(_, state)| *state == 'Z') {
        assert!(start.elapsed() < END, "zombies: {:?}", children(server));
        std::thread::sleep(Duration::from_millis(50));
    }
    let start = Instant::now();
    send(server, Signal::TERM);
    ends_well("process 1", &mut child.0, start);
}
