//! What a model is, without its weights: its command, and the headers of the files that the command names.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};

use serde_json::Value;

use super::formats::{self, Parts, command as weights};
use super::layers::Wanted;
use super::manifest::Manifest;
use super::remote::Remote;
use super::{Client, Session, pull};
use crate::Error;
use crate::gguf::{Header, Model, all_shards};
use crate::hub;
use crate::image::command::{self, Named, Role};
use crate::image::manifest::Descriptor;
use crate::image::{Platform, described, path};
use crate::progress::Report;
use crate::reference::{Name, Version};
use crate::store::Compression;

/// A file of a compressed layer that is not read through to get to the one behind it.
const LARGE: u64 = 8 << 20;

/// Bytes of an unpacked layer that are read.
const MOST_PLAIN: u64 = 512 << 20;

/// A model whose weights stayed where they are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Peeked {
    /// Arguments of the server.
    pub command: Vec<String>,
    /// The header of each file of weights, as the command names it.
    pub models: BTreeMap<String, Model>,
}

impl Client {
    /// Reads what `name` is, and no weights of it.
    ///
    /// # Errors
    /// When the registry does not have it, or there is no model in it.
    pub fn peek(
        &self,
        name: &Name,
        platform: Option<&Platform>,
        report: Report<'_>,
    ) -> Result<Peeked, Error> {
        let session = self.session(name, false, report);
        if name.is_hugging_face() {
            return match hugging_face_file(session) {
                Some((url, file)) => of_files(session, &url, &file),
                None => of_planned(session, formats::hugging_face::plan(session)?),
            };
        }
        of_name(session, platform)
    }

    /// Reads what the GGUF file at `url` is; of shards, what all of them are.
    ///
    /// # Errors
    /// When there is none.
    pub fn peek_file(&self, url: &str, report: Report<'_>) -> Result<Peeked, Error> {
        let refused = |why: &str| Error::new(format!("invalid file URL `{url}`: {why}"));
        let parsed = url::Url::parse(url).map_err(|e| refused(&e.to_string()))?;
        let host = parsed.host_str().ok_or_else(|| refused("it has no host"))?;
        let host = parsed.port().map_or(host.to_owned(), |port| format!("{host}:{port}"));
        let (folder, file) = parsed.path().rsplit_once('/').unwrap_or(("", parsed.path()));
        if !file.to_ascii_lowercase().ends_with(".gguf") {
            return Err(refused("it does not end with `.gguf`"));
        }
        let name =
            Name::of(&host, parsed.path().trim_start_matches('/'), Version::Tag(String::new()));
        let session = self.session(&name, false, report);
        let origin = parsed.origin().ascii_serialization();
        if parsed.scheme() == "http" && !session.host()?.insecure {
            return Err(refused("it is not https").hint("use it anyway: --insecure"));
        }
        let query = parsed.query().map_or(String::new(), |query| format!("?{query}"));
        of_urls(file, |shard| {
            let url = format!("{origin}{folder}/{shard}{query}");
            Remote::new(session, &url, None).header()
        })
    }
}

/// `hf://ORG/REPO/FILE.gguf`: where the file's folder is, and the file.
fn hugging_face_file(session: Session<'_>) -> Option<(String, String)> {
    let mut parts = session.name.repository().splitn(3, '/');
    let (organization, repository, file) = (parts.next()?, parts.next()?, parts.next()?);
    let revision = session.name.tag().filter(|tag| *tag != "latest").unwrap_or("main");
    let endpoint = session.client.http.settings.hugging_face.trim_end_matches('/');
    let folder = format!("{endpoint}/{organization}/{repository}/resolve/{revision}");
    file.to_ascii_lowercase().ends_with(".gguf").then(|| (folder, file.to_owned()))
}

fn of_files(session: Session<'_>, folder: &str, file: &str) -> Result<Peeked, Error> {
    of_urls(file, |shard| {
        let url = format!("{folder}/{}", hub::encoded(shard, true));
        Remote::new(session, &url, None).header()
    })
}

