//! A checkpoint as transformers saves it: its config, and where in its safetensors files each tensor is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::config;
use crate::Error;

mod safetensors;

/// Which tensor of a checkpoint is in which of its files.
const INDEX: &str = "model.safetensors.index.json";

/// A folder with a config and weights.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The folder.
    pub dir: PathBuf,
    /// The keys of its config: those of a `text_config` beside the others, with the defaults of its `model_type`.
    pub config: Value,
    /// Its tensors, in the order in which upstream's converter takes them: by file, then by name. None when its
    /// weights are no safetensors.
    pub tensors: Vec<Tensor>,
}

/// Where a tensor is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// How its elements are written.
    pub dtype: Dtype,
    /// Elements in each dimension, the slowest first.
    pub shape: Vec<u64>,
    /// The file that it is in.
    pub file: PathBuf,
    /// Its first byte in the file.
    pub start: u64,
    /// Its bytes.
    pub size: u64,
}

/// How the elements of a tensor are written in a safetensors file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the types of the format")]
pub enum Dtype {
    F32,
    F16,
    Bf16,
    /// One that only upstream's converter reads.
    Other(String),
}

impl Tensor {
    /// How many elements it has.
    #[must_use]
    pub fn elements(&self) -> u64 {
        self.shape.iter().product()
    }
}

impl Checkpoint {
    /// Reads the config and the headers of the weights in the folder `dir`.
    ///
    /// # Errors
    /// Everything that is wrong with them: files that are missing or cut short, and what their headers contradict.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let mut wrong = Vec::new();
        let config = config::read(dir).map_err(|e| wrong.push(e)).unwrap_or_default();
        let (files, index) = files(dir).unwrap_or_else(|e| {
            wrong.push(e);
            (Vec::new(), None)
        });
        let mut tensors = Vec::new();
        for name in &files {
            match safetensors::read(&dir.join(name)) {
                Ok(mut read) => tensors.append(&mut read),
                Err(e) => wrong.push(e),
            }
        }
        twice(&mut tensors, &mut wrong);
        if let (Some(index), true) = (index, wrong.is_empty()) {
            compare(dir, &index, &tensors, &mut wrong);
        }
        if wrong.is_empty() {
            Ok(Self { dir: dir.to_owned(), config, tensors })
        } else {
            Err(Error::all(wrong))
        }
    }

    /// Reads the config only: of the base of an adapter.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn without_weights(dir: &Path) -> Result<Self, Error> {
        Ok(Self { dir: dir.to_owned(), config: config::read(dir)?, tensors: Vec::new() })
    }

    /// The tensors of the one file `path`.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub(super) fn tensors_of(path: &Path) -> Result<Vec<Tensor>, Error> {
        safetensors::read(path)
    }
}

/// The files with the weights, and what the index says of them.
type Files = (Vec<String>, Option<BTreeMap<String, String>>);

fn files(dir: &Path) -> Result<Files, Error> {
    let path = dir.join(INDEX);
    if !path.is_file() {
        let names = names(dir)?;
        lacking(dir, &names)?;
        return Ok((names, None));
    }
    let text = fs::read_to_string(&path).map_err(|e| Error::io("read", &path, &e))?;
    let index: Value = serde_json::from_str(&text)
        .map_err(|e| Error::new(format!("{} is not JSON: {e}", path.display())))?;
    let map = index["weight_map"].as_object().and_then(|map| {
        let row = |(name, file): (&String, &Value)| Some((name.clone(), file.as_str()?.to_owned()));
        map.iter().map(row).collect::<Option<BTreeMap<_, _>>>()
    });
    let Some(map) = map else {
        let what = format!(
            "{}: `weight_map` is missing, or does not map tensors to files",
            path.display()
        );
        return Err(Error::new(what).hint("fetch the file again"));
    };
    let names: BTreeSet<&String> = map.values().collect();
    let missing =
        |name: &&&String| name.contains(['/', '\\']) || !dir.join(name.as_str()).is_file();
    let missing: Vec<&str> = names.iter().filter(missing).map(|name| name.as_str()).collect();
    if !missing.is_empty() {
        let what = format!(
            "files that {INDEX} names are missing from {}: {}",
            dir.display(),
            missing.join(", ")
        );
        return Err(Error::new(what).hint("fetch the whole repository"));
    }
    Ok((names.into_iter().cloned().collect(), Some(map)))
}

/// The safetensors files of a model without an index.
fn names(dir: &Path) -> Result<Vec<String>, Error> {
    let failed = |e: std::io::Error| Error::io("read", dir, &e);
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if name.starts_with("model") && name.ends_with(".safetensors") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Files of `NAME-00001-of-00003.safetensors` say how many there are.
fn lacking(dir: &Path, names: &[String]) -> Result<(), Error> {
    let count = |name: &String| {
        let (start, count) = name.strip_suffix(".safetensors")?.rsplit_once("-of-")?;
        let (stem, number) = start.rsplit_once('-')?;
        Some((stem.to_owned(), number.len(), count.parse::<usize>().ok()?, count.to_owned()))
    };
    let Some((stem, width, count, said)) = names.iter().find_map(count) else { return Ok(()) };
    let parts =
        (1..=count.min(9999)).map(|at| format!("{stem}-{at:0width$}-of-{said}.safetensors"));
    let missing: Vec<String> = parts.filter(|part| !names.contains(part)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let what = format!("files are missing from {}: {}", dir.display(), missing.join(", "));
    Err(Error::new(what).hint("fetch the whole repository"))
}

/// Tells of tensors that are in two files.
fn twice(tensors: &mut [Tensor], wrong: &mut Vec<Error>) {
    let mut known = BTreeMap::new();
    for tensor in tensors.iter() {
        if let Some(other) = known.insert(&tensor.name, &tensor.file) {
            let (a, b) = (other.display(), tensor.file.display());
            wrong.push(Error::new(format!("duplicate tensor {}: in {a} and in {b}", tensor.name)));
        }
    }
}

/// Compares what is there with what the index says.
fn compare(
    dir: &Path,
    index: &BTreeMap<String, String>,
    tensors: &[Tensor],
    wrong: &mut Vec<Error>,
) {
    let there: BTreeMap<&str, &Tensor> = tensors.iter().map(|t| (t.name.as_str(), t)).collect();
    for (name, file) in index {
        if !there.get(name.as_str()).is_some_and(|tensor| tensor.file.ends_with(file)) {
            let what = format!(
                "tensor {name} is missing from {}, although {INDEX} lists it there",
                dir.join(file).display()
            );
            wrong.push(Error::new(what).hint("fetch the whole repository"));
        }
    }
    for name in there.keys().filter(|name| !index.contains_key(**name)) {
        let what = format!("{INDEX} in {} does not list tensor {name}", dir.display());
        wrong.push(Error::new(what).hint("fetch the whole repository"));
    }
}

#[cfg(test)]
#[path = "checkpoint/tests.rs"]
mod tests;
