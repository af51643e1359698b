//! `quantize`: what `QUANTIZE` does, by hand.

use std::path::Path;

use super::args;
use super::context::{quantizer, writable};
use super::progress::Screen;
use crate::Error;
use crate::executor::quantize::{arguments, failed, progress};
use crate::executor::{Event, ToolRun, Unit};
use crate::gguf::{Header, bytes};
use crate::language::instruction::QuantizeOptions;
use crate::language::types;
use crate::part::Part;

/// Lines of the quantizer that an error shows.
const TAIL: usize = 20;

pub(super) fn run(args: &args::Quantize) -> Result<(), Error> {
    let from = args.from.canonicalize().map_err(|e| Error::io("read", &args.from, &e))?;
    let matrix = args.imatrix.as_ref().map(|path| {
        path.canonicalize().map_err(|e| Error::io("read the importance matrix", path, &e))
    });
    let matrix = matrix.transpose()?;
    let to = std::path::absolute(&args.to).map_err(|e| Error::io("write", &args.to, &e))?;
    if to.canonicalize().is_ok_and(|to| to == from) {
        return Err(Error::new("both files are the same one").hint("name another file to write"));
    }
    check(args, &from)?;
    // Nobody sees half a file.
    let part = Part::begin(&to)?;
    quantize(args, &options(args), &from, matrix.as_deref(), part.path())?;
    part.finish()
}

/// What can be told to be wrong before the quantizer begins.
fn check(args: &args::Quantize, from: &Path) -> Result<(), Error> {
    let mut wrong = Vec::new();
    match types::of_file(&args.kind) {
        Err(hint) => {
            wrong.push(Error::new(format!("no type of files is `{}`", args.kind)).hint(hint));
        }
        Ok(kind) if types::needs_matrix(kind.name, args.pure) && args.imatrix.is_none() => {
            let text = format!("{} needs an importance matrix", kind.name);
            wrong.push(Error::new(text).hint("--imatrix FILE, as llama-imatrix writes it"));
        }
        Ok(_) => {}
    }
    wrong.extend(tensors(args));
    wrong.extend(header(from, &args.from).err());
    wrong.extend(writable(&args.to).err());
    if wrong.is_empty() { Ok(()) } else { Err(Error::all(wrong)) }
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
                Error::new(format!("`{text}` names no tensors and their type"))
                    .hint("--tensor-type attn_q=Q8_0"),
            ),
        }
    }
    for kind in named {
        if let Err(hint) = types::of_tensor(kind) {
            wrong.push(Error::new(format!("no type of tensors is `{kind}`")).hint(hint));
        }
    }
    wrong
}

fn header(from: &Path, shown: &Path) -> Result<(), Error> {
    let failed = |e: &std::io::Error| Error::io("read", shown, e);
    let known = std::fs::metadata(from).map_err(|e| failed(&e))?;
    if !known.is_file() {
        return Err(Error::new(format!("{} is not a file", shown.display())));
    }
    let file = std::fs::File::open(from).map_err(|e| failed(&e))?;
    Header::read(std::io::BufReader::new(file), known.len())
        .map(drop)
        .map_err(|e| Error::new(format!("{}: {e}", shown.display())))
}

fn options(args: &args::Quantize) -> QuantizeOptions {
    QuantizeOptions {
        kind: args.kind.to_uppercase(),
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
    options: &QuantizeOptions,
    from: &Path,
    matrix: Option<&Path>,
    to: &Path,
) -> Result<(), Error> {
    let screen = Screen::new(args.progress);
    let text = format!("quantize {} to {}", args.from.display(), options.kind);
    screen.show(Event::Started { node: 0, text: &text });
    let mut words = Vec::new();
    if args.allow_requantize {
        words.push("--allow-requantize".to_owned());
    }
    words.extend(arguments(
        options,
        &named(from)?,
        matrix.map(named).transpose()?.as_deref(),
        &named(to)?,
    ));
    words.extend(args.threads.map(|threads| threads.to_string()));
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
        let error = failed(&error, &lines, options);
        let requantized = lines.iter().any(|line| line.contains("requantizing from type"));
        if requantized {
            error.hint("--allow-requantize does it all the same, and worse")
        } else {
            error
        }
    })?;
    screen.show(Event::Done { node: 0, cached: false });
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    screen.say(&format!(
        "{}: {}, before {}",
        args.to.display(),
        bytes(size(to)),
        bytes(size(from))
    ));
    Ok(())
}

/// A path as an argument; the quantizer takes text.
fn named(path: &Path) -> Result<String, Error> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Error::new(format!("the path is not UTF-8: {}", path.display()))
            .hint("give it another name")
    })
}
