//! Connections: one client for each host, with the certificates and the scheme that are right for it.
//! Everything asynchronous is in here.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Runtime;

use super::{Settings, Token};
use crate::Error;
use crate::web::{self, root_cause};

/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(20);

pub(super) struct Http {
    pub(super) settings: Settings,
    runtime: Runtime,
    roots: RootCertStore,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

/// A host that has answered.
pub(super) struct Host {
    pub(super) client: Client,
    /// `https://HOST[:PORT]`.
    pub(super) base: String,
    /// Whether it may have plain HTTP.
    pub(super) insecure: bool,
}

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Silence {
    pub(super) why: String,
    /// A wrong certificate, a bad redirect: it would be the same again.
    pub(super) lasting: bool,
}

impl Http {
    pub(super) fn new(settings: Settings) -> Result<Self, Error> {
        // Another part of the process may have done so already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut roots = web::roots();
        for path in &settings.certificates {
            trust(&mut roots, path)?;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|e| Error::new(format!("cannot start threads: {e}")))?;
        Ok(Self { settings, runtime, roots, hosts: Mutex::default() })
    }

    /// The host, which has answered once; `what` says what for.
    pub(super) fn host(&self, name: &str, what: &str) -> Result<Arc<Host>, Error> {
        let mut hosts = self.hosts.lock().expect("no thread panics with it");
        if let Some(host) = hosts.get(name) {
            return Ok(Arc::clone(host));
        }
        let host = Arc::new(self.find(name, what)?);
        hosts.insert(name.to_owned(), Arc::clone(&host));
        Ok(host)
    }

    /// The server of Hugging Face, or the mirror that stands for it.
    pub(super) fn hugging_face(&self) -> Result<Arc<Host>, Error> {
        self.settings.hugging_face_token.as_ref().map_or(Ok(()), Token::check)?;
        let base = self.settings.hugging_face.trim_end_matches('/');
        let mut hosts = self.hosts.lock().expect("no thread panics with it");
        if let Some(host) = hosts.get(base) {
            return Ok(Arc::clone(host));
        }
        let name = url::Url::parse(base).ok().and_then(|url| url.host_str().map(str::to_owned));
        let name = name.ok_or_else(|| {
            Error::new(format!("invalid server address `{base}`"))
                .hint("HF_ENDPOINT=https://huggingface.co")
        })?;
        let insecure = base.starts_with("http://");
        let client = self.client(&name, insecure, is_local(&name))?;
        let host = Arc::new(Host { client, base: base.to_owned(), insecure });
        hosts.insert(base.to_owned(), Arc::clone(&host));
        Ok(host)
    }

    /// Tries `https`, and `http` where that is allowed.
    fn find(&self, name: &str, what: &str) -> Result<Host, Error> {
        let server = if name == "docker.io" { "registry-1.docker.io" } else { name };
        let local = is_local(server);
        let named = self.settings.insecure_registries.iter().any(|insecure| insecure == name);
        let insecure = self.settings.insecure || named || local;
        let client = self.client(name, insecure, local)?;
        let schemes: &[&str] = if insecure { &["https", "http"] } else { &["https"] };
        let mut reasons = Vec::new();
        for scheme in schemes {
            let base = format!("{scheme}://{server}");
            match self.send(client.get(format!("{base}/v2/"))) {
                Ok(_) => return Ok(Host { client, base, insecure }),
                Err(silence) => reasons.push(format!("{base}: {}", silence.why)),
            }
        }
        let mut error =
            Error::network(format!("cannot {what}: {name} is unreachable")).log(reasons.clone());
        if reasons.iter().any(|why| why.contains("certificate") || why.contains("UnknownIssuer")) {
            error = error.hint("trust its certificate: SSL_CERT_FILE=/path/to/ca.pem");
        }
        if !insecure {
            error = error
                .hint("for a registry without TLS, or with a self-signed certificate: --insecure");
        }
        Err(error.hint("check its name and the network; set HTTPS_PROXY if you need a proxy"))
    }

    fn client(&self, name: &str, insecure: bool, local: bool) -> Result<Client, Error> {
        let builder = Client::builder()
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .redirect(web::redirects(insecure))
            .connect_timeout(CONNECT);
        // As in Docker, what is on this machine needs no proxy.
        let builder = if local { builder.no_proxy() } else { builder };
        let builder = if insecure {
            builder.danger_accept_invalid_certs(true)
        } else {
            builder.tls_backend_preconfigured(self.tls(name)?)
        };
        builder.build().map_err(|e| Error::new(format!("cannot set up TLS: {}", root_cause(&e))))
    }

