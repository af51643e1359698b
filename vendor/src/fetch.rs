//! Downloads a file over HTTP, with limits on time and size.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::{Response, Uri, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, Timeout};

use crate::{Error, Progress, Report};

/// How long and how much is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until a connection stands.
    pub connect: Duration,
    /// Between two pieces of data.
    pub stall: Duration,
    /// For one mirror.
    pub total: Duration,
    /// Size of an archive.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            stall: Duration::from_secs(30),
            total: Duration::from_secs(15 * 60),
            bytes: 256 << 20,
        }
    }
}

/// How many are followed.
const REDIRECTS: usize = 5;

/// What proves the bytes of a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The connection: only `https`, redirects included; `http` within this machine, for tests.
    Connection,
    /// A hash that is known before, so that whatever server a user names will do.
    Hash,
}

/// Downloads `url` to the file `to`.
///
/// # Errors
/// When the server cannot be reached, refuses, stalls, breaks off or sends more than `limits` allow.
pub fn download(
    url: &str,
    to: &Path,
    limits: &Limits,
    report: &mut Report<'_>,
) -> Result<(), Error> {
    download_from(url, to, limits, Proof::Connection, report).map(drop)
}

/// The same; tells which address has given it in the end.
pub(crate) fn download_from(
    url: &str,
    to: &Path,
    limits: &Limits,
    proof: Proof,
    report: &mut Report<'_>,
) -> Result<Uri, Error> {
    let (response, from) = ask(url, limits, proof)?;
    if !response.status().is_success() {
        return Err(Error::network(format!("the server answered {}", response.status())));
    }
    let mut file = File::create(to).map_err(|e| Error::io("write", to, &e))?;
    receive(response.into_body(), &mut file, limits, report)?;
    Ok(from)
}

/// The answer of the last server on the way, and its address.
fn ask(url: &str, limits: &Limits, proof: Proof) -> Result<(Response<Body>, Uri), Error> {
    let local = url.starts_with("http://127.0.0.1:");
    let any = proof == Proof::Hash;
    if !any && !local && !url.starts_with("https://") {
        return Err(Error::refused("refused: only https addresses are allowed"));
    }
    let agent = agent(local, limits);
    let mut at: Uri =
        url.parse().map_err(|e| Error::usage(format!("invalid address {url}: {e}")))?;
    for _ in 0..=REDIRECTS {
        let response = agent.get(&at).call().map_err(|e| Error::network(reason(e, limits)))?;
        let to =
            response.headers().get(header::LOCATION).filter(|_| response.status().is_redirection());
        let Some(to) = to else { return Ok((response, at)) };
        let to = String::from_utf8_lossy(to.as_bytes());
        let to = join(&at, &to)
            .ok_or_else(|| Error::network(format!("redirected to the invalid address {to}")))?;
        let safe = to.scheme_str() == Some("https") || (local && to.host() == Some("127.0.0.1"));
        if !any && !safe {
            return Err(Error::refused(format!("redirected to {to}, which is not https")));
        }
        at = to;
    }
    Err(Error::network(format!("more than {REDIRECTS} redirects")))
}

