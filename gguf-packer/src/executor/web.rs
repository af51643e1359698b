//! The web: one client for all downloads, which tries again when a server is busy or breaks off and tells
//! how long it waits.

use std::thread;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, ClientBuilder, Response, StatusCode};
use tokio::runtime::Runtime;

use crate::Error;
use crate::web::{is_passing, redirects, retry_after, root_cause, roots};

/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(20);
/// Between two pieces of data.
const STALL: Duration = Duration::from_secs(60);
/// Times that something is tried without getting further.
pub(super) const TRIES: u32 = 5;
/// The longest wait that a server may ask for: Hugging Face counts requests in windows of five minutes.
const LONGEST: Duration = Duration::from_secs(300);
/// Most bytes of an answer that is read as a whole.
const MOST_TEXT: usize = 16 << 20;

pub(in crate::executor) struct Web {
    client: Client,
    /// For this machine.
    here: Client,
    runtime: Runtime,
    /// The first wait; each further one is twice as long.
    pub(super) wait: Duration,
}

/// A request.
#[derive(Debug, Clone, Default)]
pub(super) struct Ask<'a> {
    pub(super) url: &'a str,
    /// Sent to the host of `url` and to no other one.
    pub(super) token: Option<&'a str>,
    pub(super) headers: Vec<(HeaderName, String)>,
}

/// Tells a wait, and whether the build has ended meanwhile.
pub(super) struct Patience<'a> {
    pub(super) note: &'a (dyn Fn(&str) + Sync),
    pub(super) go_on: &'a (dyn Fn() -> Result<(), Error> + Sync),
}

/// An answer whose body is still to come.
pub(super) struct Answer<'w> {
    pub(super) response: Response,
    web: &'w Web,
}

impl Web {
    pub(in crate::executor) fn new() -> Result<Self, Error> {
        let failed = |e: &dyn std::error::Error| {
            Error::new(format!("cannot set up the HTTP client: {}", root_cause(e)))
        };
        // Another part of the process may have done so already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|e| failed(&e))?;
        let wait = if cfg!(test) { Duration::from_millis(5) } else { Duration::from_secs(1) };
        let client = builder().build().map_err(|e| failed(&e))?;
        // What is on this machine needs no proxy.
        let here = builder().no_proxy().build().map_err(|e| failed(&e))?;
        Ok(Self { client, here, runtime, wait })
    }

    /// The answer to a request: a success, or another one that a second try would not change.
    pub(super) fn get(&self, ask: &Ask<'_>, patience: &Patience<'_>) -> Result<Answer<'_>, Error> {
        let mut wait = self.wait;
        for tries in 1.. {
            (patience.go_on)()?;
            let (why, asked) = match self.once(ask) {
                Ok(response) if !is_passing(response.status()) => {
                    return Ok(Answer { response, web: self });
                }
                Ok(response) if tries >= TRIES => return Ok(Answer { response, web: self }),
                Ok(response) => {
                    let why = format!("{} answered {}", host(ask.url), response.status());
                    (why, retry_after(response.headers()))
                }
                Err(error) if tries >= TRIES => return Err(unreachable(ask.url, &error)),
                Err(error) if error.is_redirect() || error.is_builder() => {
                    return Err(unreachable(ask.url, &error));
                }
                Err(error) => {
                    let cause = root_cause(&error);
                    (format!("cannot reach {} ({cause})", host(ask.url)), None)
                }
            };
            self.pause(&why, asked.unwrap_or(wait), patience)?;
            wait *= 2;
        }
        unreachable!("the last try returns")
    }

    /// Waits and says so.
    pub(super) fn pause(
        &self,
        why: &str,
        wait: Duration,
        patience: &Patience<'_>,
    ) -> Result<(), Error> {
        let wait = wait.min(LONGEST);
        (patience.note)(&format!("{why}; trying again in {}", humantime::format_duration(wait)));
        let until = Instant::now() + wait;
        while Instant::now() < until {
            (patience.go_on)()?;
            thread::sleep(Duration::from_millis(20).min(wait));
        }
        Ok(())
    }

    fn once(&self, ask: &Ask<'_>) -> reqwest::Result<Response> {
        let mut headers = HeaderMap::new();
        for (name, value) in &ask.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        // The client takes it away when a redirect leads to another host.
        if let Some(Ok(mut value)) =
            ask.token.map(|token| HeaderValue::from_str(&format!("Bearer {token}")))
        {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        // Its clocks need the runtime from the beginning.
        let is_here = matches!(host(ask.url).as_str(), "localhost" | "127.0.0.1" | "[::1]");
        let client = if is_here { &self.here } else { &self.client };
        self.runtime.block_on(async { client.get(ask.url).headers(headers).send().await })
    }
}

fn builder() -> ClientBuilder {
    let tls = rustls::ClientConfig::builder().with_root_certificates(roots()).with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .redirect(redirects(false))
        .connect_timeout(CONNECT)
        .read_timeout(STALL)
}

impl Answer<'_> {
    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The text of a header.
    pub(super) fn header(&self, name: HeaderName) -> Option<String> {
        Some(self.response.headers().get(name)?.to_str().ok()?.to_owned())
    }

    /// The next piece of the body, nothing at its end; an error says what broke off.
    pub(super) fn chunk(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, String> {
        let chunk = self.web.runtime.block_on(self.response.chunk());
        chunk.map_err(|e| root_cause(&e))
    }

    /// The whole body, which is a text of an interface.
    pub(super) fn text(mut self, url: &str) -> Result<String, Error> {
        let mut body = Vec::new();
        let broken = |why: String| Error::new(format!("the answer from {url} ended early: {why}"));
        while let Some(chunk) = self.chunk().map_err(broken)? {
            body.extend_from_slice(chunk.as_ref());
            if body.len() > MOST_TEXT {
                return Err(Error::new(format!(
                    "the answer from {url} is longer than {MOST_TEXT} bytes"
                )));
            }
        }
        String::from_utf8(body)
            .map_err(|_| Error::new(format!("the answer from {url} is not UTF-8")))
    }
}

fn unreachable(url: &str, error: &reqwest::Error) -> Error {
    Error::new(format!("cannot reach {url}: {}", root_cause(error)))
        .hint("check the address and the network; set HTTPS_PROXY if you need a proxy")
}

/// The host of an address, for messages.
pub(super) fn host(url: &str) -> String {
    let parsed = url::Url::parse(url).ok();
    parsed.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| url.to_owned())
}
