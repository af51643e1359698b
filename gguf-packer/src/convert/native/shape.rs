//! The sizes that a config gives to the tensors of its model.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::checkpoint::Tensor;
use super::super::config::Config;
use super::super::family::Family;
use super::super::key::{Key, Keys};
use super::names::{self, Named, Size};
use crate::Error;

/// Sizes of one model.
#[derive(Debug, Clone)]
pub(in super::super) struct Sizes {
    family: Family,
    path: PathBuf,
    layers: u32,
    hidden: u64,
    inner: u64,
    vocabulary: u64,
    head: u64,
    heads: u64,
    kv_heads: u64,
}

impl Sizes {
    /// The sizes that `config` gives.
    pub(in super::super) fn of(family: Family, config: &Config<'_>) -> Result<Self, Error> {
        let hidden = config.must("hidden_size")?;
        let heads = config.must("num_attention_heads")?;
        let kv_heads = config.must("num_key_value_heads")?;
        let head = match config.whole(&["head_dim"])? {
            Some(size) => size,
            None => hidden / heads.max(1),
        };
        for (name, number) in [("num_attention_heads", heads), ("num_key_value_heads", kv_heads)] {
            if number == 0 {
                return Err(config.wrong(&[name]));
            }
        }
        Ok(Self {
            family,
            path: config.path().to_owned(),
            layers: config.must("num_hidden_layers")?,
            hidden: hidden.into(),
            inner: config.must("intermediate_size")?.into(),
            vocabulary: config.must("vocab_size")?.into(),
            head: head.into(),
            heads: heads.into(),
            kv_heads: kv_heads.into(),
        })
    }

    /// The heads whose rows a tensor has.
    pub(in super::super) fn heads(&self, named: &Named<'_>) -> u64 {
        if named.row.rows == Size::KvHeads { self.kv_heads } else { self.heads }
    }

    fn size(&self, of: Size) -> u64 {
        match of {
            Size::Hidden => self.hidden,
            Size::Heads => self.heads * self.head,
            Size::KvHeads => self.kv_heads * self.head,
            Size::AllHeads => (self.heads + 2 * self.kv_heads) * self.head,
            Size::Inner => self.inner,
            Size::TwoInner => 2 * self.inner,
            Size::Head => self.head,
            Size::Vocab => self.vocabulary,
        }
    }

    /// Refuses a tensor whose shape or layer the config contradicts.
    pub(in super::super) fn check(&self, tensor: &Tensor, named: &Named<'_>) -> Result<(), Error> {
        let config = self.path.display();
        if let Some(layer) = named.layer.filter(|&layer| layer >= self.layers) {
            let (name, layers) = (&tensor.name, self.layers);
            let what =
                format!("{name} belongs to layer {layer}, but {config} declares {layers} layers");
            return Err(
                Error::new(what).hint("use the config.json of the model that has these weights")
            );
        }
        let rows = self.size(named.row.rows);
        let shape = match named.row.columns.filter(|_| named.end == "weight") {
            Some(columns) => vec![rows, self.size(columns)],
            None => vec![rows],
        };
        if tensor.shape != shape {
            let (name, has) = (&tensor.name, &tensor.shape);
            let what = format!("{name} has the shape {has:?}, but {config} requires {shape:?}");
            return Err(
                Error::new(what).hint("use the config.json of the model that has these weights")
            );
        }
        let odd = matches!(self.family, Family::Llama | Family::Mistral) && self.head % 2 != 0;
        if odd && matches!(named.row.rows, Size::Heads | Size::KvHeads) {
            let what =
                format!("cannot split attention heads in halves: they have {} elements", self.head);
            return Err(Error::new(format!("{config}: {what}")));
        }
        Ok(())
    }

    /// Names the tensors that a model of the family has and this one lacks.
    pub(in super::super) fn complete(
        &self,
        known: &BTreeSet<String>,
        dir: &Path,
        wrong: &mut Vec<Error>,
    ) {
        let outer = names::outer(self.family).0.into_iter().map(|row| (None, row));
        let layers = (0..self.layers)
            .flat_map(|layer| names::layer(self.family).map(move |row| (Some(layer), row)));
        let mut lacking = Vec::new();
        for (layer, row) in outer.chain(layers) {
            let name = Named { row, layer, end: "weight" }.name();
            if !known.contains(&name) {
                let inside = layer.map(|layer| format!("model.layers.{layer}."));
                lacking.push(format!("{}{}.weight", inside.unwrap_or_default(), row.from));
            }
        }
        // Those that are wrong in another way are told of already.
        if lacking.is_empty() || !wrong.is_empty() {
            return;
        }
        let more = lacking.len().saturating_sub(8);
        lacking.truncate(8);
        let more = if more == 0 { String::new() } else { format!(", and {more} more") };
        let what =
            format!("tensors are missing in {}: {}{more}", dir.display(), lacking.join(", "));
        wrong.push(Error::new(what).hint("fetch the whole repository"));
    }
}

/// How many rows of Gemma 3's embeddings are of tokens: what the tokenizer has, or what tokenizer.json lists.
pub(in super::super) fn vocabulary(dir: &Path, tokenizer: &Keys) -> Result<u64, Error> {
    if dir.join("tokenizer.model").is_file() {
        return Ok(match tokenizer.get("tokenizer.ggml.tokens") {
            Some(Key::Strings(tokens)) => tokens.len() as u64,
            _ => u64::MAX,
        });
    }
    let path = dir.join("tokenizer.json");
    let file = File::open(&path).map_err(|e| Error::io("read", &path, &e))?;
    let lists: Lists = serde_json::from_reader(BufReader::new(file)).map_err(|e| {
        Error::new(format!("cannot read {}: {e}", path.display())).hint("fetch the file again")
    })?;
    Ok((lists.model.vocab.len() + lists.added_tokens.len()) as u64)
}

/// The lists of a tokenizer.json, which are counted only.
#[derive(Deserialize)]
struct Lists {
    model: Model,
    added_tokens: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
struct Model {
    vocab: HashMap<String, IgnoredAny>,
}
