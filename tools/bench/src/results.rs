//! What was measured, as a file that is kept: rows of samples, and the machine, the versions and the day they are of.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fmt, fs};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::side::{Side, UPSTREAM};
use product::identity::Identity;

/// The case that tells how fast the machine reads its memory.
pub(crate) const MEMORY: &str = "memory, read";

/// One run on one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Results {
    /// Day in UTC, `2026-11-27`.
    pub(crate) date: String,
    /// Our commit.
    pub(crate) version: String,
    /// Upstream's tag.
    pub(crate) llama_cpp: String,
    /// Whether the measurements were few and short.
    pub(crate) quick: bool,
    pub(crate) machine: Machine,
    /// What each side is.
    pub(crate) sides: BTreeMap<String, String>,
    pub(crate) rows: Vec<Row>,
}

/// One side of one comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) part: Part,
    pub(crate) case: String,
    pub(crate) side: String,
    pub(crate) unit: Unit,
    pub(crate) samples: Vec<f64>,
    /// Why there are none, or not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Part {
    Build,
    Size,
    Start,
    Run,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Unit {
    #[serde(rename = "s")]
    Seconds,
    #[serde(rename = "B")]
    Bytes,
    #[serde(rename = "tokens/s")]
    Tokens,
    #[serde(rename = "B/s")]
    Rate,
}

impl Results {
    /// Those of a run that begins now.
    ///
    /// # Errors
    /// When nobody knows which commit this is.
    pub(crate) fn new(machine: Machine, sides: &[Side], quick: bool) -> Result<Self> {
        Ok(Self {
            date: gpu_test::today(),
            version: Identity::find()?.version,
            llama_cpp: llama_src::Pin::load().tag,
            quick,
            machine,
            sides: sides.iter().map(|side| (side.name.clone(), side.about.clone())).collect(),
            rows: Vec::new(),
        })
    }

    /// Reads a file of [`Self::write`].
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} holds no results of `bench`", path.display()))
    }

    /// Writes it as JSON, whole or not at all.
    ///
    /// # Errors
    /// When `path` cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).context("cannot write JSON")? + "\n";
        llama_src::place::write_whole(path, &text)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// `row`'s median over upstream's in the same case, or, for a rate of bytes, over what the memory gives.
    pub(crate) fn ratio(&self, row: &Row) -> Option<f64> {
        let reference = self.reference(row)?;
        let ratio = row.median()? / reference.median()?;
        Some(ratio).filter(|ratio| ratio.is_finite() && row.side != reference.side)
    }

    /// Whether every sample of `row` is better than all of what its ratio is to, or worse than all; `None` where samples
    /// of the two overlap.
    pub(crate) fn is_better(&self, row: &Row) -> Option<bool> {
        let reference = self.reference(row)?;
        let (low, high) = row.range()?;
        let (other_low, other_high) = reference.range()?;
        let is_more = (low > other_high).then_some(true).or((high < other_low).then_some(false));
        is_more.map(|is_more| is_more == row.unit.more_is_better())
    }

    /// What `row` is compared with.
    fn reference(&self, row: &Row) -> Option<&Row> {
        let is_reference = |other: &&Row| match row.unit {
            Unit::Rate => other.case == MEMORY,
            unit => {
                (other.part, &other.case, other.unit, other.side.as_str())
                    == (row.part, &row.case, unit, UPSTREAM)
            }
        };
        self.rows.iter().find(is_reference)
    }
}

impl Row {
    pub(crate) fn median(&self) -> Option<f64> {
        (!self.samples.is_empty()).then(|| gpu_test::median(self.samples.clone()))
    }

    /// The lowest and the highest sample.
    pub(crate) fn range(&self) -> Option<(f64, f64)> {
        let end = |end: fn(f64, f64) -> f64| self.samples.iter().copied().reduce(end);
        Some((end(f64::min)?, end(f64::max)?))
    }

    /// Half of the range of the samples, in percent of the median; `None` for one sample.
    pub(crate) fn spread(&self) -> Option<f64> {
        let (low, high) = self.range()?;
        let median = self.median().filter(|median| *median > 0.0 && self.samples.len() > 1)?;
        Some(50.0 * (high - low) / median)
    }

    /// Median, spread and ratio as a table shows them.
    pub(crate) fn cells(&self, ratio: Option<f64>) -> [String; 3] {
        let text = |number: Option<f64>, show: &dyn Fn(f64) -> String| {
            number.map_or_else(|| "-".to_owned(), show)
        };
        [
            text(self.median(), &|median| self.unit.show(median)),
            text(self.spread(), &|spread| format!("±{spread:.0} %")),
            text(ratio, &|ratio| format!("{ratio:.2}")),
        ]
    }
}

