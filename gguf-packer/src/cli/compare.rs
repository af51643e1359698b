//! `compare`: what a quantized model lost, measured on a text.

use std::path::Path;

use serde::Serialize;

use super::context::comparer;
use super::model::{headers, named};
use super::progress::Screen;
use super::quantize_args::MOST_THREADS;
use super::{args, output, table};
use crate::Error;
use crate::compare::{CHUNK, Estimate, News, Outcome, Task};
use crate::executor::quantize::DAMAGED;
use crate::executor::{Event, ToolRun, Unit};
use crate::gguf::bytes;
use crate::process::crashed;

/// What else to do when llama.cpp crashed.
pub(super) const FEWER: &str = "or use fewer threads, which need less memory: --threads 1";

/// Two models and a text, and how long it may take.
pub(super) struct Comparison<'a> {
    pub(super) text: &'a Path,
    pub(super) before: &'a Path,
    pub(super) after: &'a Path,
    pub(super) chunks: u32,
    pub(super) threads: Option<u32>,
}

/// A model of a report.
#[derive(Serialize)]
struct Weighed<'a> {
    path: &'a Path,
    size: u64,
}

/// What is printed.
#[derive(Serialize)]
struct Report<'a> {
    text: &'a Path,
    before: Weighed<'a>,
    after: Weighed<'a>,
    #[serde(flatten)]
    outcome: Outcome,
}

pub(super) fn run(args: &args::Compare) -> Result<(), Error> {
    let comparison = Comparison {
        text: &args.text,
        before: &args.before,
        after: &args.after,
        chunks: args.chunks,
        threads: args.threads,
    };
    comparison.report(&Screen::new(args.progress), args.json)
}

impl Comparison<'_> {
    /// Tells whether the text and the model before will do, before the one after is there.
    pub(super) fn check(&self, screen: &Screen) -> Result<(), Error> {
        self.child(screen, None).map(drop)
    }

    /// Measures, and prints the figures.
    pub(super) fn report(&self, screen: &Screen, json: bool) -> Result<(), Error> {
        let (mut sizes, mut wrong) = (Vec::new(), Vec::new());
        for path in [self.before, self.after] {
            match headers(path, path) {
                Ok(headers) => sizes.push(headers.iter().map(|header| header.size).sum()),
                Err(error) => wrong.push(error),
            }
        }
        wrong.extend(self.readable().err());
        let [size_before, size_after] = sizes[..] else { return Err(Error::all(wrong)) };
        if !wrong.is_empty() {
            return Err(Error::all(wrong));
        }
        let text = format!("compare {} with {}", self.after.display(), self.before.display());
        screen.show(Event::Started { node: 0, text: &text });
        let outcome = self.child(screen, Some(self.after))?;
        screen.show(Event::Done { node: 0, cached: false });
        let outcome = outcome.ok_or_else(|| Error::new("the comparison ended without a result"))?;
        let report = Report {
            text: self.text,
            before: Weighed { path: self.before, size: size_before },
            after: Weighed { path: self.after, size: size_after },
            outcome,
        };
        if json { output::json(&report) } else { output::print(&report.table()) }
    }

    fn readable(&self) -> Result<(), Error> {
        let known = std::fs::metadata(self.text).map_err(|e| Error::io("read", self.text, &e))?;
        if known.is_file() {
            return Ok(());
        }
        Err(Error::new(format!("{} is not a file", self.text.display()))
            .hint("use a plain text file"))
    }

    fn child(&self, screen: &Screen, after: Option<&Path>) -> Result<Option<Outcome>, Error> {
        self.readable()?;
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        let task = Task {
            text: named(self.text)?,
            base: named(self.before)?,
            other: after.map(named).transpose()?,
            chunks: self.chunks as usize,
            threads: self.threads.map_or_else(processors, |n| n as usize).min(MOST_THREADS.into()),
        };
        let task = serde_json::to_string(&task).expect("texts and numbers are JSON");
        let (mut outcome, mut refused) = (None, None);
        let mut on_line = |line: &str| match News::of(line) {
            Some(News::Measured(done, total)) => {
                let (done, total, unit) = (done as u64, Some(total as u64), Unit::Chunks);
                screen.show(Event::Step { node: 0, item: "measured", done, total, unit });
            }
            Some(News::Outcome(all)) => outcome = Some(all),
            Some(News::Refused(what, hint)) => refused = Some((what, hint)),
            None => {}
        };
        let (folder, arguments) = (Path::new("."), [task]);
        let run = ToolRun { folder, arguments: &arguments, on_line: &mut on_line, stop: &|| false };
        let done = comparer(run);
        let Err(error) = done else { return Ok(outcome) };
        // What llama.cpp said of it.
        let said = error.to_string();
        let said = said.lines().filter_map(|line| line.trim_start().strip_prefix("| "));
        let said = said.filter(|line| News::of(line).is_none()).map(str::to_owned);
        let Some((what, hint)) = refused else {
            let failed = Error::tool(error.what()).with_status(error.status()).log(said);
            return Err(if crashed(&error) { failed.hint(DAMAGED).hint(FEWER) } else { failed });
        };
        let error = Error::new(what).log(said);
        Err(hint.into_iter().fold(error, Error::hint))
    }
}

