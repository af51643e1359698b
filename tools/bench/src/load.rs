//! A measurement with a model, and what is asked of it.

use std::path::PathBuf;

use demo_model::rng::Rng;
use gpu_test::synthetic::SPECIAL;
use serde_json::{Value, json};

/// A model file, and what one measurement with it is.
pub(crate) struct Load {
    pub(crate) model: PathBuf,
    pub(crate) vocab: usize,
    /// Tokens of a prompt, and tokens that are generated.
    pub(crate) prompt: usize,
    pub(crate) generated: usize,
}

/// Random tokens.
pub(crate) fn prompt(load: &Load, rng: &mut Rng) -> Vec<usize> {
    (0..load.prompt).map(|_| SPECIAL + rng.below(load.vocab - SPECIAL)).collect()
}

/// What a server is asked for: `count` tokens after `prompt`, whatever they are.
pub(crate) fn request(prompt: &[usize], count: usize) -> Value {
    json!({
        "prompt": prompt, "n_predict": count, "ignore_eos": true, "temperature": 0,
        "cache_prompt": false,
    })
}
