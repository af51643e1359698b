//! A command as data: what `--plan` prints is what runs.

use anyhow::Result;
use llama_src::sh::Cmd;
use serde::Serialize;
use workspace::tools;

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Line(pub Vec<String>);

impl Line {
    /// Of words that have no space in them.
    pub fn of(text: &str) -> Self {
        Self(text.split_whitespace().map(str::to_owned).collect())
    }

    /// With more words.
    #[must_use]
    pub fn and<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.0.extend(words.into_iter().map(Into::into));
        self
    }

    /// # Errors
    /// When it fails.
    pub fn run(&self) -> Result<()> {
        match &self.0[..] {
            // Of this very Cargo and workspace, wherever it is started.
            [cargo, xtask, word, rest @ ..] if cargo == "cargo" && xtask == "xtask" => {
                eprintln!("==> {}", self.0.join(" "));
                Ok(tools::cmd(word).args(rest).run()?)
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
pub fn print(lines: &[Line]) -> Result<String> {
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
}
