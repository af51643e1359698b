//! The families of models that are converted here, and what of them is left to upstream's converter.

mod rope;

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::checkpoint::{Checkpoint, Dtype, Tensor};
use super::config::rope_key;
use super::kept::kept;
use super::why::{self, Why, left};

/// A family that is converted as upstream's converter does it, to the byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "named after the families")]
pub enum Family {
    Llama,
    Mistral,
    Qwen2,
    Qwen3,
    Gemma,
    Gemma2,
    Gemma3,
    Phi2,
    Phi3,
}

/// The name of the architecture in a config, the `model_type` that its keys need, the family.
const NAMES: &[(&str, &str, Family)] = &[
    ("LlamaForCausalLM", "llama", Family::Llama),
    ("LLaMAForCausalLM", "llama", Family::Llama),
    ("MistralForCausalLM", "mistral", Family::Mistral),
    ("Qwen2ForCausalLM", "qwen2", Family::Qwen2),
    ("Qwen3ForCausalLM", "qwen3", Family::Qwen3),
    ("GemmaForCausalLM", "gemma", Family::Gemma),
    ("Gemma2ForCausalLM", "gemma2", Family::Gemma2),
    ("Gemma3ForCausalLM", "gemma3_text", Family::Gemma3),
    ("Gemma3ForConditionalGeneration", "gemma3", Family::Gemma3),
    ("PhiForCausalLM", "phi", Family::Phi2),
    ("Phi3ForCausalLM", "phi3", Family::Phi3),
];

/// Keys of a config that make upstream's converter write something that is not written here.
const KEYS: &[&str] = &[
    "classifier_activation",
    "classifier_pooling",
    "dense_intermediate_size",
    "draft_vocab_size",
    "expert_selection_fn",
    "global_rope_theta",
    "moe_router_activation",
    "moe_router_activation_func",
    "n_group",
    "n_heads",
    "n_kv_heads",
    "n_layers",
    "n_positions",
    "n_routed_experts",
    "num_experts",
    "num_experts_per_tok",
    "num_experts_per_token",
    "num_local_experts",
    "prefix_dense_intermediate_size",
    "quantization_config",
    "rope_local_theta",
    "rope_global_theta",
    "rope_theta_global",
    "rope_theta_local",
    "local_rope_theta",
    "router_score_func",
    "score_func",
    "score_function",
    "scoring_func",
    "swa_rope_theta",
    "top_k_experts",
    "topk_group",
    "transformer_layer_config",
];

/// Files that make upstream's converter take a checkpoint for something else.
const FILES: &[&str] = &[
    "embedding_config.json",
    "hf_quant_config.json",
    "joint_head_config.json",
    "julia_config.json",
    "lev_release.json",
    "modules.json",
    "rl_agent_config.json",
    "training_config.json",
];

/// The reason of a checkpoint whose tokenizer is not read here.
pub(super) const TOKENIZER: &str =
    "its tokenizer is of a kind that only llama.cpp's converter reads";

impl Family {
    /// The family of a checkpoint, when what is written of it here is what upstream's converter writes.
    ///
    /// # Errors
    /// With the reason why it is not.
    pub fn of(checkpoint: &Checkpoint) -> Result<Self, Why> {
        let family = Self::of_config(&checkpoint.dir, &checkpoint.config)?;
        if checkpoint.tensors.is_empty() {
            return Err(left("its weights are not safetensors"));
        }
        match checkpoint.tensors.iter().filter(|tensor| kept(&tensor.name)).find_map(unwritten) {
            Some(why) => Err(why),
            None => Ok(family),
        }
    }

    /// The family that a config in the folder `dir` is of; the weights are not looked at.
    ///
    /// # Errors
    /// With the reason why it is of none.
    pub fn of_config(dir: &Path, config: &Value) -> Result<Self, Why> {
        let name = config["architectures"][0].as_str().unwrap_or_default();
        let row = NAMES.iter().find(|row| row.0 == name).ok_or_else(|| left(""))?;
        if let Some(key) = special(config, row) {
            return Err(why::key(key, &config[key]));
        }
        if let Some(file) = FILES.iter().find(|file| dir.join(file).is_file()) {
            return Err(left(format!("it has a {file}")));
        }
        if row.2 == Self::Qwen3 && ranks(dir, config) {
            return Err(left("it ranks documents"));
        }
        if unknown_tokenizer(dir) {
            return Err(left(TOKENIZER));
        }
        Ok(row.2)
    }

    /// Its name in a GGUF file.
    #[must_use]
    pub fn architecture(self) -> &'static str {
        match self {
            Self::Llama | Self::Mistral => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Gemma => "gemma",
            Self::Gemma2 => "gemma2",
            Self::Gemma3 => "gemma3",
            Self::Phi2 => "phi2",
            Self::Phi3 => "phi3",
        }
    }
}