    /// The system's certificates (a company's proxy is only known there), Mozilla's (a bare container has
    /// none), and those that Docker has for this registry.
    fn tls(&self, name: &str) -> Result<ClientConfig, Error> {
        let mut roots = self.roots.clone();
        let folder = self.settings.certificates_folder.as_ref().map(|folder| folder.join(name));
        for entry in
            folder.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten()
        {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "crt") {
                trust(&mut roots, &path)?;
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring supports the default versions")
            .with_root_certificates(roots)
            .with_no_client_auth())
    }

    /// The head of the answer.
    pub(super) fn send(&self, request: RequestBuilder) -> Result<Response, Silence> {
        self.within(async { request.send().await })
    }

    /// The next piece of the body; none at its end.
    pub(super) fn chunk(
        &self,
        response: &mut Response,
    ) -> Result<Option<impl AsRef<[u8]> + use<>>, Silence> {
        self.within(async { response.chunk().await })
    }

    /// The whole body, when it has no more than `most` bytes.
    pub(super) fn body(&self, mut response: Response, most: u64) -> Result<Vec<u8>, Silence> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(&mut response)? {
            body.extend_from_slice(chunk.as_ref());
            if body.len() as u64 > most {
                let why = format!("the answer has more than {most} bytes");
                return Err(Silence { why, lasting: true });
            }
        }
        Ok(body)
    }

    /// The head of the answer, while more and more of `total` bytes are sent; when all are, it may take longer. `waits` is
    /// called when it does.
    pub(super) fn send_patiently(
        &self,
        request: RequestBuilder,
        sent: impl Fn() -> u64,
        total: u64,
        waits: impl Fn(),
    ) -> Result<Response, Silence> {
        let (stall, answer) = (self.settings.stall, self.settings.answer);
        self.runtime.block_on(async {
            let mut work = std::pin::pin!(request.send());
            let (mut before, mut silent) = (sent(), Duration::ZERO);
            loop {
                match tokio::time::timeout(stall, &mut work).await {
                    Ok(done) => return done.map_err(|e| silence(&e)),
                    Err(_) if sent() > before => (before, silent) = (sent(), Duration::ZERO),
                    Err(_) => silent += stall,
                }
                if silent >= if before < total { stall } else { answer } {
                    return Err(stalled(silent));
                }
                if silent == stall {
                    waits();
                }
            }
        })
    }

    fn within<T>(&self, work: impl Future<Output = reqwest::Result<T>>) -> Result<T, Silence> {
        let stall = self.settings.stall;
        let done = self.runtime.block_on(async { tokio::time::timeout(stall, work).await });
        done.map_err(|_| stalled(stall))?.map_err(|e| silence(&e))
    }
}

fn trust(roots: &mut RootCertStore, path: &PathBuf) -> Result<(), Error> {
    let failed =
        |why: String| Error::new(format!("cannot read the certificate {}: {why}", path.display()));
    let certificates = CertificateDer::pem_file_iter(path).map_err(|e| failed(e.to_string()))?;
    let mut any = false;
    for certificate in certificates {
        let certificate = certificate.map_err(|e| failed(e.to_string()))?;
        roots.add(certificate).map_err(|e| failed(e.to_string()))?;
        any = true;
    }
    if any { Ok(()) } else { Err(failed("it contains no certificate".to_owned())) }
}

/// Whether an address that a server sent is one that a request can go to.
pub(super) fn is_of_the_web(url: &url::Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

/// Whether the host is this machine, which Docker takes for one without TLS.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn stalled(stall: Duration) -> Silence {
    let why = format!("no data for {}", humantime::format_duration(stall));
    Silence { why, lasting: false }
}

fn silence(error: &reqwest::Error) -> Silence {
    let why = root_cause(error);
    let certificate = why.contains("certificate") || why.contains("UnknownIssuer");
    Silence { why, lasting: certificate || error.is_redirect() || error.is_builder() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_needs_no_tls() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.1.2.3", "[::1]:5000"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["r.io", "localhost.io", "128.0.0.1:5000", "[::2]"] {
            assert!(!is_local(host), "{host}");
        }
    }

    #[test]
    fn a_certificate_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        fs::write(&path, "nothing").unwrap();
        let settings = Settings { certificates: vec![path.clone()], ..Settings::default() };
        let error = Http::new(settings).map(drop).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("cannot read the certificate {}: it contains no certificate", path.display())
        );
    }
}
