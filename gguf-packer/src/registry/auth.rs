//! Who asks: credentials of Docker's own configuration, and the tokens that a registry's token server gives
//! for them.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use docker_credential::{CredentialRetrievalError, DockerCredential};
use reqwest::Response;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use serde::Deserialize;

use super::docker_config::DockerConfig;
use super::http::{Host, is_of_the_web};
use super::{Client, Session};
use crate::Error;
use crate::reference::Name;

/// Bytes of a token server's answer.
const MOST: u64 = 1 << 20;

/// Values of `Authorization`, by registry and scope, and what else is known of registries.
#[derive(Default)]
pub(super) struct Tokens {
    values: Mutex<HashMap<(String, String), String>>,
    /// What token servers said when they gave none, by registry.
    refusals: Mutex<HashMap<String, Vec<String>>>,
    /// Whether it was told that there are credentials that cannot be read.
    told: AtomicBool,
    /// Registries that refused a request for its size.
    limited: Mutex<HashSet<String>>,
}

/// What a registry wants.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
}

impl Tokens {
    pub(super) fn get(&self, registry: &str, scope: &str) -> Option<String> {
        let tokens = self.values.lock().expect("no thread panics with it");
        tokens.get(&(registry.to_owned(), scope.to_owned())).cloned()
    }

    /// Remembers that a registry limits requests; false if that was known.
    pub(super) fn limits(&self, registry: &str) -> bool {
        let mut limited = self.limited.lock().expect("no thread panics with it");
        limited.insert(registry.to_owned())
    }

    pub(super) fn is_limited(&self, registry: &str) -> bool {
        self.limited.lock().expect("no thread panics with it").contains(registry)
    }

    /// What the token server of a registry said when it gave no token.
    pub(super) fn refusal(&self, registry: &str) -> Vec<String> {
        let refusals = self.refusals.lock().expect("no thread panics with it");
        refusals.get(registry).cloned().unwrap_or_default()
    }
}

impl Client {
    /// What `REGISTRY_AUTH_FILE` has for the registry of `name`, else what Docker keeps, else what podman keeps for it or
    /// for a part of it.
    ///
    /// # Errors
    /// When there is none, and one of them cannot be read.
    pub(super) fn credentials(&self, name: &Name) -> Result<Option<DockerCredential>, Error> {
        let (settings, registry) = (&self.http.settings, name.registry());
        let (docker, podman) = (servers(registry), podman_servers(name));
        let files = settings.auth_file.iter().map(|path| (path, &podman));
        let files = files.chain(settings.docker_config.iter().map(|path| (path, &docker)));
        let files = files.chain(settings.podman_auth.iter().map(|path| (path, &podman)));
        let mut broken = None;
        for (path, servers) in files {
            match kept(path, registry, servers) {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                Err(error) => broken = broken.or(Some(error)),
            }
        }
        broken.map_or(Ok(None), Err)
    }

    /// The value of `Authorization` that answers a challenge; none when there is nothing to answer with.
    pub(super) fn authorize(
        &self,
        session: &Session<'_>,
        host: &Host,
        challenge: &str,
        scope: &str,
        credentials: Option<DockerCredential>,
    ) -> Result<Option<String>, Error> {
        match parse(challenge) {
            Some(Challenge::Basic) => Ok(credentials.and_then(|credential| match credential {
                DockerCredential::UsernamePassword(user, password) => Some(basic(&user, &password)),
                DockerCredential::IdentityToken(_) => None,
            })),
            Some(Challenge::Bearer { realm, service, scope: asked }) => {
                let realm = token_server(session, &realm)?;
                if realm.scheme() != "https" && !host.insecure {
                    let text = format!(
                        "{} requests credentials for {realm}, which does not use TLS",
                        session.registry()
                    );
                    return Err(Error::new(text).hint("if you trust it: --insecure"));
                }
                let scope =
                    if scope.is_empty() { asked.unwrap_or_default() } else { scope.to_owned() };
                let request = token_request(host, realm, service.as_deref(), &scope, credentials);
                self.token_of(session, request)
            }
            None => Ok(None),
        }
    }

