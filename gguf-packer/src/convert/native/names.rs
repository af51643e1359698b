//! What the tensors of each family are called, in a checkpoint and in a GGUF file, and which shape they have.
//!
//! The names are facts of `conversion/` and of `gguf-py/gguf/tensor_mapping.py` of the pinned llama.cpp.

use super::super::family::Family;

/// A size that the config gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Size {
    Hidden,
    Heads,
    KvHeads,
    AllHeads,
    Inner,
    TwoInner,
    Head,
    Vocab,
}

/// What is done to the weights on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Change {
    Nothing,
    /// The halves of each head are interleaved, as llama.cpp's rope has them.
    Interleave,
    /// One is added, as Gemma's norms have it.
    AddOne,
}

/// A tensor of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Row {
    /// In the checkpoint, without what stands before the layer's number and without `.weight`.
    pub(in super::super) from: &'static str,
    /// In a GGUF file, in the same way.
    pub(in super::super) to: &'static str,
    /// Its rows; its elements, when it is a norm.
    pub(in super::super) rows: Size,
    /// Its columns, unless it is a norm.
    pub(in super::super) columns: Option<Size>,
}

const fn row(from: &'static str, to: &'static str, rows: Size, columns: Size) -> Row {
    Row { from, to, rows, columns: Some(columns) }
}

const fn norm(from: &'static str, to: &'static str, rows: Size) -> Row {
    Row { from, to, rows, columns: None }
}

/// Outside of the layers.
const EMBEDDINGS: Row = row("model.embed_tokens", "token_embd", Size::Vocab, Size::Hidden);
const OUTPUT: Row = row("lm_head", "output", Size::Vocab, Size::Hidden);
const OUTPUT_NORM: Row = norm("model.norm", "output_norm", Size::Hidden);
const PHI2_NORM: Row = norm("model.final_layernorm", "output_norm", Size::Hidden);

const ATTENTION: &[Row] = &[
    row("self_attn.q_proj", "attn_q", Size::Heads, Size::Hidden),
    row("self_attn.k_proj", "attn_k", Size::KvHeads, Size::Hidden),
    row("self_attn.v_proj", "attn_v", Size::KvHeads, Size::Hidden),
];
const FUSED: &[Row] = &[
    row("self_attn.qkv_proj", "attn_qkv", Size::AllHeads, Size::Hidden),
    row("self_attn.o_proj", "attn_output", Size::Hidden, Size::Heads),
    row("mlp.gate_up_proj", "ffn_up", Size::TwoInner, Size::Hidden),
    row("mlp.down_proj", "ffn_down", Size::Hidden, Size::Inner),
];
const GATED: &[Row] = &[
    row("self_attn.o_proj", "attn_output", Size::Hidden, Size::Heads),
    row("mlp.gate_proj", "ffn_gate", Size::Inner, Size::Hidden),
    row("mlp.up_proj", "ffn_up", Size::Inner, Size::Hidden),
    row("mlp.down_proj", "ffn_down", Size::Hidden, Size::Inner),
];
const PHI2: &[Row] = &[
    row("self_attn.dense", "attn_output", Size::Hidden, Size::Heads),
    row("mlp.fc1", "ffn_up", Size::Inner, Size::Hidden),
    row("mlp.fc2", "ffn_down", Size::Hidden, Size::Inner),
];
const NORM: &[Row] = &[norm("input_layernorm", "attn_norm", Size::Hidden)];
const NORMS: &[Row] = &[
    norm("input_layernorm", "attn_norm", Size::Hidden),
    norm("post_attention_layernorm", "ffn_norm", Size::Hidden),
];
const FOUR_NORMS: &[Row] = &[
    norm("input_layernorm", "attn_norm", Size::Hidden),
    norm("post_attention_layernorm", "post_attention_norm", Size::Hidden),
    norm("pre_feedforward_layernorm", "ffn_norm", Size::Hidden),
    norm("post_feedforward_layernorm", "post_ffw_norm", Size::Hidden),
];
const HEAD_NORMS: &[Row] = &[
    norm("self_attn.q_norm", "attn_q_norm", Size::Head),
    norm("self_attn.k_norm", "attn_k_norm", Size::Head),
];

/// Tensors that every model of the family has once, then those that it may have.
pub(in super::super) fn outer(family: Family) -> ([Row; 2], Option<Row>) {
    let norm = if family == Family::Phi2 { PHI2_NORM } else { OUTPUT_NORM };
    // Gemma and Gemma 2 have no tensor for it in llama.cpp, and theirs is left out.
    let output = (!matches!(family, Family::Gemma | Family::Gemma2)).then_some(OUTPUT);
    ([EMBEDDINGS, norm], output)
}

/// Tensors of each layer.
pub(in super::super) fn layer(family: Family) -> impl Iterator<Item = Row> {
    let parts: &[&[Row]] = match family {
        Family::Llama | Family::Mistral | Family::Qwen2 | Family::Gemma => {
            &[ATTENTION, GATED, NORMS]
        }
        Family::Qwen3 => &[ATTENTION, GATED, NORMS, HEAD_NORMS],
        Family::Gemma2 => &[ATTENTION, GATED, FOUR_NORMS],
        Family::Gemma3 => &[ATTENTION, GATED, FOUR_NORMS, HEAD_NORMS],
        Family::Phi2 => &[ATTENTION, PHI2, NORM],
        Family::Phi3 => &[FUSED, NORMS],
    };
    parts.iter().flat_map(|part| part.iter().copied())
}

/// What is done to the weights of a tensor.
pub(in super::super) fn change(family: Family, row: Row) -> Change {
    let gemma = matches!(family, Family::Gemma | Family::Gemma2 | Family::Gemma3);
    let llama = matches!(family, Family::Llama | Family::Mistral);
    if gemma && row.columns.is_none() {
        Change::AddOne
    } else if llama && matches!(row.from, "self_attn.q_proj" | "self_attn.k_proj") {
        Change::Interleave
    } else {
        Change::Nothing
    }
}

/// The name without what a model of several parts puts before its text's.
pub(in super::super) fn plain(family: Family, name: &str) -> String {
    let name = name.replace("language_model.", "");
    if matches!(family, Family::Llama | Family::Mistral) {
        return name.replace("text_model.", "");
    }
    name
}

/// A tensor of a checkpoint, told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Named<'a> {
    pub(in super::super) row: Row,
    pub(in super::super) layer: Option<u32>,
    /// `weight` or `bias`.
    pub(in super::super) end: &'a str,
}

impl Named<'_> {
    /// Its name in a GGUF file.
    pub(in super::super) fn name(&self) -> String {
        match self.layer {
            Some(layer) => format!("blk.{layer}.{}.{}", self.row.to, self.end),
            None => format!("{}.{}", self.row.to, self.end),
        }
    }
}

/// The tensor with this plain name, when the family has one.
pub(in super::super) fn find(family: Family, name: &str) -> Option<Named<'_>> {
    let (stem, end) = name.rsplit_once('.')?;
    if !matches!(end, "weight" | "bias") {
        return None;
    }
    let inside = stem.strip_prefix("model.layers.").and_then(|rest| rest.split_once('.'));
    if let Some((number, stem)) = inside {
        let layer = number.parse().ok()?;
        // "007" is no name of upstream's.
        if format!("{layer}") != number {
            return None;
        }
        let row = self::layer(family).find(|row| row.from == stem)?;
        return Some(Named { row, layer: Some(layer), end });
    }
    let (once, output) = outer(family);
    let row = once.into_iter().chain(output).find(|row| row.from == stem)?;
    Some(Named { row, layer: None, end })
}