impl Part {
    pub(crate) const ALL: [Self; 4] = [Self::Build, Self::Size, Self::Start, Self::Run];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Size => "size",
            Self::Start => "start",
            Self::Run => "run",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Unit {
    /// `value` for a person.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Self::Seconds if value < 1.0 => format!("{:.0} ms", value * 1e3),
            Self::Seconds if value < 100.0 => format!("{value:.1} s"),
            Self::Seconds => {
                let seconds = value.round() as u64;
                format!("{} min {:02} s", seconds / 60, seconds % 60)
            }
            Self::Bytes => format!("{:.1} MB", value / 1e6),
            Self::Tokens if value < 100.0 => format!("{value:.1} t/s"),
            Self::Tokens => format!("{value:.0} t/s"),
            Self::Rate => format!("{:.1} GB/s", value / 1e9),
        }
    }

    /// Whether more of it is better.
    pub(crate) fn more_is_better(self) -> bool {
        matches!(self, Self::Tokens | Self::Rate)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn row(case: &str, side: &str, samples: &[f64]) -> Row {
        Row {
            part: Part::Run,
            case: case.to_owned(),
            side: side.to_owned(),
            unit: Unit::Tokens,
            samples: samples.to_vec(),
            failed: None,
        }
    }

    pub(crate) fn results(rows: Vec<Row>) -> Results {
        Results {
            date: "2026-11-27".to_owned(),
            version: "2611271200-0123456".to_owned(),
            llama_cpp: "b1".to_owned(),
            quick: true,
            machine: Machine::example(),
            sides: BTreeMap::from([("ours".to_owned(), "a distribution".to_owned())]),
            rows,
        }
    }

    #[test]
    fn a_ratio_is_to_upstream_in_the_same_case() {
        let results = results(vec![
            row("a", "ours", &[30.0, 10.0, 20.0]),
            row("a", UPSTREAM, &[10.0]),
            row("b", "ours", &[1.0]),
            row("b", UPSTREAM, &[]),
        ]);
        let ratios: Vec<_> = results.rows.iter().map(|row| results.ratio(row)).collect();
        assert_eq!(ratios, [Some(2.0), None, None, None]);
        let mut memory = row(MEMORY, "machine", &[8.0]);
        let mut read = row("a, weights read", UPSTREAM, &[2.0]);
        (memory.unit, read.unit) = (Unit::Rate, Unit::Rate);
        let rates = super::tests::results(vec![memory, read]);
        let shares: Vec<_> = rates.rows.iter().map(|row| rates.ratio(row)).collect();
        assert_eq!(shares, [None, Some(0.25)]);
        assert_eq!(results.rows[0].cells(ratios[0]), ["20.0 t/s", "±50 %", "2.00"]);
        assert_eq!(results.rows[3].cells(None), ["-", "-", "-"]);
    }

    #[test]
    fn a_side_is_better_where_no_samples_overlap() {
        let verdict = |samples: &[f64], unit| {
            let mut rows = [row("a", "ours", samples), row("a", UPSTREAM, &[10.0, 12.0])];
            rows.iter_mut().for_each(|row| row.unit = unit);
            let results = results(rows.to_vec());
            results.is_better(&results.rows[0])
        };
        for (samples, more, less) in [
            (&[13.0, 15.0], Some(true), Some(false)),
            (&[12.0, 15.0], None, None),
            (&[8.0, 9.0], Some(false), Some(true)),
        ] {
            assert_eq!(verdict(samples, Unit::Tokens), more);
            assert_eq!(verdict(samples, Unit::Seconds), less);
        }
    }

    #[test]
    fn numbers_have_the_unit_that_a_person_reads() {
        for (unit, value, text) in [
            (Unit::Seconds, 0.0123, "12 ms"),
            (Unit::Seconds, 12.34, "12.3 s"),
            (Unit::Seconds, 479.6, "8 min 00 s"),
            (Unit::Bytes, 1_500_000.0, "1.5 MB"),
            (Unit::Tokens, 512.4, "512 t/s"),
            (Unit::Rate, 12.34e9, "12.3 GB/s"),
        ] {
            assert_eq!(unit.show(value), text);
        }
    }

    #[test]
    fn a_file_comes_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        let mut all = results(vec![row("a", "ours", &[1.5])]);
        all.rows[0].failed = Some("interrupted".to_owned());
        all.write(&path).unwrap();
        assert_eq!(Results::read(&path).unwrap(), all);
        fs::write(&path, "{}").unwrap();
        let error = Results::read(&path).unwrap_err().to_string();
        assert_eq!(error, format!("{} holds no results of `bench`", path.display()));
    }
}