    fn token_of(
        &self,
        session: &Session<'_>,
        request: reqwest::RequestBuilder,
    ) -> Result<Option<String>, Error> {
        let mut tries = super::ask::Tries::default();
        loop {
            let again = request.try_clone().expect("its URL was parsed, and its body is bytes");
            let response = match self.http.send(again) {
                Ok(response) => response,
                Err(silence) => {
                    session.wait_out(silence, &mut tries)?;
                    continue;
                }
            };
            if crate::web::is_passing(response.status()) {
                session.wait_after(response, &mut tries)?;
                continue;
            }
            if !response.status().is_success() {
                // The registry may let everybody in.
                let lines = super::refusal::reasons(session, response);
                let mut refusals = self.tokens.refusals.lock().expect("no thread panics with it");
                refusals.insert(session.registry().to_owned(), lines);
                return Ok(None);
            }
            let body = self.http.body(response, MOST).map_err(|silence| Error::new(silence.why))?;
            let answer: Option<Answer> = serde_json::from_slice(&body).ok();
            let token = answer.and_then(|answer| answer.token.or(answer.access_token));
            let token = token.ok_or_else(|| {
                Error::new(format!("the token server of {} sent no token", session.registry()))
            })?;
            let mut refusals = self.tokens.refusals.lock().expect("no thread panics with it");
            refusals.remove(session.registry());
            return Ok(Some(format!("Bearer {token}")));
        }
    }
}

impl Session<'_> {
    /// A token in place of `known`, which was refused; none when there is none to be had.
    pub(super) fn token(
        &self,
        host: &Host,
        refused: &Response,
        scope: &str,
        known: Option<&str>,
    ) -> Result<Option<String>, Error> {
        let Some(challenge) = challenge(refused) else { return Ok(None) };
        let key = (self.registry().to_owned(), scope.to_owned());
        // Held while it is asked for: the other layers wait for the same one.
        let mut tokens = self.client.tokens.values.lock().expect("no thread panics with it");
        if let Some(token) = tokens.get(&key).filter(|token| Some(token.as_str()) != known) {
            return Ok(Some(token.clone()));
        }
        let credentials = self.client.credentials(self.name).unwrap_or_else(|error| {
            self.goes_without(&error);
            None
        });
        let token = self.client.authorize(self, host, &challenge, scope, credentials)?;
        match &token {
            Some(token) => drop(tokens.insert(key, token.clone())),
            None => drop(tokens.remove(&key)),
        }
        Ok(token.filter(|token| Some(token.as_str()) != known))
    }

    /// What is public needs no credentials; of others the refusal says why there were none.
    fn goes_without(&self, error: &Error) {
        if !self.client.tokens.told.swap(true, Ordering::Relaxed) {
            let text = error.to_string();
            self.note(&format!("{}; going on without", text.lines().next().unwrap_or_default()));
        }
    }
}

/// What a refusal asks for; Bearer before Basic.
pub(super) fn challenge(refused: &Response) -> Option<String> {
    let all = refused.headers().get_all(WWW_AUTHENTICATE);
    let mut all: Vec<&str> = all.iter().filter_map(|value| value.to_str().ok()).collect();
    all.sort_by_key(|value| !value.to_ascii_lowercase().starts_with("bearer"));
    all.first().map(|value| (*value).to_owned())
}

/// The address of the token server that a registry names.
fn token_server(session: &Session<'_>, realm: &str) -> Result<url::Url, Error> {
    url::Url::parse(realm).ok().filter(is_of_the_web).ok_or_else(|| {
        let registry = session.registry();
        Error::refused(format!("{registry} names no usable token server: `{realm}`"))
            .hint("check the name of the registry; its administrator can repair the address")
    })
}

fn token_request(
    host: &Host,
    mut realm: url::Url,
    service: Option<&str>,
    scope: &str,
    credentials: Option<DockerCredential>,
) -> reqwest::RequestBuilder {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(service.map(|service| ("service", service)));
    if let Some(DockerCredential::IdentityToken(token)) = &credentials {
        query.extend_pairs([
            ("grant_type", "refresh_token"),
            ("client_id", "gguf-packer"),
            ("scope", scope),
            ("refresh_token", token),
        ]);
        let form = "application/x-www-form-urlencoded";
        return host.client.post(realm).header(CONTENT_TYPE, form).body(query.finish());
    }
    query.extend_pairs(
        scope.split(' ').filter(|scope| !scope.is_empty()).map(|scope| ("scope", scope)),
    );
    let own = realm.query().filter(|own| !own.is_empty()).map(|own| format!("{own}&"));
    realm.set_query(Some(&format!("{}{}", own.unwrap_or_default(), query.finish())));
    let request = host.client.get(realm);
    match credentials {
        Some(DockerCredential::UsernamePassword(user, password)) => {
            request.header(AUTHORIZATION, basic(&user, &password))
        }
        _ => request,
    }
}

