//! What is run: a model image of the store, or a GGUF file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::compat::Texts;
use crate::Error;
use crate::digest::Digest;
use crate::gguf::{Header, Kind, Model, all_shards, check_first_shard, shards};
use crate::image::command::{self, Role};
use crate::image::path;

/// Folders inside folders that are searched for a model.
const DEPTH: usize = 8;

/// A model with its command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The command; it names files from the root of `folder`.
    pub command: Vec<String>,
    /// Where the files lie.
    pub folder: PathBuf,
    /// Eight hexadecimal digits that are this model's.
    pub mark: String,
    /// The image's name; none for a file.
    pub name: Option<String>,
    /// Bytes of the weights.
    pub size: u64,
}

impl Target {
    /// The image `id` of the store, which registries know as `name`; its files lie in `folder`.
    ///
    /// # Errors
    /// When there is no model, or a file that the command names is missing; all at once.
    pub fn image(folder: &Path, id: &Digest, name: &str, config: &Value) -> Result<Self, Error> {
        let working_dir = config["config"]["WorkingDir"].as_str().unwrap_or("/");
        let said = command::of_config(config);
        let command = if command::has_model(&said) { said } else { found(folder, name)? };
        let command = command::rename(&command, |file| {
            let places = [path::join(working_dir, &file.path), path::join("/", &file.path)];
            let place = places.iter().find(|place| has(folder, place));
            let paths = place.map_or(places.to_vec(), |place| all_shards(place));
            if let Some(path) = paths.iter().find(|path| leads_out(folder, path)) {
                return Err(outside(&file.option, path, name));
            }
            match place {
                Some(place) => Ok(place.clone()),
                None if file.role == Role::Runtime => Ok(file.path.clone()),
                None => Err(Error::new(format!(
                    "`{1}` names {0}, which is not in {name}",
                    file.path, file.option
                ))
                .hint(format!("gguf-packer pull --force {name}"))),
            }
        })?;
        let size = config["config"]["Size"].as_u64().unwrap_or_default();
        let mark = id.hex()[..8].to_owned();
        Ok(Self { command, folder: folder.to_owned(), mark, name: Some(name.to_owned()), size })
    }

    /// A GGUF file.
    ///
    /// # Errors
    /// When it cannot be read, or is not the first of several shards.
    pub fn file(file: &Path) -> Result<Self, Error> {
        check_first_shard(&file.to_string_lossy())?;
        let file = file.canonicalize().map_err(|e| Error::io("read", file, &e))?;
        let (Some(folder), Some(name)) =
            (file.parent(), file.file_name().and_then(|name| name.to_str()))
        else {
            return Err(Error::new(format!("{} is not a file", file.display())));
        };
        let header = header(&file)?;
        let command = vec!["-m".to_owned(), format!("/{name}")];
        let mark = Digest::of(file.as_os_str().as_encoded_bytes()).hex()[..8].to_owned();
        Ok(Self { command, folder: folder.to_owned(), mark, name: None, size: header.size })
    }

    /// The command with its files as they lie on this machine.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        self.command_from(&self.folder.display().to_string())
    }

    /// What the headers of the main model say.
    ///
    /// # Errors
    /// When it cannot be read, or the command says that it is elsewhere.
    pub fn model(&self) -> Result<Model, Error> {
        let named = command::model(&self.command)?;
        let named =
            named.ok_or_else(|| Error::new("the command of the model names no GGUF file"))?;
        let paths = all_shards(&named.path);
        let headers = paths.iter().map(|path| header(&inside(&self.folder, path)));
        Model::new(headers.collect::<Result<_, _>>()?)
    }

    /// The command with its files seen from `root`.
    pub(super) fn command_from(&self, root: &str) -> Vec<String> {
        let root = root.trim_end_matches('/');
        let seen = command::rename(&self.command, |file| {
            let here = file.path.starts_with('/') && has(&self.folder, &file.path);
            Ok(if here { format!("{root}{}", file.path) } else { file.path.clone() })
        });
        seen.expect("`image` has gone through this command")
    }

    /// Whether all its files lie below `folder`.
    pub(super) fn is_below(&self, folder: &str) -> bool {
        let files = command::files(&self.command).unwrap_or_default();
        let own = files.iter().filter(|file| has(&self.folder, &file.path));
        own.into_iter().all(|file| file.path.starts_with(folder))
    }
}

