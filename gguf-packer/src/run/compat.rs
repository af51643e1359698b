//! Commands of 2024 for today's llama-server: what was renamed, what takes a value now, what is gone. The table
//! comes from the options of llama.cpp b3933 (the last one of GGUF Packer) and of the pinned `common/arg.cpp`.

use super::template;
use crate::Error;
use crate::image::command::{self, Unit};

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

/// Every option of 2024 and 2025 that llama-server takes otherwise today, and what becomes of it. All others are as
/// they were.
const TABLE: &[(&str, Becomes)] = &[
    ("-fa --flash-attn --log-colors", Becomes::Switch),
    ("--lora --control-vector", Becomes::List),
    ("--lora-scaled --control-vector-scaled", Becomes::Scaled),
    ("-spf -sysf --system-prompt-file", Becomes::SystemPrompt),
    ("--mlock --mmap --no-mmap -dio --direct-io -ndio --no-direct-io", Becomes::LoadMode),
    ("--draft --draft-n --draft-max", Becomes::Named("--spec-draft-n-max")),
    ("--draft-min --draft-n-min", Becomes::Named("--spec-draft-n-min")),
    ("-ps --p-split", Becomes::Named("--spec-draft-p-split")),
    ("--slots-endpoint-disable", Becomes::Named("--no-slots")),
    ("--log-format", Becomes::LogFormat),
    ("--penalize-nl --no-penalize-nl", Becomes::Nothing("llama.cpp no longer has this sampler")),
    ("--tfs", Becomes::Nothing("llama.cpp no longer has this sampler")),
    (
        "-gan --grp-attn-n -gaw --grp-attn-w",
        Becomes::Nothing("llama-server no longer has self-extend"),
    ),
    ("-dt --defrag-thold", Becomes::Nothing("the cache no longer needs defragmentation")),
    ("-dkvc --dump-kv-cache --verbose-prompt", Becomes::Nothing("it was only for debugging")),
    ("-ld --logdir", Becomes::Nothing("logs go to standard error or to --log-file")),
    (
        "--log-enable --log-new --log-append",
        Becomes::Nothing("logs go to standard error or to --log-file"),
    ),
    ("-p --prompt -f --file -bf --binary-file", Becomes::Nothing("llama-server never used it")),
    ("--lora-base", Becomes::Nothing("adapters no longer need a base model")),
    (
        "--memory-f32 --no-mul-mat-q -nommq --mul-mat-q -mmq",
        Becomes::Nothing("llama-server no longer has it"),
    ),
    (
        "-cd --ctx-size-draft",
        Becomes::Nothing("the draft model uses the context size of the model"),
    ),
    ("--spec-replace", Becomes::Nothing("llama-server no longer has it")),
    (
        "-mv --model-vocoder -hfv -hfrv --hf-repo-v -hffv --hf-file-v",
        Becomes::Nothing("llama-server does not generate speech"),
    ),
    ("--tts-use-guide-tokens", Becomes::Nothing("llama-server does not generate speech")),
];

/// `args` as today's llama-server takes them.
///
/// # Errors
/// When an option has no value, or its file cannot be read.
pub fn today(args: &[String], texts: &dyn Texts) -> Result<Today, Error> {
    let mut pass = Pass::default();
    for unit in command::units(args) {
        let is_old = |names: &str| names.split_ascii_whitespace().any(|name| name == unit.name);
        match TABLE.iter().find(|(names, _)| is_old(names)) {
            Some((_, becomes)) => pass.old(&unit, args, *becomes)?,
            None => pass.say(unit.word(args), unit.given(args)),
        }
    }
    pass.finish_load_mode();
    if let Some(path) = pass.prompt.take() {
        pass.finish_prompt(&path, texts)?;
    }
    let words = pass.out.into_iter().flat_map(|said| [vec![said.name], said.values].concat());
    Ok(Today { args: words.collect(), notes: pass.notes })
}

/// An option with its values, or a word that is none.
struct Said {
    name: String,
    values: Vec<String>,
}

#[derive(Default)]
struct Pass {
    out: Vec<Said>,
    notes: Vec<String>,
    load: Vec<String>,
    prompt: Option<String>,
}

