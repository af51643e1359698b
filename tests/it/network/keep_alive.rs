//! Connections that wait for their next request: proxies keep them, and expect that the server does.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use llama_server_bin::Server;
use llama_tests::needs;
use llama_tests::server::launch;

use super::{answer, connect, status};

/// A server with this value of the variable.
fn kept(seconds: &str) -> Option<Server> {
    let (program, model) = (needs::server()?, needs::demo_model()?);
    let mut launch = launch(&program, &model, &[]);
    launch.env.push(("LLAMA_SERVER_KEEP_ALIVE".into(), Some(seconds.into())));
    Some(launch.start().unwrap())
}

/// One answer of a connection that stays; empty if it is closed.
fn ask_once(stream: &mut TcpStream) -> String {
    let _ = stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
    one_answer(stream)
}

fn one_answer(stream: &mut TcpStream) -> String {
    let (mut text, mut buffer) = (String::new(), [0; 1024]);
    while !text.contains("{\"status\"") {
        let Ok(count @ 1..) = stream.read(&mut buffer) else { break };
        text += &String::from_utf8_lossy(&buffer[..count]);
    }
    text
}

/// Longer than the 15 s that a header may take: those begin with its first byte.
#[test]
fn a_connection_waits_for_its_next_request_and_its_header() {
    let Some(server) = kept("") else { return };
    let mut stream = connect(&server);
    let first = ask_once(&mut stream);
    assert!(first.contains("Keep-Alive: timeout=150, max=1000\r\n"), "{first}");
    std::thread::sleep(Duration::from_secs(16));
    stream.write_all(b"GET /health HTTP/1.1\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(500));
    stream.write_all(b"Host: x\r\n\r\n").unwrap();
    assert_eq!(status(&one_answer(&mut stream)), 200);
}

/// Upstream breaks it.
#[test]
fn a_connection_is_kept_after_a_stream() {
    let Some(server) = kept("60") else { return };
    let mut stream = connect(&server);
    let body = r#"{"prompt":"Hello","n_predict":4,"stream":true}"#;
    let head = format!("POST /completion HTTP/1.1\r\nContent-Length: {}", body.len());
    stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
    let (mut text, mut buffer) = (String::new(), [0; 1024]);
    while !text.ends_with("\r\n0\r\n\r\n") {
        let count = stream.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "{text}");
        text += &String::from_utf8_lossy(&buffer[..count]);
    }
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(status(&ask_once(&mut stream)), 200);
}

#[test]
fn a_connection_takes_hundreds_of_requests() {
    let Some(server) = kept("60") else { return };
    let mut stream = connect(&server);
    for number in 0..300 {
        assert_eq!(status(&ask_once(&mut stream)), 200, "request {number}");
    }
}

#[test]
fn a_connection_waits_no_longer_than_it_may() {
    let Some(server) = kept("1") else { return };
    // One that has asked for nothing yet has the time of a header.
    let mut new = connect(&server);
    let mut stream = connect(&server);
    assert_eq!(status(&ask_once(&mut stream)), 200);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(ask_once(&mut stream), "");
    assert_eq!(status(&ask_once(&mut new)), 200);

    let Some(server) = kept("0") else { return };
    let mut stream = connect(&server);
    let only = ask_once(&mut stream) + &answer(&mut stream);
    assert!(status(&only) == 200 && only.contains("Connection: close\r\n"), "{only}");
}

/// Each takes a thread while it waits.
#[test]
fn connections_that_wait_give_way_to_those_that_ask() {
    let Some(server) = kept("3600") else { return };
    let mut kept = super::patience::half_open(&server, 0, "");
    for number in 0..super::patience::MANY {
        let mut stream = connect(&server);
        assert_eq!(status(&ask_once(&mut stream)), 200, "connection {number}");
        kept.push(stream);
    }
}
