//! Commands of 2024 for today's llama-server: what was renamed, what takes a value now, what is gone. The table
//! comes from the options of llama.cpp b3933 (the last one of GGUF Packer) and of the pinned `common/arg.cpp`.

use super::template;
use crate::Error;
use crate::image::command::{self, options::SWITCH};

/// Bytes of one argument that Linux takes.
const LONGEST: usize = 128 * 1024 - 1;

/// A command that today's llama-server takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Today {
    /// The arguments.
    pub args: Vec<String>,
    /// What was changed in a way that a person should know.
    pub notes: Vec<String>,
}

/// Where a system prompt and the model's own template are read.
pub trait Texts {
    /// The text of a file that the command names.
    ///
    /// # Errors
    /// When it cannot be read.
    fn file(&self, path: &str) -> Result<String, Error>;
    /// The chat template of the model.
    ///
    /// # Errors
    /// When the model cannot be read.
    fn template(&self) -> Result<Option<String>, Error>;
}

/// What becomes of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Becomes {
    /// It had no value, and takes `on`, `off` or `auto` now.
    Switch,
    /// Nothing: why.
    Nothing(&'static str),
    /// The same under another name.
    Named(&'static str),
    /// One option with a list where it could be repeated.
    List,
    /// `FILE SCALE` is `FILE:SCALE` now, in a list.
    Scaled,
    /// A word of `--load-mode`.
    LoadMode,
    /// A part of the chat template.
    SystemPrompt,
    /// `json` has its own option, `text` is how it is.
    LogFormat,
}

/// An option of 2024.
struct Row {
    names: &'static [&'static str],
    /// How many values it took.
    values: usize,
    becomes: Becomes,
}

const fn row(names: &'static [&'static str], values: usize, becomes: Becomes) -> Row {
    Row { names, values, becomes }
}

/// Every option of 2024 and 2025 that llama-server takes otherwise today. All others are as they were.
const TABLE: &[Row] = &[
    row(&["-fa", "--flash-attn", "--log-colors"], 0, Becomes::Switch),
    row(&["--lora", "--control-vector"], 1, Becomes::List),
    row(&["--lora-scaled", "--control-vector-scaled"], 2, Becomes::Scaled),
    row(&["-spf", "-sysf", "--system-prompt-file"], 1, Becomes::SystemPrompt),
    row(
        &["--mlock", "--mmap", "--no-mmap", "-dio", "--direct-io", "-ndio", "--no-direct-io"],
        0,
        Becomes::LoadMode,
    ),
    row(&["--draft", "--draft-n", "--draft-max"], 1, Becomes::Named("--spec-draft-n-max")),
    row(&["--draft-min", "--draft-n-min"], 1, Becomes::Named("--spec-draft-n-min")),
    row(&["-ps", "--p-split"], 1, Becomes::Named("--spec-draft-p-split")),
    row(&["--slots-endpoint-disable"], 0, Becomes::Named("--no-slots")),
    row(&["--log-format"], 1, Becomes::LogFormat),
    row(
        &["--penalize-nl", "--no-penalize-nl"],
        0,
        Becomes::Nothing("llama.cpp no longer has this sampler"),
    ),
    row(&["--tfs"], 1, Becomes::Nothing("llama.cpp no longer has this sampler")),
    row(
        &["-gan", "--grp-attn-n", "-gaw", "--grp-attn-w"],
        1,
        Becomes::Nothing("llama-server no longer has self-extend"),
    ),
    row(
        &["-dt", "--defrag-thold"],
        1,
        Becomes::Nothing("the cache no longer needs defragmentation"),
    ),
    row(
        &["-dkvc", "--dump-kv-cache", "--verbose-prompt"],
        0,
        Becomes::Nothing("it was only for debugging"),
    ),
    row(&["-ld", "--logdir"], 1, Becomes::Nothing("logs go to standard error or to --log-file")),
    row(
        &["--log-enable", "--log-new", "--log-append"],
        0,
        Becomes::Nothing("logs go to standard error or to --log-file"),
    ),
    row(
        &["-p", "--prompt", "-f", "--file", "-bf", "--binary-file"],
        1,
        Becomes::Nothing("llama-server never used it"),
    ),
    row(&["--lora-base"], 1, Becomes::Nothing("adapters no longer need a base model")),
    row(
        &["--memory-f32", "--no-mul-mat-q", "-nommq", "--mul-mat-q", "-mmq"],
        0,
        Becomes::Nothing("llama-server no longer has it"),
    ),
    row(
        &["-cd", "--ctx-size-draft"],
        1,
        Becomes::Nothing("the draft model uses the context size of the model"),
    ),
    row(&["--spec-replace"], 2, Becomes::Nothing("llama-server no longer has it")),
    row(
        &["-mv", "--model-vocoder", "-hfv", "-hfrv", "--hf-repo-v", "-hffv", "--hf-file-v"],
        1,
        Becomes::Nothing("llama-server does not generate speech"),
    ),
    row(&["--tts-use-guide-tokens"], 0, Becomes::Nothing("llama-server does not generate speech")),
];

/// `args` as today's llama-server takes them.
///
/// # Errors
/// When an option has no value, or its file cannot be read.
pub fn today(args: &[String], texts: &dyn Texts) -> Result<Today, Error> {
    let mut pass =
        Pass { args, at: 0, out: Vec::new(), notes: Vec::new(), load: Vec::new(), prompt: None };
    while let Some(arg) = pass.next() {
        match TABLE.iter().find(|row| row.names.contains(&arg.as_str())) {
            Some(row) => pass.old(arg, row)?,
            None => pass.out.push(arg.clone()),
        }
    }
    pass.finish_load_mode();
    if let Some(path) = pass.prompt {
        pass.finish_prompt(path, texts)?;
    }
    Ok(Today { args: pass.out, notes: pass.notes })
}

