//! Small random checkpoints with real tokenizers, the same bytes on every machine: one per family that is converted here,
//! and per variant that its conversion looks at. Tokenizers are made of the vocabularies in llama.cpp's source.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

mod shapes;
mod tensors;
mod tokenizers;
mod vocabulary;

use shapes::{Dense, GEMMA_NORMS};
use tensors::{Dtype, Tensors};
use tokenizers::Tokenizers;

/// The types that are compared.
pub const TYPES: [&str; 4] = ["F32", "F16", "BF16", "Q8_0"];

/// A checkpoint that can be made. Its folder has its name, of which upstream makes the model's.
#[derive(Clone, Copy)]
pub struct Checkpoint {
    /// As repositories are named.
    pub name: &'static str,
    /// The checkpoint whose adapter it is.
    pub base: Option<&'static str>,
    make: fn(&Path, &Tokenizers) -> Made,
}

/// Config and weights.
struct Made {
    config: Value,
    tensors: Tensors,
    shards: usize,
}

/// Every one, bases before their adapters.
pub const ALL: [Checkpoint; 22] = [
    model("Qwen2-0.5B-Instruct", qwen2),
    model("Qwen2-7B-Yarn", qwen2_sharded),
    model("Qwen3-4B", qwen3),
    model("Llama-3.2-1B-Instruct", llama3),
    model("tiny_llama-bpe-F32", llama_biased),
    model("Llama-2-7b-chat-hf", llama_spm),
    model("Mistral-7B-v0.1", mistral),
    model("gemma-2b-it", gemma),
    model("gemma-2-2b-it", gemma2),
    model("gemma-3-1b-it", gemma3),
    model("Phi-3-mini-4k-instruct", phi3),
    model("Phi-3-mini-128k-instruct", phi3_long),
    model("phi-4", phi4),
    model("phi-2", phi2),
    model("Qwen2-7B-Yarn-5", |dir, it| of_transformers_5(qwen2_sharded(dir, it))),
    model("Qwen3-4B-5", |dir, it| of_transformers_5(qwen3(dir, it))),
    model("Llama-3.2-1B-Instruct-5", |dir, it| of_transformers_5(llama3(dir, it))),
    model("gemma-3-1b-it-5", |dir, it| of_transformers_5(gemma3(dir, it))),
    model("Phi-3-mini-128k-instruct-5", |dir, it| of_transformers_5(phi3_long(dir, it))),
    model("phi-2-5", |dir, it| of_transformers_5(phi2(dir, it))),
    adapter("Qwen2-0.5B-MAC-lora", "Qwen2-0.5B-Instruct", |_, _| lora(&[8, 32, 96], 41)),
    adapter("llama-2-7b-lora", "Llama-2-7b-chat-hf", |_, _| lora(&[16, 32, 96], 42)),
];

const fn model(name: &'static str, make: fn(&Path, &Tokenizers) -> Made) -> Checkpoint {
    Checkpoint { name, base: None, make }
}

const fn adapter(
    name: &'static str,
    base: &'static str,
    make: fn(&Path, &Tokenizers) -> Made,
) -> Checkpoint {
    Checkpoint { name, base: Some(base), make }
}

impl Checkpoint {
    /// The one with this name.
    ///
    /// # Panics
    /// When there is none.
    pub fn named(name: &str) -> Self {
        *ALL.iter().find(|it| it.name == name).expect("the list has it")
    }

    /// Makes it below `folder`, of the vocabularies in llama.cpp's `source`; where it is.
    ///
    /// # Panics
    /// When the source is not there, or there is no room.
    pub fn write(&self, folder: &Path, source: &Path) -> PathBuf {
        let dir = folder.join(self.name);
        fs::create_dir_all(&dir).expect("there is room for a checkpoint");
        let made = (self.make)(&dir, &Tokenizers { source: source.to_owned() });
        let (config, weights) = match self.base {
            None => ("config.json", "model"),
            Some(_) => ("adapter_config.json", "adapter_model"),
        };
        write(&dir, config, &made.config);
        made.tensors.write(&dir, weights, made.shards);
        dir
    }
}