/// The key of a config that makes upstream's converter write something that is not written here.
fn special(config: &Value, row: &(&str, &str, Family)) -> Option<&'static str> {
    let said = |key: &str| config.get(key).is_some_and(|value| !value.is_null());
    let first = (config["model_type"] != row.1).then_some("model_type");
    first
        .or_else(|| KEYS.iter().copied().find(|key| said(key)))
        .or_else(|| (config["is_causal"] == false).then_some("is_causal"))
        .or_else(|| {
            let key = "use_bidirectional_attention";
            (config[key] == true).then_some(key)
        })
        .or_else(|| (!layers(config)).then_some("layer_types"))
        .or_else(|| (!rope::is_written(config, row.2)).then(|| rope_key(config)))
}

/// Why a tensor cannot be read, or is none that is written.
pub(super) fn unwritten(tensor: &Tensor) -> Option<Why> {
    let Tensor { name, dtype, .. } = tensor;
    match dtype {
        Dtype::Other(dtype) => Some(left(format!("its tensor {name} has the type {dtype}"))),
        _ if tensor.elements() == 0 => Some(left(format!("its tensor {name} is empty"))),
        _ => None,
    }
}

/// Whether a Qwen3 ranks documents, by what upstream's converter tells it.
fn ranks(dir: &Path, config: &Value) -> bool {
    let read = fs::read(dir.join("README.md")).unwrap_or_default();
    let read = String::from_utf8_lossy(&read).to_lowercase();
    let dir = dir.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let path = config["_name_or_path"].as_str().unwrap_or_default().to_lowercase();
    ["qwen3-reranker", "qwen3-vl-reranker"].iter().any(|name| {
        read.contains(&format!("# {name}")) || dir.contains(name) || path.contains(name)
    })
}

/// Whether upstream's converter asks a library for the tokenizer that is not asked here.
fn unknown_tokenizer(dir: &Path) -> bool {
    let tekken = dir.join("tekken.json").is_file() && !dir.join("tokenizer.json").is_file();
    let config = fs::read(dir.join("tokenizer_config.json")).unwrap_or_default();
    let config: Value = serde_json::from_slice(&config).unwrap_or_default();
    tekken || config["tokenizer_class"] == "HybridDNATokenizer"
}

