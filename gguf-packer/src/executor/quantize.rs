//! `QUANTIZE`: llama.cpp's own quantizer on a file of the store, in a process of its own.

use std::fs;
use std::path::Path;

use crate::Error;
use crate::digest::Digest;
use crate::language::instruction::QuantizeOptions;
use crate::plan::{self, shards};
use crate::tree::{Entry, Kind};

use super::backend::{Build, Files};
use super::copy::path;
use super::copy::select::select;
use super::made::{Made, lay};
use super::output::Output;
use super::run::{Run, Teller, key};
use super::{Content, Material, ToolRun, Unit, place};
use crate::process::{crashed, stopped};

pub mod dry_run;

/// Lines of the quantizer that an error shows.
const TAIL: usize = 20;

/// What stands before llama.cpp's reason.
const REASON: &str = "failed to quantize: ";

/// What to do when llama.cpp crashed.
pub(crate) const DAMAGED: &str =
    "check that there is enough memory and that the model is intact: download or convert it again";

/// Quantizes a file of the second input into the stage, the first one.
pub(super) fn run(
    build: Build<'_>,
    teller: &Teller<'_>,
    text: &str,
    wanted: &plan::Quantize,
    inputs: Vec<Output>,
) -> Result<Output, Error> {
    let mut inputs = inputs.into_iter();
    let (state, from) =
        inputs.next().zip(inputs.next()).expect("its inputs are the stage and the source");
    let sources = match shards(&wanted.src) {
        Some(pattern) => shard_files(&from, &pattern)?,
        None => vec![file(&from, &wanted.src)?],
    };
    let matrix = wanted.options.imatrix.as_ref().map(|path| file(&state, path)).transpose()?;
    let files = Files { sources, matrix };
    let (made, cached) = build.backend.quantize(build.run, teller, wanted, &files)?;
    teller.made(material(&wanted.options, &files, made.digest));
    let output = place::put(build, &made, text, state, path::name(&wanted.src), &wanted.dest)?;
    Ok(Output { cached: cached && output.cached, ..output })
}

/// The one file that `path` names.
fn file(input: &Output, path: &str) -> Result<Entry, Error> {
    let found = select(&*input.tree, &[input.workdir.as_str(), ""], path, false)?;
    match found.as_slice() {
        [one] => {
            let entry = input.tree.get(&one.path).filter(|e| matches!(e.kind, Kind::File { .. }));
            let entry = entry.ok_or_else(|| Error::new(format!("`{path}` is not a file")))?;
            // A link has the name of its target, the quantizer is to see what was said.
            Ok(Entry { path: one.name.clone(), ..entry.clone() })
        }
        [] => Err(Error::new(format!("nothing matches `{path}`"))),
        _ => Err(Error::new(format!("`{path}` names several files")).hint("name one of them")),
    }
}

/// All shards of a model, which the quantizer reads through the first one.
fn shard_files(input: &Output, pattern: &str) -> Result<Vec<Entry>, Error> {
    let found = select(&*input.tree, &[input.workdir.as_str(), ""], pattern, false)?;
    let total = pattern.rsplit_once("-of-").and_then(|(_, rest)| rest.get(..5)?.parse().ok());
    if total != Some(found.len()) {
        let total = total.unwrap_or_default();
        return Err(Error::new(format!("found {} of {total} shards: `{pattern}`", found.len()))
            .hint("put all shards of the model into one folder"));
    }
    let entry = |found: &super::copy::select::Match| {
        let entry = input.tree.get(&found.path).cloned();
        entry.map(|entry| Entry { path: found.name.clone(), ..entry })
    };
    Ok(found.iter().filter_map(entry).collect())
}

/// What is said of it in the provenance.
fn material(options: &QuantizeOptions, files: &Files, made: Digest) -> Material {
    let matrix = files.matrix.as_ref();
    let from = files.sources.iter().chain(matrix).filter_map(Content::of).collect();
    let mut words = arguments(options, "", matrix.map(|entry| entry.path.as_str()), "");
    // What it reads and writes, and the type.
    words.truncate(words.len().saturating_sub(3));
    Material::Quantized { kind: options.kind.clone(), options: words, from, made }
}

pub(super) fn key_of(options: &QuantizeOptions, files: &Files) -> Digest {
    let content = |entry: &Entry| match &entry.kind {
        Kind::File { digest, .. } => (entry.path.clone(), Some(*digest)),
        _ => (entry.path.clone(), None),
    };
    let sources: Vec<_> = files.sources.iter().map(content).map(|(_, digest)| digest).collect();
    // The matrix's name stands in the file that is made.
    let matrix = files.matrix.as_ref().map(content);
    let version = llama_src::Pin::load().tag;
    let options = QuantizeOptions { imatrix: None, ..options.clone() };
    key("quantize", &(options, sources, matrix, version))
}

pub(super) fn quantize(
    run: &Run<'_>,
    teller: &Teller<'_>,
    wanted: &plan::Quantize,
    Files { sources, matrix }: &Files,
) -> Result<Made, Error> {
    let temp = run.store().temp_folder()?;
    for entry in sources {
        lay(run, entry, &temp.path().join("in").join(&entry.path))?;
    }
    if let Some(matrix) = matrix {
        lay(run, matrix, &temp.path().join("imatrix").join(&matrix.path))?;
    }
    let out = temp.path().join("out");
    fs::create_dir(&out).map_err(|e| Error::io("create the folder", &out, &e))?;
    let first = sources.first().map(|entry| entry.path.as_str()).unwrap_or_default();
    let matrix = matrix.as_ref().map(|entry| format!("imatrix/{}", entry.path));
    let source = format!("in/{first}");
    let arguments = arguments(&wanted.options, &source, matrix.as_deref(), "out/model.gguf");
    let (done, lines) = follow(run, teller, temp.path(), &arguments);
    let made = out.join("model.gguf");
    if let Err(error) = done {
        run.go_on()?;
        return Err(failed(&error, &lines, &wanted.options));
    }
    if !made.is_file() {
        return Err(failed(&Error::new("the quantizer wrote no file"), &lines, &wanted.options));
    }
    let (digest, size) = run.store().take_file(&made)?;
    Ok(Made { digest, size, by: None })
}