/// The address that `reference` means in a document or a redirect from `base`
/// ([RFC 3986, 5.2](https://www.rfc-editor.org/rfc/rfc3986#section-5.2)), without its fragment.
pub(crate) fn join(base: &Uri, reference: &str) -> Option<Uri> {
    let reference = reference.split('#').next()?;
    if reference.contains("://") {
        return reference.parse().ok().filter(|uri: &Uri| uri.host().is_some());
    }
    let (scheme, authority) = (base.scheme_str()?, base.authority()?);
    if let Some(rest) = reference.strip_prefix("//") {
        return format!("{scheme}://{rest}").parse().ok();
    }
    let (path, query) = reference.split_at(reference.find('?').unwrap_or(reference.len()));
    let whole = match path {
        "" => base.path().to_owned(),
        _ if path.starts_with('/') => path.to_owned(),
        _ => format!("{}/{path}", base.path().rsplit_once('/')?.0),
    };
    let mut parts = Vec::new();
    for part in whole.split('/').skip(1) {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    if whole.ends_with("/.") || whole.ends_with("/..") {
        parts.push("");
    }
    format!("{scheme}://{authority}/{}{query}", parts.join("/")).parse().ok()
}

fn agent(local: bool, limits: &Limits) -> Agent {
    let config = Agent::config_builder()
        .tls_config(tls())
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        // The next address is looked at first.
        .max_redirects(0)
        .http_status_as_error(false)
        .timeout_connect(Some(limits.connect))
        .timeout_recv_response(Some(limits.stall))
        .timeout_per_read(Some(limits.stall));
    let config = if local { config.proxy(None) } else { config };
    config.build().into()
}

/// The system's certificates (a company's proxy is only known there) and Mozilla's (a bare container has
/// none), with ring, which needs no CMake to build.
fn tls() -> TlsConfig {
    let system = rustls_native_certs::load_native_certs().certs;
    let mozillas = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
    let roots = system.iter().chain(mozillas).map(|cert| Certificate::from_der(cert).to_owned());
    TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots.collect::<Vec<_>>()))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}

fn receive(
    mut body: Body,
    file: &mut File,
    limits: &Limits,
    report: &mut Report<'_>,
) -> Result<(), Error> {
    let (start, total) = (Instant::now(), body.content_length());
    let mut reader = body.as_reader();
    let mut buffer = vec![0; 1 << 16];
    let mut done = 0;
    loop {
        let n = match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(e) => return Err(Error::network(broken(e, done, limits))),
        };
        done += n as u64;
        if done > limits.bytes {
            return Err(Error::refused(format!("more than {} bytes", limits.bytes)));
        }
        if start.elapsed() > limits.total {
            let seconds = limits.total.as_secs_f32();
            return Err(Error::network(format!("too slow: {done} bytes in {seconds} s")));
        }
        file.write_all(&buffer[..n]).map_err(|e| Error::from_io("cannot write it", &e))?;
        report(Progress::Step { what: "fetch", done, total });
    }
}

fn broken(error: io::Error, done: u64, limits: &Limits) -> String {
    match ureq::Error::from(error) {
        ureq::Error::Timeout(_) => {
            let seconds = limits.stall.as_secs_f32();
            format!("stalled: no data for {seconds} s after {done} bytes")
        }
        error => format!("connection lost after {done} bytes: {}", innermost(&error)),
    }
}

fn reason(error: ureq::Error, limits: &Limits) -> String {
    match error {
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            format!("cannot connect: no connection for {} s", limits.connect.as_secs_f32())
        }
        ureq::Error::Timeout(_) => format!("no answer for {} s", limits.stall.as_secs_f32()),
        ureq::Error::Io(_) | ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => {
            format!("cannot connect: {}", innermost(&error))
        }
        error => innermost(&error),
    }
}

/// The innermost reason: the outer ones repeat the address.
fn innermost(error: &ureq::Error) -> String {
    if let ureq::Error::Io(error) = error {
        return error.to_string();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_joined_as_browsers_do() {
        let base: Uri = "https://me:pw@host:8/a/b/c?q=1".parse().unwrap();
        let joined = |reference: &str| join(&base, reference).map(|uri| uri.to_string());
        for (reference, whole) in [
            ("https://other/x#y", "https://other/x"),
            ("//other/x", "https://other/x"),
            ("/x?y=1", "https://me:pw@host:8/x?y=1"),
            ("x", "https://me:pw@host:8/a/b/x"),
            ("../../x/./y", "https://me:pw@host:8/x/y"),
            ("../../../x", "https://me:pw@host:8/x"),
            ("..", "https://me:pw@host:8/a/"),
            ("?z", "https://me:pw@host:8/a/b/c?z"),
        ] {
            assert_eq!(joined(reference).as_deref(), Some(whole), "{reference}");
        }
        assert_eq!(joined("https://"), None);
    }
}
