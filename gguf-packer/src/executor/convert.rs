//! `CONVERT`: a checkpoint of the store becomes a GGUF file.

use std::path::{Path, PathBuf};

use crate::Error;
use crate::convert::{REVISION, Request, Watch};
use crate::digest::Digest;
use crate::plan;
use crate::tree::{Entry, Kind};

use super::backend::{Build, Folder};
use super::copy::files::{follow, is_folder};
use super::copy::path;
use super::copy::select::select;
use super::made::{Made, lay};
use super::output::Output;
use super::run::{Run, Teller, key};
use super::{Content, Material, Unit, place};

/// Converts a folder of the second input into the stage, the first one.
pub(super) fn run(
    build: Build<'_>,
    teller: &Teller<'_>,
    text: &str,
    wanted: &plan::Convert,
    inputs: Vec<Output>,
) -> Result<Output, Error> {
    let mut inputs = inputs.into_iter();
    let (state, from) =
        inputs.next().zip(inputs.next()).expect("its inputs are the stage and the source");
    let source = folder(&from, &wanted.src)?;
    let base = wanted.base.as_ref().map(|path| folder(&state, path)).transpose()?;
    let (made, cached) =
        build.backend.convert(build.run, teller, wanted, (&source, base.as_ref()))?;
    teller.made(material(wanted, &source, base.as_ref(), &made));
    let name = format!("{}.gguf", source.name);
    let output = place::put(build, &made, text, state, &name, &wanted.dest)?;
    Ok(Output { cached: cached && output.cached, ..output })
}

/// The one folder that `source` names. Links in it count as what they lead to.
fn folder(input: &Output, source: &str) -> Result<Folder, Error> {
    let tree = &*input.tree;
    let found = select(tree, &[input.workdir.as_str(), ""], source, false)?;
    let root = match found.as_slice() {
        [one] if is_folder(tree, &one.path)? => one.path.as_str(),
        [_] => {
            return Err(Error::new(format!("`{source}` is a file"))
                .hint("name the folder that contains the config.json and the weights"));
        }
        [] => return Err(Error::new(format!("nothing matches `{source}`"))),
        _ => {
            return Err(
                Error::new(format!("`{source}` names several folders")).hint("name one of them")
            );
        }
    };
    let mut files = Vec::new();
    for entry in tree.below(root) {
        let name = entry.path[root.len()..].trim_start_matches('/').to_owned();
        let entry = match entry.kind {
            Kind::Link { .. } => tree.get(&follow(tree, &entry.path)?),
            _ => Some(entry),
        };
        files.extend(
            entry.filter(|it| matches!(it.kind, Kind::File { .. })).map(|it| (name, it.clone())),
        );
    }
    let name = path::name(root);
    Ok(Folder { name: if name.is_empty() { "model".to_owned() } else { name.to_owned() }, files })
}

/// What is said of it in the provenance.
fn material(
    wanted: &plan::Convert,
    source: &Folder,
    base: Option<&Folder>,
    made: &Made,
) -> Material {
    let from = [Some(source), base].into_iter().flatten().flat_map(|folder| &folder.files);
    let content = |(name, entry): &(String, Entry)| {
        Content::of(entry).map(|content| Content { path: name.clone(), ..content })
    };
    let from = from.filter_map(content).collect();
    Material::Converted { kind: wanted.kind.clone(), by: made.by, from, made: made.digest }
}

pub(super) fn key_of(wanted: &plan::Convert, source: &Folder, base: Option<&Folder>) -> Digest {
    let contents = |folder: &Folder| {
        let content = |(name, entry): &(String, Entry)| match &entry.kind {
            Kind::File { digest, .. } => (name.clone(), Some(*digest)),
            _ => (name.clone(), None),
        };
        (folder.name.clone(), folder.files.iter().map(content).collect::<Vec<_>>())
    };
    let version = (llama_src::Pin::load().tag, REVISION);
    key("convert", &(&wanted.kind, contents(source), base.map(contents), version))
}

pub(super) fn convert(
    run: &Run<'_>,
    teller: &Teller<'_>,
    wanted: &plan::Convert,
    source: &Folder,
    base: Option<&Folder>,
) -> Result<Made, Error> {
    let temp = run.store().temp_folder()?;
    let root = temp.path().canonicalize().map_err(|e| Error::io("read", temp.path(), &e))?;
    let dir = laid(run, source, &root.join("in"))?;
    let base = base.map(|base| laid(run, base, &root.join("base"))).transpose()?;
    let out = root.join("model.gguf");
    let request = Request { dir: &dir, out: &out, kind: &wanted.kind, base: base.as_deref() };
    let mut watch = Watch {
        step: &mut |done, total| teller.step("", done, Some(total), Unit::Bytes),
        note: &mut |text| teller.note(text),
        stop: &|| run.is_stopped(),
    };
    let by = match (run.settings.converter)(&request, &mut watch) {
        Ok(by) => by,
        Err(error) => {
            run.go_on()?;
            let base = (base.as_ref().unwrap_or(&dir), wanted.base.as_ref());
            return Err(named(&error, &[(&dir, Some(&wanted.src)), base]));
        }
    };
    let (digest, size) = run.store().take_file(&out)?;
    Ok(Made { digest, size, by: Some(by) })
}

/// The folder below `root`, on the disk under its own name.
fn laid(run: &Run<'_>, folder: &Folder, root: &Path) -> Result<PathBuf, Error> {
    let dir = root.join(&folder.name);
    std::fs::create_dir_all(&dir).map_err(|e| Error::io("create the folder", &dir, &e))?;
    for (name, entry) in &folder.files {
        lay(run, entry, &dir.join(name))?;
    }
    Ok(dir)
}

/// `error`, with the folders as the instruction names them.
fn named(error: &Error, folders: &[(&PathBuf, Option<&String>)]) -> Error {
    let mut text = error.to_string();
    for (dir, name) in folders {
        if let Some(name) = name {
            text = text.replace(&dir.display().to_string(), name);
        }
    }
    Error::new(text)
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
