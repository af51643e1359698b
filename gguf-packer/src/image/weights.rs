//! The files that a command names, in the image: found, and read as far as their header.

use std::io::Read;

use super::command::{self, Named, Role};
use super::path;
use crate::Error;
use crate::digest::Digest;
use crate::gguf::{Header, Kind, Model, all_shards};
use crate::tree::{self, Tree};

/// Opens content of the store.
pub type Open<'a> = dyn Fn(&Digest) -> Result<Box<dyn Read + 'a>, Error> + 'a;

/// Checks that a command begins as one of llama-server, and names a model.
pub(super) fn check(command: &[String], files: &Tree) -> Result<(), Error> {
    let example = files.iter().find(|entry| entry.path.ends_with(".gguf"));
    let example = example.map_or("MODEL.gguf".to_owned(), |entry| format!("/{}", entry.path));
    match command.first() {
        Some(first) if !first.starts_with('-') => Err(Error::new(format!(
            "CMD must begin with an option of llama-server, not with `{first}`"
        ))
        .hint(format!("CMD [\"-m\", \"{example}\"]"))),
        _ if !command::has_model(command) => Err(Error::new("CMD does not name a model")
            .hint(format!("CMD [\"-m\", \"{example}\", …]"))
            .hint("only the last CMD of a stage counts")),
        _ => Ok(()),
    }
}

/// Where the image has the file; nothing when the machine that runs it may have it instead.
pub(crate) fn find(
    named: &Named,
    working_dir: &str,
    files: &Tree,
) -> Result<Option<String>, Error> {
    // The original's images have at their root what the file names without a folder.
    let mut places = vec![path::join(working_dir, &named.path), path::join("/", &named.path)];
    places.dedup();
    if let Some(place) = places.iter().find(|place| path::file(files, place).is_some()) {
        return Ok(Some(place.clone()));
    }
    if named.role == Role::Runtime && named.path.starts_with('/') {
        return Ok(None);
    }
    let (option, path) = (&named.option, &named.path);
    let mut error =
        Error::new(format!("CMD: `{option}` names `{path}`, which is not in the image"));
    for place in &places {
        error = error.looked_in(place);
    }
    Err(path::near(files, path)
        .into_iter()
        .fold(error, |error, near| error.hint(format!("CMD [\"{option}\", \"{near}\"]"))))
}

/// What may stand behind an option.
pub(super) fn kinds(role: Role) -> Option<&'static [Kind]> {
    match role {
        Role::Model | Role::Drafter => Some(&[Kind::Model]),
        Role::Projector => Some(&[Kind::Projector]),
        Role::Adapter => Some(&[Kind::Lora, Kind::ControlVector]),
        Role::Text | Role::Runtime => None,
    }
}

/// Reads the header of a file, or the headers of all shards, which must be one of `kinds`.
pub(super) fn read(
    named: &Named,
    path: &str,
    kinds: &[Kind],
    files: &Tree,
    open: &Open<'_>,
) -> Result<Model, Error> {
    let paths = all_shards(path);
    let missing: Vec<_> =
        paths.iter().filter(|path| path::file(files, path).is_none()).cloned().collect();
    if !missing.is_empty() {
        return Err(Error::new(format!(
            "CMD: shards of `{path}` are missing: {}",
            missing.join(", ")
        ))
        .hint("ADD or COPY all of them into the same folder"));
    }
    let mut headers = Vec::new();
    for path in &paths {
        let entry = path::file(files, path).expect("looked for above");
        let tree::Kind::File { digest, size } = entry.kind else { continue };
        let header = open(&digest).and_then(|content| Header::read(content, size));
        headers.push(header.map_err(|error| Error::new(format!("{path}: {error}")))?);
    }
    let model = Model::new(headers).map_err(|error| Error::new(format!("{path}: {error}")))?;
    if !kinds.contains(&model.kind()) {
        let (option, is, wanted) = (&named.option, model.kind().words(), kinds[0].words());
        return Err(Error::new(format!("CMD: `{option}` needs {wanted}, but {path} is {is}")));
    }
    Ok(model)
}
