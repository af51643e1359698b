//! Merges, special tokens and chat templates: gguf-py's `SpecialVocab`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::files::{self, Files, Merges, Tokenizer, TokenizerConfig};
use crate::Error;
use crate::convert::key::{Key, Keys};

/// The special tokens that are looked for.
pub(super) const KINDS: [&str; 7] = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"];

/// The kinds that have a key, and how it is called.
const NAMES: [(&str, &str); 8] = [
    ("bos", "bos"),
    ("eos", "eos"),
    ("unk", "unknown"),
    ("sep", "seperator"),
    ("pad", "padding"),
    ("mask", "mask"),
    ("eot", "eot"),
    ("eom", "eom"),
];

#[derive(Debug, Default)]
pub(super) struct Special {
    kinds: Vec<&'static str>,
    count: Option<u64>,
    merges: Vec<String>,
    ids: Vec<(&'static str, i64)>,
    adds: Vec<(&'static str, bool)>,
    pub(super) template: Option<Template>,
    lowercase: Option<bool>,
    strip_accents: Option<bool>,
}

/// One chat template, or several with names.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Template {
    One(String),
    Named(Vec<(String, String)>),
}

impl Special {
    /// Reads what the files say. Numbers from `count` on are none; `merges` are read where they are wanted.
    pub(super) fn read(
        dir: &Path,
        files: &Files,
        kinds: Vec<&'static str>,
        count: Option<u64>,
        merges: bool,
    ) -> Result<Self, Error> {
        let mut special = Self { kinds, count, ..Self::default() };
        let mut config = files.config.clone();
        if let Some(tokenizer) = &files.tokenizer {
            if merges {
                special.take_merges(&tokenizer.model.merges);
            }
            tokenizer.normalizer.iter().for_each(|normalizer| special.normalizer(normalizer));
            special.processors(tokenizer, &mut config);
        }
        if config.is_there() {
            special.template = template(dir, &config)?;
            special.configured(&config, files.tokenizer.as_ref());
        }
        let config = files::json::<Value>(&dir.join("config.json"))?.unwrap_or_default();
        for kind in special.kinds.clone() {
            let key = format!("{kind}_token_id");
            let own = Some(&config[&key]).filter(|id| !id.is_null());
            if let Some(id) = own.unwrap_or(&config["text_config"][&key]).as_i64() {
                special.set(kind, id);
            }
        }
        if merges && special.merges.is_empty() {
            special.merges = merges_of_text(&dir.join("merges.txt"))?;
        }
        Ok(special)
    }

    /// Sets the number of a special token, unless it is there.
    pub(super) fn set(&mut self, kind: &'static str, id: i64) {
        let there = self.ids.iter().any(|(known, _)| *known == kind);
        let known = u64::try_from(id).is_ok_and(|id| self.count.is_none_or(|count| id < count));
        if known && !there {
            self.ids.push((kind, id));
        }
    }

    fn take_merges(&mut self, merges: &Merges) {
        self.merges = match merges {
            Merges::Texts(texts) => texts.clone(),
            // A space in a half is written as byte-level tokenizers write it.
            Merges::Pairs(pairs) => {
                let half = |text: &str| text.replace(' ', "\u{120}");
                pairs.iter().map(|(a, b)| format!("{} {}", half(a), half(b))).collect()
            }
            Merges::Other(_) => Vec::new(),
        };
    }

    fn normalizer(&mut self, normalizer: &Value) {
        match normalizer["type"].as_str() {
            Some("Lowercase") => self.lowercase = Some(true),
            Some("StripAccents") => self.strip_accents = Some(true),
            Some("BertNormalizer") => {
                self.lowercase = normalizer["lowercase"].as_bool().or(self.lowercase);
                self.strip_accents = normalizer["strip_accents"].as_bool().or(self.strip_accents);
            }
            Some("Sequence") => {
                let all = normalizer["normalizers"].as_array().into_iter().flatten();
                all.for_each(|one| self.normalizer(one));
            }
            _ => {}
        }
    }

