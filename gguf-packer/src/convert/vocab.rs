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
use files::Files;
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
            let pieces = sentencepiece(&mut keys, dir, config, &files)?;
            if pieces {
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
    if !sentencepiece(keys, dir, config, files)? && !byte_pairs(keys, dir, config, files)? {
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
    if !sentencepiece(keys, dir, config, files)? {
        return Ok(false);
    }
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

/// The vocabulary of pieces, if that is what the tokenizer has.
fn pieces(config: &Value, files: &Files) -> Result<Option<Pieces>, Error> {
    match (&files.pieces, &files.tokenizer) {
        (Some(path), _) => pieces::read(path, config).map(Some),
        (None, Some(tokenizer)) => pieces::of_merges(tokenizer, config),
        (None, None) => Ok(None),
    }
}

fn sentencepiece(
    keys: &mut Keys,
    dir: &Path,
    config: &Value,
    files: &Files,
) -> Result<bool, Error> {
    let Some(mut vocabulary) = pieces(config, files)? else { return Ok(false) };
    vocabulary.add_file(dir)?;
    vocabulary.add_configured(files);
    vocabulary.write(keys, dir, files)?;
    Ok(true)
}

/// Phi 3: what is added stays as it is written, and what `tokenizer.json` adds counts too.
fn phi3(keys: &mut Keys, dir: &Path, config: &Value, files: &Files) -> Result<bool, Error> {
    let Some(mut vocabulary) = pieces(config, files)? else { return Ok(false) };
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

    fn add_configured(&mut self, files: &Files) {
        for (id, token) in files.added() {
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
        let kinds = special::KINDS.to_vec();
        let mut special = Special::read(dir, files, kinds, Some(count), false)?;
        // llama.cpp puts one before pieces unless it is told otherwise. This tokenizer says all that it does.
        if files.pieces.is_none() {
            special.begin_with_nothing();
        }
        special.write(keys);
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

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    /// A tokenizer that was made of `▁a ab ▁ab`, and has a token for conversations behind them.
    fn of_pieces() -> Value {
        let pieces = ["<unk>", "<s>", "<0x0A>", "▁", "a", "b", "▁a", "ab", "▁ab"];
        let ids = pieces.iter().enumerate().map(|(id, text)| ((*text).to_owned(), json!(id)));
        let added =
            |id, text: &str, special| json!({"id": id, "content": text, "special": special});
        json!({
            "added_tokens": [
                added(0, "<unk>", true), added(1, "<s>", true), added(9, "<|im_end|>", true), added(10, "word", false)
            ],
            "decoder": {"type": "Sequence"},
            "model": {
                "type": "BPE", "unk_token": "<unk>", "byte_fallback": true,
                "vocab": ids.collect::<serde_json::Map<_, _>>(),
                "merges": [["▁", "a"], ["a", "b"], ["▁", "ab"], ["▁a", "b"]],
            },
        })
    }

    /// What is written of it, with what a release of transformers writes beside it.
    fn written(tokenizer: &Value, family: Family, beside: &Value) -> Option<Keys> {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &Value| {
            fs::write(dir.path().join(name), text.to_string()).unwrap();
        };
        write("tokenizer.json", tokenizer);
        write("tokenizer_config.json", beside);
        keys(dir.path(), &json!({"vocab_size": 12}), family).unwrap()
    }

    #[test]
    fn pieces_have_the_order_of_the_merges_where_sentencepiece_s_file_is_missing() {
        let keys = written(&of_pieces(), Family::Llama, &json!({"bos_token": "<s>"})).unwrap();
        let new = json!({"backend": "tokenizers", "bos_token": "<s>"});
        let new = written(&of_pieces(), Family::Llama, &new).unwrap();
        assert!(keys.iter().eq(new.iter()), "transformers 4 and 5 differ");
        let scores = [-1000.0, -1000.0, 0.0, -3.0, -3.0, -3.0, 0.0, -1.0, -2.0, -1000.0, -1000.0];
        let scores = [&scores[..], &[-10_000.0]].concat();
        assert_eq!(keys.get("tokenizer.ggml.scores"), Some(&Key::F32s(scores)));
        let types = Key::I32s(vec![3, 3, 6, 1, 1, 1, 1, 1, 1, 3, 4, 5]);
        assert_eq!(keys.get("tokenizer.ggml.token_type"), Some(&types));
        let Some(Key::Strings(texts)) = keys.get("tokenizer.ggml.tokens") else { panic!("texts") };
        assert_eq!(texts[8..], ["▁ab", "<|im_end|>", "word", "[PAD11]"]);
        // Nothing in the tokenizer puts a token before a text.
        assert_eq!(keys.get("tokenizer.ggml.add_bos_token"), Some(&Key::Bool(false)));
    }

    #[test]
    fn byte_pairs_are_no_pieces() {
        let mut tokenizer = of_pieces();
        tokenizer["model"]["byte_fallback"] = json!(false);
        for family in [Family::Gemma, Family::Phi3] {
            assert!(written(&tokenizer, family, &json!({})).is_none(), "{family:?}");
        }
    }
}
