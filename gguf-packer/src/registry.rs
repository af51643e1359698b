//! Registries: pulls images and models of several kinds into the store, and pushes images out of it. What is
//! transferred is verified, goes on where it broke off, and waits where a registry asks to.
//!
//! The protocol is spoken here rather than through `oci-client`: that one hides the status and `Retry-After`
//! of a refusal, does not ask an upload for how far it came, takes no TLS configuration, and knows no
//! identity tokens.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Error;
use crate::artifact::Artifact;
use crate::attached::Kind;
use crate::digest::Digest;
use crate::image::Platform;
use crate::progress::{Event, Report};
use crate::reference::Name;
use crate::signing::{PrivateKey, PublicKey};
use crate::store::{Store, StoredImage};

#[cfg(test)]
mod address_tests;
mod ask;
mod attach;
mod auth;
mod docker_config;
#[cfg(test)]
mod fake;
mod formats;
mod http;
mod index;
mod layers;
mod login;
mod manifest;
mod peek;
mod pull;
mod push;
mod refusal;
mod remote;
mod signature;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
mod upload;

pub use crate::hub::Token;
pub(crate) use formats::{Opened, is_of_other_format, load as load_model};
pub use login::Kept;
pub use peek::Peeked;
pub use pull::Inspected;

/// How registries are reached.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Take plain HTTP and any certificate from every registry. Those of this machine may always have plain
    /// HTTP.
    pub insecure: bool,
    /// Registries, `HOST[:PORT]`, that may have plain HTTP and any certificate.
    pub insecure_registries: Vec<String>,
    /// Certificates to trust beside the system's, as PEM files.
    pub certificates: Vec<PathBuf>,
    /// Docker's folder of certificates: those in `HOST[:PORT]/*.crt` are for that registry.
    pub certificates_folder: Option<PathBuf>,
    /// The file of credentials that `REGISTRY_AUTH_FILE` names, which goes before all others.
    pub auth_file: Option<PathBuf>,
    /// Docker's own `config.json`.
    pub docker_config: Option<PathBuf>,
    /// Podman's own `auth.json`s, in which credentials are looked for after Docker's.
    pub podman_auth: Vec<PathBuf>,
    /// Server of Hugging Face.
    pub hugging_face: String,
    /// Token for it.
    pub hugging_face_token: Option<Token>,
    /// How often something is tried that fails for a while.
    pub tries: u32,
    /// The first wait between two tries; it doubles each time.
    pub pause: Duration,
    /// The longest wait that a registry may ask for.
    pub longest: Duration,
    /// How long a connection may be silent.
    pub stall: Duration,
    /// How long a registry may take to check what it was sent, and to get what it is asked for.
    pub answer: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            insecure: false,
            insecure_registries: Vec::new(),
            certificates: Vec::new(),
            certificates_folder: Some("/etc/docker/certs.d".into()),
            auth_file: None,
            docker_config: None,
            podman_auth: Vec::new(),
            hugging_face: "https://huggingface.co".to_owned(),
            hugging_face_token: None,
            tries: 6,
            pause: Duration::from_secs(1),
            longest: Duration::from_secs(15 * 60),
            stall: Duration::from_secs(60),
            answer: Duration::from_secs(15 * 60),
        }
    }
}

impl Settings {
    /// Those of this process: `DOCKER_CONFIG`, `REGISTRY_AUTH_FILE`, `XDG_RUNTIME_DIR`, `HF_ENDPOINT`, and those of
    /// [`Token::of_environment`]. `SSL_CERT_FILE` and the proxies' variables are read where certificates and proxies are.
    #[must_use]
    pub fn from_environment() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the registry's one place that reads it")]
        let value = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let home = value(if cfg!(windows) { "USERPROFILE" } else { "HOME" }).map(PathBuf::from);
        let docker = value("DOCKER_CONFIG").map(PathBuf::from);
        let docker = docker.or_else(|| home.as_ref().map(|home| home.join(".docker")));
        let session = value("XDG_RUNTIME_DIR").map(|folder| Path::new(&folder).join("containers"));
        let podman =
            [session.or_else(without_session), home.map(|home| home.join(".config/containers"))];
        let podman = podman.into_iter().flatten().map(|folder| folder.join("auth.json"));
        let default = Self::default();
        Self {
            auth_file: value("REGISTRY_AUTH_FILE").map(PathBuf::from),
            docker_config: docker.map(|folder| folder.join("config.json")),
            podman_auth: podman.collect(),
            hugging_face: value("HF_ENDPOINT").unwrap_or(default.hugging_face.clone()),
            hugging_face_token: Token::of_environment(),
            ..default
        }
    }
}

