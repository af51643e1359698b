//! The files of an image that go into an artifact: what each is for, and the command that names them there.

use std::collections::BTreeSet;
use std::io::BufReader;

use serde_json::Value;

use crate::Error;
use crate::digest::Digest;
use crate::gguf::{Header, Model, all_shards};
use crate::image::command::{self, Named, Role};
use crate::image::{find_named, path, working_dir};
use crate::store::Store;
use crate::tree::{Entry, Kind, Tree};

/// Where the command of an artifact has its files.
pub(crate) const FOLDER: &str = "/models";

/// What a file is for. They are layers in this order: Docker Model Runner takes the first file of weights for the
/// model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    /// The model, or a shard of it.
    Model,
    Projector,
    /// A drafter, an adapter, or weights that the command does not name.
    OtherWeights,
    Template,
    Other,
    Readme,
    License,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// Below the artifact's folder.
    pub(super) path: String,
    pub(super) purpose: Purpose,
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// Permission bits.
    pub(super) mode: u32,
    /// Seconds since 1970.
    pub(super) mtime: u64,
}

/// The files, and the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) files: Vec<File>,
    /// Its paths are below [`FOLDER`].
    pub(super) command: Vec<String>,
    /// What of the image is left out.
    pub(super) warnings: Vec<String>,
}

/// The headers of what an artifact's config describes.
pub(super) struct Headers {
    pub(super) model: Model,
    pub(super) projector: Option<Model>,
}

/// A file that the command names, by its place in the image.
type Place = (String, Purpose);

impl Files {
    /// Those of the image with `config`, whose files are `tree`.
    pub(super) fn of(config: &Value, tree: &Tree) -> Result<Self, Error> {
        let said = command::of_config(config);
        let working_dir = working_dir(Some(config));
        let (command, named) = places(&said, &working_dir, tree)?;
        let model =
            named.iter().find(|(_, purpose)| *purpose == Purpose::Model).ok_or_else(|| {
                Error::new(
                    "the image's command names no model in the image, so it can only be pushed as \
                    an image",
                )
                .hint("CMD [\"-m\", \"MODEL.gguf\", …]")
            })?;
        let folder = folder(&working_dir, &model.0);
        let mut files = named_files(&named, &folder, tree);
        let warnings = add_unnamed(&mut files, &named, &folder, tree);
        let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        if paths.len() < files.len() {
            let text = "two files of the image would have the same path in the artifact";
            return Err(Error::new(text).hint(format!("COPY both files to folders below {FOLDER}")));
        }
        files.sort_by(|a, b| (a.purpose, &a.path).cmp(&(b.purpose, &b.path)));
        let command = command::rename(&command, |file| {
            let is_here = named.iter().any(|(place, _)| *place == file.path);
            let path = || format!("{FOLDER}/{}", below(&file.path, &folder));
            Ok(if is_here { path() } else { file.path.clone() })
        })?;
        Ok(Self { files, command, warnings })
    }

    /// Reads the headers of the model and of its projector.
    pub(super) fn headers(&self, store: &Store) -> Result<Headers, Error> {
        let of = |purpose: Purpose| {
            let files = self.files.iter().filter(|file| file.purpose == purpose);
            let headers = files.map(|file| {
                let content = BufReader::new(store.open_blob(&file.digest)?);
                Header::read(content, file.size)
                    .map_err(|error| Error::new(format!("{}: {error}", file.path)))
            });
            headers.collect::<Result<Vec<_>, _>>()
        };
        let projector = of(Purpose::Projector)?.into_iter().next();
        Ok(Headers {
            model: Model::new(of(Purpose::Model)?)?,
            projector: projector.map(|header| Model::new(vec![header])).transpose()?,
        })
    }
}

/// The command with absolute paths, and the files that it names.
fn places(
    said: &[String],
    working_dir: &str,
    tree: &Tree,
) -> Result<(Vec<String>, Vec<Place>), Error> {
    let mut named: Vec<Place> = Vec::new();
    let command = command::rename(said, |file| {
        let Some(place) = find_named(file, working_dir, tree)? else {
            return Ok(file.path.clone());
        };
        for one in all_shards(&place) {
            if !named.iter().any(|(known, _)| *known == one) {
                named.push((one, purpose_of_named(file)));
            }
        }
        Ok(place)
    })?;
    Ok((command, named))
}