/// Whether transformers takes the types of the layers.
fn layers(config: &Value) -> bool {
    const TYPES: &[&str] =
        &["full_attention", "sliding_attention", "chunked_attention", "linear_attention"];
    match &config["layer_types"] {
        Value::Null => true,
        Value::Array(types) => {
            let known = |kind: &Value| kind.as_str().is_some_and(|kind| TYPES.contains(&kind));
            Some(types.len() as u64) == config["num_hidden_layers"].as_u64()
                && types.iter().all(known)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::super::testing::{Made, llama_config, llama_rows};
    use super::*;

    fn of(config: &Value) -> Option<Family> {
        let made = Made::new(config);
        made.weights("model.safetensors", &llama_rows());
        Family::of(&Checkpoint::open(made.dir()).unwrap()).ok()
    }

    fn with(key: &str, value: Value) -> Option<Family> {
        let mut config = llama_config();
        config[key] = value;
        of(&config)
    }

    #[test]
    fn a_family_is_known_by_its_architecture() {
        for (name, model_type, family) in NAMES {
            let mut config = llama_config();
            config["architectures"] = json!([name]);
            config["model_type"] = json!(model_type);
            assert_eq!(of(&config), Some(*family), "{name}");
        }
        assert_eq!(with("architectures", json!(["MixtralForCausalLM"])), None);
        assert_eq!(with("architectures", json!([])), None);
        assert_eq!(with("model_type", json!("mistral")), None);
    }

    #[test]
    fn what_upstream_alone_writes_is_left_to_it() {
        let yarn = json!({"type": "yarn", "factor": 2.0});
        for (key, value) in [
            ("quantization_config", json!({"quant_method": "gptq"})),
            ("num_local_experts", json!(8)),
            ("draft_vocab_size", json!(8)),
            ("is_causal", json!(false)),
            ("layer_types", json!(["odd"])),
            ("layer_types", json!([])),
            ("rope_parameters", json!({"rope_theta": 1.0})),
            ("rope_parameters", json!({"rope_type": "default", "rope_theta": "1"})),
            ("rope_parameters", json!({"rope_type": "default", "mrope_section": [1, 1, 2]})),
            ("rope_parameters", json!({"full_attention": {"rope_type": "default"}})),
            ("rope_scaling", json!({"type": "dynamic", "factor": 2.0})),
            ("rope_scaling", json!({"type": "linear"})),
            ("rope_scaling", json!({"factor": 2.0})),
            ("rope_scaling", json!("linear")),
            ("rope_scaling", yarn),
        ] {
            assert_eq!(with(key, value.clone()), None, "{key} {value}");
        }
        let parameters = json!({"rope_type": "default", "rope_theta": 5e5});
        assert_eq!(with("rope_parameters", parameters.clone()), Some(Family::Llama));
        let by_layer = json!({"full_attention": parameters, "sliding_attention": parameters});
        assert_eq!(with("rope_parameters", by_layer), Some(Family::Llama));
        let linear = json!({"type": "linear", "factor": 2.0});
        assert_eq!(with("rope_scaling", linear), Some(Family::Llama));
        assert_eq!(with("num_local_experts", Value::Null), Some(Family::Llama));
        assert_eq!(with("layer_types", json!(["full_attention"])), Some(Family::Llama));
    }

    #[test]
    fn a_reason_names_what_is_special() {
        let why = |key: &str, value: Value| {
            let mut config = llama_config();
            config[key] = value;
            let made = Made::new(&config);
            made.weights("model.safetensors", &llama_rows());
            Family::of(&Checkpoint::open(made.dir()).unwrap()).unwrap_err().text
        };
        let dynamic = why("rope_scaling", json!({"type": "dynamic"}));
        assert_eq!(dynamic, r#"its config.json has rope_scaling {"type":"dynamic"}"#);
        let five = why("rope_parameters", json!({"rope_theta": 1.0}));
        assert_eq!(five, r#"its config.json has rope_parameters {"rope_theta":1.0}"#);
        assert_eq!(why("architectures", json!(["MixtralForCausalLM"])), "");
        let made = Made::new(&llama_config());
        let mut rows = llama_rows();
        rows[0].1 = "I16";
        made.weights("model.safetensors", &rows);
        let why = Family::of(&Checkpoint::open(made.dir()).unwrap()).unwrap_err().text;
        assert!(why.starts_with("its tensor ") && why.ends_with(" has the type I16"), "{why}");
    }

    #[test]
    fn files_beside_the_weights_and_their_type_count_too() {
        let made = Made::new(&llama_config());
        let mut rows = llama_rows();
        rows[1].1 = "F64";
        rows[1].2 = vec![8];
        made.weights("model.safetensors", &llama_rows());
        let family = || Family::of(&Checkpoint::open(made.dir()).unwrap()).ok();
        assert_eq!(family(), Some(Family::Llama));
        made.write("hf_quant_config.json", "{}");
        assert_eq!(family(), None);
        fs::remove_file(made.path("hf_quant_config.json")).unwrap();
        made.write("tokenizer_config.json", r#"{"tokenizer_class": "HybridDNATokenizer"}"#);
        assert_eq!(family(), None);
        made.write("tokenizer_config.json", "{}");
        rows[0].1 = "I16";
        rows[1] = llama_rows()[1].clone();
        made.weights("model.safetensors", &rows);
        assert_eq!(family(), None);
        fs::remove_file(made.path("model.safetensors")).unwrap();
        assert_eq!(family(), None);
    }

    #[test]
    fn a_qwen3_that_ranks_is_left_to_upstream() {
        let mut config = llama_config();
        config["architectures"] = json!(["Qwen3ForCausalLM"]);
        config["model_type"] = json!("qwen3");
        let made = Made::new(&config);
        made.weights("model.safetensors", &llama_rows());
        let family = || Family::of(&Checkpoint::open(made.dir()).unwrap()).ok();
        assert_eq!(family(), Some(Family::Qwen3));
        made.write("README.md", "---\n---\n# Qwen3-Reranker-0.6B\n");
        assert_eq!(family(), None);
    }

    #[test]
    fn phi_3s_scaling_is_taken_as_its_class_takes_it() {
        let mut config = llama_config();
        config["architectures"] = json!(["Phi3ForCausalLM"]);
        config["model_type"] = json!("phi3");
        let factors = json!([1.0, 1.0, 1.0, 1.0]);
        let scaling =
            |kind: &str| json!({"type": kind, "long_factor": factors, "short_factor": factors});
        for (scaling, known) in [
            (scaling("longrope"), true),
            (scaling("su"), true),
            (scaling("linear"), false),
            (json!({"type": "su", "long_factor": [1.0], "short_factor": [1.0]}), false),
            (json!({"rope_type": "su", "long_factor": factors, "short_factor": factors}), false),
        ] {
            config["rope_scaling"] = scaling.clone();
            assert_eq!(of(&config).is_some(), known, "{scaling}");
        }
    }
}
