//! `quantize`: what `QUANTIZE` does, by hand; what it would give, and what it cost.

mod dry_run;

use std::path::Path;

use super::args;
use super::compare::{Comparison, FEWER};
use super::context::{quantizer, writable};
use super::model::{headers, named};
use super::progress::Screen;
use crate::Error;
use crate::executor::quantize::{arguments, failed, no_matrix, progress};
use crate::executor::{Event, ToolRun, Unit};
use crate::gguf::bytes;
use crate::language::instruction::QuantizeOptions;
use crate::language::types;
use crate::part::Part;
use crate::process::crashed;

/// Lines of the quantizer that an error shows.
const TAIL: usize = 20;

/// The type of a file unless it is said, as of `QUANTIZE`.
const KIND: &str = "Q5_K_M";

pub(super) fn run(args: &args::Quantize) -> Result<(), Error> {
    let from = args.from.canonicalize().map_err(|e| Error::io("read", &args.from, &e))?;
    let matrix = args.imatrix.as_ref().map(|path| {
        path.canonicalize().map_err(|e| Error::io("read the importance matrix", path, &e))
    });
    let matrix = matrix.transpose()?;
    if args.dry_run {
        check(args, &from, None)?;
        return dry_run::run(args, &from, matrix.as_deref());
    }
    let shown = args.to.as_deref().expect("only a dry run goes without");
    let to = std::path::absolute(shown).map_err(|e| Error::io("write", shown, &e))?;
    if to.canonicalize().is_ok_and(|to| to == from) {
        return Err(
            Error::usage("input and output are the same file").hint("write to another file")
        );
    }
    check(args, &from, Some(shown))?;
    let screen = Screen::new(args.progress);
    unmatched(args, &from)?.iter().for_each(|note| screen.say(note));
    let comparison = args.compare.as_deref().map(|text| Comparison {
        text,
        before: &args.from,
        after: shown,
        chunks: args.chunks,
        threads: args.threads,
    });
    comparison.as_ref().map_or(Ok(()), |comparison| comparison.check(&screen))?;
    // Nobody sees half a file.
    let part = Part::begin(&to)?;
    quantize(args, &screen, &from, matrix.as_deref(), part.path())?;
    part.finish()?;
    comparison.map_or(Ok(()), |comparison| comparison.report(&screen, args.json))
}

/// What can be told to be wrong before the quantizer begins.
///
/// `to` is the file to write, if one is written.
fn check(args: &args::Quantize, from: &Path, to: Option<&Path>) -> Result<(), Error> {
    let mut wrong = kinds(args);
    wrong.extend(tensors(args));
    wrong.extend(headers(from, &args.from).err());
    wrong.extend(to.and_then(|to| writable(to).err()));
    if wrong.is_empty() { Ok(()) } else { Err(Error::all(wrong)) }
}

/// Types of files that are none, or cannot be as it is asked for.
fn kinds(args: &args::Quantize) -> Vec<Error> {
    let mut wrong = Vec::new();
    if args.kinds.len() > 1 && !args.dry_run {
        wrong.push(
            Error::usage("one file can have only one type")
                .hint("to see the sizes of several types: --dry-run"),
        );
    }
    for kind in &args.kinds {
        match types::of_file(kind) {
            Err(hint) => {
                wrong.push(Error::usage(format!("unknown file type `{kind}`")).hint(hint));
            }
            Ok(kind)
                if types::needs_matrix(kind.name, args.pure)
                    && args.imatrix.is_none()
                    && !args.dry_run =>
            {
                let text = format!("{} needs an importance matrix", kind.name);
                wrong.push(
                    Error::usage(text).hint("add --imatrix FILE, a file made by llama-imatrix"),
                );
            }
            Ok(_) => {}
        }
    }
    wrong
}

