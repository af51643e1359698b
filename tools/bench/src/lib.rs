//! `cargo xtask bench`: measures what this project makes next to upstream's official build of the same source, both in
//! the same run and in turns. Nothing here judges: it measures, keeps and shows.

#![expect(missing_docs, reason = "unpublished: names that speak need no line")]

mod args;
mod bandwidth;
mod build;
mod engines;
mod journal;
mod load;
mod machine;
mod recipe;
mod report;
mod results;
mod side;
mod size;
mod speed;
mod start;
mod streams;
mod usage;

use std::path::{Path, PathBuf};

use anyhow::Result;
use gpu_test::synthetic::Shape;

use args::{Args, Word};
use journal::Journal;
use results::Results;
use side::Side;
use workspace::cargo;
use workspace::screen::{self, Screen};

pub use args::Cli;
pub use report::{stale, write};

/// How the names of folders for one run begin.
const SCRATCH: &str = "run-";

/// Where measurements are made.
fn folder() -> PathBuf {
    cargo::target_dir().join("bench")
}

fn run(args: &Args) -> Result<()> {
    std::fs::create_dir_all(folder())?;
    let mut screen = Screen::new();
    let first = args.words.iter().find(|word| **word != Word::Images);
    if first.is_some_and(|word| *word != Word::Build) && !args.names_official() {
        build::keep_official(&mut screen)?;
    }
    let mut sides = compared(args, &mut screen)?;
    let (ours, others) = sides.split_at(1);
    // What these measure they make themselves: a finished distribution has no part in it.
    let only_builds = args.words.iter().all(|word| matches!(word, Word::Build | Word::Images));
    let told = [if only_builds { &[] } else { ours }, others].concat();
    let results = Results::new(machine::read(), &told, args.quick)?;
    let mut journal = Journal::new(args.json(), results);
    for word in &args.words {
        match word {
            Word::Build => {
                build::run(args, &mut journal, &mut screen)?;
                // The words after it measure what it has made.
                sides = compared(args, &mut screen)?;
            }
            Word::Images => build::images(args, &mut journal, &mut screen)?,
            Word::Size => size::run(args, &mut journal, &mut screen)?,
            Word::Start => start::run(args, &sides, &mut journal, &mut screen)?,
            Word::Run => speed::run(args, &sides, &mut journal, &mut screen)?,
        }
    }
    screen::print(format_args!("\nall of it: {}\n", args.json().display()));
    Ok(())
}

/// All sides that `args` have compared.
///
/// # Errors
/// When a place for engines cannot be made.
fn compared(args: &Args, screen: &mut Screen) -> Result<Vec<Side>> {
    let mut sides = vec![side::ours(&args.dist()), side::upstream(&args.official())];
    if let Some(cpu) = &args.cpu {
        let only = |side| side::only(side, cpu, &folder().join("only"));
        sides = sides.into_iter().map(only).collect::<Result<_>>()?;
    }
    if args.words.contains(&Word::Run) {
        for engine in &args.engines {
            sides.push(engines::side(*engine, screen)?);
        }
    }
    Ok(sides)
}

/// The first line of what went wrong.
fn first_line(error: &anyhow::Error) -> String {
    format!("{error:#}").lines().next().unwrap_or_default().to_owned()
}

/// A folder of this run's own, which goes with it. That of a run that was killed, with a model of gigabytes, goes now.
fn scratch(folder: &Path) -> Result<tempfile::TempDir> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(SCRATCH) {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(tempfile::Builder::new().prefix(SCRATCH).tempdir_in(folder)?)
}

/// How often something is measured that takes `full` samples when there is time.
fn rounds(args: &Args, full: usize) -> usize {
    if args.quick || args.tiny { full.div_ceil(2) } else { full }
}

/// The model that starts in a moment.
fn small(args: &Args) -> Shape {
    if args.tiny { Shape::TINY } else { Shape::SMALL }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let left = scratch(dir.path()).unwrap().keep();
        std::fs::write(left.join("model.gguf"), "large").unwrap();
        std::fs::create_dir(dir.path().join("official")).unwrap();
        let own = scratch(dir.path()).unwrap();
        assert!(!left.exists() && own.path().is_dir() && dir.path().join("official").is_dir());
    }
}
