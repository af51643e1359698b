//! The keys of a model's hyperparameters, in the order in which upstream's converter sets them.
//!
//! Which family has which is a fact of `set_gguf_parameters` in `conversion/` of the pinned llama.cpp.

use super::super::config::Config;
use super::super::family::Family;
use super::super::key::{Key, Keys};
use super::kind::Kind;
use super::rope;
use crate::Error;

/// The keys of `family`.
pub(super) fn keys(family: Family, config: &Config<'_>, kind: Kind) -> Result<Keys, Error> {
    let mut to = To { keys: Keys::new(), arch: family.architecture(), config };
    match family {
        Family::Llama | Family::Mistral => llama(&mut to, kind)?,
        Family::Qwen2 | Family::Qwen3 => most(&mut to, kind)?,
        Family::Gemma => gemma(&mut to, kind)?,
        Family::Gemma2 => gemma2(&mut to, kind)?,
        Family::Gemma3 => gemma3(&mut to, kind)?,
        Family::Phi2 => phi2(&mut to, kind)?,
        Family::Phi3 => phi3(&mut to, kind)?,
    }
    Ok(to.keys)
}

/// Keys to be.
struct To<'a> {
    keys: Keys,
    arch: &'static str,
    config: &'a Config<'a>,
}

impl To<'_> {
    fn u32(&mut self, key: &str, value: u32) {
        self.keys.set(&format!("{}.{key}", self.arch), Key::U32(value));
    }

    fn f32(&mut self, key: &str, value: f64) {
        self.keys.set(&format!("{}.{key}", self.arch), Key::F32(value as f32));
    }

    /// Sets a whole number that the config has to have.
    fn must(&mut self, key: &str, name: &str) -> Result<(), Error> {
        let value = self.config.must(name)?;
        self.u32(key, value);
        Ok(())
    }

    fn must_number(&mut self, key: &str, name: &str) -> Result<(), Error> {
        let value = self.config.must_number(name)?;
        self.f32(key, value);
        Ok(())
    }

    fn file_type(&mut self, kind: Kind) {
        self.keys.set("general.file_type", Key::U32(kind.file_type()));
    }
}

const ATTENTION_EPSILON: &str = "attention.layer_norm_rms_epsilon";

fn most(to: &mut To<'_>, kind: Kind) -> Result<(), Error> {
    let config = to.config;
    to.must("block_count", "num_hidden_layers")?;
    for (key, name) in [
        ("context_length", "max_position_embeddings"),
        ("embedding_length", "hidden_size"),
        ("feed_forward_length", "intermediate_size"),
        ("attention.head_count", "num_attention_heads"),
        ("attention.head_count_kv", "num_key_value_heads"),
    ] {
        if let Some(value) = config.whole(&[name])? {
            to.u32(key, value);
        }
    }
    rope::set(&mut to.keys, to.arch, config)?;
    for (key, names) in [
        (ATTENTION_EPSILON, &["rms_norm_eps", "norm_eps"][..]),
        ("attention.layer_norm_epsilon", &["layer_norm_eps", "layer_norm_epsilon", "norm_epsilon"]),
    ] {
        if let Some(value) = config.number(names)? {
            to.f32(key, value);
        }
    }
    if let Some(size) = config.whole(&["head_dim"])? {
        to.u32("attention.key_length", size);
        to.u32("attention.value_length", size);
    }
    to.file_type(kind);
    Ok(())
}

fn llama(to: &mut To<'_>, kind: Kind) -> Result<(), Error> {
    most(to, kind)?;
    to.must("vocab_size", "vocab_size")?;
    let size = match to.config.whole(&["head_dim"])? {
        Some(size) => size,
        None => to.config.must("hidden_size")? / to.config.must("num_attention_heads")?.max(1),
    };
    to.u32("rope.dimension_count", size);
    Ok(())
}

