//! SentencePiece's `tokenizer.model`: a protobuf whose first field is the pieces. Or what Transformers made of one.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use prost::Message;
use serde_json::Value;

use super::files::{Merges, Tokenizer, Vocab};
use super::{Pieces, Type};
use crate::Error;

/// `ModelProto`, as far as it is needed
/// ([`sentencepiece_model.proto`](https://github.com/google/sentencepiece/blob/v0.2.0/src/sentencepiece_model.proto)).
#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(message, repeated, tag = "1")]
    pieces: Vec<Piece>,
}

#[derive(Clone, PartialEq, Message)]
struct Piece {
    #[prost(string, optional, tag = "1")]
    piece: Option<String>,
    #[prost(float, optional, tag = "2")]
    score: Option<f32>,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
}

/// The pieces, as many as the config says.
pub(super) fn read(path: &Path, config: &Value) -> Result<Pieces, Error> {
    let bytes = fs::read(path).map_err(|e| Error::io("read", path, &e))?;
    let model = Model::decode(bytes.as_slice()).ok().filter(|model| !model.pieces.is_empty());
    let model = model.ok_or_else(|| {
        Error::new(format!("{} is not a SentencePiece model", path.display()))
            .hint("get the file again")
    })?;
    let mut pieces = unused(model.pieces.len(), config)?;
    for (id, piece) in model.pieces.into_iter().enumerate() {
        // A piece that users defined is as any other.
        let kind = match piece.kind {
            Some(2) => Type::Unknown,
            Some(3) => Type::Control,
            Some(5) => Type::Unused,
            Some(6) => Type::Byte,
            _ => Type::Normal,
        };
        let text = piece.piece.unwrap_or_default();
        pieces.set(id as u64, text, piece.score.unwrap_or_default(), kind);
    }
    Ok(pieces)
}

/// The pieces of a `tokenizer.json` that was made of a SentencePiece model; none where it was not.
///
/// Its merges stand in the order of the scores, which it does not have. llama.cpp compares scores, and nothing else, so
/// a piece's score is the place of the first merge that gives it.
pub(super) fn of_merges(tokenizer: &Tokenizer, config: &Value) -> Result<Option<Pieces>, Error> {
    let Vocab::Numbers(vocab) = &tokenizer.model.vocab else { return Ok(None) };
    let Some(scores) = scores(&tokenizer.model.merges).filter(|_| tokenizer.is_of_pieces()) else {
        return Ok(None);
    };
    let mut pieces = unused(vocab.len(), config)?;
    let last = scores.len() as f32;
    for (text, id) in vocab {
        let kind = match text.strip_prefix("<0x").and_then(|text| text.strip_suffix('>')) {
            Some(byte) if byte.len() == 2 => Type::Byte,
            _ if Some(text) == tokenizer.model.unk_token.as_ref() => Type::Unknown,
            _ => Type::Normal,
        };
        let score = if kind == Type::Normal {
            -scores.get(text).map_or(last, |place| *place as f32)
        } else {
            0.0
        };
        pieces.set(*id, text.clone(), score, kind);
    }
    Ok(Some(pieces))
}

/// Where the first merge is that gives a text.
fn scores(merges: &Merges) -> Option<HashMap<String, usize>> {
    let texts: Vec<String> = match merges {
        Merges::Pairs(pairs) => pairs.iter().map(|(a, b)| format!("{a}{b}")).collect(),
        Merges::Texts(texts) => texts.iter().map(|text| text.replacen(' ', "", 1)).collect(),
        Merges::Other(_) => return None,
    };
    let mut scores = HashMap::with_capacity(texts.len());
    for text in texts {
        let next = scores.len();
        scores.entry(text).or_insert(next);
    }
    Some(scores)
}

/// As many tokens as the config says, none of which has a text yet.
fn unused(known: usize, config: &Value) -> Result<Pieces, Error> {
    let size = config["vocab_size"].as_u64().and_then(|size| usize::try_from(size).ok());
    let size = size.filter(|size| *size > 0).unwrap_or(known);
    if size > known.saturating_mul(16).max(1 << 24) {
        let what = format!("{size} tokens, but the tokenizer has {known} pieces");
        return Err(Error::new(format!("config.json declares {what}")));
    }
    Ok(Pieces {
        texts: (0..size).map(|id| format!("[PAD{id}]")).collect(),
        scores: vec![-10_000.0; size],
        types: vec![Type::Unused; size],
    })
}