/// A path of the image on this machine.
fn inside(folder: &Path, path: &str) -> PathBuf {
    folder.join(path.trim_start_matches('/'))
}

/// Whether the image has the file `path`. A link may lead to another file of the image, and to no file of this machine.
fn has(folder: &Path, path: &str) -> bool {
    inside(folder, path).is_file() && !leads_out(folder, path)
}

/// Whether links lead from `path` to a file that is not the image's.
fn leads_out(folder: &Path, path: &str) -> bool {
    match (folder.canonicalize(), inside(folder, path).canonicalize()) {
        (Ok(folder), Ok(file)) => !file.starts_with(folder),
        // There is no file.
        (_, Err(_)) => false,
        (Err(_), _) => true,
    }
}

fn outside(option: &str, path: &str, name: &str) -> Error {
    Error::new(format!(
        "`{option}` names {path}, which is a link from {name} to a file of this machine"
    ))
    .hint(format!("remove the image: gguf-packer remove {name}"))
    .hint("or build it with the file itself: COPY FILE .")
}

fn header(file: &Path) -> Result<Header, Error> {
    let open = File::open(file).and_then(|open| Ok((open.metadata()?.len(), open)));
    let (size, open) = open.map_err(|e| Error::io("read", file, &e))?;
    Header::read(open, size).map_err(|e| Error::new(format!("{}: {e}", file.display())))
}

/// The command for the model of an image that has none for llama-server.
fn found(folder: &Path, name: &str) -> Result<Vec<String>, Error> {
    let mut files = Vec::new();
    search(folder, "", DEPTH, &mut files);
    files.sort();
    let kind =
        |path: &str| Some(Model::new(vec![header(&inside(folder, path)).ok()?]).ok()?.kind());
    let first = |path: &&String| shards(path).is_none_or(|all| all[0] == **path);
    let of = |wanted: Kind| -> Vec<&String> {
        let is =
            |path: &&String| first(path) && (shards(path).is_some() || kind(path) == Some(wanted));
        files.iter().filter(is).collect()
    };
    let (models, projectors) = (of(Kind::Model), of(Kind::Projector));
    let hint = |path: &str| format!("gguf-packer run {name} -- -m {path}");
    match models[..] {
        [model] => {
            let mut command = vec!["-m".to_owned(), model.clone()];
            if let [projector] = projectors[..] {
                if projector != model {
                    command.extend(["--mmproj".to_owned(), projector.clone()]);
                }
            }
            Ok(command)
        }
        [] => Err(Error::new(format!(
            "{name} has no model: its command names none, and it contains no GGUF file"
        ))
        .looked_in(folder.display().to_string())),
        _ => Err(models.iter().take(5).fold(
            Error::new(format!(
                "{name} has {} models, but its command names none of them",
                models.len()
            )),
            |error, path| error.hint(hint(path)),
        )),
    }
}

fn search(root: &Path, folder: &str, depth: usize, files: &mut Vec<String>) {
    for entry in fs::read_dir(inside(root, folder)).into_iter().flatten().flatten() {
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        let path = format!("{folder}/{name}");
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && depth > 0 {
            search(root, &path, depth - 1, files);
        } else if name.ends_with(".gguf") && has(root, &path) {
            files.push(path);
        }
    }
}

/// The texts of a target whose files are seen from `root`.
pub(super) struct Seen<'a> {
    pub(super) target: &'a Target,
    pub(super) root: &'a str,
}

impl Texts for Seen<'_> {
    fn file(&self, path: &str) -> Result<String, Error> {
        let own = path.strip_prefix(self.root).filter(|path| has(&self.target.folder, path));
        let path = own.map_or_else(|| path.into(), |path| inside(&self.target.folder, path));
        fs::read_to_string(&path).map_err(|e| Error::io("read", &path, &e))
    }

    fn template(&self) -> Result<Option<String>, Error> {
        let Some(model) = command::model(&self.target.command)? else { return Ok(None) };
        let header = header(&inside(&self.target.folder, &model.path))?;
        Ok(header.text("tokenizer.chat_template").map(str::to_owned))
    }
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