    fn add(&mut self, kind: &'static str, value: bool) {
        match self.adds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, known)) => *known = value,
            None => self.adds.push((kind, value)),
        }
    }

    fn adds(&self, kind: &str) -> bool {
        self.adds.iter().any(|(known, _)| *known == kind)
    }

    /// Says that no token is put before a text, unless the files say that one is.
    pub(super) fn begin_with_nothing(&mut self) {
        if !self.adds("bos") {
            self.add("bos", false);
        }
    }

    /// Which special tokens the post-processor puts before and behind a text.
    fn processors(&mut self, tokenizer: &Tokenizer, config: &mut TokenizerConfig) {
        for (token, like) in [("bos_token", "cls_token"), ("eos_token", "sep_token")] {
            if config.token(token).is_none() {
                if let Some(text) = config.token(like).map(str::to_owned) {
                    config.set(token, &text);
                }
            }
        }
        let Some(processor) = &tokenizer.post_processor else { return };
        let several = processor["processors"].as_array();
        let all: Vec<&Value> = several.map_or_else(|| vec![processor], |all| all.iter().collect());
        for processor in all {
            match processor["type"].as_str() {
                Some("ByteLevel") => {
                    for kind in ["bos", "eos"] {
                        if !self.adds(kind) {
                            self.add(kind, false);
                        }
                    }
                }
                Some("RobertaProcessing") => {
                    ["bos", "eos", "sep"].into_iter().for_each(|kind| self.add(kind, true));
                    for (token, key) in [("cls_token", "cls"), ("sep_token", "sep")] {
                        if let (None, Some(text)) =
                            (config.token(token), processor[key][0].as_str())
                        {
                            config.set(token, text);
                        }
                    }
                }
                Some("TemplateProcessing") => self.template_processor(processor, config),
                _ => {}
            }
        }
    }

    fn template_processor(&mut self, processor: &Value, config: &mut TokenizerConfig) {
        let single = processor["single"].as_array().map_or(&[][..], Vec::as_slice);
        let (mut first, mut last) = (None, None);
        if single.len() > 1 {
            first = special_id(&single[0]);
            last = special_id(&single[single.len() - 1]);
        }
        if let Some(first) = first {
            let [bos, cls] =
                ["bos_token", "cls_token"].map(|key| config.token(key).map(str::to_owned));
            let known = [&bos, &cls].iter().any(|token| token.as_deref() == Some(first));
            if config.is_there() && !known {
                if bos.is_none() {
                    config.set("bos_token", first);
                }
                if cls.is_none() {
                    config.set("cls_token", first);
                }
            }
            let is = |key: &str| config.token(key) == Some(first);
            self.add("bos", !config.is_there() || is("bos_token") || is("cls_token"));
        }
        if let Some(last) = last {
            let eos = config.token("eos_token").map(str::to_owned);
            if config.is_there() && eos.as_deref() != Some(last) {
                let free = ["eot", "eom"].into_iter().find(|kind| !self.kinds.contains(kind));
                if let Some(kind) = free {
                    self.kinds.push(kind);
                    eos.iter().for_each(|eos| config.set(&format!("{kind}_token"), eos));
                }
                config.set("eos_token", last);
            }
            self.add("eos", true);
        }
        self.pair(processor, first, last, config);
    }

    /// Whether something stands between two texts.
    fn pair(
        &mut self,
        processor: &Value,
        first: Option<&str>,
        last: Option<&str>,
        config: &mut TokenizerConfig,
    ) {
        let pair = processor["pair"].as_array().map_or(&[][..], Vec::as_slice);
        if pair.is_empty() {
            return;
        }
        let begin = usize::from(first.is_some() && special_id(&pair[0]) == first);
        let ends =
            last.is_some() && pair.len() > begin && special_id(&pair[pair.len() - 1]) == last;
        let pair = &pair[begin..pair.len() - usize::from(ends)];
        let sequence = |entry: &Value| entry["Sequence"]["id"].as_str().map(str::to_owned);
        let (Some(a), Some(b)) = (pair.first().map(sequence), pair.last().map(sequence)) else {
            return;
        };
        if a.as_deref() != Some("A") || b.as_deref() != Some("B") || pair.len() < 3 {
            return;
        }
        let between = &pair[1..pair.len() - 1];
        let [sep, eos] = ["sep_token", "eos_token"].map(|key| config.token(key).map(str::to_owned));
        let known = |text: Option<&str>| {
            text.is_some() && [&sep, &eos].iter().any(|token| token.as_deref() == text)
        };
        let mut add = known(special_id(&between[0])) && last.is_none();
        add |= between.len() == 2 && known(special_id(&between[1]));
        self.add("sep", add);
        if let (true, None, Some(eos)) = (add, &sep, &eos) {
            config.set("sep_token", eos);
        }
    }

    /// What `tokenizer_config.json` says of each special token.
    fn configured(&mut self, config: &TokenizerConfig, tokenizer: Option<&Tokenizer>) {
        for kind in self.kinds.clone() {
            let add = config.value(&format!("add_{kind}_token")).and_then(Value::as_bool);
            if let Some(add) = add.filter(|_| !self.adds(kind)) {
                self.add(kind, add);
            }
            let Some(text) = config.token(&format!("{kind}_token")) else { continue };
            let mut added = tokenizer.into_iter().flat_map(|tokenizer| &tokenizer.added_tokens);
            if let Some(token) = added.find(|token| token.content == text) {
                self.set(kind, i64::try_from(token.id).unwrap_or(-1));
            }
        }
    }

    pub(super) fn write(self, keys: &mut Keys) {
        keys.set("tokenizer.ggml.merges", Key::Strings(self.merges));
        for (kind, id) in self.ids {
            let name = NAMES.iter().find(|(known, _)| *known == kind);
            if let (Some((_, name)), Ok(id)) = (name, u32::try_from(id)) {
                keys.set(&format!("tokenizer.ggml.{name}_token_id"), Key::U32(id));
            }
        }
        for (kind, value) in
            self.adds.into_iter().filter(|(kind, _)| ["bos", "eos", "sep"].contains(kind))
        {
            keys.set(&format!("tokenizer.ggml.add_{kind}_token"), Key::Bool(value));
        }
        match self.template {
            Some(Template::One(text)) => keys.text("tokenizer.chat_template", text),
            Some(Template::Named(all)) => named(keys, all),
            None => {}
        }
        for (key, value) in [("lowercase", self.lowercase), ("strip_accents", self.strip_accents)] {
            if let Some(value) = value {
                keys.set(&format!("tokenizer.ggml.normalizer.{key}"), Key::Bool(value));
            }
        }
    }
}

