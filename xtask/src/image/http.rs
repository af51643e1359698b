//! As much HTTP as it takes to ask a server in a container whether it is there and to make it work.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longer than any answer takes that is asked for here.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends a request to `address` (`HOST:PORT`): `POST` with a JSON body, `GET` without. The answer is
/// still to be read.
///
/// # Errors
/// When nobody is there.
pub(super) fn ask(address: &str, path: &str, body: Option<&str>) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(request(address, path, body).as_bytes())?;
    Ok(stream)
}

/// The whole answer: status and text, head and body.
///
/// # Errors
/// When it ends before it begins.
pub(super) fn answer(mut stream: TcpStream) -> io::Result<(u16, String)> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = status(&text).ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok((status, text))
}

fn request(address: &str, path: &str, body: Option<&str>) -> String {
    let head = format!("{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    match body {
        None => format!("GET {head}\r\n"),
        Some(body) => format!(
            "POST {head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    }
}

/// `200` of `HTTP/1.1 200 OK`.
fn status(answer: &str) -> Option<u16> {
    answer.strip_prefix("HTTP/")?.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn requests_are_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut seen = [0; 1024];
            let read = stream.read(&mut seen).unwrap();
            stream.write_all(b"HTTP/1.1 503 Busy\r\n\r\nloading").unwrap();
            String::from_utf8_lossy(&seen[..read]).into_owned()
        });
        let (status, text) = answer(ask(&address, "/health", None).unwrap()).unwrap();
        assert_eq!((status, text.ends_with("loading")), (503, true));
        assert!(server.join().unwrap().starts_with("GET /health HTTP/1.1\r\nHost: 127.0.0.1:"));
        assert!(request("h:1", "/x", Some("{}")).ends_with("Content-Length: 2\r\n\r\n{}"));
        assert_eq!(status_of_nothing(), None);
    }

    fn status_of_nothing() -> Option<u16> {
        status("")
    }
}
