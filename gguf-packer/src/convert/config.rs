//! The config of a checkpoint: what its file says over what transformers assumes where the file says nothing.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::Error;

/// The keys of one model, with the file that they are from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Config<'a> {
    value: &'a Value,
    path: &'a Path,
}

/// Reads the config of the folder `dir`, as upstream's converter sees it: the keys of a `text_config` stand beside
/// the others, and what is not said has the default of its `model_type`.
pub(super) fn read(dir: &Path) -> Result<Value, Error> {
    let path = dir.join("config.json");
    let text = fs::read_to_string(&path).map_err(|e| Error::io("read", &path, &e))?;
    let raw: Value = serde_json::from_str(&text)
        .map_err(|e| Error::new(format!("{} is not JSON: {e}", path.display())))?;
    match raw {
        Value::Object(raw) => Ok(Value::Object(merged(raw))),
        _ => Err(Error::new(format!("{} is not a JSON object", path.display()))),
    }
}

fn merged(mut raw: Map<String, Value>) -> Map<String, Value> {
    // A model of several parts repeats no key of its text's outside of it.
    if let Some(Value::Object(mut text)) = raw.remove("text_config") {
        let model_type = raw.get("model_type").cloned();
        if model_type == Some("gemma3".into()) {
            text.insert("model_type".to_owned(), "gemma3_text".into());
        }
        text.retain(|name, value| name != "architectures" || !value.is_null());
        raw.extend(complete(text));
        raw.extend(model_type.map(|value| ("model_type".to_owned(), value)));
        return raw;
    }
    complete(raw)
}

/// The key of a config that has the scaling of the rope: transformers 5 writes another one than 4.
pub(super) fn rope_key(config: &Value) -> &'static str {
    let new = "rope_parameters";
    if config.get(new).is_some() { new } else { "rope_scaling" }
}

/// Fills in what the class of the config does.
fn complete(raw: Map<String, Value>) -> Map<String, Value> {
    let model_type = raw.get("model_type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut all = match defaults(&model_type) {
        Some(Value::Object(all)) => all,
        _ => return raw,
    };
    all.extend(raw);
    if !model_type.starts_with("gemma") && all["num_key_value_heads"].is_null() {
        all.insert("num_key_value_heads".to_owned(), all["num_attention_heads"].clone());
    }
    if model_type == "llama" && all["head_dim"].is_null() {
        let said = (all["hidden_size"].as_u64(), all["num_attention_heads"].as_u64());
        if let (Some(size), Some(heads @ 1..)) = said {
            all.insert("head_dim".to_owned(), (size / heads).into());
        }
    }
    all
}

/// What a class of transformers 4.57.6, the release that the pinned llama.cpp requires, has for the keys that are
/// read here.
fn defaults(model_type: &str) -> Option<Value> {
    let (hidden, inner, layers, heads) = match model_type {
        "llama" => (4096, 11008, 32, 32),
        "mistral" => (4096, 14336, 32, 32),
        "qwen2" | "qwen3" => (4096, 22016, 32, 32),
        "gemma" => (3072, 24576, 28, 16),
        "gemma2" | "gemma3_text" => (2304, 9216, 26, 8),
        "phi" => (2048, 8192, 24, 32),
        "phi3" => (3072, 8192, 32, 32),
        _ => return None,
    };
    let mut all = json!({
        "hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": layers,
        "num_attention_heads": heads, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
    });
    let more = match model_type {
        "llama" => json!({"vocab_size": 32000, "max_position_embeddings": 2048,
            "num_key_value_heads": null, "head_dim": null}),
        "mistral" => json!({"vocab_size": 32000, "max_position_embeddings": 131_072,
            "num_key_value_heads": 8}),
        "qwen2" => json!({"vocab_size": 151_936, "max_position_embeddings": 32768,
            "num_key_value_heads": 32}),
        "qwen3" => json!({"vocab_size": 151_936, "max_position_embeddings": 32768,
            "num_key_value_heads": 32, "head_dim": 128}),
        "gemma" => json!({"vocab_size": 256_000, "max_position_embeddings": 8192,
            "num_key_value_heads": 16, "head_dim": 256}),
        "gemma2" => json!({"vocab_size": 256_000, "max_position_embeddings": 8192,
            "num_key_value_heads": 4, "head_dim": 256, "sliding_window": 4096,
            "final_logit_softcapping": 30.0, "attn_logit_softcapping": 50.0}),
        "gemma3_text" => json!({"vocab_size": 262_208, "max_position_embeddings": 131_072,
            "num_key_value_heads": 4, "head_dim": 256, "sliding_window": 4096,
            "rope_theta": 1e6, "rope_local_base_freq": 10000.0}),
        "phi" => json!({"vocab_size": 51200, "max_position_embeddings": 2048,
            "num_key_value_heads": null, "layer_norm_eps": 1e-5, "partial_rotary_factor": 0.5}),
        _ => json!({"vocab_size": 32064, "max_position_embeddings": 4096,
            "num_key_value_heads": null, "rms_norm_eps": 1e-5, "partial_rotary_factor": 1.0,
            "original_max_position_embeddings": 4096}),
    };
    let all_of = all.as_object_mut().expect("an object was written above");
    all_of.extend(more.as_object().expect("an object was written above").clone());
    if model_type == "phi" {
        all_of.remove("rms_norm_eps");
    }
    Some(all)
}