fn special_id(entry: &Value) -> Option<&str> {
    entry["SpecialToken"]["id"].as_str()
}

/// Templates with names; the one called `default` is the template.
fn named(keys: &mut Keys, all: Vec<(String, String)>) {
    let (mut names, mut default) = (Vec::new(), None);
    for (name, text) in all {
        let name: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        if name == "default" {
            default = Some(text);
        } else if !name.is_empty() {
            keys.text(&format!("tokenizer.chat_template.{name}"), text);
            names.push(name);
        }
    }
    keys.set("tokenizer.chat_templates", Key::Strings(names));
    if let Some(default) = default {
        keys.text("tokenizer.chat_template", default);
    }
}

/// The template of the config, else that of a file.
fn template(dir: &Path, config: &TokenizerConfig) -> Result<Option<Template>, Error> {
    // One that is `null` means that there is none.
    if config.has("chat_template") {
        return Ok(config.value("chat_template").and_then(of_value));
    }
    // Python reads line ends of all systems as one character.
    let read = |path: &Path| {
        let text = fs::read_to_string(path).map_err(|e| Error::io("read", path, &e))?;
        Ok::<_, Error>(text.replace("\r\n", "\n").replace('\r', "\n"))
    };
    let jinja = dir.join("chat_template.jinja");
    if !jinja.is_file() {
        let file = files::json::<Value>(&dir.join("chat_template.json"))?;
        return Ok(file.and_then(|file| of_value(&file["chat_template"])));
    }
    let text = read(&jinja)?;
    let more = fs::read_dir(dir.join("additional_chat_templates")).into_iter().flatten().flatten();
    let mut more: Vec<_> = more.map(|entry| entry.path()).collect();
    more.retain(|path| path.extension().is_some_and(|end| end == "jinja"));
    if more.is_empty() {
        return Ok(Some(Template::One(text)));
    }
    more.sort();
    let mut all = vec![("default".to_owned(), text)];
    for path in more {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        all.push((name, read(&path)?));
    }
    Ok(Some(Template::Named(all)))
}

fn of_value(value: &Value) -> Option<Template> {
    match value {
        Value::String(text) => Some(Template::One(text.clone())),
        Value::Array(all) => {
            let one = |one: &Value| {
                Some((one["name"].as_str()?.to_owned(), one["template"].as_str()?.to_owned()))
            };
            Some(Template::Named(all.iter().filter_map(one).collect()))
        }
        _ => None,
    }
}

/// `merges.txt`: two words a line.
fn merges_of_text(path: &Path) -> Result<Vec<String>, Error> {
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(path).map_err(|e| Error::io("read", path, &e))?;
    let lines =
        text.lines().enumerate().filter(|(at, line)| *at > 0 || !line.trim().starts_with('#'));
    let words = lines.map(|(_, line)| line.split_whitespace().collect::<Vec<_>>());
    Ok(words.filter(|words| words.len() == 2).map(|words| words.join(" ")).collect())
}

#[cfg(test)]
#[path = "special_tests.rs"]
mod tests;