/// Types of tensors that are none.
fn tensors(args: &args::Quantize) -> Vec<Error> {
    let mut wrong = Vec::new();
    let plain = [&args.output_tensor_type, &args.token_embedding_type];
    let mut named: Vec<&str> = plain.into_iter().flatten().map(String::as_str).collect();
    for text in &args.tensor_types {
        match text.rsplit_once('=') {
            Some((pattern, kind)) if !pattern.is_empty() => named.push(kind),
            _ => wrong.push(
                Error::usage(format!("`{text}` is not PATTERN=TYPE"))
                    .hint("--tensor-type attn_q=Q8_0"),
            ),
        }
    }
    for kind in named {
        if let Err(hint) = types::of_tensor(kind) {
            wrong.push(Error::usage(format!("unknown tensor type `{kind}`")).hint(hint));
        }
    }
    wrong
}

/// Notes about patterns of tensors that match none. Only a pattern without signs of a regular expression is looked for.
fn unmatched(args: &args::Quantize, from: &Path) -> Result<Vec<String>, Error> {
    let headers = headers(from, &args.from)?;
    let names = || headers.iter().flat_map(|header| &header.tensors).map(|tensor| &tensor.name);
    let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let patterns =
        args.tensor_types.iter().filter_map(|text| Some((text, text.rsplit_once('=')?.0)));
    Ok(patterns
        .filter(|(_, pattern)| is_plain(pattern) && !names().any(|name| name.contains(pattern)))
        .map(|(text, _)| format!("note: `--tensor-type {text}` matches no tensor of the model"))
        .collect())
}

fn options(args: &args::Quantize, kind: &str) -> QuantizeOptions {
    QuantizeOptions {
        kind: kind.to_uppercase(),
        pure: args.pure,
        imatrix: args.imatrix.as_ref().map(|path| path.display().to_string()),
        include_weights: args.include_weights.clone(),
        exclude_weights: args.exclude_weights.clone(),
        leave_output_tensor: args.leave_output_tensor,
        output_tensor_type: args.output_tensor_type.clone(),
        token_embedding_type: args.token_embedding_type.clone(),
        tensor_types: args.tensor_types.clone(),
    }
}

fn quantize(
    args: &args::Quantize,
    screen: &Screen,
    from: &Path,
    matrix: Option<&Path>,
    to: &Path,
) -> Result<(), Error> {
    let options = options(args, args.kinds.first().map_or(KIND, String::as_str));
    let text = format!("quantize {} to {}", args.from.display(), options.kind);
    screen.show(Event::Started { node: 0, text: &text });
    let words = words(args, &options, [from, to], matrix)?;
    let mut lines = Vec::new();
    let mut on_line = |line: &str| {
        if let Some((done, total, item)) = progress(line) {
            let (total, unit) = (Some(total), Unit::Tensors);
            screen.show(Event::Step { node: 0, item, done, total, unit });
        }
        lines.push(line.to_owned());
        if lines.len() > TAIL {
            lines.remove(0);
        }
    };
    let folder = Path::new(".");
    let run = ToolRun { folder, arguments: &words, on_line: &mut on_line, stop: &|| false };
    quantizer(run).map_err(|error| {
        let crashed = crashed(&error) && no_matrix(&error, &lines, &options).is_none();
        let error = failed(&error, &lines, &options);
        let requantized = lines.iter().any(|line| line.contains("requantizing from type"));
        if requantized {
            error.hint("quantize it anyway, at a loss of quality: --allow-requantize")
        } else if crashed {
            error.hint(FEWER)
        } else {
            error
        }
    })?;
    screen.show(Event::Done { node: 0, cached: false });
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    screen.say(&format!(
        "{}: {}, before {}",
        args.to.as_deref().unwrap_or(to).display(),
        bytes(size(to)),
        bytes(size(from))
    ));
    Ok(())
}

/// The quantizer's arguments for reading the first and writing the second file.
fn words(
    args: &args::Quantize,
    options: &QuantizeOptions,
    [from, to]: [&Path; 2],
    matrix: Option<&Path>,
) -> Result<Vec<String>, Error> {
    let mut words = Vec::new();
    if args.allow_requantize {
        words.push("--allow-requantize".to_owned());
    }
    let matrix = matrix.map(named).transpose()?;
    words.extend(arguments(options, &named(from)?, matrix.as_deref(), &named(to)?));
    words.extend(args.threads.map(|threads| threads.to_string()));
    Ok(words)
}
