//! Which scalings of the rope are written here, of those that upstream's converter takes.

use serde_json::{Map, Value};

use super::super::config::rope_key;
use super::Family;

/// Types of rope scaling that are written here.
const TYPES: &[&str] = &["default", "linear", "yarn", "llama3", "longrope"];

/// What Phi-3's class calls its scaling.
const LONG: &[&str] = &["su", "yarn", "longrope"];

/// Whether the rope's scaling is one that transformers takes and that is written here.
pub(super) fn is_written(config: &Value, family: Family) -> bool {
    let scaling = &config[rope_key(config)];
    // transformers 5 writes one key or the other, and 4, which upstream's converter requires, passes the new one on as
    // it is.
    let is_new = rope_key(config) != "rope_scaling";
    if is_new && !config["rope_scaling"].is_null() {
        return false;
    }
    let Value::Object(keys) = scaling else { return scaling.is_null() };
    let is_phi = matches!(family, Family::Phi2 | Family::Phi3);
    match (keys.get("full_attention"), keys.get("sliding_attention")) {
        (None, None) if is_phi && is_new => long_parameters(config, family),
        (None, None) if family == Family::Phi3 => long_rope(config),
        (None, None) => scaled(scaling),
        (Some(all), Some(windows)) => {
            let is_whole = |part: &Value| {
                part["rope_type"].is_string() && part["rope_theta"].is_number() && scaled(part)
            };
            is_new && !is_phi && is_whole(all) && is_whole(windows)
        }
        _ => false,
    }
}

/// Whether `scaling` is of a known type, and has what that needs.
fn scaled(scaling: &Value) -> bool {
    let is_missing = |name: &str| scaling.get(name).is_none();
    let Some(kind) = kind(scaling) else { return false };
    let needs: &[&str] = match kind {
        "linear" => &["factor"],
        "yarn" => &["factor", "original_max_position_embeddings"],
        "llama3" => {
            &["factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"]
        }
        "longrope" => &["short_factor", "long_factor"],
        _ => &[],
    };
    let has = |name: &&str| scaling[*name].is_number() || scaling[*name].is_array();
    let same =
        is_missing("type") || is_missing("rope_type") || scaling["type"] == scaling["rope_type"];
    let theta = is_missing("rope_theta") || scaling["rope_theta"].is_number();
    let plain = is_missing("mrope_section");
    same && theta && plain && TYPES.contains(&kind) && needs.iter().all(has)
}

/// The type of a scaling.
fn kind(scaling: &Value) -> Option<&str> {
    scaling.get("type").or_else(|| scaling.get("rope_type"))?.as_str()
}

/// Whether Phi-3's class takes its scaling. Where it does not, upstream's converter goes on with other keys.
fn long_rope(config: &Value) -> bool {
    let scaling = &config["rope_scaling"];
    let number = |name: &str| config[name].as_f64().unwrap_or_default();
    let head = (number("hidden_size") / number("num_attention_heads")).floor();
    let half = (head * number("partial_rotary_factor")).floor() / 2.0;
    let is_known = scaling["type"].as_str().is_some_and(|kind| LONG.contains(&kind));
    let keys = scaling.as_object().map_or(0, Map::len);
    keys == 3 && is_known && factors_fit(scaling, half.floor())
}

/// Whether upstream's converter takes what transformers 5 writes of a Phi.
fn long_parameters(config: &Value, family: Family) -> bool {
    let scaling = &config["rope_parameters"];
    let number = |name: &str| config[name].as_f64().unwrap_or_default();
    let part = scaling["partial_rotary_factor"].as_f64();
    let part = part.unwrap_or_else(|| number("partial_rotary_factor"));
    let turned = ((part * number("hidden_size")).floor() / number("num_attention_heads")).floor();
    match kind(scaling) {
        Some("default") => scaled(scaling) && scaling["long_factor"].is_null(),
        Some("longrope") if family == Family::Phi3 => {
            scaled(scaling) && factors_fit(scaling, turned / 2.0)
        }
        _ => false,
    }
}

/// Whether there are as many factors as turned pairs.
fn factors_fit(scaling: &Value, pairs: f64) -> bool {
    let fits = |name: &str| {
        let values = scaling[name].as_array();
        values.is_some_and(|values| {
            values.len() as f64 == pairs && values.iter().all(Value::is_number)
        })
    };
    fits("short_factor") && fits("long_factor")
}
