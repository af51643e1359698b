//! Makes small checkpoints for tests.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

/// A folder with a checkpoint that goes with this value.
pub(super) struct Made(tempfile::TempDir);

/// A tensor of a file: name, type, shape. Its elements are numbered, in the type.
pub(super) type Row = (String, &'static str, Vec<u64>);

impl Made {
    pub(super) fn new(config: &Value) -> Self {
        let made = Self(tempfile::tempdir().unwrap());
        made.write("config.json", &config.to_string());
        made
    }

    pub(super) fn dir(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(super) fn weights(&self, name: &str, rows: &[Row]) {
        fs::write(self.path(name), safetensors(rows)).unwrap();
    }
}

/// The element of a tensor at `at`.
fn element(dtype: &str, at: u64) -> Vec<u8> {
    // All of them are whole in 16 bits, bfloat16's 8 included.
    let value = (at % 256) as f32;
    match dtype {
        "F32" => value.to_le_bytes().to_vec(),
        "BF16" => value.to_le_bytes()[2..].to_vec(),
        _ => vec![0; 2],
    }
}

pub(super) fn safetensors(rows: &[Row]) -> Vec<u8> {
    let (mut header, mut data) = (Map::new(), Vec::new());
    for (name, dtype, shape) in rows {
        let from = data.len();
        (0..shape.iter().product()).for_each(|at| data.extend(element(dtype, at)));
        let row = json!({"dtype": dtype, "shape": shape, "data_offsets": [from, data.len()]});
        header.insert(name.clone(), row);
    }
    with_header(&Value::Object(header).to_string(), &data)
}

pub(super) fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

pub(super) fn row(name: &str, shape: &[u64]) -> Row {
    (name.to_owned(), "BF16", shape.to_vec())
}

/// The config of a Llama of one layer.
pub(super) fn llama_config() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 3, "hidden_size": 32,
        "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 128, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
    })
}

/// Its tensors.
pub(super) fn llama_rows() -> Vec<Row> {
    vec![
        row("model.embed_tokens.weight", &[3, 32]),
        row("model.layers.0.input_layernorm.weight", &[32]),
        row("model.layers.0.mlp.down_proj.weight", &[32, 64]),
        row("model.layers.0.mlp.gate_proj.weight", &[64, 32]),
        row("model.layers.0.mlp.up_proj.weight", &[64, 32]),
        row("model.layers.0.post_attention_layernorm.weight", &[32]),
        row("model.layers.0.self_attn.k_proj.weight", &[16, 32]),
        row("model.layers.0.self_attn.o_proj.weight", &[32, 32]),
        row("model.layers.0.self_attn.q_proj.weight", &[32, 32]),
        row("model.layers.0.self_attn.v_proj.weight", &[16, 32]),
        row("model.norm.weight", &[32]),
    ]
}