fn gemma(to: &mut To<'_>, kind: Kind) -> Result<(), Error> {
    for (key, name) in [
        ("context_length", "max_position_embeddings"),
        ("embedding_length", "hidden_size"),
        ("block_count", "num_hidden_layers"),
        ("feed_forward_length", "intermediate_size"),
        ("attention.head_count", "num_attention_heads"),
        ("attention.head_count_kv", "num_key_value_heads"),
    ] {
        to.must(key, name)?;
    }
    to.must_number(ATTENTION_EPSILON, "rms_norm_eps")?;
    to.must("attention.key_length", "head_dim")?;
    to.must("attention.value_length", "head_dim")?;
    to.file_type(kind);
    Ok(())
}

fn gemma2(to: &mut To<'_>, kind: Kind) -> Result<(), Error> {
    gemma(to, kind)?;
    to.must_number("attn_logit_softcapping", "attn_logit_softcapping")?;
    to.must_number("final_logit_softcapping", "final_logit_softcapping")?;
    to.must("attention.sliding_window", "sliding_window")
}

fn gemma3(to: &mut To<'_>, kind: Kind) -> Result<(), Error> {
    most(to, kind)?;
    let config = to.config;
    if config.find(&["attn_logit_softcapping"]).is_some() {
        return Err(config.wrong(&["attn_logit_softcapping"]));
    }
    if let Some(cap) = config.number(&["final_logit_softcapping"])?.filter(|&cap| cap != 0.0) {
        to.f32("final_logit_softcapping", cap);
    }
    if config.number(&["sliding_window_pattern"])? != Some(1.0) {
        to.must("attention.sliding_window", "sliding_window")?;
    }
    Ok(())
}

fn phi2(to: &mut To<'_>, kind: Kind) -> Result<(), Error> {
    let config = to.config;
    let (size, heads) = (config.must("hidden_size")?, config.must("num_attention_heads")?);
    to.must("context_length", "max_position_embeddings")?;
    to.u32("embedding_length", size);
    // Whatever the config says.
    to.u32("feed_forward_length", size.saturating_mul(4));
    to.must("block_count", "num_hidden_layers")?;
    to.u32("attention.head_count", heads);
    to.u32("attention.head_count_kv", heads);
    let epsilon = config.number(&["layer_norm_epsilon", "layer_norm_eps"])?;
    to.f32("attention.layer_norm_epsilon", epsilon.unwrap_or_default());
    to.u32("rope.dimension_count", rotary(config)?);
    to.file_type(kind);
    to.keys.set("tokenizer.ggml.add_bos_token", Key::Bool(false));
    Ok(())
}

fn phi3(to: &mut To<'_>, kind: Kind) -> Result<(), Error> {
    let config = to.config;
    to.must("context_length", "max_position_embeddings")?;
    to.u32("rope.scaling.original_context_length", rope::original(config)?);
    for (key, name) in [
        ("embedding_length", "hidden_size"),
        ("feed_forward_length", "intermediate_size"),
        ("block_count", "num_hidden_layers"),
        ("attention.head_count", "num_attention_heads"),
        ("attention.head_count_kv", "num_key_value_heads"),
    ] {
        to.must(key, name)?;
    }
    to.must_number(ATTENTION_EPSILON, "rms_norm_eps")?;
    to.u32("rope.dimension_count", rotary(config)?);
    to.f32("rope.freq_base", rope::theta(config)?.unwrap_or(10_000.0));
    to.file_type(kind);
    // None tells Phi-4 from the others.
    to.u32("attention.sliding_window", config.whole(&["sliding_window"])?.unwrap_or(0));
    Ok(())
}

/// How many elements of a head are turned.
fn rotary(config: &Config<'_>) -> Result<u32, Error> {
    let part = rope::part(config)?;
    let size = f64::from(config.must("hidden_size")?);
    Ok((part * size) as u32 / config.must("num_attention_heads")?.max(1))
}
