//! Why a checkpoint is not converted in this process.

use serde_json::Value;

/// A reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// The fact. Nothing where the name of the architecture says it.
    pub text: String,
    /// What to do instead, where upstream's converter stops at it too.
    pub instead: Option<&'static str>,
}

/// Quantizations that `dequant_model` of the pin's conversion/base.py refuses.
const FINAL: [&str; 2] = ["awq", "bitsandbytes"];

/// Something that upstream's converter may take.
pub(super) fn left(text: impl Into<String>) -> Why {
    Why { text: text.into(), instead: None }
}

/// A key of the config that has this value.
pub(super) fn key(name: &str, value: &Value) -> Why {
    let method = value["quant_method"].as_str().unwrap_or_default();
    let is_final = name == "quantization_config" && FINAL.contains(&method);
    let instead = is_final
        .then_some("convert the checkpoint that was quantized, then quantize the GGUF file");
    let value: String = match method {
        "" => value.to_string().chars().take(80).collect(),
        method => method.to_owned(),
    };
    Why { text: format!("its config.json has {name} {value}"), instead }
}

/// A tensor of an adapter that is no half of a LoRA. Those that `convert_lora_to_gguf.py` keeps or skips are not final.
pub(super) fn adapter(name: &str) -> Why {
    let taken =
        ["lora_A", "lora_B", "lora_embedding_", ".base_layer.weight", "_layernorm", ".norm"];
    let is_final = !taken.iter().any(|part| name.contains(part));
    let text = match is_final {
        true if name.contains("lora_magnitude_vector") => format!("it is a DoRA: it has {name}"),
        true => format!("it has whole weights besides its LoRA, such as {name} (modules_to_save)"),
        false => format!("it has the tensor {name}"),
    };
    let instead = "merge the adapter into its base model with PEFT, and convert the result";
    Why { text, instead: is_final.then_some(instead) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_no_converter_takes_is_final() {
        let bnb = key("quantization_config", &json!({"quant_method": "bitsandbytes"}));
        assert_eq!(bnb.text, "its config.json has quantization_config bitsandbytes");
        assert!(bnb.instead.is_some());
        assert_eq!(key("quantization_config", &json!({"quant_method": "gptq"})).instead, None);
        assert_eq!(key("num_experts", &json!(8)).text, "its config.json has num_experts 8");
        for (name, is_final) in [
            ("base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector", true),
            ("base_model.model.lm_head.weight", true),
            ("base_model.model.model.norm.weight", false),
            ("base_model.model.model.embed_tokens.lora_embedding_A", false),
        ] {
            assert_eq!(adapter(name).instead.is_some(), is_final, "{name}");
        }
    }
}