/// Where podman keeps what lasts until the next start, for who has no folder of a session: root above all.
fn without_session() -> Option<PathBuf> {
    #[cfg(target_os = "linux")]
    return Some(format!("/run/containers/{}", rustix::process::getuid()).into());
    #[cfg(not(target_os = "linux"))]
    None
}

/// Talks to registries.
pub struct Client {
    http: http::Http,
    tokens: auth::Tokens,
}

/// What is wanted of one repository.
#[derive(Clone, Copy)]
struct Session<'a> {
    client: &'a Client,
    name: &'a Name,
    /// Whether something is pushed.
    push: bool,
    /// The manifest that the name is to be, whatever the registry says now.
    pin: Option<Digest>,
    report: Report<'a>,
}

impl Client {
    /// A client with `settings`.
    ///
    /// # Errors
    /// When a certificate cannot be read.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        Ok(Self { http: http::Http::new(settings)?, tokens: auth::Tokens::default() })
    }

    /// Pulls the image or model `name` into the store; of several platforms `platform`, this machine's when
    /// none is given. Says which image it is.
    ///
    /// # Errors
    /// When the registry does not have it, does not give it, or sends something else.
    pub fn pull(
        &self,
        name: &Name,
        platform: Option<&Platform>,
        store: &Store,
        report: Report<'_>,
    ) -> Result<Digest, Error> {
        let session = self.session(name, false, report);
        if name.is_hugging_face() {
            return formats::pull(session, formats::hugging_face::plan(session)?, store);
        }
        pull::image(session, platform, store)
    }

    /// As [`Client::pull`], when `key` has signed it; what is pulled is what was signed.
    ///
    /// # Errors
    /// When it is not signed with the key, and as [`Client::pull`] does.
    pub fn pull_signed(
        &self,
        name: &Name,
        platform: Option<&Platform>,
        key: &PublicKey,
        store: &Store,
        report: Report<'_>,
    ) -> Result<Digest, Error> {
        let pin = Some(self.verify(name, key, report)?);
        pull::image(Session { pin, ..self.session(name, false, report) }, platform, store)
    }

    /// The digest of what `name` is in the registry, when `key` has signed it.
    ///
    /// # Errors
    /// When the registry does not have it, or it is not signed with the key.
    pub fn verify(
        &self,
        name: &Name,
        key: &PublicKey,
        report: Report<'_>,
    ) -> Result<Digest, Error> {
        if name.is_hugging_face() {
            return Err(Error::new(format!(
                "cannot verify `{name}`: Hugging Face has no signatures"
            ))
            .hint("build an image from it, and sign that: gguf-packer build --push --sign KEY"));
        }
        self.session(name, false, report).verified(key)
    }

    /// The documents about `name` that the registry has.
    ///
    /// # Errors
    /// When the registry does not have the name, or sends something else.
    pub fn documents(
        &self,
        name: &Name,
        report: Report<'_>,
    ) -> Result<Vec<(Kind, Vec<u8>)>, Error> {
        pull::documents(&self.session(name, false, report))
    }

    fn session<'a>(&'a self, name: &'a Name, push: bool, report: Report<'a>) -> Session<'a> {
        Session { client: self, name, push, pin: None, report }
    }

    /// What `name` is in the registry; no layer is read.
    ///
    /// # Errors
    /// When the registry does not have it, or it is neither an image nor a model.
    pub fn inspect(
        &self,
        name: &Name,
        platform: Option<&Platform>,
        report: Report<'_>,
    ) -> Result<Inspected, Error> {
        pull::inspect(self.session(name, false, report), platform)
    }

    /// Pushes an image of the store as `name`, which need not be a name of it there. Says the digest of what
    /// the name is in the registry.
    ///
    /// # Errors
    /// When the registry does not take it.
    pub fn push_image(
        &self,
        image: &StoredImage,
        name: &Name,
        store: &Store,
        sign: Option<&PrivateKey>,
        report: Report<'_>,
    ) -> Result<Digest, Error> {
        push::image(self.session(name, true, report), image, store, sign)
    }

    /// Pushes a model as an artifact under `name`. Says the digest of its manifest.
    ///
    /// # Errors
    /// When the registry does not take it.
    pub fn push_artifact(
        &self,
        artifact: &Artifact,
        name: &Name,
        store: &Store,
        sign: Option<&PrivateKey>,
        report: Report<'_>,
    ) -> Result<Digest, Error> {
        push::artifact(self.session(name, true, report), artifact, store, sign)
    }
}

impl Session<'_> {
    /// Calls the registry by its name.
    fn registry(&self) -> &str {
        self.name.registry()
    }

    /// What is done, for errors.
    fn what(&self) -> String {
        format!("{} `{}`", if self.push { "push" } else { "pull" }, self.name)
    }

    fn note(&self, text: &str) {
        (self.report)(Event::Note(text));
    }
}