/// The model in `file`, and in the other shards of it.
fn of_urls(file: &str, header: impl Fn(&str) -> Result<Header, Error>) -> Result<Peeked, Error> {
    let files = all_shards(file);
    let headers = files.iter().map(|file| header(file)).collect::<Result<_, _>>()?;
    let path = format!("/{}", files[0]);
    let command = vec!["-m".to_owned(), path.clone()];
    Ok(Peeked { command, models: BTreeMap::from([(path, Model::new(headers)?)]) })
}

/// What it is, by its config or the beginnings of its files.
fn of_name(session: Session<'_>, platform: Option<&Platform>) -> Result<Peeked, Error> {
    let chosen = pull::choose(&session, platform)?;
    if let Some(known) = formats::of(&chosen.manifest) {
        return of_planned(session, known.plan(session, &chosen.manifest)?);
    }
    let raw = session.small(&chosen.manifest.config, "config")?;
    let config = serde_json::from_slice(&raw)
        .map_err(|e| Error::new(format!("cannot read the config of `{}`: {e}", session.name)))?;
    of_image(session, &chosen.manifest, &config)
}

/// A model of another format.
fn of_planned(session: Session<'_>, (files, planned): Parts<Wanted>) -> Result<Peeked, Error> {
    let place = |path: &str| format!("/models/{path}");
    let mut found: BTreeMap<String, Header> = BTreeMap::new();
    for (layer, compression) in &planned.archives {
        for (path, header) in in_layer(session, layer, *compression)? {
            found.insert(place(path.trim_start_matches('/')), header);
        }
    }
    let files: BTreeMap<String, &Wanted> =
        files.iter().map(|(path, wanted)| (place(path), wanted)).collect();
    let command = planned.command(|| command_of(session, files.keys().chain(found.keys())))?;
    let header = |path: &str| match (found.get(path), files.get(path)) {
        (Some(header), _) => Ok(header.clone()),
        (None, Some(wanted)) => Remote::new(session, &wanted.url, Some(wanted.size)).header(),
        (None, None) => Err(missing(session, path)),
    };
    with_headers(command, |named| whole(&named.path, &header))
}

/// An image, by its config, and by the beginnings of its layers where that says too little.
fn of_image(session: Session<'_>, manifest: &Manifest, config: &Value) -> Result<Peeked, Error> {
    let said = command::of_config(config);
    let has_model = command::has_model(&said);
    let named = if has_model { command::files(&said)? } else { Vec::new() };
    let named = named.iter().filter(|named| is_weights(named));
    if has_model && named.clone().all(|named| described(config, named).is_some()) {
        return with_headers(said, |named| {
            Ok(described(config, named).expect("all of them were looked at"))
        });
    }
    let folder = config["config"]["WorkingDir"].as_str().unwrap_or("/");
    let places = |path: &str| [path::join(folder, path), path::join("/", path)];
    let wanted: Vec<[String; 2]> =
        named.flat_map(|named| all_shards(&named.path)).map(|path| places(&path)).collect();
    let found = in_layers(session, manifest, &wanted)?;
    let command = if has_model { said } else { command_of(session, found.keys())? };
    let header = |path: &str| {
        let places = places(path);
        let header = places.iter().find_map(|place| found.get(place));
        header.cloned().ok_or_else(|| missing(session, path))
    };
    with_headers(command, |named| whole(&named.path, &header))
}

/// The command for these files.
fn command_of<'a>(
    session: Session<'_>,
    paths: impl Iterator<Item = &'a String>,
) -> Result<Vec<String>, Error> {
    let paths: Vec<&str> = paths.map(|path| path.trim_start_matches('/')).collect();
    let explain = |error: Error| Error::new(format!("`{}`: {error}", session.name));
    weights::weights("", &paths).map(|(command, _)| command).map_err(explain)
}

fn is_weights(named: &Named) -> bool {
    !matches!(named.role, Role::Text | Role::Runtime)
}

/// The model in `path`, and in the other shards of it.
fn whole(path: &str, header: &impl Fn(&str) -> Result<Header, Error>) -> Result<Model, Error> {
    let model = all_shards(path);
    let model = model.iter().map(|path| header(path)).collect::<Result<_, _>>();
    model.and_then(Model::new).map_err(|error| Error::new(format!("{path}: {error}")))
}

