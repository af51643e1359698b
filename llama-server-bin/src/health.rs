//! `GET /health` over a plain socket: only the status counts.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The HTTP status that `authority` (`host:port`) answers with; `None` while nobody answers.
pub(crate) fn status(authority: &str) -> Option<u16> {
    let address = authority.to_socket_addrs().ok()?.next()?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET /health HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n")
        .ok()?;
    let mut head = Vec::new();
    let mut part = [0; 64];
    while head.len() < 12 {
        match stream.read(&mut part).ok()? {
            0 => return None,
            count => head.extend_from_slice(&part[..count]),
        }
    }
    parse(&head)
}

/// The status in `HTTP/1.1 200 OK`.
fn parse(head: &[u8]) -> Option<u16> {
    let status = head.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    std::str::from_utf8(status).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_http_status_line_is_a_status() {
        assert_eq!(parse(b"HTTP/1.1 503 Service Unavailable"), Some(503));
        assert_eq!(parse(b"HTTP/1.0 200"), Some(200));
        assert_eq!(parse(b"SSH-2.0-OpenSSH_9.2"), None);
        assert_eq!(parse(b"HTTP/1.1 abc"), None);
    }

    #[test]
    fn nobody_there_is_no_status() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        assert_eq!(status(&address), None);
    }
}
