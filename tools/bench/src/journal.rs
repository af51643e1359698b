//! Measures sides in turns, and writes down each result as it comes: a run that is interrupted leaves the rows that it
//! has, and says so in the one that it was at.

use std::path::PathBuf;

use anyhow::Result;

use crate::results::{Part, Results, Row, Unit};
use workspace::screen;

/// What a row says until it is measured.
const INTERRUPTED: &str = "interrupted";

/// The results of a run, as far as it is.
pub(crate) struct Journal {
    path: PathBuf,
    results: Results,
    /// The part whose table is being printed.
    shown: Option<Part>,
}

/// Numbers that come together, by what they mean.
pub(crate) struct Series {
    pub(crate) part: Part,
    pub(crate) cases: Vec<(String, Unit)>,
    pub(crate) rounds: usize,
}

impl Journal {
    pub(crate) fn new(path: PathBuf, results: Results) -> Self {
        Self { path, results, shown: None }
    }

    /// Asks each of `sides` in turn, `rounds` times, for a number for each case. The order turns around each time, so
    /// that a machine that slows down does so for all. A side that fails is not asked again.
    ///
    /// # Errors
    /// When the results cannot be written.
    pub(crate) fn measure<S>(
        &mut self,
        series: &Series,
        sides: &[(String, S)],
        mut measure: impl FnMut(&S) -> Result<Vec<f64>>,
    ) -> Result<()> {
        let first = self.begin(series, sides);
        let mut failed: Vec<Option<String>> = vec![None; sides.len()];
        for round in 0..series.rounds {
            for turn in 0..sides.len() {
                let at = if round % 2 == 0 { turn } else { sides.len() - 1 - turn };
                if failed[at].is_some() {
                    continue;
                }
                match measure(&sides[at].1) {
                    Ok(samples) => {
                        for (case, sample) in samples.into_iter().enumerate() {
                            self.results.rows[first + case * sides.len() + at].samples.push(sample);
                        }
                    }
                    Err(error) => {
                        // The table has its first line only.
                        eprintln!("{}: {error:#}", sides[at].0);
                        failed[at] = Some(crate::first_line(&error));
                    }
                }
                self.results.write(&self.path)?;
            }
        }
        for (index, row) in self.results.rows[first..].iter_mut().enumerate() {
            row.failed.clone_from(&failed[index % sides.len()]);
        }
        self.results.write(&self.path)?;
        self.show(first);
        Ok(())
    }

    /// Adds a row for each case and side, not measured yet; the number of the first.
    fn begin<S>(&mut self, series: &Series, sides: &[(String, S)]) -> usize {
        let first = self.results.rows.len();
        for (case, unit) in &series.cases {
            let row = |(side, _): &(String, S)| Row {
                part: series.part,
                case: case.clone(),
                side: side.clone(),
                unit: *unit,
                samples: Vec::new(),
                failed: Some(INTERRUPTED.to_owned()),
            };
            self.results.rows.extend(sides.iter().map(row));
        }
        first
    }

    /// Prints the rows from `first` on.
    fn show(&mut self, first: usize) {
        for row in &self.results.rows[first..] {
            if self.shown != Some(row.part) {
                self.shown = Some(row.part);
                screen::print(format_args!("\n{}", head(row.part)));
            }
            screen::print(line(row, self.results.ratio(row)));
        }
    }
}

fn head(part: Part) -> String {
    format!("{:<34} {:<16} {:>12} {:>7} {:>7}\n", part.name(), "side", "median", "spread", "ratio")
}

/// At most 80 columns.
fn line(row: &Row, ratio: Option<f64>) -> String {
    let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    let (case, side) = (cut(&row.case, 34), cut(&row.side, 16));
    let [median, spread, ratio] = row.cells(ratio);
    let line = format!("{case:<34} {side:<16} {median:>12} {spread:>7} {ratio:>7}\n");
    match &row.failed {
        Some(failed) => line + &format!("    {}\n", cut(failed, 76)),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use anyhow::bail;

    use super::*;
    use crate::results::tests::{results, row};

    #[test]
    fn sides_take_turns_and_a_failing_one_leaves_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.json");
        let mut journal = Journal::new(path.clone(), results(vec![]));
        let series = Series {
            part: Part::Run,
            cases: vec![("a".to_owned(), Unit::Tokens), ("b".to_owned(), Unit::Tokens)],
            rounds: 3,
        };
        let sides = [("ours".to_owned(), 1), ("upstream".to_owned(), 2), ("x".to_owned(), 3)];
        let asked = RefCell::new(Vec::new());
        let before = |side: &i32| {
            let rows = Results::read(&path).map(|results| results.rows).unwrap_or_default();
            asked.borrow_mut().push(*side);
            rows.iter().all(|row| row.failed.as_deref() == Some(INTERRUPTED))
        };
        let measure = |side: &i32| {
            assert!(before(side), "a row is not marked while it is measured");
            let count = asked.borrow().len() as f64;
            if *side == 3 { bail!("no model\n  hint: x") } else { Ok(vec![count, 10.0 * count]) }
        };
        journal.measure(&series, &sides, measure).unwrap();
        assert_eq!(*asked.borrow(), [1, 2, 3, 2, 1, 1, 2]);
        let rows = Results::read(&path).unwrap().rows;
        assert_eq!(rows[0], row("a", "ours", &[1.0, 5.0, 6.0]));
        assert_eq!(rows[4], row("b", "upstream", &[20.0, 40.0, 70.0]));
        assert_eq!(rows[5].failed.as_deref(), Some("no model"));
        assert!(rows[5].samples.is_empty());
    }

    #[test]
    fn a_table_fits_a_terminal() {
        let mut long = row(&"case ".repeat(20), &"side ".repeat(20), &[123.4, 125.0]);
        long.unit = Unit::Seconds;
        let text = head(Part::Run) + &line(&long, Some(12.345));
        long.failed = Some("it broke ".repeat(20));
        let text = text + &line(&long, None) + &line(&row("a", "ours", &[20.0]), Some(1.0));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("2 min 04 s"), "{text}");
        assert_eq!(
            text.lines().last().unwrap(),
            "a                                  ours                 20.0 t/s       -    1.00"
        );
    }
}
