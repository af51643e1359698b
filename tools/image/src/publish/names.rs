//! Which names an image gets: a version's once and for ever, all others only forward.

use anyhow::{Context, Result};
use llama_build::Pin;
use llama_src::sh::Cmd;
use llama_src::tree::hex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::labels::OWN;
use super::super::tags::Kind;
use super::bundle::RELEASE;
use super::kind::Image;
use super::{Named, Pushed, Release};
use crate::semver::Semver;

/// The answers of registries that have no such name.
const ABSENT: [&str; 2] = ["manifest unknown", "name unknown"];

/// What has a name now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Current {
    digest: String,
    /// RFC 3339 in UTC, of its commit; such times are in order as texts.
    created: Option<String>,
    release: Option<Semver>,
}

/// Looks for what is called `reference`.
///
/// # Errors
/// When the registry does not say.
pub fn current(release: &Release, reference: &str) -> Result<Option<Current>> {
    let mut inspect = Cmd::new("skopeo").args(["inspect", "--raw"]);
    if release.plain() {
        inspect = inspect.arg("--tls-verify=false");
    }
    match inspect.arg(format!("docker://{reference}")).read() {
        Ok(raw) => Ok(Some(Current::read(&raw))),
        Err(error) if ABSENT.iter().any(|words| error.log_has(words)) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot find out what {reference} is")),
    }
}

/// A registry without any name.
pub fn nobody(_: &str) -> Result<Option<Current>> {
    Ok(None)
}

impl Current {
    /// Of a manifest's or an index's text.
    pub(super) fn read(raw: &str) -> Self {
        let value: Value = serde_json::from_str(raw).unwrap_or_default();
        let annotation = |name: &str| value["annotations"][name].as_str().map(str::to_owned);
        Self {
            digest: format!("sha256:{}", hex(&Sha256::digest(raw))),
            created: annotation("org.opencontainers.image.created"),
            release: annotation(&format!("{OWN}{RELEASE}"))
                .and_then(|version| Semver::parse(&version).ok()),
        }
    }
}

/// Nothing is to be done for such a name.
const ITSELF: &str = "it is this image already";

/// Why `now` keeps its name; `None`: `new` gets it.
pub(super) fn keeps(kind: Kind, now: Option<&Current>, new: &Current) -> Option<&'static str> {
    let now = now?;
    let numbers = |one: &Current| one.release.as_ref().map(Semver::numbers);
    match kind {
        _ if now.digest == new.digest => Some(ITSELF),
        Kind::Once => Some("a version's name is given once"),
        Kind::Line if numbers(now) > numbers(new) => Some("a newer release has it"),
        Kind::Newest if now.created > new.created => Some("a newer commit has it"),
        Kind::Line | Kind::Newest => None,
    }
}

pub(super) fn plan(
    release: &Release,
    pushed: &[Pushed],
    look: &dyn Fn(&str) -> Result<Option<Current>>,
) -> Result<Named> {
    let (mut lines, mut kept, mut images) = (Vec::new(), Vec::new(), Vec::new());
    for one in pushed {
        let image = Image::read(one)?;
        let mut own = Vec::new();
        for (reference, kind) in image.tags(release) {
            let new = Current {
                digest: one.digest.clone(),
                created: Some(product::time::rfc3339(release.identity.epoch)),
                release: release.semver.clone(),
            };
            let now = look(&reference)?;
            let why = keeps(kind, now.as_ref(), &new);
            match why {
                Some(why) => kept.push(format!("{reference}: {why}")),
                None => lines.push(give(release, &reference, &one.digest)),
            }
            own.extend((why.is_none() || why == Some(ITSELF)).then_some(reference));
        }
        images.push(entry(release, &image, one, &own));
    }
    let document = json!({
        "schema": 2, "version": release.identity.version, "commit": release.identity.commit,
        "release": release.semver.as_ref().map(ToString::to_string),
        "created": product::time::rfc3339(release.identity.epoch), "llama_cpp": Pin::load().tag, "images": images,
    });
    Ok(Named { lines, kept, document: format!("{document:#}\n") })
}

fn give(release: &Release, reference: &str, digest: &str) -> crate::line::Line {
    let repository = reference.rsplit_once(':').map_or(reference, |(repository, _)| repository);
    let from = format!("docker://{repository}@{digest}");
    release.copy(&["--multi-arch", "index-only"], from, format!("docker://{reference}"))
}

fn entry(release: &Release, image: &Image, pushed: &Pushed, tags: &[String]) -> Value {
    let repository = &image.repositories(release)[0];
    json!({
        "variant": pushed.variant, "toolkit": pushed.toolkit, "target": image.stage(),
        "platforms": pushed.platforms, "digest": pushed.digest,
        "image": format!("{repository}@{}", pushed.digest), "tags": tags,
    })
}
