//! The files of a tokenizer, as far as they are needed.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Error;

/// `tokenizer.json`, `tokenizer_config.json`, and where SentencePiece's file is.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) pieces: Option<PathBuf>,
    pub(super) tokenizer: Option<Tokenizer>,
    pub(super) config: TokenizerConfig,
}

/// `tokenizer.json`.
#[derive(Debug, Deserialize)]
pub(super) struct Tokenizer {
    #[serde(default)]
    pub(super) added_tokens: Vec<Added>,
    pub(super) normalizer: Option<Value>,
    pub(super) post_processor: Option<Value>,
    pub(super) decoder: Option<Value>,
    #[serde(default)]
    pub(super) model: Model,
    #[serde(skip)]
    pub(super) path: PathBuf,
}

/// The vocabulary in it. Another than of byte pairs is not read.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Model {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) vocab: Vocab,
    #[serde(default)]
    pub(super) merges: Merges,
    #[serde(default)]
    pub(super) byte_fallback: bool,
    pub(super) unk_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Vocab {
    Numbers(HashMap<String, u64>),
    Other(serde::de::IgnoredAny),
}

impl Default for Vocab {
    fn default() -> Self {
        Self::Other(serde::de::IgnoredAny)
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Merges {
    Texts(Vec<String>),
    Pairs(Vec<(String, String)>),
    Other(serde::de::IgnoredAny),
}

impl Default for Merges {
    fn default() -> Self {
        Self::Texts(Vec::new())
    }
}

/// A token that was added to the vocabulary.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Added {
    #[serde(default)]
    pub(super) id: u64,
    #[serde(default)]
    pub(super) content: String,
    #[serde(default)]
    pub(super) special: bool,
    #[serde(default)]
    pub(super) normalized: bool,
}

/// `tokenizer_config.json`.
#[derive(Debug, Clone, Default)]
pub(super) struct TokenizerConfig(Option<serde_json::Map<String, Value>>);

impl Files {
    pub(super) fn read(dir: &Path) -> Result<Self, Error> {
        let path = dir.join("tokenizer.json");
        let tokenizer: Option<Tokenizer> = json(&path)?;
        let config = json(&dir.join("tokenizer_config.json"))?;
        let tokenizer = tokenizer.map(|tokenizer| Tokenizer { path, ..tokenizer });
        let pieces = Some(dir.join("tokenizer.model")).filter(|path| path.is_file());
        if tokenizer.is_none() && pieces.is_none() {
            return Err(Error::new(format!("no tokenizer found in {}", dir.display()))
                .looked_in(dir.join("tokenizer.json").display().to_string())
                .looked_in(dir.join("tokenizer.model").display().to_string())
                .hint("download the whole repository, with its tokenizer"));
        }
        Ok(Self { pieces, tokenizer, config: TokenizerConfig(config) })
    }

    /// The tokens that are added, by their numbers. Without SentencePiece's file `tokenizer.json` alone lists them, and
    /// so it does where transformers 5 wrote it.
    pub(super) fn added(&self) -> BTreeMap<u64, Added> {
        let is_alone = self.pieces.is_none() || self.config.has("backend");
        let is_asked = is_alone && !self.config.has("added_tokens_decoder");
        match self.tokenizer.as_ref().filter(|_| is_asked) {
            Some(tokenizer) => {
                tokenizer.added_tokens.iter().map(|token| (token.id, token.clone())).collect()
            }
            None => self.config.added(),
        }
    }
}

impl Tokenizer {
    /// Whether it was made of a SentencePiece model.
    pub(super) fn is_of_pieces(&self) -> bool {
        let decoder = self.decoder.as_ref();
        self.model.kind.as_deref() == Some("BPE")
            && self.model.byte_fallback
            && decoder.is_some_and(|decoder| decoder["type"] == "Sequence")
    }
}

impl TokenizerConfig {
    pub(super) fn is_there(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        self.0.as_ref()?.get(key).filter(|value| !value.is_null())
    }

    /// Whether the key is there, if only as `null`.
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.as_ref().is_some_and(|map| map.contains_key(key))
    }

    pub(super) fn set(&mut self, key: &str, value: &str) {
        if let Some(map) = &mut self.0 {
            map.insert(key.to_owned(), Value::String(value.to_owned()));
        }
    }

    pub(super) fn class(&self) -> Option<&str> {
        self.value("tokenizer_class")?.as_str()
    }

    /// The text of a token, such as `bos_token`, however it is written.
    pub(super) fn token(&self, key: &str) -> Option<&str> {
        match self.value(key)? {
            Value::String(text) => Some(text),
            other => other["content"].as_str(),
        }
    }

    /// The tokens that are added, by their numbers.
    pub(super) fn added(&self) -> BTreeMap<u64, Added> {
        let all = self.value("added_tokens_decoder").and_then(Value::as_object);
        let one = |(id, value): (&String, &Value)| {
            let id = id.parse().ok()?;
            let added = Added::deserialize(value).ok()?;
            Some((id, Added { id, ..added }))
        };
        all.into_iter().flatten().filter_map(one).collect()
    }
}

/// The JSON in a file; none where there is no such file.
pub(super) fn json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    if !path.is_file() {
        return Ok(None);
    }
    let text = fs::read(path).map_err(|e| Error::io("read", path, &e))?;
    serde_json::from_slice(&text).map(Some).map_err(|e| {
        Error::new(format!("{} is broken: {e}", path.display())).hint("get the file again")
    })
}
