//! Logging in and out: credentials are tried with the registry, then kept where they are looked for first.

use std::path::{Path, PathBuf};

use docker_credential::DockerCredential;
use reqwest::header::AUTHORIZATION;
use serde_json::json;

use super::docker_config::{DockerConfig, ask_helper};
use super::{Client, Session, auth, refusal};
use crate::Error;
use crate::progress::Report;
use crate::reference::{Name, Version};

/// Where credentials are kept now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// By this helper.
    Helper(String),
    /// In this file, where everybody who can read it can read them.
    Plain(PathBuf),
}

impl Client {
    /// Tries the credentials with the registry, and keeps them.
    ///
    /// # Errors
    /// When the registry does not take them, or they cannot be kept.
    pub fn login(
        &self,
        registry: &str,
        user: &str,
        password: &str,
        report: Report<'_>,
    ) -> Result<Kept, Error> {
        let name = placeholder(registry)?;
        let session = self.session(&name, false, report);
        self.try_credentials(&session, user, password)?;
        let registry = name.registry();
        let server = match &self.http.settings.auth_file {
            // As podman names it.
            Some(_) => registry.to_owned(),
            None => auth::servers(registry).remove(0),
        };
        let config = DockerConfig::read(self.config()?)?;
        let Some(helper) = config.helper(registry, &server) else {
            let path = config.path().to_owned();
            config.keep(&server, user, password)?;
            return Ok(Kept::Plain(path));
        };
        let secret = json!({ "ServerURL": server, "Username": user, "Secret": password });
        ask_helper(&helper, "store", &secret.to_string())?;
        Ok(Kept::Helper(helper))
    }

    /// Forgets the credentials; says whether there were any.
    ///
    /// # Errors
    /// When they cannot be removed.
    pub fn logout(&self, registry: &str) -> Result<bool, Error> {
        let name = placeholder(registry)?;
        let registry = name.registry();
        let mut servers = auth::servers(registry);
        if !servers.iter().any(|server| server == registry) {
            servers.push(registry.to_owned());
        }
        let path = self.config()?;
        let had = auth::kept(path, registry, &servers).is_ok_and(|kept| kept.is_some());
        let config = DockerConfig::read(path)?;
        if let Some(helper) = config.helper(registry, &servers[0]).filter(|_| had) {
            ask_helper(&helper, "erase", &servers[0])?;
        }
        Ok(config.forget(&servers)? || had)
    }

    /// The file that is read first.
    fn config(&self) -> Result<&Path, Error> {
        let settings = &self.http.settings;
        settings.auth_file.as_deref().or(settings.docker_config.as_deref()).ok_or_else(|| {
            Error::new("cannot store credentials: HOME and DOCKER_CONFIG are unset")
                .hint("DOCKER_CONFIG=/path/to/a/folder")
        })
    }

    fn try_credentials(
        &self,
        session: &Session<'_>,
        user: &str,
        password: &str,
    ) -> Result<(), Error> {
        let registry = session.registry();
        let host = self.http.host(registry, "log in")?;
        let ping = || host.client.get(format!("{}/v2/", host.base));
        let gone = |silence: super::http::Silence| refusal::gone(session, &silence.why);
        let first = self.http.send(ping()).map_err(gone)?;
        if first.status().is_success() {
            session.note(&format!(
                "{registry} does not ask for credentials; they were stored without a test"
            ));
            return Ok(());
        }
        let credentials = DockerCredential::UsernamePassword(user.to_owned(), password.to_owned());
        let refused = || {
            Error::new(format!(
                "{registry} denied the login of `{user}`: incorrect user name or password"
            ))
            .hint("check both; many registries need an access token instead of the password")
            .log(self.tokens.refusal(registry))
        };
        let challenge = auth::challenge(&first).ok_or_else(|| {
            Error::new(format!("{registry} answered {}: is it a registry?", first.status()))
        })?;
        let token = self.authorize(session, &host, &challenge, "", Some(credentials))?;
        let token = token.ok_or_else(refused)?;
        let second = self.http.send(ping().header(AUTHORIZATION, token)).map_err(gone)?;
        if second.status().is_success() { Ok(()) } else { Err(refused()) }
    }
}

/// A name in the registry, for messages.
fn placeholder(registry: &str) -> Result<Name, Error> {
    let host = registry.trim_start_matches("https://").trim_start_matches("http://");
    let host = host.split('/').next().unwrap_or(host);
    if matches!(host, "" | "docker.io" | "index.docker.io" | "registry-1.docker.io") {
        return Ok(Name::of("docker.io", "library", Version::Tag("latest".to_owned())));
    }
    Ok(Name::of(host, "login", Version::Tag("latest".to_owned())))
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
