//! Which tensors a checkpoint has, named as its family names them.

use serde_json::Value;

use super::tensors::{Dtype, Tensors};

/// Gemma's since its second version.
pub(super) const GEMMA_NORMS: [&str; 4] = [
    "input_layernorm",
    "post_attention_layernorm",
    "pre_feedforward_layernorm",
    "post_feedforward_layernorm",
];

/// A decoder as Llama and its relatives name it.
pub(super) struct Dense {
    pub(super) hidden: usize,
    pub(super) inner: usize,
    pub(super) layers: usize,
    pub(super) heads: usize,
    pub(super) key_heads: usize,
    pub(super) head: usize,
    pub(super) vocabulary: usize,
    pub(super) tied: bool,
    /// Queries, keys and values have biases.
    pub(super) bias: bool,
    /// Queries and keys have norms.
    pub(super) query_norms: bool,
    /// Queries, keys and values are one tensor, gate and up another one.
    pub(super) fused: bool,
    /// Norms of a layer.
    pub(super) norms: &'static [&'static str],
}

fn size(config: &Value, name: &str) -> Option<usize> {
    usize::try_from(config[name].as_u64()?).ok()
}

impl Dense {
    /// As the config says.
    pub(super) fn of(config: &Value) -> Self {
        let size = |name: &str| size(config, name).expect("the config has it");
        let (hidden, heads) = (size("hidden_size"), size("num_attention_heads"));
        Self {
            hidden,
            inner: size("intermediate_size"),
            layers: size("num_hidden_layers"),
            heads,
            key_heads: size("num_key_value_heads"),
            head: self::size(config, "head_dim").unwrap_or(hidden / heads),
            vocabulary: size("vocab_size"),
            tied: config["tie_word_embeddings"] == true,
            bias: false,
            query_norms: false,
            fused: false,
            norms: &GEMMA_NORMS[..2],
        }
    }

    /// Random ones.
    pub(super) fn tensors(&self, dtype: Dtype, seed: u64) -> Tensors {
        let mut tensors = Tensors::new(dtype, seed);
        tensors.weight("model.embed_tokens.weight", &[self.vocabulary, self.hidden]);
        for layer in 0..self.layers {
            self.layer(&mut tensors, &format!("model.layers.{layer}."));
        }
        tensors.norm("model.norm.weight", self.hidden);
        if !self.tied {
            tensors.weight("lm_head.weight", &[self.vocabulary, self.hidden]);
        }
        tensors
    }

    fn layer(&self, tensors: &mut Tensors, at: &str) {
        let (queries, keys) = (self.heads * self.head, self.key_heads * self.head);
        let mut weight = |name: &str, rows, columns| {
            tensors.weight(&format!("{at}{name}.weight"), &[rows, columns]);
        };
        weight("self_attn.o_proj", self.hidden, queries);
        weight("mlp.down_proj", self.hidden, self.inner);
        if self.fused {
            weight("self_attn.qkv_proj", queries + 2 * keys, self.hidden);
            weight("mlp.gate_up_proj", 2 * self.inner, self.hidden);
        } else {
            weight("mlp.gate_proj", self.inner, self.hidden);
            weight("mlp.up_proj", self.inner, self.hidden);
            for (name, rows) in [("q", queries), ("k", keys), ("v", keys)] {
                let name = format!("{at}self_attn.{name}_proj");
                tensors.weight(&format!("{name}.weight"), &[rows, self.hidden]);
                if self.bias {
                    tensors.weight(&format!("{name}.bias"), &[rows]);
                }
            }
        }
        for name in self.norms {
            tensors.norm(&format!("{at}{name}.weight"), self.hidden);
        }
        if self.query_norms {
            tensors.norm(&format!("{at}self_attn.q_norm.weight"), self.head);
            tensors.norm(&format!("{at}self_attn.k_norm.weight"), self.head);
        }
    }
}

/// Phi-2's: biases everywhere, layer norms.
pub(super) fn phi2(config: &Value, dtype: Dtype, seed: u64) -> Tensors {
    let size = |name: &str| size(config, name).expect("the config has it");
    let (hidden, inner, vocabulary) =
        (size("hidden_size"), size("intermediate_size"), size("vocab_size"));
    let mut tensors = Tensors::new(dtype, seed);
    tensors.weight("model.embed_tokens.weight", &[vocabulary, hidden]);
    let mut linear = |name: &str, rows: usize, columns: usize| {
        tensors.weight(&format!("{name}.weight"), &[rows, columns]);
        tensors.weight(&format!("{name}.bias"), &[rows]);
    };
    for layer in 0..size("num_hidden_layers") {
        let at = format!("model.layers.{layer}.");
        for name in ["q_proj", "k_proj", "v_proj", "dense"] {
            linear(&format!("{at}self_attn.{name}"), hidden, hidden);
        }
        linear(&format!("{at}mlp.fc1"), inner, hidden);
        linear(&format!("{at}mlp.fc2"), hidden, inner);
    }
    linear("lm_head", vocabulary, hidden);
    for layer in 0..size("num_hidden_layers") {
        let name = format!("model.layers.{layer}.input_layernorm");
        tensors.norm(&format!("{name}.weight"), hidden);
        tensors.weight(&format!("{name}.bias"), &[hidden]);
    }
    tensors.norm("model.final_layernorm.weight", hidden);
    tensors.weight("model.final_layernorm.bias", &[hidden]);
    tensors
}

/// Both halves of an adapter's matrices. Its base has a hidden size of 32 and keys of 16.
pub(super) fn lora([rank, hidden, inner]: [usize; 3], seed: u64) -> Tensors {
    let mut tensors = Tensors::new(Dtype::F32, seed);
    let keys = hidden / 2;
    for layer in 0..2 {
        for (name, columns, rows) in [
            ("self_attn.q_proj", hidden, hidden),
            ("self_attn.k_proj", hidden, keys),
            ("self_attn.v_proj", hidden, keys),
            ("self_attn.o_proj", hidden, hidden),
            ("mlp.down_proj", inner, hidden),
            ("mlp.up_proj", hidden, inner),
        ] {
            let at = format!("base_model.model.model.layers.{layer}.{name}");
            tensors.weight(&format!("{at}.lora_A.weight"), &[rank, columns]);
            tensors.weight(&format!("{at}.lora_B.weight"), &[rows, rank]);
        }
    }
    tensors
}
