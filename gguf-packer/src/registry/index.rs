//! Several platforms under one name: which one is meant.

use super::Session;
use super::manifest::Index;
use crate::Error;
use crate::digest::Digest;
use crate::image::Platform;
use crate::image::manifest::Descriptor;

/// What an index has for a platform.
pub(super) enum Choice {
    /// The manifest for it.
    Right(Digest),
    /// The first one: right only when it is data, which is the same for every machine.
    First(Digest),
}

/// The manifests of images: signatures and attestations say `unknown`.
pub(super) fn images(index: &Index) -> Vec<&Descriptor> {
    let unknown =
        |platform: &Platform| platform.os == "unknown" || platform.architecture == "unknown";
    let all = index.manifests.iter();
    all.filter(|entry| !entry.platform.as_ref().is_some_and(unknown)).collect()
}

/// Picks the manifest for `wanted`.
pub(super) fn choose(
    session: &Session<'_>,
    index: &Index,
    wanted: &Platform,
) -> Result<Choice, Error> {
    let images = images(index);
    let fits = |entry: &&&Descriptor| {
        entry.platform.as_ref().is_some_and(|platform| {
            platform.os == wanted.os
                && platform.architecture == wanted.architecture
                && (wanted.variant.is_none() || platform.variant == wanted.variant)
        })
    };
    if let Some(entry) = images.iter().find(fits) {
        return Ok(Choice::Right(entry.digest));
    }
    match images.first() {
        Some(entry) => Ok(Choice::First(entry.digest)),
        None => Err(Error::new(format!("the index `{}` is empty", session.name))),
    }
}

/// There is no image for `wanted`.
pub(super) fn missing(session: &Session<'_>, index: &Index, wanted: &Platform) -> Error {
    let error = Error::new(format!(
        "no matching manifest for {wanted} in the manifest list of `{}`",
        session.name
    ));
    images(index)
        .iter()
        .filter_map(|entry| entry.platform.as_ref())
        .take(5)
        .fold(error, |error, platform| {
            error.hint(format!("use another platform: --platform {platform}"))
        })
}