/// Runs the quantizer; what came of it and the last lines that it printed.
fn follow(
    run: &Run<'_>,
    teller: &Teller<'_>,
    folder: &Path,
    arguments: &[String],
) -> (Result<(), Error>, Vec<String>) {
    let mut lines = Vec::new();
    let mut on_line = |line: &str| {
        if let Some((done, total, tensor)) = progress(line) {
            teller.step(tensor, done, Some(total), Unit::Tensors);
        }
        lines.push(line.to_owned());
        if lines.len() > TAIL {
            lines.remove(0);
        }
    };
    let stop = || run.is_stopped();
    let tool_run = ToolRun { folder, arguments, on_line: &mut on_line, stop: &stop };
    let done = (run.settings.tool)(tool_run);
    (done, lines)
}

/// The quantizer's arguments for reading `source` and writing `made`.
#[must_use]
pub fn arguments(
    options: &QuantizeOptions,
    source: &str,
    matrix: Option<&str>,
    made: &str,
) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut option = |name: &str, value: Option<&str>| {
        arguments.push(name.to_owned());
        arguments.extend(value.map(str::to_owned));
    };
    if let Some(matrix) = matrix {
        option("--imatrix", Some(matrix));
    }
    for name in &options.include_weights {
        option("--include-weights", Some(name));
    }
    for name in &options.exclude_weights {
        option("--exclude-weights", Some(name));
    }
    if options.leave_output_tensor {
        option("--leave-output-tensor", None);
    }
    if options.pure {
        option("--pure", None);
    }
    if let Some(kind) = &options.output_tensor_type {
        option("--output-tensor-type", Some(kind));
    }
    if let Some(kind) = &options.token_embedding_type {
        option("--token-embedding-type", Some(kind));
    }
    for kind in &options.tensor_types {
        option("--tensor-type", Some(kind));
    }
    option(source, Some(made));
    option(&options.kind, None);
    arguments
}

/// Tensors done, all tensors, and the name, from a line like
/// `[  12/ 291]  blk.0.attn_k.weight - [896, 128], type = f16, converting to q5_K .. size = …`.
#[must_use]
pub fn progress(line: &str) -> Option<(u64, u64, &str)> {
    let (count, rest) = line.trim_start().strip_prefix('[')?.split_once(']')?;
    let (done, total) = count.split_once('/')?;
    let name = rest.trim_start().split(' ').next()?;
    Some((done.trim().parse().ok()?, total.trim().parse().ok()?, name))
}

/// The error of a quantizer that failed with `error` after `lines`.
#[must_use]
pub fn failed(error: &Error, lines: &[String], options: &QuantizeOptions) -> Error {
    if *error == stopped() {
        return error.clone();
    }
    if let Some(error) = no_matrix(error, lines, options) {
        return error;
    }
    let text = error.to_string();
    let reason = lines.iter().rev().find_map(|line| Some(line.split_once(REASON)?.1.trim()));
    let what = reason.unwrap_or_else(|| text.lines().next().unwrap_or_default());
    // All that C++'s streams say when a file cannot be written: the disk is full.
    let unwritten = what.contains("iostream");
    let what = if unwritten { "cannot write the file" } else { what };
    let made = Error::new(format!("quantizing to {} failed: {what}", options.kind));
    let tells =
        |line: &&String| !line.starts_with("llama_model_loader: - ") && progress(line).is_none();
    let crashed = crashed(error);
    let error = made.log(lines.iter().filter(tells).map(|line| line.trim_end().to_owned()));
    if unwritten {
        return error.full_disk();
    }
    let said = |words: &str| lines.iter().any(|line| line.contains(words));
    if said("imatrix") && options.imatrix.is_none() {
        return error
            .hint(format!("{} needs an importance matrix: `QUANTIZE --imatrix=FILE`", options.kind))
            .hint("make one with llama.cpp's llama-imatrix, or choose a K type such as Q4_K_M");
    }
    if said("requantizing from type") {
        return error.hint("quantize from a file with F32, F16 or BF16 tensors");
    }
    if crashed { error.hint(DAMAGED) } else { error }
}

/// The error of a quantizer that ended before it named the model: it reads the importance matrix first, and crashes with
/// some files that are none.
pub(crate) fn no_matrix(
    error: &Error,
    lines: &[String],
    options: &QuantizeOptions,
) -> Option<Error> {
    let said = |words: &str| lines.iter().any(|line| line.contains(words));
    // These are the last lines, which may all be about tensors.
    let has_begun = lines.iter().any(|line| progress(line).is_some())
        || [": quantizing '", ": calculating ", "llama_model_loader: "].into_iter().any(said);
    let unread = said("failed to load imatrix") || said("missing imatrix metadata");
    let file = options.imatrix.as_ref().filter(|_| unread || (crashed(error) && !has_begun))?;
    let what = format!("quantizing to {} failed: {file} is not an importance matrix", options.kind);
    Some(Error::new(what).hint("make one with llama.cpp's llama-imatrix, and name its file"))
}

#[cfg(test)]
#[path = "quantize_tests.rs"]
pub(crate) mod tests;
