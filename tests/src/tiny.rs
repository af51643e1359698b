//! Random models of several architectures, made on the spot: they load and generate, noise to a
//! reader, always the same for a test.

use std::path::Path;

use demo_model::export;
use demo_model::gguf::{File, Kind, Tensor, Value};
use demo_model::rng::Rng;
use demo_model::tokenizer::Tokenizer;

const EMBD: usize = 64;
const FF: usize = 128;
/// With it each matrix of a feed-forward has 12 MB: an RPC worker keeps what has more than 10 MiB.
const WIDE_FF: usize = 48 * 1024;
const LAYERS: usize = 2;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const HEAD: usize = 16;
const CONTEXT: usize = 512;
const EXPERTS: usize = 4;
/// Mamba's sizes: inner, state, convolution, rank of the time step.
const SSM: [usize; 4] = [2 * EMBD, 16, 4, 4];

/// An architecture that `write` can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arch {
    /// Rotary positions, gated feed-forward.
    Llama,
    /// Biases on queries, keys and values.
    Qwen2,
    /// Norms on queries and keys.
    Qwen3,
    /// A mixture of experts.
    Qwen3Moe,
    /// Norms after each block, sliding windows, soft caps.
    Gemma2,
    /// Learnt positions, biases everywhere, one matrix for queries, keys and values.
    Gpt2,
    /// Fused matrices in attention and feed-forward.
    Phi3,
    /// A state space model: no attention at all.
    Mamba,
}

impl Arch {
    /// Every architecture.
    pub const ALL: [Self; 8] = [
        Self::Llama,
        Self::Qwen2,
        Self::Qwen3,
        Self::Qwen3Moe,
        Self::Gemma2,
        Self::Gpt2,
        Self::Phi3,
        Self::Mamba,
    ];

    /// Its name in the metadata.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Qwen3Moe => "qwen3moe",
            Self::Gemma2 => "gemma2",
            Self::Gpt2 => "gpt2",
            Self::Phi3 => "phi3",
            Self::Mamba => "mamba",
        }
    }
}

/// Writes a model of `arch` with random weights, the same for the same `seed`, to `path`.
///
/// # Panics
/// When `path` cannot be written.
pub fn write(arch: Arch, seed: u64, path: &Path) {
    written(metadata(arch, FF), arch, FF, seed, path);
}

/// The same of [`Arch::Llama`] with 80 MB of weights.
///
/// # Panics
/// When `path` cannot be written.
pub fn write_wide(seed: u64, path: &Path) {
    written(metadata(Arch::Llama, WIDE_FF), Arch::Llama, WIDE_FF, seed, path);
}

/// The same with a description.
///
/// # Panics
/// When `path` cannot be written.
pub fn write_described(arch: Arch, seed: u64, description: &str, path: &Path) {
    let mut file = metadata(arch, FF);
    file.set("general.description", description);
    written(file, arch, FF, seed, path);
}

fn written(file: File, arch: Arch, ff: usize, seed: u64, path: &Path) {
    let tokenizer = Tokenizer::train([], 0);
    let mut draft = Draft { file, rng: Rng::new(seed) };
    export::vocabulary(&mut draft.file, &tokenizer);
    draft.random("token_embd", &[EMBD, tokenizer.tokens().len()]);
    draft.norm("output_norm");
    if arch == Arch::Gpt2 {
        draft.random("position_embd", &[EMBD, CONTEXT]);
        draft.bias("output_norm", EMBD);
    }
    for layer in 0..LAYERS {
        let block = |part: &str| format!("blk.{layer}.{part}");
        draft.norm(&block("attn_norm"));
        if arch == Arch::Mamba {
            mamba(&mut draft, block);
        } else {
            attention(&mut draft, arch, block);
            feed_forward(&mut draft, arch, ff, block);
        }
    }
    draft.file.write(path).expect("a test names a place that can be written");
}

fn metadata(arch: Arch, ff: usize) -> File {
    let mut file = File::default();
    file.set("general.architecture", arch.name());
    // Nothing else: llama.cpp looks for names of known models in here.
    file.set("general.name", "noise");
    let key = |key: &str| format!("{}.{key}", arch.name());
    let mut number = |name: &str, n: usize| file.set(key(name), Value::U32(n as u32));
    number("context_length", CONTEXT);
    number("embedding_length", EMBD);
    number("block_count", LAYERS);
    if arch == Arch::Mamba {
        for name in ["feed_forward_length", "attention.head_count"] {
            number(name, 0);
        }
        let names = ["inner_size", "state_size", "conv_kernel", "time_step_rank"];
        for (name, n) in names.into_iter().zip(SSM) {
            number(&format!("ssm.{name}"), n);
        }
    } else {
        number("feed_forward_length", ff);
        number("attention.head_count", HEADS);
        number("attention.head_count_kv", kv_heads(arch));
        number("attention.key_length", HEAD);
        number("attention.value_length", HEAD);
        number("rope.dimension_count", HEAD);
    }
    match arch {
        Arch::Qwen3Moe => {
            number("expert_count", EXPERTS);
            number("expert_used_count", 2);
            number("expert_feed_forward_length", ff / 2);
        }
        Arch::Gemma2 => number("attention.sliding_window", 32),
        _ => {}
    }
    for norm in ["layer_norm_epsilon", "layer_norm_rms_epsilon"] {
        file.set(key(&format!("attention.{norm}")), Value::F32(1e-5));
    }
    file
}

