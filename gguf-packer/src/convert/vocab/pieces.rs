//! SentencePiece's `tokenizer.model`: a protobuf whose first field is the pieces.

use std::fs;
use std::path::Path;

use prost::Message;
use serde_json::Value;

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
    let size = config["vocab_size"].as_u64().and_then(|size| usize::try_from(size).ok());
    let size = size.filter(|size| *size > 0).unwrap_or(model.pieces.len());
    if size > model.pieces.len().saturating_mul(16).max(1 << 24) {
        let what = format!("{size} tokens, but the tokenizer has {} pieces", model.pieces.len());
        return Err(Error::new(format!("config.json declares {what}")));
    }
    let mut pieces = Pieces {
        texts: (0..size).map(|id| format!("[PAD{id}]")).collect(),
        scores: vec![-10_000.0; size],
        types: vec![Type::Unused; size],
    };
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