/// Writes a file of JSON.
fn write(dir: &Path, name: &str, value: &Value) {
    let text = serde_json::to_string_pretty(value).expect("JSON can be written");
    fs::write(dir.join(name), text).expect("the folder takes it");
}

/// What all configs have, and `more`.
fn config(architecture: &str, model_type: &str, vocabulary: usize, more: &Value) -> Value {
    let mut config = json!({
        "architectures": [architecture], "model_type": model_type, "vocab_size": vocabulary, "hidden_size": 32,
        "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "max_position_embeddings": 4096, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "hidden_act": "silu",
        "tie_word_embeddings": false, "torch_dtype": "bfloat16", "bos_token_id": 1, "eos_token_id": 2,
    });
    let more = more.as_object().expect("an object").clone();
    config.as_object_mut().expect("an object").extend(more);
    config
}

fn qwen2(dir: &Path, tokenizers: &Tokenizers) -> Made {
    tokenizers.qwen2(dir);
    let generation = json!({
        "bos_token_id": 151643, "do_sample": true, "eos_token_id": [151645, 151643], "pad_token_id": 151643,
        "repetition_penalty": 1.1, "temperature": 0.7, "top_k": 20, "top_p": 0.8,
    });
    write(dir, "generation_config.json", &generation);
    let card = "---\nlicense: apache-2.0\nlanguage:\n- en\npipeline_tag: text-generation\ntags:\n- chat\n\
                base_model: Qwen/Qwen2-0.5B\n---\n\n# Qwen2-0.5B-Instruct\n";
    fs::write(dir.join("README.md"), card).expect("the folder takes it");
    let more = json!({
        "rope_theta": 1_000_000.0, "bos_token_id": 151643, "eos_token_id": 151645, "tie_word_embeddings": true,
        "max_position_embeddings": 32768, "use_sliding_window": false, "sliding_window": 32768, "max_window_layers": 24,
    });
    let config = config("Qwen2ForCausalLM", "qwen2", 151936, &more);
    let shape = Dense { bias: true, ..Dense::of(&config) };
    Made { tensors: shape.tensors(Dtype::BF16, 1), config, shards: 1 }
}