fn with_headers(
    command: Vec<String>,
    model: impl Fn(&Named) -> Result<Model, Error>,
) -> Result<Peeked, Error> {
    let (mut models, mut errors) = (BTreeMap::new(), Vec::new());
    for named in command::files(&command)?.iter().filter(|named| is_weights(named)) {
        match model(named) {
            Ok(model) => drop(models.insert(named.path.clone(), model)),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(Peeked { command, models }) } else { Err(Error::all(errors)) }
}

fn missing(session: Session<'_>, path: &str) -> Error {
    Error::new(format!(
        "cannot find {path} in `{}`: it is missing, or too far into a compressed layer",
        session.name
    ))
    .hint(format!("pull it, then run the same command again: gguf-packer pull {}", session.name))
}

/// The headers in the layers, the largest layer first, until those that are wanted are there.
fn in_layers(
    session: Session<'_>,
    manifest: &Manifest,
    wanted: &[[String; 2]],
) -> Result<BTreeMap<String, Header>, Error> {
    let mut layers: Vec<&Descriptor> = manifest.layers.iter().collect();
    layers.sort_by_key(|layer| std::cmp::Reverse(layer.size));
    let mut found = BTreeMap::new();
    for layer in layers {
        let done = |places: &[String; 2]| places.iter().any(|place| found.contains_key(place));
        if !wanted.is_empty() && wanted.iter().all(done) {
            break;
        }
        if let Some(compression) = layer.compression() {
            found.extend(in_layer(session, layer, compression)?);
        }
    }
    Ok(found)
}

/// The headers of the files in a layer that can be reached without reading weights.
fn in_layer(
    session: Session<'_>,
    layer: &Descriptor,
    compression: Compression,
) -> Result<Vec<(String, Header)>, Error> {
    let url = session.blob(layer, "layer").url;
    let mut remote = Remote::new(session, &url, Some(layer.size));
    let mut found = Vec::new();
    let read = match compression {
        Compression::None => {
            let mut archive = tar::Archive::new(&mut remote);
            archive
                .entries_with_seek()
                .map_err(|e| unreadable(&e))
                .and_then(|entries| headers(entries, u64::MAX, &mut found))
        }
        _ => compressed(compression.plain(BufReader::new(&mut remote)), &mut found),
    };
    // What comes after so much is not worth it when something was found; else the next layer may have it.
    let enough = remote.is_spent();
    match read {
        Err(error) if !enough => Err(remote.why(error)),
        _ => Ok(found),
    }
}

fn compressed(plain: impl Read, found: &mut Vec<(String, Header)>) -> Result<(), Error> {
    // A few bytes may claim to be many.
    let mut plain = plain.take(MOST_PLAIN);
    let mut archive = tar::Archive::new(&mut plain);
    let read = archive.entries().map_err(|e| unreadable(&e));
    let read = read.and_then(|entries| headers(entries, LARGE, found));
    if plain.limit() == 0 { Ok(()) } else { read }
}

/// Goes on until a file of weights is larger than `most`.
fn headers<R: Read>(
    entries: tar::Entries<'_, R>,
    most: u64,
    found: &mut Vec<(String, Header)>,
) -> Result<(), Error> {
    for entry in entries {
        let mut entry = entry.map_err(|e| unreadable(&e))?;
        let size = entry.size();
        let path = path::join("/", &String::from_utf8_lossy(&entry.path_bytes()));
        if !entry.header().entry_type().is_file() || !path.to_ascii_lowercase().ends_with(".gguf") {
            continue;
        }
        let header = Header::read(&mut entry, size);
        found.push((path.clone(), header.map_err(|e| Error::new(format!("{path}: {e}")))?));
        if size > most {
            break;
        }
    }
    Ok(())
}

fn unreadable(error: &std::io::Error) -> Error {
    Error::new(format!("cannot read the layer: {error}"))
}

#[cfg(test)]
#[path = "peek_tests.rs"]
mod tests;
