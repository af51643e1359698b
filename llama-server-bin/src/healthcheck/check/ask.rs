//! Asking a running server how it is.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use llama_server_bin::health::{self, Answer};

use super::endpoint::{Endpoint, Place};
use super::tls;
use super::verdict::Verdict;

/// The header with the GPUs that hold the model, or `none`: `vendor/patches/0051`.
const DEVICES: &str = "Llama-Devices";

/// What a server has said: how it is, and on which GPUs its model is, where it tells.
pub(crate) struct Said {
    pub(crate) verdict: Verdict,
    pub(crate) devices: Option<String>,
}

impl Said {
    pub(crate) fn unhealthy(why: String) -> Self {
        Self { verdict: Verdict::Unhealthy(why), devices: None }
    }

    /// What both say together: whoever is not well, or uses no GPU, is heard.
    pub(crate) fn with(self, other: Self) -> Self {
        let is_none = |said: &Self| said.devices.as_deref() == Some("none");
        let devices = if self.devices.is_none() || is_none(&other) {
            other.devices.or(self.devices)
        } else {
            self.devices
        };
        let verdict = if self.verdict.is_healthy() && !other.verdict.is_healthy() {
            other.verdict
        } else {
            self.verdict
        };
        Self { verdict, devices }
    }
}

/// Asks the server itself, for which `library` speaks TLS. Waits as long as it does.
pub(crate) fn ask(endpoint: &Endpoint, library: Option<PathBuf>) -> Said {
    let answer = match request(endpoint, library.clone()) {
        // A server whose options are not all to be seen.
        Err(error) if error.kind() == ErrorKind::InvalidData && !endpoint.is_tls => {
            let with_tls = Endpoint { is_tls: true, ..endpoint.clone() };
            match request(&with_tls, library) {
                Ok(answer) => return judge(&answer, &with_tls),
                Err(_) => Err(error),
            }
        }
        answer => answer,
    };
    answer.map(|answer| judge(&answer, endpoint)).unwrap_or_else(|error| {
        let why = match error.kind() {
            ErrorKind::InvalidData if endpoint.is_tls => "does not answer with TLS".to_owned(),
            ErrorKind::InvalidData => "does not answer with HTTP".to_owned(),
            ErrorKind::Unsupported => format!("cannot be queried: {error}"),
            _ => format!("does not answer: {error}"),
        };
        Said::unhealthy(format!("{endpoint} {why}"))
    })
}

fn request(endpoint: &Endpoint, library: Option<PathBuf>) -> io::Result<Answer> {
    match &endpoint.place {
        Place::Tcp { hosts, port } => over(tcp(hosts, *port)?, endpoint, library),
        Place::Socket(file) => over(UnixStream::connect(file)?, endpoint, library),
    }
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

fn over(
    stream: impl Read + Write + AsRawFd,
    endpoint: &Endpoint,
    library: Option<PathBuf>,
) -> io::Result<Answer> {
    let (host, path) = (endpoint.host(), &endpoint.path);
    if !endpoint.is_tls {
        return health::request(stream, &host, path);
    }
    let name = match &endpoint.place {
        Place::Tcp { hosts, .. } => hosts.first().map_or("", String::as_str),
        Place::Socket(_) => "localhost",
    };
    health::request(tls::over(stream, name, library)?, &host, path)
}

fn judge(answer: &Answer, endpoint: &Endpoint) -> Said {
    let Answer { status, body, .. } = answer;
    let verdict = match status {
        200..=299 => Verdict::Healthy(format!("{endpoint} answers {status}")),
        // With a prefix, upstream asks for the key here too, but only once the model is loaded.
        // https://github.com/ggml-org/llama.cpp/blob/b11549/tools/server/server-http.cpp#L330-L336
        401 => Verdict::Healthy(format!("{endpoint} requires an API key: the server is ready")),
        503 if message(body).eq_ignore_ascii_case("loading model") => Verdict::loading(),
        _ => Verdict::Unhealthy(format!("{endpoint} answers {status}: {}", message(body))),
    };
    Said { verdict, devices: answer.header(DEVICES).map(str::to_owned) }
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
        let answer = Answer { status, head: String::new(), body: body.to_owned() };
        judge(&answer, &endpoint).verdict.to_string()
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
        assert_eq!(
            of(401, ""),
            "healthy: http://h:1/health requires an API key: the server is \
            ready"
        );
        assert_eq!(of(500, &"x".repeat(999)).len(), of(500, "").len() + 200);
    }

    /// Answers one request.
    fn answer(mut stream: impl Read + Write, text: &str) {
        let mut asked = [0; 1024];
        let count = stream.read(&mut asked).unwrap();
        assert!(count == 0 || asked.starts_with(b"GET /x HTTP/1.1\r\nHost: "));
        stream.write_all(text.as_bytes()).unwrap();
    }

    fn asked(url: &str) -> String {
        ask(&Endpoint::parse(url).unwrap(), None).verdict.to_string()
    }

    /// The verdict about a server that says `text`.
    fn about(text: &'static str, scheme: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || answer(listener.accept().unwrap().0, text));
        // `localhost` can be two addresses, of which one has no listener.
        let url = format!("{scheme}://localhost:{port}/x");
        let verdict = asked(&url);
        // It is no more than a witness: a question in TLS is not the one that it expects.
        let _ = server.join();
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
            "unhealthy: http://localhost:PORT/x does not answer with HTTP"
        );
        assert_eq!(
            about("HTTP/1.1 200 OK\r\n\r\n", "https"),
            "unhealthy: https://localhost:PORT/x does not answer with TLS"
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
        assert_eq!(asked(&url(&file)), format!("healthy: {} answers 200", url(&file)));
        server.join().unwrap();
        let gone = url(&dir.path().join("gone.sock"));
        assert_eq!(
            asked(&gone),
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
            asked(&url),
            format!("unhealthy: {url} does not answer: Connection refused (os error 111)")
        );
    }
}
