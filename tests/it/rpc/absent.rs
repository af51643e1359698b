//! A server waits for a worker that may still come, and ends with one sentence about one that will not.

use std::net::TcpListener;
use std::time::Duration;

use llama_tests::needs;
use llama_tests::process::{finish, wait_for};
use llama_tests::server::free_port;

use super::{Head, TOKENS, Worker, head};
use std::io::{Read, Write};

const WAIT: &str = "LLAMA_SERVER_RPC_WAIT";

#[test]
fn workers_that_come_late_are_waited_for() {
    let (Some(dist), Some(model)) = (needs::dist(), needs::demo_model()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let at = format!("127.0.0.1:{port}");
    let mut server = Head::start(&dist, &model, std::slice::from_ref(&at), dir.path());
    let said = format!("waiting for RPC worker {at}: Connection refused");
    wait_for(&said, || server.log().contains(&said).then_some(()));
    std::thread::sleep(Duration::from_secs(5));
    let _worker = Worker::start(&dist, port, &dir.path().join("a"));
    assert_eq!(server.tokens().len(), TOKENS as usize);
}

/// A port at which `answer` is said to whoever connects, after what they say; an empty one: never.
fn answering(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for mut stream in listener.incoming().flatten() {
            if !answer.is_empty() {
                // One that has gone again is nobody's trouble.
                let _ = stream.read(&mut [0; 64]);
                let _ = stream.write_all(answer);
            }
            kept.push(stream);
        }
    });
    at
}

/// An answer to HELLO of version 7.3: its size, and numbers.
const VERSION_7: &[u8] = &{
    let mut answer = [0; 8 + 4 + 24];
    answer[0] = 28;
    answer[8] = 7;
    answer[9] = 3;
    answer
};

#[test]
fn whom_it_is_no_use_to_wait_for_is_named() {
    let (Some(dist), Some(model)) = (needs::dist(), needs::demo_model()) else { return };
    let closed = format!("127.0.0.1:{}", free_port());
    let waited = |why: &str| format!("{why} (waited 1 s, see {WAIT})");
    let refused = "error: RPC worker";
    for (worker, why) in [
        (
            "nobody.invalid:50052".to_owned(),
            waited("no machine has this name, or none with an IPv4 address"),
        ),
        (closed, waited("Connection refused")),
        (answering(b""), waited("it does not answer: another server may be using it")),
        (
            answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            "it is no RPC worker: it answers with something else".into(),
        ),
        (answering(VERSION_7), "it has version 7.3 of the protocol, this server has ".into()),
        ("127.0.0.1".into(), "it is not named as HOST:PORT".into()),
    ] {
        let finished = finish(head(&dist, &model, &worker).env(WAIT, "1"));
        finished.assert_refused("the server", &format!("{refused} {worker}: {why}"));
        assert_eq!(finished.output.matches(refused).count(), 1, "{}", finished.output);
    }
    let finished = finish(head(&dist, &model, "127.0.0.1:1").env(WAIT, "soon"));
    finished
        .assert_refused("the server", "LLAMA_SERVER_RPC_WAIT is `soon`, but must be whole seconds");
}
