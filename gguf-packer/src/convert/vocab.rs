//! The tokenizer of a checkpoint as the keys `tokenizer.*`, as upstream's converter writes them for the families that
//! are known here. Facts of conversion/base.py and gguf-py/gguf/vocab.py at the pinned tag.

mod bpe;
mod files;
mod pieces;
mod pre;
mod special;

use std::path::Path;

use serde_json::Value;

use super::family::Family;
use super::key::{Key, Keys};
use crate::Error;
use files::{Files, TokenizerConfig};
use special::Special;

/// `SentencePieceTokenTypes`, which are `gguf.TokenType`'s too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// A vocabulary of pieces with scores.
#[derive(Debug, Default)]
struct Pieces {
    texts: Vec<String>,
    scores: Vec<f32>,
    types: Vec<Type>,
}

/// The keys for the checkpoint in `dir` with this `config`; none when upstream's converter would do with it what is not
/// done here.
///
/// # Errors
/// When there is no tokenizer, or a file of it is broken.
pub fn keys(dir: &Path, config: &Value, family: Family) -> Result<Option<Keys>, Error> {
    let files = Files::read(dir)?;
    let mut keys = Keys::new();
    let done = match family {
        Family::Llama | Family::Mistral => llama(&mut keys, dir, config, &files)?,
        Family::Gemma => gemma(&mut keys, dir, config, &files)?,
        Family::Gemma2 | Family::Gemma3 => {
            let pieces = dir.join("tokenizer.model").is_file();
            if pieces {
                sentencepiece(&mut keys, dir, config, &files)?;
                keys.set("tokenizer.ggml.add_space_prefix", Key::Bool(false));
            }
            pieces || family == Family::Gemma3 && byte_pairs(&mut keys, dir, config, &files)?
        }
        Family::Phi3 if files.config.class() != Some("GPT2Tokenizer") => {
            phi3(&mut keys, dir, config, &files)?
        }
        Family::Phi2 | Family::Phi3 | Family::Qwen2 | Family::Qwen3 => {
            byte_pairs(&mut keys, dir, config, &files)?
        }
    };
    Ok(done.then_some(keys))
}

/// SentencePiece where there is one, else byte pairs as of Llama 3.
fn llama(keys: &mut Keys, dir: &Path, config: &Value, files: &Files) -> Result<bool, Error> {
    if dir.join("tekken.json").is_file() && files.tokenizer.is_none() {
        return Ok(false);
    }
    if let Some(prefix) = files.config.value("add_prefix_space").and_then(Value::as_bool) {
        keys.set("tokenizer.ggml.add_space_prefix", Key::Bool(prefix));
    }
    if files.config.class() == Some("HybridDNATokenizer") {
        return Ok(false);
    }
    if dir.join("tokenizer.model").is_file() {
        sentencepiece(keys, dir, config, files)?;
    } else if !byte_pairs(keys, dir, config, files)? {
        return Ok(false);
    }
    let size = config["vocab_size"].as_u64().unwrap_or(32_000);
    if size == 32_016 {
        let ids = [("prefix", 32_007), ("suffix", 32_008), ("middle", 32_009), ("eot", 32_010)];
        infill(keys, dir, files, &ids, true)?;
    }
    if size == 49_152 {
        keys.set("tokenizer.ggml.add_bos_token", Key::Bool(false));
    }
    Ok(true)
}

fn gemma(keys: &mut Keys, dir: &Path, config: &Value, files: &Files) -> Result<bool, Error> {
    sentencepiece(keys, dir, config, files)?;
    let ids = [("prefix", 67), ("suffix", 69), ("middle", 68), ("fsep", 70), ("eot", 107)];
    infill(keys, dir, files, &ids, false)?;
    keys.set("tokenizer.ggml.add_space_prefix", Key::Bool(false));
    Ok(true)
}

