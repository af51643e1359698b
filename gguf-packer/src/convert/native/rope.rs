//! The rope of a model: the keys that its scaling has, and the tensors that are computed from it.

use serde_json::Value;

use super::super::config::Config;
use super::super::family::Family;
use super::super::key::{Key, Keys};
use super::power::powers;
use crate::Error;

/// Writes the keys of the rope and of its scaling that most families have.
pub(super) fn set(keys: &mut Keys, arch: &str, config: &Config<'_>) -> Result<(), Error> {
    let name = |key: &str| format!("{arch}.rope.{key}");
    let number =
        |keys: &mut Keys, key: &str, value: f64| keys.set(&name(key), Key::F32(value as f32));
    let scaling = Scaling::of(config);
    let kind = scaling.kind().unwrap_or_default();
    match kind {
        "linear" | "yarn" => {
            keys.text(&name("scaling.type"), kind);
            number(keys, "scaling.factor", scaling.must(&["factor"])?);
        }
        "longrope" | "su" => keys.text(&name("scaling.type"), "longrope"),
        _ => {}
    }
    if kind == "yarn" {
        let length = scaling.original(config)?;
        keys.set(&name("scaling.original_context_length"), Key::U32(length));
        for (key, names) in [
            ("scaling.yarn_ext_factor", &["extrapolation_factor"][..]),
            ("scaling.yarn_attn_factor", &["attention_factor", "attn_factor"]),
            ("scaling.yarn_beta_fast", &["beta_fast"]),
            ("scaling.yarn_beta_slow", &["beta_slow"]),
        ] {
            if let Some(value) = scaling.0.number(names)? {
                number(keys, key, value);
            }
        }
    }
    if let Some(theta) = theta(config)? {
        number(keys, "freq_base", theta);
    }
    let windows = config.rope().inside("sliding_attention");
    if let Some(theta) = either(windows, config, &["rope_theta"], &["rope_local_base_freq"])? {
        number(keys, "freq_base_swa", theta);
    }
    Ok(())
}

/// The base of the frequencies.
pub(super) fn theta(config: &Config<'_>) -> Result<Option<f64>, Error> {
    either(Scaling::of(config).0, config, &["rope_theta"], &["rope_theta", "rotary_emb_base"])
}

/// Which part of a head is turned.
pub(super) fn part(config: &Config<'_>) -> Result<f64, Error> {
    let name = &["partial_rotary_factor"];
    Ok(either(Scaling::of(config).0, config, name, name)?.unwrap_or(1.0))
}

/// What the rope itself says under `own`, or else the config under `names`.
fn either(
    rope: Config<'_>,
    config: &Config<'_>,
    own: &[&str],
    names: &[&str],
) -> Result<Option<f64>, Error> {
    Ok(rope.number(own)?.or(config.number(names)?))
}

/// The length of the context before it was made longer, of a Phi-3.
pub(super) fn original(config: &Config<'_>) -> Result<u32, Error> {
    Scaling::of(config).original(config)
}

/// The factor of attention that a Phi-3 of a long context has.
pub(super) fn attention_factor(config: &Config<'_>) -> Result<Option<f64>, Error> {
    if Scaling::of(config).list("long_factor").is_none_or(<[Value]>::is_empty) {
        return Ok(None);
    }
    let original = f64::from(original(config)?);
    let scale = f64::from(config.must("max_position_embeddings")?) / original;
    Ok(Some(if scale > 1.0 { (1.0 + scale.ln() / original.ln()).sqrt() } else { 1.0 }))
}

/// Tensors that are computed: their names and values.
pub(super) fn tensors(
    family: Family,
    config: &Config<'_>,
) -> Result<Vec<(String, Vec<f32>)>, Error> {
    let scaling = Scaling::of(config);
    let mut all = Vec::new();
    match family {
        Family::Llama | Family::Mistral if scaling.kind() == Some("llama3") => {
            all.push(("rope_freqs.weight".to_owned(), frequencies(config, scaling)?));
        }
        Family::Phi3 if attention_factor(config)?.is_some() => {
            for (name, key) in [("long", "long_factor"), ("short", "short_factor")] {
                let values = scaling.list(key).unwrap_or_default();
                let values: Option<Vec<f64>> = values.iter().map(Value::as_f64).collect();
                let values = values.ok_or_else(|| scaling.0.wrong(&[key]))?;
                let values = values.into_iter().map(|value| value as f32).collect();
                all.push((format!("rope_factors_{name}.weight"), values));
            }
        }
        _ => {}
    }
    Ok(all)
}

/// What the frequencies of a Llama 3 are divided by, step by step in single precision as torch does it.
fn frequencies(config: &Config<'_>, scaling: Scaling<'_>) -> Result<Vec<f32>, Error> {
    let heads = config.must("num_attention_heads")?.max(1);
    let size = match config.whole(&["head_dim"])? {
        Some(size) => size,
        None => config.must("hidden_size")? / heads,
    };
    let base = theta(config)?.unwrap_or(10_000.0) as f32;
    let factor = scaling.must(&["factor"])? as f32;
    let low = scaling.must(&["low_freq_factor"])?;
    let high = scaling.must(&["high_freq_factor"])?;
    let length = f64::from(scaling.original(config)?);
    let exponents: Vec<f32> = (0..size).step_by(2).map(|n| n as f32 / size as f32).collect();
    let value = |power: f32| {
        let frequency = 1.0 / power;
        let wave = (1.0 / frequency) * (2.0 * std::f64::consts::PI) as f32;
        if wave < (length / high) as f32 {
            1.0
        } else if wave > (length / low) as f32 {
            factor
        } else {
            let smooth = ((1.0 / wave) * length as f32 - low as f32) / (high - low) as f32;
            1.0 / ((1.0 - smooth) / factor + smooth)
        }
    };
    Ok(powers(base, &exponents).into_iter().map(value).collect())
}

/// The scaling of the rope; where layers differ, of those that look at everything.
#[derive(Debug, Clone, Copy)]
struct Scaling<'a>(Config<'a>);

impl<'a> Scaling<'a> {
    fn of(config: &Config<'a>) -> Self {
        let (all, layers) = (config.rope(), "full_attention");
        Self(if all.find(&[layers]).is_some() { all.inside(layers) } else { all })
    }

    fn kind(&self) -> Option<&'a str> {
        self.0.find(&["rope_type"]).or_else(|| self.0.find(&["type"]))?.as_str()
    }

    fn list(&self, name: &str) -> Option<&'a [Value]> {
        self.0.find(&[name])?.as_array().map(Vec::as_slice)
    }

    fn must(&self, names: &[&str]) -> Result<f64, Error> {
        self.0.number(names)?.ok_or_else(|| self.0.wrong(names))
    }

    fn original(&self, config: &Config<'_>) -> Result<u32, Error> {
        let name = "original_max_position_embeddings";
        match self.0.whole(&[name])? {
            Some(length) => Ok(length),
            None => config.must(name),
        }
    }
}
