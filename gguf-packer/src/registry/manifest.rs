//! Manifests and indexes as registries send them, of images and of models.

use std::collections::BTreeMap;

use reqwest::header::ACCEPT;
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::ask::Ask;
use super::{Session, refusal};
use crate::Error;
use crate::digest::Digest;
use crate::image::manifest::{self as media, Descriptor};
use crate::reference::Version;

/// Docker's names for the same.
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Bytes of a manifest that are read.
const MOST: u64 = 4 << 20;

/// An image's or a model's manifest.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    #[serde(default)]
    pub(super) artifact_type: Option<String>,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
    pub(super) annotations: Option<BTreeMap<String, String>>,
}

/// An index.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    pub(super) manifests: Vec<Descriptor>,
}

/// What a name is in the registry.
#[derive(Debug, Clone)]
pub(super) enum Document {
    Manifest(Box<Manifest>),
    Index(Index),
}

impl Session<'_> {
    /// The document that the name, or the manifest `digest` beside it, is; with its bytes.
    pub(super) fn manifest(&self, digest: Option<&Digest>) -> Result<(Vec<u8>, Document), Error> {
        let wanted = digest.copied().or(self.pin).or(match self.name.version() {
            Version::Digest(digest) => Some(*digest),
            Version::Tag(_) => None,
        });
        let reference = wanted.map_or_else(
            || self.name.tag().unwrap_or_default().to_owned(),
            |digest| digest.to_string(),
        );
        let accept = [media::MANIFEST, media::INDEX, DOCKER_MANIFEST, DOCKER_INDEX].join(", ");
        let path = self.path(&format!("manifests/{reference}"));
        let response = self.ask(&Ask::new(Method::GET, path).header(ACCEPT, accept))?;
        if !response.status().is_success() {
            return Err(refusal::of(self, response));
        }
        let told = response.headers().get("docker-content-digest");
        let told = told.and_then(|value| value.to_str().ok()?.parse::<Digest>().ok());
        let body = self.client.http.body(response, MOST);
        let body = body.map_err(|silence| refusal::gone(self, &silence.why))?;
        let found = Digest::of(&body);
        if let Some(wanted) = wanted.or(told).filter(|wanted| *wanted != found) {
            let text = format!("{} sent a different manifest for `{}`", self.registry(), self.name);
            return Err(Error::new(format!("{text}: {found}, not {wanted}"))
                .hint("run the same command again; if it fails again, do not trust the registry"));
        }
        let document = parse(&body)
            .map_err(|e| Error::new(format!("cannot read the manifest of `{}`: {e}", self.name)))?;
        Ok((body, document))
    }
}

impl Session<'_> {
    /// The manifest that a tag has, when there is one.
    pub(super) fn optional(&self, tag: &str) -> Result<Option<Vec<u8>>, Error> {
        let accept = [media::MANIFEST, media::INDEX].join(", ");
        let path = self.path(&format!("manifests/{tag}"));
        let response = self.ask(&Ask::new(Method::GET, path).header(ACCEPT, accept))?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => {
                let body = self.client.http.body(response, MOST);
                body.map(Some).map_err(|silence| refusal::gone(self, &silence.why))
            }
            _ => Err(refusal::of(self, response)),
        }
    }
}

fn parse(body: &[u8]) -> serde_json::Result<Document> {
    let value: serde_json::Value = serde_json::from_slice(body)?;
    if value["manifests"].is_array() {
        return serde_json::from_value(value).map(Document::Index);
    }
    serde_json::from_value(value).map(|manifest| Document::Manifest(Box::new(manifest)))
}