/// `FILE SCALE` or `FILE:SCALE,…`, with which `rest` begins.
fn scaled(option: &str, rest: &[String]) -> Result<String, Error> {
    match rest {
        [file, ..] if command::scale_of(file).is_some() => Ok(file.clone()),
        [file, scale, ..] if scale.parse::<f32>().is_ok() => Ok(format!("{file}:{scale}")),
        [file, other, ..] => {
            Err(Error::new(format!("`{option} {file}` needs a scale, not `{other}`"))
                .hint(format!("{option} {file}:1.0")))
        }
        _ => Err(needs_a_value(option)),
    }
}

fn needs_a_value(option: &str) -> Error {
    Error::new(format!("the option `{option}` needs a value"))
}

impl Pass {
    fn say(&mut self, name: &str, values: &[String]) {
        self.out.push(Said { name: name.to_owned(), values: values.to_vec() });
    }

    /// An option of 2024.
    fn old(&mut self, unit: &Unit, args: &[String], becomes: Becomes) -> Result<(), Error> {
        let (option, given) = (unit.name.as_str(), unit.given(args));
        if given.len() < unit.values {
            return Err(needs_a_value(option));
        }
        match becomes {
            Becomes::Switch if given.is_empty() => self.say(option, &["on".to_owned()]),
            Becomes::Switch => self.say(option, given),
            Becomes::List => self.merge(option, &given[0]),
            Becomes::Scaled => self.merge(option, &scaled(option, &args[unit.at + 1..])?),
            Becomes::Named(name) => self.say(name, given),
            Becomes::Nothing(why) => self.notes.push(format!("ignored `{option}`: {why}")),
            Becomes::LoadMode => self.load.push(option.to_owned()),
            Becomes::SystemPrompt => self.prompt = given.first().cloned(),
            Becomes::LogFormat if given == ["json"] => self.say("--log-jsonl", &[]),
            Becomes::LogFormat => {}
        }
        Ok(())
    }

    /// Adds to the list that `option` has, or gives it one.
    fn merge(&mut self, option: &str, value: &str) {
        match self.out.iter_mut().find(|said| said.name == option) {
            Some(said) => said.values[0] = format!("{},{value}", said.values[0]),
            None => self.say(option, &[value.to_owned()]),
        }
    }

    fn finish_load_mode(&mut self) {
        let said = self.out.iter().any(|said| said.name == "-lm" || said.name == "--load-mode");
        let has = |names: &[&str]| self.load.iter().any(|said| names.contains(&said.as_str()));
        let mode = match (has(&["--mlock"]), has(&["--no-mmap"])) {
            _ if has(&["-dio", "--direct-io"]) => "dio",
            (true, true) => "mlock",
            (true, false) => "mmap+mlock",
            (false, true) => "none",
            (false, false) if has(&["--mmap"]) => "mmap",
            _ => return,
        };
        if !said {
            self.say("--load-mode", &[mode.to_owned()]);
        }
    }

    /// Puts the prompt into the template that the command, or else the model, has.
    fn finish_prompt(&mut self, path: &str, texts: &dyn Texts) -> Result<(), Error> {
        let prompt = texts.file(path)?;
        let options = ["--chat-template", "--chat-template-file"];
        let said = self.out.iter().rfind(|said| options.contains(&said.name.as_str()));
        let said = said.and_then(|said| Some((said.name.as_str(), said.values.first()?.as_str())));
        let template = match said {
            Some((option, name)) if option == options[0] && template::is_name(name) => {
                let note = format!(
                    "ignored `--system-prompt-file {path}`: the chat template `{name}` is built \
                    into llama.cpp and cannot be extended"
                );
                self.notes.push(note);
                return Ok(());
            }
            Some((option, text)) if option == options[0] => Some(text.to_owned()),
            Some((_, path)) => Some(texts.file(path)?),
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
        let other =
            |said: &Said| !options.contains(&said.name.as_str()) && said.name != "--no-jinja";
        self.out.retain(other);
        self.notes.push(format!("merged `--system-prompt-file {path}` into `--chat-template`"));
        self.say(options[0], &[template]);
        Ok(())
    }
}

#[cfg(test)]
#[path = "compat_tests.rs"]
mod tests;
