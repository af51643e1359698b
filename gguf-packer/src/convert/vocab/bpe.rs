//! Byte pairs of a `tokenizer.json`, as of GPT-2: texts, their types, and which pre-tokenizer they want.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde_json::Value;
use tokenizers::Tokenizer as Encoder;

use super::files::{Added, Files, Vocab};
use super::{Type, looks_special, pre};
use crate::Error;

pub(super) struct BytePairs {
    pub(super) texts: Vec<String>,
    pub(super) types: Vec<Type>,
    pub(super) pre: &'static str,
}

/// Tokens that Transformers adds when a tokenizer is loaded.
const SPECIAL: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// The vocabulary; none where upstream's converter takes another way, or Transformers would change it.
pub(super) fn read(dir: &Path, config: &Value, files: &Files) -> Result<Option<BytePairs>, Error> {
    let Some(tokenizer) = &files.tokenizer else { return Ok(None) };
    let Vocab::Numbers(vocab) = &tokenizer.model.vocab else { return Ok(None) };
    if tokenizer.model.kind.as_deref() != Some("BPE") || tokenizer.is_of_pieces() {
        return Ok(None);
    }
    let Some(added) = added(files, vocab) else { return Ok(None) };
    let path = &tokenizer.path;
    let encoder = Encoder::from_file(path)
        .map_err(|e| Error::new(format!("cannot read the tokenizer {}: {e}", path.display())))?;
    let pre = pre::find(&encoder, dir)?;
    let mut texts: HashMap<u64, &str> =
        vocab.iter().map(|(text, id)| (*id, text.as_str())).collect();
    texts.extend(added.iter().map(|(id, token)| (*id, token.content.as_str())));
    let highest = texts.keys().max().copied().unwrap_or_default();
    let size = config["vocab_size"].as_u64().unwrap_or(texts.len() as u64);
    if highest >= size || size > 1 << 26 {
        let what = format!(
            "config.json declares {size} tokens, but {} contains token {highest}",
            path.display()
        );
        return Err(Error::new(what)
            .hint("download both files again: the tokenizer belongs to another model"));
    }
    let mut found = BytePairs { texts: Vec::new(), types: Vec::new(), pre };
    for id in 0..size {
        let (text, kind) = match (texts.get(&id), added.get(&id)) {
            (None, _) => (format!("[PAD{id}]"), Type::Unused),
            (Some(text), None) => ((*text).to_owned(), Type::Normal),
            (Some(_), Some(token)) => one_added(&encoder, token)?,
        };
        found.texts.push(text);
        found.types.push(kind);
    }
    Ok(Some(found))
}

/// The tokens that are added: the file's, the config's, and special ones that neither lists. None where one of them
/// is not in the vocabulary, so that Transformers would give it a number.
fn added(files: &Files, vocab: &HashMap<String, u64>) -> Option<BTreeMap<u64, Added>> {
    let written = files.tokenizer.iter().flat_map(|tokenizer| &tokenizer.added_tokens);
    let mut added: BTreeMap<u64, Added> = written.map(|token| (token.id, token.clone())).collect();
    for (id, token) in files.config.added() {
        if !added.values().any(|known| known.content == token.content) {
            // Transformers gives one that the vocabulary lacks the next number that is free.
            vocab.get(&token.content).filter(|known| **known == id)?;
            added.insert(id, token);
        }
    }
    let more = files.config.value("additional_special_tokens").and_then(Value::as_array);
    let more =
        more.into_iter().flatten().filter_map(|one| one.as_str().or(one["content"].as_str()));
    for text in SPECIAL.iter().filter_map(|key| files.config.token(key)).chain(more) {
        if !added.values().any(|known| known.content == text) {
            let id = *vocab.get(text)?;
            let content = text.to_owned();
            added.insert(id, Added { id, content, special: true, normalized: false });
        }
    }
    Some(added)
}

/// A token that was added, as llama.cpp wants it: what is not normalized later is so now.
fn one_added(encoder: &Encoder, token: &Added) -> Result<(String, Type), Error> {
    let mut text = token.content.clone();
    if !token.normalized {
        let failed = |e| Error::new(format!("cannot encode the token `{}`: {e}", token.content));
        let encoded = encoder.encode(text.as_str(), false).map_err(failed)?;
        text = encoder.decode(encoded.get_ids(), false).map_err(failed)?;
    }
    if token.special || looks_special(&text) {
        return Ok((text, Type::Control));
    }
    Ok((text.replace('\u{2581}', " "), Type::UserDefined))
}
