//! Whoever is connected, and whatever he waits for: a server that is told to end does it in time and well.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use llama_tests::needs;
use llama_tests::process::{finish, wait_for};

use super::{Running, stream};

/// A server with what `connect` does to it ends in time.
fn ends_with<T>(what: &str, args: &[&str], connect: impl Fn(&Running) -> T) {
    let Some(mut server) = Running::start(args) else { return };
    let held = connect(&server);
    // What it has not even accepted cannot hold it up.
    std::thread::sleep(Duration::from_millis(300));
    server.ends_in_time(what);
    drop(held);
}

#[test]
fn a_connection_that_says_nothing_does_not_hold_up_the_end() {
    ends_with("a silent connection", &[], Running::connect);
}

#[test]
fn half_a_request_header_does_not_hold_up_the_end() {
    ends_with("half a header", &[], |server| server.sent("GET /health HTTP/1.1\r\nHost:"));
}

#[test]
fn half_a_body_does_not_hold_up_the_end() {
    let half = "POST /completion HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{\"prompt\"";
    ends_with("half a body", &[], |server| server.sent(half));
}

#[test]
fn a_kept_connection_does_not_hold_up_the_end() {
    ends_with("a kept connection", &[], |server| {
        let mut kept = server.sent("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_ne!(kept.read(&mut [0; 1024]).unwrap(), 0);
        kept
    });
}

#[test]
fn hundreds_of_half_requests_do_not_hold_up_the_end() {
    ends_with("400 half headers", &[], |server| {
        (0..400).map(|_| server.sent("GET /health HTTP/1.1\r\nHost:")).collect::<Vec<_>>()
    });
}

#[test]
fn a_reader_that_stopped_does_not_hold_up_the_end() {
    ends_with("a stalled reader", &["--context-shift", "-np", "1"], stalled);
}

/// A stream that nobody reads, so long that the server waits for its reader.
fn stalled(server: &Running) -> TcpStream {
    let text = stream(-1).replace("\"prompt\"", "\"n_probs\":50,\"prompt\"");
    // The length of the body has changed.
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let (before, _) = head.split_once("Content-Length").unwrap();
    let reader = server.sent(&format!("{before}Content-Length: {}\r\n\r\n{body}", body.len()));
    let mut last = (0, 0);
    wait_for("a full socket", || {
        std::thread::sleep(Duration::from_millis(300));
        let size = unsent(server.port);
        last = if size == last.0 { (size, last.1 + 1) } else { (size, 0) };
        (size > 0 && last.1 >= 10).then_some(())
    });
    reader
}

/// Bytes that wait in the sockets of this port.
fn unsent(port: u16) -> u64 {
    let local = format!(":{port:04X}");
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let own = rows.filter(|row| row.get(1).is_some_and(|address| address.ends_with(&local)));
    own.filter_map(|row| u64::from_str_radix(row[4].split(':').next()?, 16).ok()).sum()
}

#[test]
fn half_a_tls_handshake_does_not_hold_up_the_end() {
    let Some(openssl) = needs::program_of("openssl", "openssl") else { return };
    let folder = tempfile::tempdir().unwrap();
    let [key, certificate] = ["key.pem", "certificate.pem"].map(|name| folder.path().join(name));
    let mut request = llama_tests::process::command(openssl);
    request.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]);
    let made = finish(request.arg("-keyout").arg(&key).arg("-out").arg(&certificate));
    assert!(made.status.success(), "{}", made.output);
    let args =
        ["--ssl-key-file", key.to_str().unwrap(), "--ssl-cert-file", certificate.to_str().unwrap()];
    ends_with("half a TLS handshake", &args, |server| {
        let mut streams: Vec<_> = (0..50).map(|_| server.connect()).collect();
        // A record that says that 512 bytes follow.
        for stream in &mut streams {
            stream.write_all(&[22, 3, 1, 2, 0, 1]).unwrap();
        }
        streams
    });
}

#[test]
fn a_unix_socket_does_not_hold_up_the_end_and_serves_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("llama.sock");
    for _ in 0..2 {
        ends_with("a Unix socket", &["--host", socket.to_str().unwrap()], |_| {
            let mut half = UnixStream::connect(&socket).unwrap();
            half.write_all(b"GET /health HTTP/1.1\r\nHost:").unwrap();
            half
        });
    }
}
