//! `quantize --dry-run`: how large a file of each type would be.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::Serialize;

use super::options;
use crate::Error;
use crate::cli::context::quantizer;
use crate::cli::model::{headers, named};
use crate::cli::{args, output, table};
use crate::executor::ToolRun;
use crate::executor::quantize::dry_run::{DryRun, Prediction};
use crate::executor::quantize::{arguments, failed};
use crate::gguf::{Header, Model, bytes, file_type_name, quantizer_name};
use crate::language::types;

/// Lines of the quantizer that an error shows.
const TAIL: usize = 20;

/// What a dry run writes to: nothing is written.
const NOWHERE: &str = "./dry-run.gguf";

/// What is printed as JSON.
#[derive(Serialize)]
struct Report<'a> {
    model: &'a Path,
    size: u64,
    #[serde(rename = "type")]
    kind: &'static str,
    types: &'a [Prediction],
    impossible: &'a [Impossible],
}

/// A type that this model cannot have, as the quantizer says.
#[derive(Serialize)]
struct Impossible {
    #[serde(rename = "type")]
    kind: String,
    reason: String,
}

/// One model, and how it would be quantized.
struct Asked<'a> {
    args: &'a args::Quantize,
    from: &'a Path,
    matrix: Option<String>,
    before: Vec<Header>,
}

pub(super) fn run(args: &args::Quantize, from: &Path, matrix: Option<&Path>) -> Result<(), Error> {
    let matrix = matrix.map(named).transpose()?;
    let asked = Asked { args, from, matrix, before: headers(from, &args.from)? };
    let mut kinds: Vec<&str> = args.kinds.iter().filter_map(|kind| name(kind)).collect();
    if kinds.is_empty() {
        kinds = types::of_files().collect();
    }
    let (mut types, wrong) = asked.predict_all(&kinds);
    types.sort_by_key(|told| told.size);
    // Whoever names a type is told of it alone.
    if !wrong.is_empty() && (types.is_empty() || !args.kinds.is_empty()) {
        let one = if args.kinds.is_empty() { 1 } else { wrong.len() };
        return Err(Error::all(wrong.into_iter().take(one).map(|(_, error)| error).collect()));
    }
    let impossible: Vec<_> = wrong.iter().map(|(kind, error)| impossible(kind, error)).collect();
    let model = Model::new(asked.before)?;
    if !args.json {
        return output::print(&table(&model, &types, &impossible, args));
    }
    output::json(&Report {
        model: &args.from,
        size: model.size(),
        kind: quantizer_name(file_type_name(model.file_type())),
        types: &types,
        impossible: &impossible,
    })
}

fn impossible(kind: &str, error: &Error) -> Impossible {
    let text = error.to_string();
    let what = text.lines().next().unwrap_or_default();
    let reason = what.split_once(" failed: ").map_or(what, |(_, reason)| reason);
    Impossible { kind: kind.to_owned(), reason: reason.to_owned() }
}

fn name(kind: &str) -> Option<&'static str> {
    types::of_file(kind).ok().map(|kind| kind.name)
}

impl Asked<'_> {
    /// Each type in a process of its own, as many at a time as there are processors. What can be, and what
    /// cannot.
    fn predict_all<'k>(&self, kinds: &[&'k str]) -> (Vec<Prediction>, Vec<(&'k str, Error)>) {
        let (next, told) = (AtomicUsize::new(0), Mutex::new((Vec::new(), Vec::new())));
        let work = || {
            while let Some(kind) = kinds.get(next.fetch_add(1, Ordering::Relaxed)) {
                let result = self.predict(kind);
                let Ok(mut told) = told.lock() else { return };
                match result {
                    Ok(prediction) => told.0.push(prediction),
                    Err(error) => told.1.push((*kind, error)),
                }
            }
        };
        let processors = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            (0..processors.min(kinds.len())).for_each(|_| drop(scope.spawn(work)));
        });
        told.into_inner().expect("nothing panics while it is held")
    }

    fn predict(&self, kind: &str) -> Result<Prediction, Error> {
        let options = options(self.args, kind);
        let mut words = vec!["--dry-run".to_owned()];
        words.extend(arguments(&options, &named(self.from)?, self.matrix.as_deref(), NOWHERE));
        let (mut run, mut lines) = (DryRun::default(), Vec::new());
        let mut on_line = |line: &str| {
            run.line(line);
            lines.push(line.to_owned());
            if lines.len() > TAIL {
                lines.remove(0);
            }
        };
        let folder = Path::new(".");
        let tool = ToolRun { folder, arguments: &words, on_line: &mut on_line, stop: &|| false };
        quantizer(tool).map_err(|error| failed(&error, &lines, &options))?;
        run.predict(kind, &self.before, self.matrix.as_deref())
    }
}

/// The file as it is, and what it would be.
fn table(
    model: &Model,
    types: &[Prediction],
    impossible: &[Impossible],
    args: &args::Quantize,
) -> String {
    let mut rows = vec![["TYPE", "SIZE", "BPW", "RATIO", "NEEDS"].map(str::to_owned)];
    rows.push([
        format!("now {}", quantizer_name(file_type_name(model.file_type()))),
        bytes(model.size()),
        format!("{:.2}", model.bits_per_weight()),
        "1.000".to_owned(),
        String::new(),
    ]);
    rows.extend(types.iter().map(|told| {
        let needs = [
            (told.needs_imatrix && args.imatrix.is_none(), "--imatrix FILE"),
            (told.requantizes && !args.allow_requantize, "--allow-requantize"),
        ];
        let needs: Vec<&str> = needs.into_iter().filter(|need| need.0).map(|need| need.1).collect();
        [
            told.kind.clone(),
            bytes(told.size),
            format!("{:.2}", told.bits_per_weight),
            format!("{:.3}", told.ratio),
            needs.join(" "),
        ]
    }));
    rows.extend(impossible.iter().map(|told| {
        let none = String::new;
        [told.kind.clone(), none(), none(), none(), format!("cannot be: {}", told.reason)]
    }));
    table::grid(&rows)
}
