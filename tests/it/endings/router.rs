//! A router and the servers that it starts end together.

use std::path::{Path, PathBuf};
use std::time::Duration;

use llama_tests::needs;
use llama_tests::process::{command, finish, wait_for};
use llama_tests::server::free_port;
use rustix::process::Signal;
use serde_json::json;

use super::{Running, answer, children, is_there, post};

/// A router for a folder with the demo model.
fn router(models: &Path, args: &[&str], drain: &str) -> Option<Running> {
    let (program, model): (PathBuf, PathBuf) = (needs::server()?, needs::demo_model()?);
    let _ = std::os::unix::fs::symlink(model, models.join("demo.gguf"));
    let mut command = command(program);
    command
        .arg("--models-dir")
        .arg(models)
        .args(["--offline", "-t", "1", "--context-shift"])
        .args(args);
    // Nothing of this machine's own cache.
    let command = command.env("HF_HUB_CACHE", models).env("LLAMA_CACHE", models);
    Some(Running::spawn(command.env("LLAMA_SERVER_DRAIN", drain), free_port()))
}

/// A request to the demo model behind the router for a stream of so many tokens.
fn stream(tokens: i32) -> String {
    let body = json!({
        "model": "demo", "prompt": "Hello", "n_predict": tokens, "ignore_eos": true, "stream": true,
    });
    post("/completion", &body)
}

fn child(router: &Running) -> i32 {
    wait_for("a server of the router", || children(router.pid()).first().map(|(pid, _)| *pid))
}

fn is_gone(pid: i32) {
    wait_for("the end of the router's server", || (!is_there(pid)).then_some(()));
}

#[test]
fn a_router_ends_with_its_streams_and_its_server() {
    let models = tempfile::tempdir().unwrap();
    let Some(mut router) = router(models.path(), &[], "0") else { return };
    let events = router.sent("GET /models/sse HTTP/1.1\r\nHost: x\r\n\r\n");
    let half = router.sent("POST /completion HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{");
    let connection = router.sent(&stream(-1));
    // One that nobody reads.
    let unread = router.sent(&stream(-1));
    let mut read = [0; 1024];
    assert_ne!(std::io::Read::read(&mut &connection, &mut read).unwrap(), 0);
    let server = child(&router);
    let text = std::thread::spawn(move || answer(connection));
    router.ends_in_time("a router with streams");
    is_gone(server);
    let text = text.join().unwrap();
    let end = &text[text.len().saturating_sub(300)..];
    assert!(end.contains("the server is shutting down"), "no reason in {end}");
    drop((events, half, unread));
}

#[test]
fn a_router_drains_with_its_server() {
    let models = tempfile::tempdir().unwrap();
    let Some(mut router) = router(models.path(), &[], "100") else { return };
    let connection = router.sent(&stream(router.tokens(4.0, stream)));
    assert_ne!(std::io::Read::read(&mut &connection, &mut [0; 1024]).unwrap(), 0);
    let text = std::thread::spawn(move || answer(connection));
    let server = child(&router);
    // As a terminal and a supervisor do: to all of the group.
    super::send(server, Signal::INT);
    super::send(server, Signal::TERM);
    router.signal(Signal::TERM);
    wait_for("503 from /health", || router.get("/health").contains(" 503 ").then_some(()));
    let refused = answer(router.sent(&stream(1)));
    assert!(refused.contains(" 503 ") && refused.contains("\r\nRetry-After: 1\r\n"), "{refused}");
    assert!(!text.is_finished(), "the stream was too short for this test");
    let text = text.join().unwrap();
    assert!(text.contains(r#""stop":true"#), "cut: {text}");
    router.ends_well("a router that drains");
    is_gone(server);
}

#[test]
fn a_request_that_waits_for_its_model_is_finished_too() {
    let models = tempfile::tempdir().unwrap();
    let Some(mut router) = router(models.path(), &[], "100") else { return };
    let connection = router.sent(&stream(10));
    let server = child(&router);
    wait_for("its handler", || super::handles_sigterm(server).then_some(()));
    super::send(server, Signal::TERM);
    router.signal(Signal::TERM);
    let text = answer(connection);
    assert!(text.contains(r#""stop":true"#), "{text}");
    router.ends_well("a router whose model was loading");
}

#[test]
fn a_stream_whose_server_dies_does_not_look_whole() {
    let models = tempfile::tempdir().unwrap();
    let Some(router) = router(models.path(), &[], "0") else { return };
    let connection = router.sent(&stream(-1));
    assert_ne!(std::io::Read::read(&mut &connection, &mut [0; 1024]).unwrap(), 0);
    super::send(child(&router), Signal::KILL);
    let text = answer(connection);
    let end = &text[text.len().saturating_sub(300)..];
    assert!(end.contains(r#"data: {"error":{"#) && end.contains("does not answer"), "{end}");
}

/// A server that loads looked for its router's end only when it had loaded.
#[test]
fn a_server_that_loads_ends_with_its_router() {
    let models = tempfile::tempdir().unwrap();
    let pipe = models.path().join("pipe");
    assert!(finish(command("/usr/bin/mkfifo").arg(&pipe)).status.success());
    let args = ["--spec-type", "ngram-cache", "-lcs", pipe.to_str().unwrap()];
    let Some(mut router) = router(models.path(), &args, "0") else { return };
    let waiting = router.sent(&stream(1));
    let server = child(&router);
    std::thread::sleep(Duration::from_millis(500));
    router.signal(Signal::KILL);
    assert_eq!(router.status().code(), None);
    is_gone(server);
    drop(waiting);
}
