//! The estimate as the document's table; where it is wider than the terminal, turned over.

use super::report::{Estimate, Row, Share};
use crate::gguf::bytes;
use crate::image::command::PromptCache;

/// A group of columns under one title.
struct Group {
    title: String,
    /// Titles below it; none where it is one column.
    columns: Vec<&'static str>,
    /// The cells of each row.
    rows: Vec<Vec<String>>,
}

impl Estimate {
    /// As a table; `short` leaves out what is the same in each row. With a `width` it is turned over when it does not
    /// fit.
    #[must_use]
    pub fn table(&self, short: bool, width: Option<usize>) -> String {
        let groups = self.groups(short);
        let table = drawn(&groups);
        let widest = table.lines().next().map_or(0, |line| line.chars().count());
        match width {
            Some(width) if widest > width => turned(&groups),
            _ => table,
        }
    }

    /// The lines below the table.
    #[must_use]
    pub fn earlier_prompts(&self) -> String {
        let mut lines = format!("PROMPT CACHE: {}\n", self.prompt_cache.words());
        if self.checkpoints != PromptCache::UpTo(0) {
            lines += &format!("CONTEXT CHECKPOINTS: {}\n", self.checkpoints.words());
        }
        lines
    }

    /// Whether layers can be spread over machines: a model of one layer has nothing to spread.
    pub(super) fn distributable(&self) -> bool {
        self.answer.layers > 2
    }

    fn groups(&self, short: bool) -> Vec<Group> {
        let answer = &self.answer;
        let able = |yes: bool| if yes { "Supported" } else { "Not Supported" }.to_owned();
        let on = |yes: bool| if yes { "Enabled" } else { "Disabled" }.to_owned();
        let mut groups = Vec::new();
        let mut one = |title: &str, cell: &dyn Fn(&Row) -> String| {
            let rows = self.rows.iter().map(|row| vec![cell(row)]).collect();
            groups.push(Group { title: title.to_owned(), columns: Vec::new(), rows });
        };
        if !short {
            one("ARCH", &|_| answer.architecture.clone());
            one("CONTEXT SIZE", &|_| answer.context_size.to_string());
            one("BATCH SIZE (L / P)", &|_| format!("{} / {}", answer.batch, answer.ubatch));
            one("FLASH ATTENTION", &|_| on(answer.flash_attention));
            one("MMAP LOAD", &|_| on(answer.mmap));
            one("EMBEDDING ONLY", &|_| yes(answer.embedding));
            one("RERANKING", &|_| able(answer.reranking));
            one("DISTRIBUTABLE", &|_| able(self.distributable()));
        }
        one("OFFLOAD LAYERS", &|row| offloaded(row));
        one("FULL OFFLOADED", &|row| yes(row.full));
        if self.rows.iter().any(|row| row.tokens.is_some()) {
            one("MAX TPS", &|row| {
                row.tokens.map_or("-".to_owned(), |tokens| format!("{tokens:.2}"))
            });
        }
        groups.push(memory(self.rows.iter().map(|row| &row.ram).collect(), "LAYERS (I + T + O)"));
        let cards = self.rows.first().map_or(0, |row| row.cards.len());
        groups.extend((0..cards).map(|at| {
            memory(self.rows.iter().filter_map(|row| row.cards.get(at)).collect(), "LAYERS (T + O)")
        }));
        groups
    }
}

fn yes(yes: bool) -> String {
    if yes { "Yes" } else { "No" }.to_owned()
}

/// `25 (24 + 1)`: all, the repeating ones, the output.
fn offloaded(row: &Row) -> String {
    let output = u32::from(row.output);
    format!("{} ({} + {output})", row.offloaded, row.offloaded.saturating_sub(output))
}

fn memory(shares: Vec<&Share>, layers: &'static str) -> Group {
    let cells = |share: &&Share| {
        let (input, output) = (u32::from(share.input), u32::from(share.output));
        let count = if layers.contains('I') {
            format!("{input} + {} + {output}", share.layers)
        } else {
            format!("{} + {output}", share.layers)
        };
        vec![count, bytes(share.uma), bytes(share.nonuma)]
    };
    Group {
        title: shares.first().map(|share| share.title.clone()).unwrap_or_default(),
        columns: vec![layers, "UMA", "NONUMA"],
        rows: shares.iter().map(cells).collect(),
    }
}

