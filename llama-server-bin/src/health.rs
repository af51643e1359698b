//! `GET` over a connection that is already open, as little HTTP as a health check needs.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of an answer that are read; those of `llama-server` about its health have some hundred.
const LONGEST: usize = 64 * 1024;

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The lines before the body.
    pub head: String,
    /// What follows them, as text.
    pub body: String,
}

impl Answer {
    /// The value of the header `name`.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = headers.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(value.trim())
    }
}

/// Asks for `path` of `host` over `stream`, which is used up: the server is told to close it. Waits as
/// long as the stream does.
///
/// # Errors
/// What the stream says; [`ErrorKind::InvalidData`] for an answer that is no HTTP.
pub fn request(mut stream: impl Read + Write, host: &str, path: &str) -> io::Result<Answer> {
    let question = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    // At once: a server can answer and close after the first part.
    stream.write_all(question.as_bytes())?;
    let mut bytes = Vec::new();
    let mut part = [0; 1024];
    while bytes.len() < LONGEST && !is_whole(&bytes) {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // With the status there, the rest may be missing.
            Err(error) if parse(&bytes).is_none() => return Err(error),
            Err(_) => break,
        }
    }
    parse(&bytes).ok_or_else(|| ErrorKind::InvalidData.into())
}

/// The HTTP status that `authority` (`host:port`) answers with; `None` while nobody answers.
pub(crate) fn status(authority: &str) -> Option<u16> {
    let address = authority.to_socket_addrs().ok()?.next()?;
    let stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    Some(request(stream, authority, "/health").ok()?.status)
}

/// The same of the server at the socket `file`.
#[cfg(unix)]
pub(crate) fn status_of_socket(file: &str) -> Option<u16> {
    let stream = std::os::unix::net::UnixStream::connect(file).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    Some(request(stream, "localhost", "/health").ok()?.status)
}

#[cfg(not(unix))]
pub(crate) fn status_of_socket(_: &str) -> Option<u16> {
    None
}

/// Whether the body has the length that the header says.
fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some(answer) = parse(bytes).filter(|_| text.contains("\r\n\r\n")) else { return false };
    let length = answer.header("content-length").map(str::parse::<usize>);
    matches!(length, Some(Ok(length)) if answer.body.len() >= length)
}

/// From `HTTP/1.1 200 OK` on.
fn parse(bytes: &[u8]) -> Option<Answer> {
    let status = bytes.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    let status = std::str::from_utf8(status).ok()?.parse().ok()?;
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection whose other end has said all that it will, and then fails or ends.
    struct Said {
        answer: io::Cursor<&'static str>,
        /// One for each write.
        asked: Vec<Vec<u8>>,
        then: Option<ErrorKind>,
    }

    impl Read for &mut Said {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match (self.answer.read(buffer)?, self.then) {
                (0, Some(kind)) => Err(kind.into()),
                (count, _) => Ok(count),
            }
        }
    }

    impl Write for &mut Said {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.asked.push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn said(answer: &'static str, then: Option<ErrorKind>) -> Said {
        Said { answer: io::Cursor::new(answer), asked: Vec::new(), then }
    }

    #[test]
    fn only_an_http_status_line_is_a_status() {
        let status = |head: &[u8]| parse(head).map(|answer| answer.status);
        assert_eq!(status(b"HTTP/1.1 503 Service Unavailable"), Some(503));
        assert_eq!(status(b"HTTP/1.0 200"), Some(200));
        assert_eq!(status(b"SSH-2.0-OpenSSH_9.2"), None);
        assert_eq!(status(b"HTTP/1.1 abc"), None);
    }

    #[test]
    fn the_answer_is_read_as_far_as_it_goes() {
        let timeout = Some(ErrorKind::WouldBlock);
        let of = |mut said: Said| request(&mut said, "h:1", "/x").map(|answer| answer.body);
        let whole = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";
        // Nothing is read beyond the length: that would fail.
        let mut open = said(whole, timeout);
        assert_eq!(
            request(&mut open, "h:1", "/x").unwrap(),
            Answer {
                status: 200,
                head: "HTTP/1.1 200 OK\r\ncontent-length: 3".into(),
                body: "abc".into()
            }
        );
        let question = b"GET /x HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\n\r\n";
        assert_eq!(open.asked, [question.to_vec()]);
        assert_eq!(of(said("HTTP/1.1 200 OK\r\n\r\nabcd", None)).unwrap(), "abcd");
        assert_eq!(of(said("HTTP/1.1 503 Service Unavailable\r\n", timeout)).unwrap(), "");
        assert_eq!(of(said("HTTP/1.1 5", timeout)).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(of(said("", None)).unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn nobody_there_is_no_status() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        assert_eq!(status(&address), None);
    }
}