impl Report<'_> {
    fn table(&self) -> String {
        let outcome = &self.outcome;
        let row = |model: &Weighed<'_>, perplexity: Estimate| {
            [model.path.display().to_string(), bytes(model.size), plus_minus(perplexity, 4)]
        };
        let rows = [
            ["MODEL", "SIZE", "PERPLEXITY"].map(str::to_owned),
            row(&self.before, outcome.perplexity_before),
            row(&self.after, outcome.perplexity_after),
        ];
        let percent = |of: Estimate| Estimate {
            value: of.value * 100.0,
            uncertainty: of.uncertainty * 100.0,
        };
        let divergence = format!(
            "{}, 99.9th percentile {:.4}, maximum {:.4}",
            plus_minus(outcome.divergence, 5),
            outcome.divergence_p999,
            outcome.divergence_max
        );
        let measured = format!(
            "{} tokens: the second half of each of {} chunks of {CHUNK} tokens from {}",
            outcome.predictions,
            outcome.chunks,
            self.text.display()
        );
        let figures = [
            ["perplexity, after / before".to_owned(), plus_minus(outcome.perplexity_ratio, 4)],
            ["KL divergence".to_owned(), divergence],
            ["same likeliest token".to_owned(), plus_minus(percent(outcome.same_top), 2) + " %"],
            ["measured on".to_owned(), measured],
        ];
        format!("{}\n{}", table::grid(&rows), table::grid(&figures))
    }
}

fn plus_minus(estimate: Estimate, digits: usize) -> String {
    let Estimate { value, uncertainty } = estimate;
    format!("{value:.digits$} ± {uncertainty:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_was_measured_and_how_sure_it_is() {
        let of = |value, uncertainty| Estimate { value, uncertainty };
        let report = Report {
            text: Path::new("wiki.txt"),
            before: Weighed { path: Path::new("m.F16.gguf"), size: 988 << 20 },
            after: Weighed { path: Path::new("m.Q4_K_M.gguf"), size: 379 << 20 },
            outcome: Outcome {
                chunk_size: 512,
                chunks: 8,
                predictions: 2040,
                perplexity_before: of(13.28, 0.41),
                perplexity_after: of(13.9, 0.43),
                perplexity_ratio: of(1.0467, 0.0051),
                divergence: of(0.0412, 0.0011),
                divergence_p999: 0.8,
                divergence_max: 1.25,
                same_top: of(0.9214, 0.006),
            },
        };
        let expected = "  MODEL          SIZE     PERPLEXITY
  m.F16.gguf     988 MiB  13.2800 ± 0.4100
  m.Q4_K_M.gguf  379 MiB  13.9000 ± 0.4300

  perplexity, after / before  1.0467 ± 0.0051
  KL divergence               0.04120 ± 0.00110, 99.9th percentile 0.8000, maximum 1.2500
  same likeliest token        92.14 ± 0.60 %
  measured on                 2040 tokens: the second half of each of 8 chunks of 512 tokens from wiki.txt
";
        assert_eq!(report.table(), expected);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["before"]["size"], 988 << 20);
        assert_eq!(json["perplexity_after"]["uncertainty"], 0.43);
    }
}