struct Pass<'a> {
    args: &'a [String],
    at: usize,
    out: Vec<String>,
    notes: Vec<String>,
    load: Vec<&'a str>,
    prompt: Option<&'a str>,
}

impl<'a> Pass<'a> {
    fn next(&mut self) -> Option<&'a String> {
        self.at += 1;
        self.args.get(self.at - 1)
    }

    fn value(&mut self, option: &str) -> Result<&'a String, Error> {
        self.next().ok_or_else(|| Error::new(format!("the option `{option}` needs a value")))
    }

    fn old(&mut self, option: &'a str, row: &Row) -> Result<(), Error> {
        match row.becomes {
            Becomes::Switch => {
                self.out.push(option.to_owned());
                let given =
                    self.args.get(self.at).is_some_and(|next| SWITCH.contains(&next.as_str()));
                let value = if given { self.value(option)?.clone() } else { "on".to_owned() };
                self.out.push(value);
            }
            Becomes::List => {
                let value = self.value(option)?.clone();
                self.merge(option, value);
            }
            Becomes::Scaled => {
                let value = self.scaled(option)?;
                self.merge(option, value);
            }
            Becomes::Named(name) => {
                self.out.push(name.to_owned());
                for _ in 0..row.values {
                    let value = self.value(option)?.clone();
                    self.out.push(value);
                }
            }
            Becomes::Nothing(why) => {
                for _ in 0..row.values {
                    self.value(option)?;
                }
                self.notes.push(format!("ignored `{option}`: {why}"));
            }
            Becomes::LoadMode => self.load.push(option),
            Becomes::SystemPrompt => self.prompt = Some(self.value(option)?),
            Becomes::LogFormat if self.value(option)? == "json" => {
                self.out.push("--log-jsonl".to_owned())
            }
            Becomes::LogFormat => {}
        }
        Ok(())
    }

    /// `FILE SCALE` or `FILE:SCALE,…`.
    fn scaled(&mut self, option: &str) -> Result<String, Error> {
        let file = self.value(option)?;
        if command::scale_of(file).is_some() {
            return Ok(file.clone());
        }
        let scale = self.value(option)?;
        if scale.parse::<f32>().is_err() {
            return Err(Error::new(format!("`{option} {file}` needs a scale, not `{scale}`"))
                .hint(format!("{option} {file}:1.0")));
        }
        Ok(format!("{file}:{scale}"))
    }

    /// Adds to the list that `option` has, or gives it one.
    fn merge(&mut self, option: &str, value: String) {
        match self.out.iter().position(|arg| arg == option) {
            Some(at) => self.out[at + 1] = format!("{},{value}", self.out[at + 1]),
            None => self.out.extend([option.to_owned(), value]),
        }
    }

    fn finish_load_mode(&mut self) {
        let said = self.out.iter().any(|arg| arg == "-lm" || arg == "--load-mode");
        let has = |options: &[&str]| self.load.iter().any(|option| options.contains(option));
        let mode = match (has(&["--mlock"]), has(&["--no-mmap"])) {
            _ if has(&["-dio", "--direct-io"]) => "dio",
            (true, true) => "mlock",
            (true, false) => "mmap+mlock",
            (false, true) => "none",
            (false, false) if has(&["--mmap"]) => "mmap",
            _ => return,
        };
        if !said {
            self.out.extend(["--load-mode".to_owned(), mode.to_owned()]);
        }
    }

    /// Puts the prompt into the template that the command, or else the model, has.
    fn finish_prompt(&mut self, path: &str, texts: &dyn Texts) -> Result<(), Error> {
        let prompt = texts.file(path)?;
        let options = ["--chat-template", "--chat-template-file"];
        let said = self.out.iter().rposition(|arg| options.contains(&arg.as_str()));
        let said = said.and_then(|at| Some((self.out[at].clone(), self.out.get(at + 1)?.clone())));
        let template = match said {
            Some((option, name)) if option == options[0] && template::is_name(&name) => {
                let note = format!(
                    "ignored `--system-prompt-file {path}`: the chat template `{name}` is built \
                    into llama.cpp and cannot be extended"
                );
                self.notes.push(note);
                return Ok(());
            }
            Some((option, text)) if option == options[0] => Some(text),
            Some((_, path)) => Some(texts.file(&path)?),
            None => texts.template()?,
        };
        let template = template::with_system_prompt(template.as_deref(), &prompt);
        if template.len() > LONGEST {
            let bytes = template.len();
            return Err(Error::new(format!(
                "the system prompt of {path} and the chat template have {bytes} bytes together, \
                but an argument has at most {LONGEST}"
            ))
            .hint("shorten the system prompt, or send it with each chat"));
        }
        self.leave_out(&options, 1);
        self.leave_out(&["--no-jinja"], 0);
        self.notes.push(format!("merged `--system-prompt-file {path}` into `--chat-template`"));
        self.out.extend([options[0].to_owned(), template]);
        Ok(())
    }

    fn leave_out(&mut self, options: &[&str], values: usize) {
        while let Some(at) = self.out.iter().position(|arg| options.contains(&arg.as_str())) {
            self.out.drain(at..(at + 1 + values).min(self.out.len()));
        }
    }
}

#[cfg(test)]
#[path = "compat_tests.rs"]
mod tests;
