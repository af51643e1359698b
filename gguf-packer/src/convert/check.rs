//! What can be told about a checkpoint before anything of it is converted.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::Request;
use crate::Error;

/// How a file begins that Git LFS has not fetched.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Looks at the folder, and at the base of an adapter. Says the architecture as its config names it.
pub(super) fn checkpoint(request: &Request<'_>) -> Result<String, Error> {
    let mut wrong = Vec::new();
    let config = match request.base {
        None => model(request.dir, &mut wrong),
        Some(base) => {
            adapter(request, &mut wrong);
            let lacks =
                "--base needs the folder of the base model, with its config.json and its tokenizer";
            config(base, lacks, &mut wrong)
        }
    };
    let folders = [Some(request.dir), request.base];
    folders.into_iter().flatten().for_each(|folder| pointers(folder, &mut wrong));
    if !wrong.is_empty() {
        return Err(Error::all(wrong));
    }
    let config = config.unwrap_or_default();
    // A model of several parts names the one that is converted.
    let named = [&config["text_config"], &config];
    let named = named.map(|config| config["architectures"][0].as_str());
    let name = named.into_iter().flatten().next().unwrap_or("an unnamed architecture");
    Ok(name.to_owned())
}

fn model(dir: &Path, wrong: &mut Vec<Error>) -> Option<Value> {
    if dir.join("adapter_config.json").is_file() && !dir.join("config.json").is_file() {
        let what = format!("{} is an adapter, not a model", dir.display());
        wrong.push(
            Error::new(what).hint("--class lora --base FOLDER, the folder of its base model"),
        );
        return None;
    }
    let config =
        config(dir, "name the folder of a checkpoint, which contains a config.json", wrong)?;
    let names = names(dir);
    let has = |ends: &[&str]| names.iter().any(|name| ends.iter().any(|end| name.ends_with(end)));
    if !has(&[".safetensors", ".bin", ".pt", ".pth"]) {
        let error = Error::new(format!("no weights found in {}", dir.display()));
        wrong.push(if has(&[".gguf"]) {
            error.hint("the folder has a GGUF file, which needs no conversion")
        } else {
            error.hint("download the whole repository: the weights are in *.safetensors files")
        });
    }
    Some(config)
}

fn adapter(request: &Request<'_>, wrong: &mut Vec<Error>) {
    let dir = request.dir;
    if request.kind.starts_with("TQ") {
        let what = format!("cannot convert an adapter to {}", request.kind);
        wrong.push(Error::new(what).hint("--type F16, F32, BF16 or Q8_0"));
    }
    config_named(
        dir,
        "adapter_config.json",
        "name the folder of an adapter, which contains an adapter_config.json",
        wrong,
    );
    let weights = ["adapter_model.safetensors", "adapter_model.bin"];
    if !weights.iter().any(|name| dir.join(name).is_file()) {
        let what = format!("{0} not found in {1}", weights[0], dir.display());
        wrong.push(Error::new(what).hint("fetch the whole repository of the adapter"));
    }
}

fn config(dir: &Path, lacks: &str, wrong: &mut Vec<Error>) -> Option<Value> {
    config_named(dir, "config.json", lacks, wrong)
}

/// The content of a config, unless something is wrong with it.
fn config_named(dir: &Path, name: &str, lacks: &str, wrong: &mut Vec<Error>) -> Option<Value> {
    let path = dir.join(name);
    if !dir.is_dir() {
        let what = if dir.exists() { "is a file, not a folder" } else { "does not exist" };
        wrong.push(Error::new(format!("{} {what}", dir.display())).hint(lacks));
        return None;
    }
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            wrong.push(Error::new(format!("{name} not found in {}", dir.display())).hint(lacks));
            return None;
        }
        Err(e) => {
            wrong.push(Error::io("read", &path, &e));
            return None;
        }
    };
    match serde_json::from_str(&text) {
        Ok(value) => Some(value),
        // A pointer is told of as one.
        Err(_) if text.as_bytes().starts_with(POINTER) => None,
        Err(e) => {
            let what = format!("{} is not JSON: {e}", path.display());
            wrong.push(Error::new(what).hint("fetch the file again"));
            None
        }
    }
}

/// Files that a clone has only the pointers of.
fn pointers(dir: &Path, wrong: &mut Vec<Error>) {
    let begins = |name: &String| {
        let mut start = [0; POINTER.len()];
        let read = File::open(dir.join(name)).and_then(|mut file| file.read_exact(&mut start));
        read.is_ok() && start == POINTER
    };
    let names: Vec<String> = names(dir).into_iter().filter(begins).collect();
    let Some(first) = names.first() else { return };
    let others = match names.len() - 1 {
        0 => String::new(),
        count => format!(" (and {count} more)"),
    };
    let what =
        format!("{}{others} is a pointer of Git LFS, not the file", dir.join(first).display());
    wrong.push(Error::new(what).hint(format!("git -C {} lfs pull", dir.display())));
}

/// Names of the files in a folder, ordered.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let files = entries.filter(|entry| entry.path().is_file());
    let mut names: Vec<String> =
        files.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