/// Shards, FP16, untied embeddings, rows that no block of Q8_0 fills.
fn qwen2_sharded(dir: &Path, tokenizers: &Tokenizers) -> Made {
    tokenizers.qwen2(dir);
    let more = json!({
        "rope_theta": 1_000_000.0, "bos_token_id": 151643, "eos_token_id": 151645, "intermediate_size": 80,
        "max_position_embeddings": 131_072, "torch_dtype": "float16",
        "rope_scaling": { "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768 },
    });
    let config = config("Qwen2ForCausalLM", "qwen2", 151936, &more);
    let shape = Dense { bias: true, ..Dense::of(&config) };
    Made { tensors: shape.tensors(Dtype::F16, 2), config, shards: 3 }
}

fn qwen3(dir: &Path, tokenizers: &Tokenizers) -> Made {
    tokenizers.qwen2(dir);
    let more = json!({
        "rope_theta": 1_000_000.0, "bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 16,
        "attention_bias": false,
    });
    let config = config("Qwen3ForCausalLM", "qwen3", 151936, &more);
    let shape = Dense { query_norms: true, ..Dense::of(&config) };
    Made { tensors: shape.tensors(Dtype::BF16, 3), config, shards: 2 }
}

fn llama3(dir: &Path, tokenizers: &Tokenizers) -> Made {
    tokenizers.llama3(dir, "PreTrainedTokenizerFast");
    let more = json!({
        "rope_theta": 500_000.0, "head_dim": 8, "rms_norm_eps": 1e-5, "bos_token_id": 128_000,
        "eos_token_id": [128_001, 128_008, 128_009], "max_position_embeddings": 131_072, "tie_word_embeddings": true,
        "rope_scaling": { "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                          "original_max_position_embeddings": 8192, "rope_type": "llama3" },
    });
    let config = config("LlamaForCausalLM", "llama", 128_256, &more);
    Made { tensors: Dense::of(&config).tensors(Dtype::BF16, 4), config, shards: 1 }
}

/// FP32, biases, as many heads for keys as for queries.
fn llama_biased(dir: &Path, tokenizers: &Tokenizers) -> Made {
    tokenizers.llama3(dir, "PreTrainedTokenizerFast");
    let more = json!({
        "attention_bias": true, "bos_token_id": 128_000, "eos_token_id": 128_001, "torch_dtype": "float32",
        "num_key_value_heads": 4,
    });
    let config = config("LlamaForCausalLM", "llama", 128_256, &more);
    let shape = Dense { bias: true, ..Dense::of(&config) };
    Made { tensors: shape.tensors(Dtype::F32, 5), config, shards: 2 }
}

fn llama_spm(dir: &Path, tokenizers: &Tokenizers) -> Made {
    tokenizers.llama2(dir);
    write(dir, "added_tokens.json", &json!({ "<|im_end|>": 32000, "<|im_start|>": 32001 }));
    let more = json!({
        "rms_norm_eps": 1e-5, "pad_token_id": 0, "torch_dtype": "float16",
        "rope_scaling": { "type": "linear", "factor": 2.0 },
    });
    let config = config("LlamaForCausalLM", "llama", 32002, &more);
    Made { tensors: Dense::of(&config).tensors(Dtype::F16, 6), config, shards: 1 }
}

fn mistral(dir: &Path, tokenizers: &Tokenizers) -> Made {
    tokenizers.llama2(dir);
    let more =
        json!({ "sliding_window": 4096, "rms_norm_eps": 1e-5, "max_position_embeddings": 32768 });
    let config = config("MistralForCausalLM", "mistral", 32000, &more);
    Made { tensors: Dense::of(&config).tensors(Dtype::BF16, 7), config, shards: 2 }
}

/// What all of Gemma's configs have, and `more`.
fn gemma_config(architecture: &str, model_type: &str, vocabulary: usize, more: &Value) -> Value {
    let mut all = json!({
        "head_dim": 16, "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0, "tie_word_embeddings": true,
    });
    all.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    config(architecture, model_type, vocabulary, &all)
}

fn gemma(dir: &Path, tokenizers: &Tokenizers) -> Made {
    tokenizers.gemma(dir, 256_000);
    let config =
        gemma_config("GemmaForCausalLM", "gemma", 256_000, &json!({ "num_key_value_heads": 1 }));
    Made { tensors: Dense::of(&config).tensors(Dtype::BF16, 8), config, shards: 1 }
}

fn gemma2(dir: &Path, tokenizers: &Tokenizers) -> Made {
    tokenizers.gemma(dir, 256_000);
    let more = json!({
        "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0, "sliding_window": 4096,
        "query_pre_attn_scalar": 16,
    });
    let config = gemma_config("Gemma2ForCausalLM", "gemma2", 256_000, &more);
    let shape = Dense { norms: &GEMMA_NORMS, ..Dense::of(&config) };
    Made { tensors: shape.tensors(Dtype::BF16, 9), config, shards: 2 }
}

fn gemma3(dir: &Path, tokenizers: &Tokenizers) -> Made {
    tokenizers.gemma(dir, 262_144);
    let more = json!({
        "num_key_value_heads": 1, "rope_theta": 1_000_000.0, "rope_local_base_freq": 10000.0, "eos_token_id": [1, 106],
        "sliding_window": 512, "sliding_window_pattern": 6, "query_pre_attn_scalar": 16, "rope_scaling": null,
    });
    let config = gemma_config("Gemma3ForCausalLM", "gemma3_text", 262_144, &more);
    let shape = Dense { norms: &GEMMA_NORMS, query_norms: true, ..Dense::of(&config) };
    Made { tensors: shape.tensors(Dtype::BF16, 10), config, shards: 1 }
}

/// What all of Phi-3's configs have, and `more`.
fn phi3_config(vocabulary: usize, more: &Value) -> Value {
    let mut all = json!({ "rms_norm_eps": 1e-5, "original_max_position_embeddings": 4096 });
    all.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    config("Phi3ForCausalLM", "phi3", vocabulary, &all)
}

fn phi3(dir: &Path, tokenizers: &Tokenizers) -> Made {
    tokenizers.phi3(dir);
    let more = json!({
        "num_key_value_heads": 4, "eos_token_id": 32000, "pad_token_id": 32000, "sliding_window": 2047,
        "rope_scaling": null,
    });
    let config = phi3_config(32064, &more);
    let shape = Dense { fused: true, ..Dense::of(&config) };
    Made { tensors: shape.tensors(Dtype::BF16, 11), config, shards: 2 }
}

fn phi3_long(dir: &Path, tokenizers: &Tokenizers) -> Made {
    tokenizers.phi3(dir);
    let more = json!({
        "eos_token_id": 32000, "pad_token_id": 32000, "sliding_window": 262_144, "max_position_embeddings": 131_072,
        "rope_scaling": { "type": "longrope", "long_factor": [1.0, 1.37, 2.11, 4.9],
                          "short_factor": [1.0, 1.01, 1.02, 1.03] },
    });
    let config = phi3_config(32064, &more);
    let shape = Dense { fused: true, ..Dense::of(&config) };
    Made { tensors: shape.tensors(Dtype::BF16, 12), config, shards: 1 }
}

fn phi4(dir: &Path, tokenizers: &Tokenizers) -> Made {
    tokenizers.llama3(dir, "GPT2Tokenizer");
    let more = json!({
        "rope_theta": 250_000.0, "max_position_embeddings": 16384, "original_max_position_embeddings": 16384,
        "sliding_window": null, "rope_scaling": null, "bos_token_id": 128_000, "eos_token_id": 128_001,
    });
    let config = phi3_config(128_256, &more);
    let shape = Dense { fused: true, ..Dense::of(&config) };
    Made { tensors: shape.tensors(Dtype::BF16, 13), config, shards: 1 }
}

fn phi2(dir: &Path, tokenizers: &Tokenizers) -> Made {
    tokenizers.gpt2(dir);
    let more = json!({
        "num_key_value_heads": 4, "layer_norm_eps": 1e-5, "partial_rotary_factor": 0.5, "max_position_embeddings": 2048,
        "bos_token_id": 50256, "eos_token_id": 50256, "torch_dtype": "float16", "hidden_act": "gelu_new",
    });
    let mut config = config("PhiForCausalLM", "phi", 50257, &more);
    config.as_object_mut().expect("an object").remove("rms_norm_eps");
    Made { tensors: shapes::phi2(&config, Dtype::F16, 14), config, shards: 2 }
}

/// With the config that transformers 5 writes.
fn of_transformers_5(mut made: Made) -> Made {
    let config = made.config.as_object_mut().expect("an object");
    let dtype = config.remove("torch_dtype");
    config.extend(dtype.map(|dtype| ("dtype".to_owned(), dtype)));
    let old = config.remove("rope_scaling").filter(Value::is_object);
    let mut rope = old.unwrap_or_else(|| json!({ "rope_type": "default" }));
    if let Some(kind) = rope.get("type").cloned() {
        rope["rope_type"] = kind;
    }
    for name in ["rope_theta", "partial_rotary_factor"] {
        if let Some(value) = config.remove(name) {
            rope[name] = value;
        }
    }
    if let Some(windows) = config.remove("rope_local_base_freq") {
        let windows = json!({ "rope_type": "default", "rope_theta": windows });
        rope = json!({ "full_attention": rope, "sliding_attention": windows });
    }
    config.insert("rope_parameters".to_owned(), rope);
    made
}

/// An adapter of PEFT's: rank, width of keys, and width inside the MLP.
fn lora(sizes: &[usize; 3], seed: u64) -> Made {
    let [rank, ..] = *sizes;
    let config = json!({
        "base_model_name_or_path": "Qwen/Qwen2-0.5B-Instruct", "bias": "none", "lora_alpha": 2 * rank,
        "lora_dropout": 0.05, "peft_type": "LORA", "r": rank, "task_type": "CAUSAL_LM",
        "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "down_proj", "up_proj"],
    });
    Made { tensors: shapes::lora(*sizes, seed), config, shards: 1 }
}
