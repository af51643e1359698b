//! Asking a running server how it is.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use llama_server_bin::health::{self, Answer};

use super::endpoint::{Endpoint, Place};
use super::verdict::Verdict;

/// The verdict of the server itself. Waits as long as it does.
pub(crate) fn ask(endpoint: &Endpoint) -> Verdict {
    let verdict = match &endpoint.place {
        Place::Tcp { hosts, port } => tcp(hosts, *port).and_then(|stream| over(stream, endpoint)),
        Place::Socket(file) => UnixStream::connect(file).and_then(|stream| over(stream, endpoint)),
    };
    verdict.unwrap_or_else(|error| {
        let why = match error.kind() {
            ErrorKind::InvalidData => "answers, but not in HTTP".to_owned(),
            _ => format!("does not answer: {error}"),
        };
        Verdict::Unhealthy(format!("{endpoint} {why}"))
    })
}

fn tcp(hosts: &[String], port: u16) -> io::Result<TcpStream> {
    let mut last = ErrorKind::AddrNotAvailable.into();
    for host in hosts {
        match TcpStream::connect((host.as_str(), port)) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn over(stream: impl Read + Write, endpoint: &Endpoint) -> io::Result<Verdict> {
    if endpoint.is_tls {
        // A TLS client would be many times this program.
        let text = format!("{endpoint} accepts connections (TLS: no more is asked)");
        return Ok(Verdict::Healthy(text));
    }
    let answer = health::request(stream, &endpoint.host(), &endpoint.path)?;
    Ok(judge(&answer, endpoint))
}

fn judge(Answer { status, body }: &Answer, endpoint: &Endpoint) -> Verdict {
    match status {
        200..=299 => Verdict::Healthy(format!("{endpoint} answers {status}")),
        // With a prefix, upstream asks for the key here too, but only once the model is loaded.
        // https://github.com/ggml-org/llama.cpp/blob/b11549/tools/server/server-http.cpp#L330-L336
        401 => Verdict::Healthy(format!("{endpoint} asks for the API key: it is ready")),
        503 if message(body).eq_ignore_ascii_case("loading model") => Verdict::Starting,
        _ => Verdict::Unhealthy(format!("{endpoint} answers {status}: {}", message(body))),
    }
}

/// The `message` of upstream's errors, or the beginning of anything else.
fn message(body: &str) -> String {
    let after = body.split_once(r#""message":"#).map(|(_, rest)| rest.trim_start());
    let quoted = after.and_then(|rest| rest.strip_prefix('"')?.split_once('"'));
    match quoted {
        Some((message, _)) => message.to_owned(),
        None => body.trim().chars().take(200).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;
    use std::path::Path;
    use std::thread;

    use super::*;

    fn of(status: u16, body: &str) -> String {
        let endpoint = Endpoint::parse("http://h:1").unwrap();
        judge(&Answer { status, body: body.to_owned() }, &endpoint).to_string()
    }

    #[test]
    fn a_status_is_judged() {
        assert_eq!(of(200, r#"{"status":"ok"}"#), "healthy: http://h:1/health answers 200");
        let loading =
            r#"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#;
        assert_eq!(of(503, loading), "starting: the model is loading");
        assert_eq!(of(503, "busy\n"), "unhealthy: http://h:1/health answers 503: busy");
        let missing = r#"{"error": {"message": "File Not Found", "code": 404}}"#;
        assert_eq!(of(404, missing), "unhealthy: http://h:1/health answers 404: File Not Found");
        assert_eq!(of(401, ""), "healthy: http://h:1/health asks for the API key: it is ready");
        assert_eq!(of(500, &"x".repeat(999)).len(), of(500, "").len() + 200);
    }

    /// Answers one request.
    fn answer(mut stream: impl Read + Write, text: &str) {
        let mut asked = [0; 1024];
        let count = stream.read(&mut asked).unwrap();
        assert!(count == 0 || asked.starts_with(b"GET /x HTTP/1.1\r\nHost: "));
        stream.write_all(text.as_bytes()).unwrap();
    }

    /// The verdict about a server that says `text`.
    fn about(text: &'static str, scheme: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || answer(listener.accept().unwrap().0, text));
        // `localhost` can be two addresses, of which one has no listener.
        let url = format!("{scheme}://localhost:{port}/x");
        let verdict = ask(&Endpoint::parse(&url).unwrap()).to_string();
        server.join().unwrap();
        verdict.replace(&port.to_string(), "PORT")
    }

    #[test]
    fn a_server_is_asked() {
        assert_eq!(
            about("HTTP/1.1 200 OK\r\n\r\n", "http"),
            "healthy: http://localhost:PORT/x answers 200"
        );
        assert_eq!(
            about("SSH-2.0-OpenSSH_9.2\r\n", "http"),
            "unhealthy: http://localhost:PORT/x answers, but not in HTTP"
        );
        assert_eq!(
            about("", "https"),
            "healthy: https://localhost:PORT/x accepts connections (TLS: no more is asked)"
        );
    }

    #[test]
    fn the_second_host_is_asked_when_the_first_is_not_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(tcp(&["::1".to_owned(), "127.0.0.1".to_owned()], port).is_ok());
    }

    #[test]
    fn a_socket_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("l.sock");
        let listener = UnixListener::bind(&file).unwrap();
        let server =
            thread::spawn(move || answer(listener.accept().unwrap().0, "HTTP/1.1 200 OK\r\n\r\n"));
        let url = |file: &Path| format!("http://unix:{}:/x", file.display());
        let verdict = ask(&Endpoint::parse(&url(&file)).unwrap());
        assert_eq!(verdict.to_string(), format!("healthy: {} answers 200", url(&file)));
        server.join().unwrap();
        let gone = url(&dir.path().join("gone.sock"));
        assert_eq!(
            ask(&Endpoint::parse(&gone).unwrap()).to_string(),
            format!("unhealthy: {gone} does not answer: No such file or directory (os error 2)")
        );
    }

    #[test]
    fn nobody_there_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let url = format!("http://127.0.0.1:{port}/health");
        assert_eq!(
            ask(&Endpoint::parse(&url).unwrap()).to_string(),
            format!("unhealthy: {url} does not answer: Connection refused (os error 111)")
        );
    }
}
