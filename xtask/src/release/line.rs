//! A command as data: what `--plan` prints is what runs.

use std::ffi::OsString;

use anyhow::Result;
use llama_src::sh::Cmd;
use serde::Serialize;

/// A program and its arguments. `cargo xtask …` runs in this process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Line(pub(crate) Vec<String>);

impl Line {
    /// Of words that have no space in them.
    pub(crate) fn of(text: &str) -> Self {
        Self(text.split_whitespace().map(str::to_owned).collect())
    }

    /// With more words.
    #[must_use]
    pub(crate) fn and<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.0.extend(words.into_iter().map(Into::into));
        self
    }

    /// # Errors
    /// When it fails.
    pub(crate) fn run(&self) -> Result<()> {
        match &self.0[..] {
            [cargo, xtask, command, rest @ ..] if cargo == "cargo" && xtask == "xtask" => {
                eprintln!("==> {}", self.0.join(" "));
                crate::run(command, rest.iter().map(OsString::from).collect())
            }
            [program, rest @ ..] => {
                let cmd = Cmd::new(program).args(rest);
                eprintln!("==> {cmd}");
                Ok(cmd.run()?)
            }
            [] => Ok(()),
        }
    }
}

/// Lines as JSON, one a row, so that a difference can be read.
pub(crate) fn print(lines: &[Line]) -> Result<String> {
    let rows = lines.iter().map(|line| Ok(format!("  {}", serde_json::to_string(line)?)));
    Ok(format!("[\n{}\n]\n", rows.collect::<Result<Vec<_>>>()?.join(",\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_data() {
        let lines = [Line::of("a b").and(["c d"]), Line::of("e")];
        let text = print(&lines).unwrap();
        assert_eq!(text, "[\n  [\"a\",\"b\",\"c d\"],\n  [\"e\"]\n]\n");
        let value: Vec<Vec<String>> = serde_json::from_str(&text).unwrap();
        assert_eq!(value[0][2], "c d");
    }

    #[test]
    fn our_own_commands_run_in_this_process() {
        Line::of("cargo xtask help").run().unwrap();
        let error = Line::of("cargo xtask nonsense").run().unwrap_err().to_string();
        assert!(error.starts_with("unknown command `nonsense`"), "{error}");
    }
}