/// What the file `path` keeps under the first of `servers` that it has.
pub(super) fn kept(
    path: &Path,
    registry: &str,
    servers: &[String],
) -> Result<Option<DockerCredential>, Error> {
    for server in servers {
        let Ok(file) = std::fs::File::open(path) else { return Ok(None) };
        match docker_credential::get_credential_from_reader(file, server) {
            Ok(DockerCredential::UsernamePassword(user, _)) if user.is_empty() => {}
            Ok(credential) => return Ok(Some(credential)),
            Err(CredentialRetrievalError::NoCredentialConfigured) => {}
            // What helpers say when they have none.
            Err(CredentialRetrievalError::HelperFailure { stdout, .. })
                if stdout.contains("credentials not found") => {}
            Err(error) => return Err(unreadable(path, registry, server, error)),
        }
    }
    Ok(None)
}

/// Credentials that a file names and that cannot be had.
fn unreadable(path: &Path, registry: &str, server: &str, why: CredentialRetrievalError) -> Error {
    let config = DockerConfig::read(path).ok();
    let helper = config.and_then(|config| config.helper(registry, server));
    let error = |why: &str| {
        Error::new(format!("cannot read the credentials for {registry}: {why}"))
            .looked_in(path.display().to_string())
    };
    let again = format!("log in again: gguf-packer login {registry}");
    match (helper, why) {
        (Some(helper), CredentialRetrievalError::HelperFailure { stdout, stderr, .. }) => {
            let said = [stdout, stderr].concat();
            error(&format!("docker-credential-{helper} failed")).log(lines(&said)).hint(again)
        }
        (Some(helper), CredentialRetrievalError::HelperCommunicationError) => {
            error(&format!("cannot run docker-credential-{helper}"))
                .hint("install it, or remove `credsStore` and `credHelpers` from that file")
        }
        (Some(helper), why) => error(&format!("docker-credential-{helper}: {why}")).hint(again),
        (None, why) => error(&why.to_string()).hint(again),
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The names under which podman may keep a repository's credentials: its own, those of the folders above it,
/// and the registry's.
fn podman_servers(name: &Name) -> Vec<String> {
    let mut all = Vec::new();
    let mut path = name.repository();
    while !path.is_empty() {
        all.push(format!("{}/{path}", name.registry()));
        path = path.rsplit_once('/').map_or("", |(above, _)| above);
    }
    all.push(name.registry().to_owned());
    all.extend(servers(name.registry()));
    all
}

/// The names under which Docker may keep a registry's credentials.
pub(super) fn servers(registry: &str) -> Vec<String> {
    if registry == "docker.io" {
        return vec!["https://index.docker.io/v1/".to_owned(), "index.docker.io".to_owned()];
    }
    vec![registry.to_owned(), format!("https://{registry}"), format!("http://{registry}")]
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// Reads `Bearer realm="…",service="…"`.
fn parse(header: &str) -> Option<Challenge> {
    let (scheme, mut rest) = header.split_once(' ').unwrap_or((header, ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let mut values = HashMap::new();
    while let Some((key, value)) = rest.split_once('=') {
        let key = key.trim_matches([' ', ',']).to_ascii_lowercase();
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => value.split_once(',').unwrap_or((value, "")),
        };
        values.insert(key, value.to_owned());
        rest = after;
    }
    let realm = values.remove("realm")?;
    Some(Challenge::Bearer {
        realm,
        service: values.remove("service"),
        scope: values.remove("scope"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            Challenge::Bearer {
                realm: realm.to_owned(),
                service: owned(service),
                scope: owned(scope),
            }
        };
        let full = "Bearer realm=\"https://a/token?x=1,2\",service=\"a b\", scope=\"repository:x:pull,push\"";
        let expected = bearer("https://a/token?x=1,2", Some("a b"), Some("repository:x:pull,push"));
        assert_eq!(parse(full), Some(expected));
        assert_eq!(
            parse("bearer Realm=https://a,service=b"),
            Some(bearer("https://a", Some("b"), None))
        );
        assert_eq!(parse("Basic realm=\"x\""), Some(Challenge::Basic));
        for none in ["", "Bearer", "Bearer service=\"a\"", "Bearer realm=\"a", "Negotiate"] {
            assert_eq!(parse(none), None, "{none}");
        }
    }
}
