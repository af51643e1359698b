//! The demo model's size, the names and places of its weights, and their first random values.

use std::ops::Range;

use crate::rng::Rng;

/// Sizes of a model of the `llama` architecture.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Tokens in the vocabulary.
    pub vocab: usize,
    /// Values per token between the layers.
    pub embd: usize,
    /// Values inside a feed-forward block.
    pub ff: usize,
    /// Layers.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Heads that have keys and values of their own; divides `heads`.
    pub kv_heads: usize,
    /// Values per head.
    pub head: usize,
    /// Base of the rotary position encoding.
    pub rope_base: f32,
}

impl Shape {
    /// The demo model's: rows are multiples of 256, so that every quantisation of llama.cpp fits,
    /// and heads of 64 values, which every backend's flash attention knows.
    #[must_use]
    pub fn demo(vocab: usize) -> Self {
        Self {
            vocab,
            embd: 256,
            ff: 512,
            layers: 3,
            heads: 4,
            kv_heads: 2,
            head: 64,
            rope_base: 10_000.0,
        }
    }
}

/// One weight: its name in the file, its size and its place among all parameters.
#[derive(Debug, Clone)]
pub struct Weight {
    /// Name in the GGUF file.
    pub name: String,
    /// Outputs; 1 for a vector.
    pub rows: usize,
    /// Inputs.
    pub cols: usize,
    /// Place among all parameters.
    pub range: Range<usize>,
}

/// Weights of one layer, in the order of [`weights`].
#[derive(Clone, Copy)]
pub(crate) enum Part {
    AttnNorm,
    Query,
    Key,
    Value,
    AttnOutput,
    FfnNorm,
    Gate,
    Up,
    Down,
}

const PARTS: usize = Part::Down as usize + 1;

/// Index of the token embedding, which is the output matrix too.
pub(crate) const EMBEDDING: usize = 0;
/// Index of the last norm.
pub(crate) const OUTPUT_NORM: usize = 1;

/// Index of a layer's weight.
pub(crate) fn index(layer: usize, part: Part) -> usize {
    OUTPUT_NORM + 1 + layer * PARTS + part as usize
}

/// All weights of a model, in the order in which they lie among the parameters.
#[must_use]
pub fn weights(shape: &Shape) -> Vec<Weight> {
    let (d, q, kv) = (shape.embd, shape.heads * shape.head, shape.kv_heads * shape.head);
    let mut sizes =
        vec![("token_embd".to_owned(), shape.vocab, d), ("output_norm".to_owned(), 1, d)];
    for layer in 0..shape.layers {
        let parts = [
            ("attn_norm", 1, d),
            ("attn_q", q, d),
            ("attn_k", kv, d),
            ("attn_v", kv, d),
            ("attn_output", d, q),
            ("ffn_norm", 1, d),
            ("ffn_gate", shape.ff, d),
            ("ffn_up", shape.ff, d),
            ("ffn_down", d, shape.ff),
        ];
        sizes.extend(parts.map(|(name, rows, cols)| (format!("blk.{layer}.{name}"), rows, cols)));
    }
    let mut start = 0;
    let place = |(name, rows, cols)| {
        let range = start..start + rows * cols;
        start = range.end;
        Weight { name: format!("{name}.weight"), rows, cols, range }
    };
    sizes.into_iter().map(place).collect()
}

/// A model: its size and all its parameters.
#[derive(Debug, Clone)]
pub struct Model {
    /// Its size.
    pub shape: Shape,
    /// Its weights' names and places.
    pub weights: Vec<Weight>,
    /// Its parameters.
    pub values: Vec<f32>,
}

impl Model {
    /// A model that knows nothing yet.
    #[must_use]
    pub fn random(shape: Shape, seed: u64) -> Self {
        let weights = weights(&shape);
        let mut rng = Rng::new(seed);
        let mut values = Vec::new();
        for weight in &weights {
            let onto_the_stream =
                weight.name.ends_with("attn_output.weight") || weight.name.ends_with("down.weight");
            let depth = if onto_the_stream { (2.0 * shape.layers as f32).sqrt() } else { 1.0 };
            let deviation = match weight.rows {
                1 => 0.0,
                _ if weight.name.starts_with("token_embd") => 0.05,
                _ => 1.0 / (weight.cols as f32).sqrt() / depth,
            };
            let mean = if weight.rows == 1 { 1.0 } else { 0.0 };
            values.extend(weight.range.clone().map(|_| mean + deviation * rng.normal()));
        }
        Self { shape, weights, values }
    }

    /// The parameters of the weight at `index`.
    pub(crate) fn weight(&self, index: usize) -> &[f32] {
        &self.values[self.weights[index].range.clone()]
    }
}
