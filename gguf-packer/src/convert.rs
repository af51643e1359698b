//! From a checkpoint to a GGUF file: what is asked for, what is wrong with it, and which way it goes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::part::Part;

mod check;
pub mod checkpoint;
mod config;
pub mod family;
pub mod general;
mod kept;
pub mod key;
pub mod lora;
pub mod native;
#[cfg(test)]
mod parts;
#[cfg(test)]
mod testing;
pub mod upstream;
pub mod vocab;
pub mod why;

use checkpoint::Checkpoint;
use family::Family;
use key::Keys;
use lora::Adapter;
use native::{Job, Kind};
use why::{Why, left};

/// Changes when what we write for the same checkpoint changes: remembered conversions are forgotten then.
pub(crate) const REVISION: u32 = 1;

/// What is to be converted.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The folder of the checkpoint or of the adapter.
    pub dir: &'a Path,
    /// The file to write.
    pub out: &'a Path,
    /// Type of the tensors, upper case, as `F16`.
    pub kind: &'a str,
    /// The folder of the base model of an adapter; `dir` is an adapter where there is one. Its config and its
    /// tokenizer are read, its weights are not.
    pub base: Option<&'a Path>,
}

/// Who converts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// We do, in this process.
    Native,
    /// llama.cpp's own script, in a Python.
    Upstream,
}

/// What the machine has for it.
#[derive(Debug, Clone, Default)]
pub struct Means {
    /// The way; ours where it gives what upstream's gives, unless it is said.
    pub by: Option<By>,
    /// The Python to use, a path or a name.
    pub python: Option<OsString>,
    /// The virtual environment that is active.
    pub environment: Option<PathBuf>,
    /// Where upstream's converter is unpacked.
    pub cache: PathBuf,
}

/// Who looks on.
pub struct Watch<'a> {
    /// Receives how many bytes are written, of how many.
    pub step: &'a mut dyn FnMut(u64, u64),
    /// Receives what a person should know.
    pub note: &'a mut dyn FnMut(&str),
    /// Whether it is to end before it is done.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

/// Converts a checkpoint, or an adapter; says who did. The file appears when it is whole.
///
/// # Errors
/// Everything that is wrong with the checkpoint and can be told before it is read; what the conversion failed of.
pub fn convert(request: &Request<'_>, means: &Means, watch: &mut Watch<'_>) -> Result<By, Error> {
    let mut name = check::checkpoint(request)?;
    // Files that are missing or cut are told before a Python is looked for.
    let source = match request.base {
        None => Source::Model(Checkpoint::open(request.dir)?),
        Some(base) => Source::Adapter(Adapter::open(request.dir)?, base),
    };
    let part = Part::begin(request.out)?;
    let request = Request { out: part.path(), ..*request };
    if means.by != Some(By::Upstream) {
        match native(&source, &request, watch)? {
            Ok(()) => return part.finish().map(|()| By::Native),
            Err(why) if why.instead.is_some() || means.by == Some(By::Native) => {
                return Err(refused(&name, &why));
            }
            Err(why) if !why.text.is_empty() => name = format!("{name} ({})", why.text),
            Err(_) => {}
        }
    }
    upstream::convert(&request, &name, means, watch)?;
    part.finish().map(|()| By::Upstream)
}

/// The error of what is not converted in this process, and goes to no other converter.
fn refused(architecture: &str, why: &Why) -> Error {
    let reason = if why.text.is_empty() { String::new() } else { format!(": {}", why.text) };
    if let Some(instead) = why.instead {
        return Error::new(format!("no converter takes this {architecture}{reason}")).hint(instead);
    }
    Error::new(format!("gguf-packer's own converter cannot convert {architecture}{reason}"))
        .hint("use llama.cpp's converter: --by upstream")
}

/// What is converted.
enum Source<'a> {
    Model(Checkpoint),
    /// With the folder of its base model; none whose weights are not safetensors.
    Adapter(Option<Adapter>, &'a Path),
}

/// Converts in this process, where that gives what upstream's converter gives; else says why it does not.
fn native(
    source: &Source<'_>,
    request: &Request<'_>,
    watch: &mut Watch<'_>,
) -> Result<Result<(), Why>, Error> {
    let Some(kind) = Kind::from_name(request.kind) else {
        return Ok(Err(left(format!("it does not write {}", request.kind))));
    };
    let mut step = |done, total| {
        (watch.step)(done, total);
        if (watch.stop)() { Err(Error::new("the conversion was canceled")) } else { Ok(()) }
    };
    match source {
        Source::Model(checkpoint) => {
            let family = match Family::of(checkpoint) {
                Ok(family) => family,
                Err(why) => return Ok(Err(why)),
            };
            let Some(tokenizer) = vocab::keys(request.dir, &checkpoint.config, family)? else {
                return Ok(Err(left(family::TOKENIZER)));
            };
            let general = |counts| general::keys(request.dir, &checkpoint.config, counts);
            let job = Job { out: request.out, kind, tokenizer, general: &general };
            native::convert(checkpoint, family, job, &mut step)?;
        }
        Source::Adapter(adapter, base) => {
            let Some(adapter) = adapter else {
                return Ok(Err(left("its weights are not safetensors")));
            };
            let base = Checkpoint::without_weights(base)?;
            let family = match adapter.family(&base) {
                Ok(family) => family,
                Err(why) => return Ok(Err(why)),
            };
            // An adapter's own config says little; the base's says nothing about it.
            let general = |counts| general::keys(request.dir, &serde_json::Value::Null, counts);
            let job = Job { out: request.out, kind, tokenizer: Keys::new(), general: &general };
            adapter.convert(&base, family, job, &mut step)?;
        }
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::parts::{LEFT_OUT, PARTS};
    use super::*;

    /// A shard that is missing is told without a Python, and nothing is written.
    #[test]
    fn a_broken_checkpoint_is_told_before_a_python_is_looked_for() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("config.json", r#"{ "architectures": ["FooForCausalLM"] }"#);
        write("model-00001-of-00002.safetensors", "short");
        let out = dir.path().join("out.gguf");
        let request = Request { dir: dir.path(), out: &out, kind: "F16", base: None };
        let means = Means { python: Some("/no/python".into()), ..Means::default() };
        let mut watch = Watch { step: &mut |_, _| (), note: &mut |_| (), stop: &|| false };
        let error = convert(&request, &means, &mut watch).unwrap_err().to_string();
        assert!(error.contains("model-00002-of-00002.safetensors"), "{error}");
        assert!(!error.contains("python"), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    /// A published crate carries what the build script packs.
    #[test]
    fn the_published_source_has_the_converter() {
        for part in PARTS {
            assert!(llama_src::subset::keeps(part), "{part} is not in subset.rs of llama-src");
        }
        assert!(!llama_src::subset::keeps(LEFT_OUT), "{LEFT_OUT} is not needed");
    }
}