fn purpose_of_named(file: &Named) -> Purpose {
    match file.role {
        Role::Model => Purpose::Model,
        Role::Projector => Purpose::Projector,
        Role::Drafter | Role::Adapter => Purpose::OtherWeights,
        Role::Text if file.option == "--chat-template-file" => Purpose::Template,
        Role::Text | Role::Runtime => Purpose::Other,
    }
}

fn purpose_of_unnamed(path: &str) -> Purpose {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let is_any = |marks: &[&str]| marks.iter().any(|mark| name.contains(mark));
    if name.ends_with(".gguf") || name.ends_with(".safetensors") {
        Purpose::OtherWeights
    } else if is_any(&["license", "licence", "copying", "notice"]) {
        Purpose::License
    } else if name.starts_with("readme") || name.ends_with(".md") {
        Purpose::Readme
    } else {
        Purpose::Other
    }
}

/// The folder that the artifact has the files of: the working folder, or the model's when it is elsewhere. A whole
/// system has `/` as its working folder; its files are not the model's.
fn folder(working_dir: &str, model: &str) -> String {
    let working_dir = working_dir.trim_end_matches('/');
    if !working_dir.is_empty() && model.starts_with(&format!("{working_dir}/")) {
        return working_dir.to_owned();
    }
    model.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned()
}

/// The path in the artifact of what has this place in the image.
fn below<'a>(place: &'a str, folder: &str) -> &'a str {
    let inside = place.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'));
    inside.unwrap_or_else(|| place.trim_start_matches('/'))
}

fn named_files(named: &[Place], folder: &str, tree: &Tree) -> Vec<File> {
    let file = |(place, purpose): &Place| {
        // A link is the file that it leads to.
        file(path::file(tree, place)?, below(place, folder), *purpose)
    };
    named.iter().filter_map(file).collect()
}

fn file(entry: &Entry, path: &str, purpose: Purpose) -> Option<File> {
    let Kind::File { digest, size } = entry.kind else { return None };
    let (mode, mtime) = (entry.mode & 0o777, entry.mtime);
    Some(File { path: path.to_owned(), purpose, digest, size, mode, mtime })
}

/// Adds the files of the folder that the command does not name; says what is elsewhere.
fn add_unnamed(files: &mut Vec<File>, named: &[Place], folder: &str, tree: &Tree) -> Vec<String> {
    // What a link of the command leads to is there already.
    let known: BTreeSet<Digest> = files.iter().map(|file| file.digest).collect();
    let mut elsewhere = Vec::new();
    for entry in tree.iter() {
        let Kind::File { digest, .. } = entry.kind else { continue };
        let place = format!("/{}", entry.path);
        if named.iter().any(|(known, _)| *known == place) {
            continue;
        }
        if !place.starts_with(&format!("{folder}/")) {
            elsewhere.push(place);
        } else if purpose_of_unnamed(&place) != Purpose::OtherWeights || !known.contains(&digest) {
            files.extend(file(entry, below(&place, folder), purpose_of_unnamed(&place)));
        }
    }
    match &elsewhere[..] {
        [] => vec![],
        [one] => vec![format!("skipped {one}: it is not below {folder}")],
        [first, ..] => {
            let count = elsewhere.len();
            vec![format!("skipped {count} files: they are not below {folder}: {first}, …")]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_has_the_working_folder_or_the_model_s() {
        for (working_dir, model, expected) in [
            ("/models", "/models/q/m.gguf", "/models"),
            ("/models/", "/models/m.gguf", "/models"),
            ("/models", "/data/m.gguf", "/data"),
            ("/models", "/models-2/m.gguf", "/models-2"),
            ("/models", "/m.gguf", ""),
            ("/", "/models/q/m.gguf", "/models/q"),
            ("/", "/m.gguf", ""),
        ] {
            assert_eq!(folder(working_dir, model), expected, "{working_dir} {model}");
        }
    }
}
