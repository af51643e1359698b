//! Where a server listens: what it was asked for, and whether what its log says is so. Anybody's words get into
//! a log: a model's description, a question.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;

use crate::sockets::Listener;

/// What a server was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Names, addresses, and files that end in `.sock`.
    hosts: Vec<String>,
    /// `None`: the kernel picks one.
    port: Option<u16>,
}

impl Wanted {
    /// From the values of `--host`, a list with commas, and `--port`.
    pub(crate) fn new(hosts: Option<&str>, port: Option<&str>) -> Self {
        let hosts = hosts.unwrap_or("127.0.0.1").split(',').map(|host| host.trim().to_owned());
        let port = port.and_then(|port| port.parse().ok()).filter(|port| *port != 0);
        Self { hosts: hosts.collect(), port }
    }

    /// Whom to ask before the server has said anything: `host:port`; `None` for a port that the kernel picks
    /// and for Unix sockets.
    pub(crate) fn authority(&self) -> Option<String> {
        let host = self.hosts.first().filter(|host| !host.ends_with(".sock"))?;
        Some(format!("{}:{}", reachable(host), self.port?))
    }

    /// The address in the log, `url`, with a host one can connect to; `None` when the server does not listen
    /// there. `bound` is where it listens, where the system tells.
    pub(crate) fn believed(&self, url: &str, bound: Option<&[Listener]>) -> Option<String> {
        let (scheme, rest) = url.split_once("://")?;
        if scheme == "unix" {
            let is_bound =
                |bound: &[Listener]| bound.contains(&Listener::Unix(Path::new(rest).into()));
            let is_wanted = self.hosts.iter().any(|host| host == rest);
            return (is_wanted && bound.is_none_or(is_bound)).then(|| url.to_owned());
        }
        let (host, port) = rest.rsplit_once(':')?;
        let (host, port) = (host.trim_matches(['[', ']']), port.parse().ok()?);
        let is_so = match bound {
            Some(bound) => self.is_bound(host, port, bound),
            None => self.is_wanted(host) && self.port.is_none_or(|wanted| wanted == port),
        };
        is_so.then(|| format!("{scheme}://{}:{port}", reachable(host)))
    }

    fn is_bound(&self, host: &str, port: u16, bound: &[Listener]) -> bool {
        let mut ports = bound.iter().filter_map(Listener::tcp);
        match host.parse::<IpAddr>() {
            Ok(ip) => ports.any(|address| address == SocketAddr::new(ip, port)),
            Err(_) => self.is_wanted(host) && ports.any(|address| address.port() == port),
        }
    }

    fn is_wanted(&self, host: &str) -> bool {
        self.hosts.iter().any(|wanted| wanted.trim_matches(['[', ']']) == host)
    }
}

/// A host one can connect to, for a host one can listen on, in the form of a URL.
fn reachable(host: &str) -> String {
    match host.trim_matches(['[', ']']) {
        "0.0.0.0" => "127.0.0.1".to_owned(),
        // Both families, of those that this machine has.
        "::" if TcpListener::bind(("::1", 0)).is_err() => "127.0.0.1".to_owned(),
        "::" => "[::1]".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> &'static str {
        if TcpListener::bind(("::1", 0)).is_ok() { "[::1]" } else { "127.0.0.1" }
    }

    #[test]
    fn an_authority_is_one_that_can_be_asked() {
        let of = |hosts: Option<&str>, port: &str| Wanted::new(hosts, Some(port)).authority();
        assert_eq!(of(Some("::,0.0.0.0"), "80"), Some(format!("{}:80", home())));
        assert_eq!(of(Some("fe80::1"), "80").as_deref(), Some("[fe80::1]:80"));
        assert_eq!(of(Some("localhost"), "80").as_deref(), Some("localhost:80"));
        assert_eq!(of(Some("/run/llama.sock"), "80"), None);
        assert_eq!(of(None, "0"), None);
        assert_eq!(of(None, "http"), None);
    }

    #[test]
    fn only_what_was_bound_is_believed() {
        let bound = ["127.0.0.1:4711", "[::]:80"].map(|at| Listener::Tcp(at.parse().unwrap()));
        let bound = [&bound[..], &[Listener::Unix("/run/l.sock".into())]].concat();
        let wanted = Wanted::new(Some("localhost,/run/l.sock"), None);
        let of = |url| wanted.believed(url, Some(&bound));
        for url in ["http://127.0.0.1:4711", "https://localhost:4711", "unix:///run/l.sock"] {
            assert_eq!(of(url).as_deref(), Some(url));
        }
        assert_eq!(of("http://[::]:80"), Some(format!("http://{}:80", home())));
        for url in [
            "http://example.test:4711",
            "http://10.0.0.1:4711",
            "http://127.0.0.1:80",
            "http://localhost:81",
            "http://localhost",
            "unix:///run/other.sock",
            "nothing",
        ] {
            assert_eq!(of(url), None, "{url}");
        }
        assert_eq!(wanted.believed("http://127.0.0.1:4711", Some(&[])), None);
    }

    #[test]
    fn what_was_asked_for_is_believed_where_the_system_does_not_tell() {
        let wanted = Wanted::new(None, Some("80"));
        let of = |url| wanted.believed(url, None);
        assert_eq!(of("http://127.0.0.1:80").as_deref(), Some("http://127.0.0.1:80"));
        assert_eq!(of("http://127.0.0.1:81"), None);
        assert_eq!(of("http://example.test:80"), None);
        let free = Wanted::new(Some("::1"), Some("0"));
        assert_eq!(free.believed("http://[::1]:9", None).as_deref(), Some("http://[::1]:9"));
    }
}
