//! Where the server listens: from its own arguments and variables, read as upstream reads them, or from
//! an address that the user gives.

use std::fmt;
use std::path::{Path, PathBuf};

use llama_server_bin::secret;
use llama_server_bin::sockets::Listener;

use super::server::Environment;

/// Variable with an address that replaces what is found.
pub(crate) const URL_VARIABLE: &str = "LLAMA_HEALTHCHECK_URL";

/// Upstream's default; `cargo xtask check` compares it.
/// <https://github.com/ggml-org/llama.cpp/blob/b11549/common/common.h#L628>
const DEFAULT_PORT: u16 = 9931;
/// Upstream's default.
const DEFAULT_HOST: &str = "127.0.0.1";
const PATH: &str = "/health";

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) place: Place,
    pub(crate) path: String,
    pub(crate) is_tls: bool,
}

/// What is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// The first of `hosts` that accepts.
    Tcp {
        hosts: Vec<String>,
        port: u16,
    },
    Socket(PathBuf),
}

impl Endpoint {
    /// Of a server with these `arguments` and variables that runs in `folder` and listens at `bound`; where that
    /// is not known, what it was told counts.
    ///
    /// # Errors
    /// When they say no address.
    pub(crate) fn of(
        arguments: &[String],
        environment: &Environment,
        folder: &Path,
        bound: &[Listener],
    ) -> Result<Self, String> {
        let setting = |option: &str, variable: &str| {
            let given = last(arguments, option);
            given.or_else(|| environment.get(variable)).map(String::as_str)
        };
        let is_set = |option, variable| setting(option, variable).is_some_and(|v| !v.is_empty());
        let hosts = setting("--host", "LLAMA_ARG_HOST").unwrap_or(DEFAULT_HOST);
        let port = google_port(environment).or(setting("--port", "LLAMA_ARG_PORT"));
        let place = match Place::bound(bound, folder) {
            Some(place) => place,
            None => Place::told(hosts, port, folder)?,
        };
        let prefix = setting("--api-prefix", "LLAMA_ARG_API_PREFIX").unwrap_or_default();
        Ok(Self {
            place,
            path: format!("{prefix}{PATH}"),
            is_tls: is_set("--ssl-key-file", "LLAMA_ARG_SSL_KEY_FILE")
                && is_set("--ssl-cert-file", "LLAMA_ARG_SSL_CERT_FILE"),
        })
    }

    /// From a URL such as `http://127.0.0.1:8080/health` or `http://unix:/run/llama.sock:/health`.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        Self::from_url(url).ok_or_else(|| {
            let shown = secret::without_password(url).unwrap_or_else(|| url.to_owned());
            format!(
                "{URL_VARIABLE} is `{shown}`, but must be http://HOST:PORT/PATH, \
                https://HOST:PORT/PATH or http://unix:/FILE:/PATH"
            )
        })
    }

    fn from_url(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let is_tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        if let Some(rest) = rest.strip_prefix("unix:") {
            let (file, path) = rest.split_once(':').unwrap_or((rest, PATH));
            let (file, path) = (PathBuf::from(file), path.to_owned());
            return file.is_absolute().then_some(Self { place: Place::Socket(file), path, is_tls });
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                (host, port.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port > 0)?,
            None if is_tls => 443,
            None => 80,
        };
        let path = if path.is_empty() { PATH } else { path }.to_owned();
        let place = Place::Tcp { hosts: at_home(host), port };
        (!host.is_empty()).then_some(Self { place, path, is_tls })
    }

    /// For the header of a request.
    pub(crate) fn host(&self) -> String {
        match &self.place {
            Place::Tcp { hosts, port } => match hosts.first().map_or("", String::as_str) {
                host if host.contains(':') => format!("[{host}]:{port}"),
                host => format!("{host}:{port}"),
            },
            Place::Socket(_) => "localhost".to_owned(),
        }
    }
}

impl Place {
    /// The first port with all its addresses, or the first socket.
    fn bound(bound: &[Listener], folder: &Path) -> Option<Self> {
        let tcp = bound.iter().filter_map(|listener| match listener {
            Listener::Tcp(address) => Some(address),
            Listener::Unix(_) => None,
        });
        let port = tcp.clone().next().map(|address| address.port());
        if let Some(port) = port {
            let own = tcp.filter(|address| address.port() == port);
            let mut hosts: Vec<String> = own.flat_map(|it| at_home(&it.ip().to_string())).collect();
            hosts.dedup();
            return Some(Self::Tcp { hosts, port });
        }
        bound.iter().find_map(|listener| match listener {
            Listener::Unix(file) => Some(Self::Socket(folder.join(file))),
            Listener::Tcp(_) => None,
        })
    }

    fn told(hosts: &str, port: Option<&str>, folder: &Path) -> Result<Self, String> {
        // Upstream takes a list; all its listeners belong to one server.
        let host =
            hosts.split(',').map(|host| host.trim().trim_matches('"')).find(|h| !h.is_empty());
        match host.ok_or("llama-server has an empty --host")? {
            file if file.ends_with(".sock") => Ok(Self::Socket(folder.join(file))),
            host => Ok(Self::Tcp { hosts: at_home(host), port: port_of(port)? }),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        match &self.place {
            Place::Tcp { .. } => write!(f, "{scheme}://{}{}", self.host(), self.path),
            Place::Socket(file) => write!(f, "{scheme}://unix:{}:{}", file.display(), self.path),
        }
    }
}

/// What follows the last `option`. Upstream takes `_` for `-`, and no `--port=1`.
/// <https://github.com/ggml-org/llama.cpp/blob/b11549/common/arg.cpp#L822-L831>
fn last<'a>(arguments: &'a [String], option: &str) -> Option<&'a String> {
    let at = arguments
        .iter()
        .rposition(|word| word.starts_with("--") && word.replace('_', "-") == option)?;
    arguments.get(at + 1)
}

/// On Google's Vertex AI its variable wins over everything.
/// <https://github.com/ggml-org/llama.cpp/blob/b11549/tools/server/server-http.cpp#L85-L90>
fn google_port(environment: &Environment) -> Option<&str> {
    let is_on = environment.get("AIP_MODE").is_some_and(|mode| mode == "PREDICTION");
    let port = environment.get("AIP_HTTP_PORT").filter(|port| !port.is_empty());
    is_on.then(|| port.map_or("8080", String::as_str))
}

fn port_of(text: Option<&str>) -> Result<u16, String> {
    match text.map_or(Ok(DEFAULT_PORT), |text| text.trim().parse()) {
        Ok(0) => Err(format!(
            "llama-server chose its port itself (--port 0): {URL_VARIABLE} has to name it"
        )),
        Ok(port) => Ok(port),
        Err(_) => Err(format!("llama-server's port is `{}`", text.unwrap_or_default())),
    }
}

/// A server that listens everywhere is asked at home. One that listens on `::` takes IPv4 too, unless it
/// listens on other addresses beside it, and may have no IPv6.
fn at_home(host: &str) -> Vec<String> {
    let hosts: &[&str] = match host {
        "0.0.0.0" => &["127.0.0.1"],
        "::" => &["127.0.0.1", "::1"],
        host => &[host],
    };
    hosts.iter().map(|host| (*host).to_owned()).collect()
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