/// The tokens that mark what is before and behind the text to write.
fn infill(
    keys: &mut Keys,
    dir: &Path,
    files: &Files,
    ids: &[(&'static str, i64)],
    template: bool,
) -> Result<(), Error> {
    let kinds = ids.iter().map(|(kind, _)| *kind).collect();
    let mut special = Special::read(dir, files, kinds, None, false)?;
    ids.iter().for_each(|(kind, id)| special.set(kind, *id));
    if !template {
        special.template = None;
    }
    special.write(keys);
    Ok(())
}

fn sentencepiece(keys: &mut Keys, dir: &Path, config: &Value, files: &Files) -> Result<(), Error> {
    let mut vocabulary = pieces::read(&dir.join("tokenizer.model"), config)?;
    vocabulary.add_file(dir)?;
    vocabulary.add_configured(&files.config);
    vocabulary.write(keys, dir, files)
}

/// Phi 3: what is added stays as it is written, and what `tokenizer.json` adds counts too.
fn phi3(keys: &mut Keys, dir: &Path, config: &Value, files: &Files) -> Result<bool, Error> {
    let mut vocabulary = pieces::read(&dir.join("tokenizer.model"), config)?;
    vocabulary.add_file(dir)?;
    let configured = files.config.added();
    let written = files.tokenizer.iter().flat_map(|tokenizer| &tokenizer.added_tokens);
    let written = written.map(|token| (token.id, token.clone()));
    for (id, token) in configured.into_iter().chain(written) {
        let kind = if token.special { Type::Control } else { Type::UserDefined };
        vocabulary.set(id, token.content, -1000.0, kind);
    }
    vocabulary.write(keys, dir, files)?;
    Ok(true)
}

fn byte_pairs(keys: &mut Keys, dir: &Path, config: &Value, files: &Files) -> Result<bool, Error> {
    let Some(vocabulary) = bpe::read(dir, config, files)? else { return Ok(false) };
    keys.text("tokenizer.ggml.model", "gpt2");
    keys.text("tokenizer.ggml.pre", vocabulary.pre);
    keys.set("tokenizer.ggml.tokens", Key::Strings(vocabulary.texts));
    keys.set("tokenizer.ggml.token_type", numbers(&vocabulary.types));
    Special::read(dir, files, special::KINDS.to_vec(), None, true)?.write(keys);
    Ok(true)
}

fn numbers(types: &[Type]) -> Key {
    Key::I32s(types.iter().map(|kind| *kind as i32).collect())
}

impl Pieces {
    fn set(&mut self, id: u64, text: String, score: f32, kind: Type) {
        let Some(at) = usize::try_from(id).ok().filter(|at| *at < self.texts.len()) else { return };
        self.texts[at] = text;
        self.scores[at] = score;
        self.types[at] = kind;
    }

    /// `added_tokens.json`: texts and their numbers.
    fn add_file(&mut self, dir: &Path) -> Result<(), Error> {
        let Some(added) = files::json::<Value>(&dir.join("added_tokens.json"))? else {
            return Ok(());
        };
        for (text, id) in added.as_object().into_iter().flatten() {
            if let Some(id) = id.as_u64() {
                self.set(id, text.clone(), -1000.0, Type::UserDefined);
            }
        }
        Ok(())
    }

    fn add_configured(&mut self, config: &TokenizerConfig) {
        for (id, token) in config.added() {
            if token.special || looks_special(&token.content) {
                self.set(id, token.content, -1000.0, Type::Control);
            } else {
                self.set(id, token.content.replace('\u{2581}', " "), -1000.0, Type::UserDefined);
            }
        }
    }

    fn write(self, keys: &mut Keys, dir: &Path, files: &Files) -> Result<(), Error> {
        let count = self.texts.len() as u64;
        keys.text("tokenizer.ggml.model", "llama");
        keys.text("tokenizer.ggml.pre", "default");
        keys.set("tokenizer.ggml.tokens", Key::Strings(self.texts));
        keys.set("tokenizer.ggml.scores", Key::F32s(self.scores));
        keys.set("tokenizer.ggml.token_type", numbers(&self.types));
        Special::read(dir, files, special::KINDS.to_vec(), Some(count), false)?.write(keys);
        Ok(())
    }
}

/// Tokens that are marks of control, though some checkpoints do not say so.
fn looks_special(text: &str) -> bool {
    let between = |start: &str, end: &str| text.starts_with(start) && text.ends_with(end);
    ["<pad>", "<mask>", "<2mass>", "[@BOS@]"].contains(&text)
        || between("<|", "|>")
        || between("<\u{ff5c}", "\u{ff5c}>")
        || between("<unused", ">")
}