impl Group {
    /// The widths of its columns, with which its title fits too.
    fn widths(&self) -> Vec<usize> {
        let count = self.columns.len().max(1);
        let cell =
            |at: usize| self.rows.iter().map(move |row| row[at].chars().count()).max().unwrap_or(0);
        let title = |at: usize| self.columns.get(at).map_or(0, |title| title.len());
        let mut widths: Vec<usize> = (0..count).map(|at| cell(at).max(title(at))).collect();
        let whole = widths.iter().sum::<usize>() + 3 * (count - 1);
        widths[count - 1] += self.title.len().saturating_sub(whole);
        widths
    }

    fn whole(&self) -> usize {
        let widths = self.widths();
        widths.iter().sum::<usize>() + 3 * (widths.len() - 1)
    }
}

/// `| a | b |`, each in the middle.
fn line(cells: impl Iterator<Item = (String, usize)>) -> String {
    let cells: String = cells.map(|(text, width)| format!(" {text:^width$} |")).collect();
    format!("|{cells}\n")
}

fn rule(groups: &[Group], between: impl Fn(&Group) -> bool) -> String {
    let mut rule = "+".to_owned();
    for group in groups {
        if between(group) {
            let dashes = |width: &usize| "-".repeat(width + 2);
            rule += &group.widths().iter().map(dashes).collect::<Vec<_>>().join("+");
        } else {
            rule += &"-".repeat(group.whole() + 2);
        }
        rule += "+";
    }
    rule + "\n"
}

/// Below the titles a line goes only under those that have columns.
fn half_rule(groups: &[Group]) -> String {
    let mut rule = String::new();
    for (at, group) in groups.iter().enumerate() {
        let parted = |at: Option<usize>| {
            at.and_then(|at| groups.get(at)).is_some_and(|g| !g.columns.is_empty())
        };
        rule += if parted(Some(at)) || parted(at.checked_sub(1)) { "+" } else { "|" };
        let dashes = |width: &usize| "-".repeat(width + 2);
        rule += &match group.columns.is_empty() {
            true => " ".repeat(group.whole() + 2),
            false => group.widths().iter().map(dashes).collect::<Vec<_>>().join("+"),
        };
    }
    let closed = groups.last().is_some_and(|group| !group.columns.is_empty());
    rule + if closed { "+\n" } else { "|\n" }
}

fn drawn(groups: &[Group]) -> String {
    let mut out = rule(groups, |_| false);
    out += &line(groups.iter().map(|group| (group.title.clone(), group.whole())));
    out += &half_rule(groups);
    out += &line(groups.iter().flat_map(|group| {
        let titles = match group.columns.as_slice() {
            [] => vec![""],
            titles => titles.to_vec(),
        };
        titles.into_iter().map(str::to_owned).zip(group.widths())
    }));
    out += &rule(groups, |_| true);
    let count = groups.first().map_or(0, |group| group.rows.len());
    for at in 0..count {
        out += &line(
            groups.iter().flat_map(|group| group.rows[at].iter().cloned().zip(group.widths())),
        );
    }
    out + &rule(groups, |_| true)
}

/// Each column a line; what a device has, one behind the other.
fn turned(groups: &[Group]) -> String {
    let title = groups.iter().map(|group| group.title.len()).max().unwrap_or(0);
    let count = groups.first().map_or(0, |group| group.rows.len());
    let same = |group: &Group| group.rows.windows(2).all(|rows| rows[0] == rows[1]);
    let mut out = String::new();
    for group in groups.iter().filter(|group| group.columns.is_empty() && same(group)) {
        out +=
            &format!("{:<title$}  {}\n", group.title, group.rows.first().map_or("", |row| &row[0]));
    }
    for at in 0..count {
        out += "\n";
        for group in groups.iter().filter(|group| group.columns.is_empty() && !same(group)) {
            out += &format!("{:<title$}  {}\n", group.title, group.rows[at][0]);
        }
        let devices: Vec<&Group> =
            groups.iter().filter(|group| !group.columns.is_empty()).collect();
        out += &format!(
            "{:title$}  {:<18}  {:>11}  {:>11}\n",
            "", "LAYERS (I + T + O)", "UMA", "NONUMA"
        );
        for group in devices {
            let cells = &group.rows[at];
            out += &format!(
                "{:<title$}  {:<18}  {:>11}  {:>11}\n",
                group.title, cells[0], cells[1], cells[2]
            );
        }
    }
    out
}