fn kv_heads(arch: Arch) -> usize {
    if arch == Arch::Gpt2 { HEADS } else { KV_HEADS }
}

fn attention(draft: &mut Draft, arch: Arch, block: impl Fn(&str) -> String) {
    let (q, kv) = (HEADS * HEAD, kv_heads(arch) * HEAD);
    if matches!(arch, Arch::Gpt2 | Arch::Phi3) {
        draft.random(&block("attn_qkv"), &[EMBD, q + 2 * kv]);
    } else {
        for (part, width) in [("attn_q", q), ("attn_k", kv), ("attn_v", kv)] {
            draft.random(&block(part), &[EMBD, width]);
            if arch == Arch::Qwen2 {
                draft.bias(&block(part), width);
            }
        }
    }
    draft.random(&block("attn_output"), &[q, EMBD]);
    match arch {
        Arch::Qwen3 | Arch::Qwen3Moe => {
            for part in ["attn_q_norm", "attn_k_norm"] {
                draft.push(block(part) + ".weight", &[HEAD], |_| 1.0);
            }
        }
        Arch::Gemma2 => draft.norm(&block("post_attention_norm")),
        Arch::Gpt2 => {
            let widths = [("attn_norm", EMBD), ("attn_qkv", q + 2 * kv), ("attn_output", EMBD)];
            widths.into_iter().for_each(|(part, width)| draft.bias(&block(part), width));
        }
        _ => {}
    }
}

fn feed_forward(draft: &mut Draft, arch: Arch, ff: usize, block: impl Fn(&str) -> String) {
    draft.norm(&block("ffn_norm"));
    if arch == Arch::Qwen3Moe {
        draft.random(&block("ffn_gate_inp"), &[EMBD, EXPERTS]);
        draft.random(&block("ffn_gate_exps"), &[EMBD, ff / 2, EXPERTS]);
        draft.random(&block("ffn_up_exps"), &[EMBD, ff / 2, EXPERTS]);
        draft.random(&block("ffn_down_exps"), &[ff / 2, EMBD, EXPERTS]);
        return;
    }
    let up = if arch == Arch::Phi3 { 2 * ff } else { ff };
    draft.random(&block("ffn_up"), &[EMBD, up]);
    draft.random(&block("ffn_down"), &[ff, EMBD]);
    match arch {
        Arch::Gpt2 => {
            let widths = [("ffn_norm", EMBD), ("ffn_up", ff), ("ffn_down", EMBD)];
            widths.into_iter().for_each(|(part, width)| draft.bias(&block(part), width));
        }
        Arch::Phi3 => {}
        _ => draft.random(&block("ffn_gate"), &[EMBD, ff]),
    }
    if arch == Arch::Gemma2 {
        draft.norm(&block("post_ffw_norm"));
    }
}

fn mamba(draft: &mut Draft, block: impl Fn(&str) -> String) {
    let [inner, state, kernel, rank] = SSM;
    draft.random(&block("ssm_in"), &[EMBD, 2 * inner]);
    draft.random(&block("ssm_conv1d"), &[kernel, inner]);
    draft.bias(&block("ssm_conv1d"), inner);
    draft.random(&block("ssm_x"), &[inner, rank + 2 * state]);
    draft.random(&block("ssm_dt"), &[rank, inner]);
    draft.bias(&block("ssm_dt"), inner);
    // Decay rates: a positive one would grow without end.
    draft.push(block("ssm_a"), &[state, inner], |rng| -1.0 - rng.normal().abs());
    draft.push(block("ssm_d"), &[inner], |_| 1.0);
    draft.random(&block("ssm_out"), &[inner, EMBD]);
}

/// A model as it grows.
struct Draft {
    file: File,
    rng: Rng,
}

impl Draft {
    fn random(&mut self, name: &str, shape: &[usize]) {
        let deviation = 1.0 / (shape[0] as f32).sqrt();
        self.push(format!("{name}.weight"), shape, |rng| deviation * rng.normal());
    }

    fn bias(&mut self, name: &str, width: usize) {
        self.push(format!("{name}.bias"), &[width], |rng| 0.1 * rng.normal());
    }

    fn norm(&mut self, name: &str) {
        self.push(format!("{name}.weight"), &[EMBD], |_| 1.0);
    }

    fn push(&mut self, name: String, shape: &[usize], value: impl Fn(&mut Rng) -> f32) {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| value(&mut self.rng)).collect();
        self.file.tensors.push(Tensor::new(name, shape, Kind::F32, &values));
    }
}