impl<'a> Config<'a> {
    /// Reads `value`, which is from the file at `path`.
    pub(super) fn new(value: &'a Value, path: &'a Path) -> Self {
        Self { value, path }
    }

    /// The value of the first of these keys that is there and is not null.
    pub(super) fn find(&self, names: &[&str]) -> Option<&'a Value> {
        let found = names.iter().find_map(|name| self.value.get(name));
        found.filter(|value| !value.is_null())
    }

    /// What it says of the scaling of the rope.
    pub(super) fn rope(&self) -> Self {
        self.inside(rope_key(self.value))
    }

    /// The file that they are from.
    pub(super) fn path(&self) -> &'a Path {
        self.path
    }

    /// The keys inside of a key.
    pub(super) fn inside(&self, name: &str) -> Self {
        Self { value: &self.value[name], path: self.path }
    }

    /// A whole number, when it is said.
    pub(super) fn whole(&self, names: &[&str]) -> Result<Option<u32>, Error> {
        let number = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
        self.find(names).map(|value| number(value).ok_or_else(|| self.wrong(names))).transpose()
    }

    /// A number, when it is said.
    pub(super) fn number(&self, names: &[&str]) -> Result<Option<f64>, Error> {
        let number = |value: &Value| value.as_f64().ok_or_else(|| self.wrong(names));
        self.find(names).map(number).transpose()
    }

    /// A whole number that has to be there.
    pub(super) fn must(&self, name: &str) -> Result<u32, Error> {
        self.whole(&[name])?.ok_or_else(|| self.lacks(name))
    }

    /// A number that has to be there.
    pub(super) fn must_number(&self, name: &str) -> Result<f64, Error> {
        self.number(&[name])?.ok_or_else(|| self.lacks(name))
    }

    /// What is to be said of a key whose value cannot be.
    pub(super) fn wrong(&self, names: &[&str]) -> Error {
        let is = |name: &&&str| self.value.get(**name).is_some();
        let name = names.iter().find(is).or(names.first()).copied().unwrap_or_default();
        let value = self.value.get(name).map(Value::to_string).unwrap_or_default();
        let value: String = value.chars().take(60).collect();
        Error::new(format!("{}: invalid value of {name}: {value}", self.path.display()))
            .hint("use the config.json of the model that has these weights")
    }

    fn lacks(&self, name: &str) -> Error {
        Error::new(format!("{} does not contain {name}", self.path.display()))
            .hint("use the config.json of the model that has these weights")
    }
}

/// Where the config of a folder is.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("config.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: Value) -> Value {
        match value {
            Value::Object(raw) => Value::Object(merged(raw)),
            _ => panic!("an object"),
        }
    }

    #[test]
    fn what_is_not_said_is_what_transformers_assumes() {
        let llama = of(json!({"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4}));
        assert_eq!((&llama["head_dim"], &llama["num_key_value_heads"]), (&json!(16), &json!(4)));
        let mistral = of(json!({"model_type": "mistral", "head_dim": null}));
        assert_eq!(
            (&mistral["num_key_value_heads"], &mistral["head_dim"]),
            (&json!(8), &Value::Null)
        );
        let qwen2 = of(json!({"model_type": "qwen2", "num_key_value_heads": null}));
        assert_eq!(qwen2["num_key_value_heads"], json!(32));
        let phi = of(json!({"model_type": "phi", "num_attention_heads": 8}));
        assert_eq!((&phi["num_key_value_heads"], phi.get("rms_norm_eps")), (&json!(8), None));
        let other = of(json!({"model_type": "t5"}));
        assert_eq!(other, json!({"model_type": "t5"}));
    }

    #[test]
    fn the_keys_of_the_text_go_before_those_of_the_whole() {
        let gemma = of(json!({
            "model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"], "hidden_size": 1,
            "text_config": {"model_type": "gemma3_text", "hidden_size": 2},
        }));
        assert_eq!((&gemma["hidden_size"], &gemma["head_dim"]), (&json!(2), &json!(256)));
        assert_eq!(gemma["model_type"], json!("gemma3"));
    }
}
