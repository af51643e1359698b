//! `LLAMA_SERVER_DRAIN`: what runs is finished, what is new goes elsewhere, and a second signal cuts nothing.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use llama_tests::needs;
use llama_tests::process::{PATIENCE, command, finish, wait_for};
use llama_tests::server::free_port;
use rustix::process::Signal;
use serde_json::json;

use super::{Running, answer, post, stream};

/// The last event of a stream that came to its end.
const WHOLE: &str = r#""stop":true"#;

/// A server with one slot and so much time, and streams that it has accepted: one that takes some seconds, or
/// never ends, and one that waits for the slot.
fn with_two_streams(
    drain: &str,
    is_endless: bool,
) -> Option<(Running, [std::thread::JoinHandle<String>; 2])> {
    let args = ["-np", "1", "--context-shift", "--slots", "--metrics"];
    let server = Running::start_with(&args, &[("LLAMA_SERVER_DRAIN", drain)])?;
    let tokens = if is_endless { -1 } else { server.tokens(4.0, stream) };
    // The next one is sent when the one before is where it shall be: the second one could get the slot.
    let streams = [(tokens, "processing"), (8, "deferred")].map(|(tokens, state)| {
        let connection = server.sent(&stream(tokens));
        let streamed = std::thread::spawn(move || answer(connection));
        wait_for(&format!("a request that is {state}"), || {
            let counted = format!("llamacpp:requests_{state} 1\n");
            server.get("/metrics").contains(&counted).then_some(())
        });
        streamed
    });
    Some((server, streams))
}

#[test]
fn a_drain_finishes_what_runs_and_refuses_what_is_new() {
    let Some((mut server, streams)) = with_two_streams("100", false) else { return };
    server.signal(Signal::TERM);
    wait_for("503 from /health", || server.get("/health").contains(" 503 ").then_some(()));
    // A parent's second signal, and the Ctrl-C that a terminal sent both of them: nobody wants answers cut.
    server.signal(Signal::TERM);
    server.signal(Signal::INT);
    let refused = answer(server.sent(&post("/v1/completions", &json!({ "prompt": "Hello" }))));
    for part in [" 503 ", "\r\nRetry-After: 1\r\n", "\r\nConnection: close\r\n", "shutting down"] {
        assert!(refused.contains(part), "no {part:?} in {refused}");
    }
    for path in ["/metrics", "/slots", "/props"] {
        let read = server.get(path);
        assert!(read.starts_with("HTTP/1.1 200 "), "{path}: {read}");
    }
    // A kept connection is told to be kept no longer.
    let kept = answer(server.sent("GET /props HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert!(kept.contains("\r\nConnection: close\r\n"), "{kept}");
    assert!(!streams[0].is_finished(), "the stream was too short for this test");
    for stream in streams {
        let text = stream.join().unwrap();
        assert!(text.contains(WHOLE) && text.ends_with("0\r\n\r\n"), "cut: {text}");
    }
    server.ends_well("a drain with two streams");
}

#[test]
fn a_drain_without_work_takes_no_time() {
    let Some(mut server) = Running::start_with(&[], &[("LLAMA_SERVER_DRAIN", "1000")]) else {
        return;
    };
    server.ends_in_time("a drain without work");
}

#[test]
fn a_drain_has_an_end() {
    let Some((mut server, streams)) = with_two_streams("1", true) else { return };
    server.ends_in_time("a drain of 1 s with a stream that never ends");
    for stream in streams {
        let text = stream.join().unwrap();
        assert!(text.contains("the server is shutting down"), "no reason in {text}");
    }
}

#[test]
fn health_is_503_from_the_signal_on_without_a_drain() {
    let Some((mut server, streams)) = with_two_streams("0", true) else { return };
    // One that does not read keeps the server for some seconds.
    let unread = server.sent(&stream(-1));
    server.signal(Signal::TERM);
    let mut connection = None;
    while let Ok(mut stream) = TcpStream::connect(("127.0.0.1", server.port)) {
        let _ = stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        connection = Some(answer(stream)).filter(|text| !text.is_empty()).or(connection);
        if connection.as_deref().is_some_and(|text| text.contains(" 503 ")) {
            break;
        }
    }
    let health = connection.unwrap_or_default();
    assert!(health.starts_with("HTTP/1.1 503 "), "{health}");
    server.ends_well("no drain, with streams that never end");
    drop(unread);
    streams.into_iter().for_each(|stream| drop(stream.join().unwrap()));
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let Some((mut server, _streams)) = with_two_streams("1000", true) else { return };
    server.signal(Signal::INT);
    wait_for("503 from /health", || server.get("/health").contains(" 503 ").then_some(()));
    std::thread::sleep(Duration::from_millis(2100));
    server.signal(Signal::INT);
    assert_eq!(server.status().code(), Some(130), "{}", server.log());
    assert!(server.log().contains("second interrupt"), "{}", server.log());
}

#[test]
fn a_drain_that_is_no_number_is_refused_at_the_start() {
    let Some(program) = needs::server() else { return };
    let refused = finish(command(program).env("LLAMA_SERVER_DRAIN", "30s"));
    refused
        .assert_refused("the server", "error: LLAMA_SERVER_DRAIN is `30s`, must be whole seconds");
    refused.assert_refused("the server", "hint: LLAMA_SERVER_DRAIN=30\n");
}

/// A fleet behind whoever tries the next one when one refuses, and restarts of all of it under load.
#[test]
fn streams_over_three_servers_survive_that_each_is_restarted() {
    const STREAMS: usize = 100;
    let ports = [free_port(), free_port(), free_port()];
    let fleet: Option<Vec<_>> = ports.iter().map(|port| Running::in_fleet(*port)).collect();
    let Some(mut fleet) = fleet else { return };
    let tokens = fleet[0].tokens(0.1, stream);
    let (begun, whole, refused) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                loop {
                    let number = begun.fetch_add(1, Ordering::Relaxed);
                    if number >= STREAMS && is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    refused.fetch_add(one_of(&ports, number, tokens), Ordering::Relaxed);
                    whole.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for (server, port) in fleet.iter_mut().zip(ports) {
            let before = whole.load(Ordering::Relaxed);
            wait_for("streams", || (whole.load(Ordering::Relaxed) > before + 20).then_some(()));
            server.signal(Signal::TERM);
            server.ends_well("one of three under load");
            *server = Running::in_fleet(port).unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let [whole, refused] = [whole, refused].map(AtomicUsize::into_inner);
    eprintln!("{whole} streams whole, 0 cut, 0 lost; {refused} times another server was asked");
    assert!(whole >= STREAMS);
}

/// A whole stream from the first of `ports`, from the one with `number` on, that does not refuse: how many did.
fn one_of(ports: &[u16; 3], number: usize, tokens: i32) -> usize {
    let start = std::time::Instant::now();
    for attempt in 0.. {
        assert!(start.elapsed() < PATIENCE, "lost: no server takes the request");
        let port = ports[(number + attempt) % ports.len()];
        let sent = TcpStream::connect(("127.0.0.1", port)).and_then(|mut connection| {
            connection.write_all(stream(tokens).as_bytes())?;
            Ok(answer(connection))
        });
        // A connection that is closed before it was answered belongs to nobody's request yet.
        let text = sent.unwrap_or_default();
        if text.is_empty() || text.starts_with("HTTP/1.1 503 ") {
            continue;
        }
        assert!(text.contains(WHOLE) && text.ends_with("0\r\n\r\n"), "cut: {text}");
        return attempt;
    }
    unreachable!("attempts go on")
}
