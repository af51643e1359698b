//! An instruction whose flags and words have their values, on its way to be typed.

use super::source::{MOST, Problem, Source, Warning};
use super::statement::Statement;

/// An instruction with its values.
pub(super) struct Call<'a> {
    pub(super) statement: &'a Statement,
    pub(super) flags: Vec<(&'static str, Option<Value>)>,
    pub(super) args: Vec<Value>,
}

/// A value and where it was written.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) text: String,
    pub(super) at: usize,
    /// What the heredoc that it names holds: its name and its text.
    pub(super) body: Option<(String, String)>,
}

/// Where problems and warnings go.
pub(super) struct Notes<'a> {
    pub(super) source: &'a Source,
    pub(super) problems: &'a mut Vec<Problem>,
    pub(super) warnings: &'a mut Vec<Warning>,
}

impl Notes<'_> {
    pub(super) fn problem(&mut self, at: usize, what: impl Into<String>, hint: impl Into<String>) {
        if self.problems.len() < MOST {
            self.problems.push(self.source.problem(at, what).hint(hint));
        }
    }

    pub(super) fn warning(&mut self, at: usize, message: impl Into<String>) {
        if self.warnings.len() < MOST {
            self.warnings.push(self.source.warning(at, None, message));
        }
    }
}

impl Call<'_> {
    /// The value of a flag.
    pub(super) fn flag(&self, name: &str) -> Option<&Value> {
        self.flags.iter().find(|(known, _)| *known == name).and_then(|(_, value)| value.as_ref())
    }

    /// The value of a flag, as text.
    pub(super) fn text_of(&self, name: &str) -> Option<String> {
        self.flag(name).map(|value| value.text.clone())
    }

    /// All values of a flag.
    pub(super) fn all<'c>(&'c self, name: &'c str) -> impl Iterator<Item = &'c Value> {
        let flags = self.flags.iter().filter(move |(known, _)| *known == name);
        flags.filter_map(|(_, value)| value.as_ref())
    }

    /// Whether a switch is on.
    pub(super) fn switch(&self, name: &str, notes: &mut Notes<'_>) -> bool {
        let Some((_, value)) = self.flags.iter().find(|(known, _)| *known == name) else {
            return false;
        };
        match value {
            None => true,
            Some(value) if value.text.eq_ignore_ascii_case("true") => true,
            Some(value) if value.text.eq_ignore_ascii_case("false") => false,
            Some(value) => {
                let what = format!("`--{name}` must be `true` or `false`, not `{}`", value.text);
                notes.problem(value.at, what, format!("--{name}"));
                false
            }
        }
    }

    /// The last word, where files go to.
    pub(super) fn dest(&self, notes: &mut Notes<'_>) -> String {
        let dest = self.args.last().expect("the form of the instruction was checked");
        if dest.text.is_empty() {
            notes.problem(dest.at, "the destination is empty", "set every variable in it");
        }
        dest.text.clone()
    }

    /// The words before the last.
    pub(super) fn sources(&self) -> &[Value] {
        self.args.split_last().map_or(&[], |(_, sources)| sources)
    }

    /// All of it on one line.
    pub(super) fn text(&self) -> String {
        let mut text = self.statement.keyword.name().to_owned();
        for (name, value) in &self.flags {
            text.push_str(&format!(" --{name}"));
            if let Some(value) = value {
                text.push_str(&format!("={}", value.text));
            }
        }
        if self.statement.json {
            let words: Vec<&str> = self.args.iter().map(|arg| arg.text.as_str()).collect();
            text.push_str(&format!(" {}", serde_json::Value::from(words)));
        } else {
            for arg in &self.args {
                text.push_str(&format!(" {}", arg.text));
            }
        }
        one_line(&text)
    }
}

/// Control characters become spaces.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
