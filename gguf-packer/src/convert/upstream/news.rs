//! What the converter's lines say: how far it is, and why it failed.

use serde::Deserialize;

use crate::Error;

/// What begins a line of `start.py`'s own.
const MARK: &str = "@gguf-packer ";
/// Lines of the converter that an error shows.
const TAIL: usize = 12;

/// A line of `start.py`'s.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct News {
    done: Option<u64>,
    total: Option<u64>,
    failed: Option<String>,
    text: String,
    file: Option<String>,
    version: Option<String>,
    note: Option<String>,
    missing: Vec<String>,
}

/// What was heard so far.
#[derive(Debug, Default)]
pub(super) struct Heard {
    lines: Vec<String>,
    failure: Option<News>,
}

fn news(line: &str) -> Option<News> {
    serde_json::from_str(line.strip_prefix(MARK)?).ok()
}

/// A Python's version and what it lacks.
pub(super) fn found(line: &str) -> Option<(String, Vec<String>)> {
    let News { version, missing, .. } = news(line)?;
    Some((version?, missing))
}

/// What a person should know.
pub(super) fn note(line: &str) -> Option<String> {
    news(line)?.note
}

impl Heard {
    /// Takes a line; bytes that are written, of all, where it says so.
    pub(super) fn hear(&mut self, line: &str) -> Option<(u64, u64)> {
        match news(line) {
            Some(News { done: Some(done), total: Some(total), .. }) => return Some((done, total)),
            Some(news) if news.failed.is_some() => self.failure = Some(news),
            Some(_) => {}
            // What marks a place in the line above it.
            None if line.trim_start().starts_with(['^', '~']) => {}
            None => {
                self.lines.push(line.to_owned());
                if self.lines.len() > TAIL {
                    self.lines.remove(0);
                }
            }
        }
        None
    }

    /// The error of a converter that ended with `error`.
    pub(super) fn failed(&self, error: &Error, architecture: &str) -> Error {
        if self.failure.as_ref().is_some_and(|it| it.failed.as_deref() == Some("foreign-code")) {
            return foreign_code();
        }
        if self.lines.iter().any(|line| line.ends_with(" is not supported")) {
            let what = format!(
                "llama.cpp {} does not support {architecture}",
                llama_src::Pin::load().version
            );
            return Error::new(what).hint(
                "use a llama.cpp release that supports it, or a GGUF file of the model: \
                    gguf-packer pull hf://ORG/REPO",
            );
        }
        let text = error.to_string();
        let what =
            self.reason().unwrap_or_else(|| text.lines().next().unwrap_or_default().to_owned());
        let file = self.failure.as_ref().and_then(|failure| failure.file.as_deref());
        let what = match file {
            Some(file) if !what.contains(file) => format!("{file}: {what}"),
            _ => what,
        };
        let lines = self.lines.iter().map(|line| line.trim_end().to_owned());
        Error::new(format!("llama.cpp's converter failed on {architecture}: {what}")).log(lines)
    }

    /// Its own words: an exception's, else the last error of its log.
    fn reason(&self) -> Option<String> {
        if let Some(News { failed: Some(kind), text, .. }) = &self.failure {
            return Some(if text.is_empty() { kind.clone() } else { format!("{kind}: {text}") });
        }
        let said = self.lines.iter().rev().find_map(|line| line.strip_prefix("ERROR:"))?;
        Some(said.split_once(':').map_or(said, |(_, text)| text).to_owned())
    }
}

fn foreign_code() -> Error {
    Error::new("the checkpoint needs its own Python code, which gguf-packer does not run")
        .hint("read that code; if you trust it, run llama.cpp's convert_hf_to_gguf.py yourself")
        .hint("then COPY the GGUF file")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(lines: &[&str]) -> Heard {
        let mut heard = Heard::default();
        lines.iter().for_each(|line| assert_eq!(heard.hear(line), None));
        heard
    }

    fn told(lines: &[&str]) -> String {
        let error = Error::new("a command failed with exit status: 1: python3 -B start.py");
        heard(lines).failed(&error, "FooForCausalLM").to_string()
    }

    #[test]
    fn lines_say_how_far_it_is_and_what_a_python_lacks() {
        let mut heard = Heard::default();
        assert_eq!(heard.hear("@gguf-packer {\"done\": 3, \"total\": 7}"), Some((3, 7)));
        assert_eq!(heard.hear("@gguf-packer {\"done\": 3, \"total\": null}"), None);
        let line = "@gguf-packer {\"version\": \"3.11.2\", \"missing\": [\"torch\"]}";
        assert_eq!(found(line), Some(("3.11.2".to_owned(), vec!["torch".to_owned()])));
        assert_eq!(found("torch"), None);
        assert_eq!(note("@gguf-packer {\"note\": \"other\"}"), Some("other".to_owned()));
        assert_eq!(note(line), None);
    }

    #[test]
    fn a_failure_is_told_with_the_file_at_fault() {
        let failed = "@gguf-packer {\"failed\": \"KeyError\", \"text\": \"'hidden_size'\", \"file\": \"/m/config.json\"}";
        assert_eq!(
            told(&["INFO:hf-to-gguf:Loading model: m", failed]),
            "llama.cpp's converter failed on FooForCausalLM: /m/config.json: KeyError: \
            'hidden_size'\n  | INFO:hf-to-gguf:Loading model: m"
        );
        let error =
            told(&["ERROR:lora-to-gguf:Unexpected name 'x': Not a lora_A or lora_B tensor"]);
        assert!(
            error.starts_with(
                "llama.cpp's converter failed on FooForCausalLM: Unexpected name 'x': Not a"
            ),
            "{error}"
        );
        let error = told(&[]);
        assert!(error.ends_with(
            "FooForCausalLM: a command failed with exit status: 1: python3 -B start.py"
        ));
    }

    #[test]
    fn what_upstream_does_not_know_is_named() {
        let version = llama_src::Pin::load().version;
        let error = told(&["ERROR:hf-to-gguf:Model FooForCausalLM is not supported"]);
        assert!(
            error.starts_with(&format!(
                "llama.cpp {version} does not support FooForCausalLM\n  \
                hint: "
            )),
            "{error}"
        );
        let error = told(&["@gguf-packer {\"failed\": \"foreign-code\"}"]);
        assert!(error.starts_with("the checkpoint needs its own Python code"), "{error}");
    }
}
