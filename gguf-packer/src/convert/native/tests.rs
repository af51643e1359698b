//! Small checkpoints of each family, and what is refused.

use std::fs::{self, File};

use serde_json::{Value, json};

use super::super::testing::{Made, Row, llama_config, llama_rows, row};
use super::*;
use crate::gguf::Header;

fn made(config: &Value, rows: &[Row]) -> Made {
    let made = Made::new(config);
    made.weights("model.safetensors", rows);
    made
}

fn convert_as(made: &Made, kind: Kind) -> Result<i64, Error> {
    let checkpoint = Checkpoint::open(made.dir())?;
    let family = Family::of(&checkpoint).expect("a family");
    let mut tokenizer = Keys::new();
    tokenizer.text("tokenizer.ggml.model", "gpt2");
    let counts = std::cell::Cell::new(None);
    let general = |counted| {
        counts.set(Some(counted));
        let mut keys = Keys::new();
        keys.text("general.name", "Made");
        Ok(keys)
    };
    let job = Job { out: &made.path("out.gguf"), kind, tokenizer, general: &general };
    convert(&checkpoint, family, job, &mut |_, _| Ok(()))?;
    Ok(counts.get().expect("they are asked for"))
}

fn header(made: &Made) -> Header {
    let path = made.path("out.gguf");
    let size = fs::metadata(&path).unwrap().len();
    Header::read(std::io::BufReader::new(File::open(path).unwrap()), size).unwrap()
}

fn error(config: &Value, rows: &[Row]) -> String {
    let made = made(config, rows);
    let text = convert_as(&made, Kind::F16).unwrap_err().to_string();
    assert!(!made.path("out.gguf").exists());
    text.replace(&format!("{}/", made.dir().display()), "")
}

/// The weights of a tensor that is F32.
fn weights(made: &Made, name: &str) -> Vec<f32> {
    let header = header(made);
    let tensor = header.tensors.iter().find(|tensor| tensor.name == name).unwrap();
    let start = (header.data_start + tensor.offset) as usize;
    let bytes = fs::read(made.path("out.gguf")).unwrap();
    let four = |four: &[u8]| f32::from_le_bytes(four.try_into().unwrap());
    bytes[start..start + tensor.elements() as usize * 4].chunks_exact(4).map(four).collect()
}

#[test]
fn a_llama_has_its_keys_and_its_tensors_in_the_order_of_upstream() {
    let made = made(&llama_config(), &llama_rows());
    assert_eq!(convert_as(&made, Kind::Q8_0).unwrap(), 9408);
    let header = header(&made);
    let keys: Vec<&str> = header.metadata.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "general.architecture",
            "general.type",
            "general.name",
            "llama.block_count",
            "llama.context_length",
            "llama.embedding_length",
            "llama.feed_forward_length",
            "llama.attention.head_count",
            "llama.attention.head_count_kv",
            "llama.rope.freq_base",
            "llama.attention.layer_norm_rms_epsilon",
            "llama.attention.key_length",
            "llama.attention.value_length",
            "general.file_type",
            "llama.vocab_size",
            "llama.rope.dimension_count",
            "general.quantization_version",
            "tokenizer.ggml.model",
        ]
    );
    let tensors: Vec<(&str, &str)> =
        header.tensors.iter().map(|t| (t.name.as_str(), t.kind.name())).collect();
    assert_eq!(
        tensors[..3],
        [
            ("token_embd.weight", "Q8_0"),
            ("blk.0.attn_norm.weight", "F32"),
            ("blk.0.ffn_down.weight", "Q8_0"),
        ]
    );
    assert_eq!(header.tensors[2].dimensions, [64, 32]);
    assert_eq!(tensors.last(), Some(&("output_norm.weight", "F32")));
    let file = fs::metadata(made.path("out.gguf")).unwrap().len();
    assert_eq!(file % 32, 0);
}

#[test]
fn the_halves_of_a_llamas_heads_take_turns() {
    let made = made(&llama_config(), &llama_rows());
    convert_as(&made, Kind::F32).unwrap();
    // Rows of 32 elements, numbered from 0; heads of 8 rows.
    let rows = |name: &str| -> Vec<f32> {
        weights(&made, name).chunks_exact(32).map(|row| row[0] / 32.0).collect()
    };
    assert_eq!(rows("blk.0.attn_k.weight")[..8], [0.0, 4.0, 1.0, 5.0, 2.0, 6.0, 3.0, 7.0]);
    assert_eq!(rows("blk.0.attn_v.weight")[..8], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    assert_eq!(weights(&made, "blk.0.attn_norm.weight")[..3], [0.0, 1.0, 2.0]);
}

#[test]
fn the_type_is_that_of_the_first_large_tensor_when_none_is_said() {
    let made = made(&llama_config(), &llama_rows());
    convert_as(&made, Kind::Auto).unwrap();
    assert_eq!(header(&made).tensors[0].kind.name(), "BF16");
    assert_eq!(header(&made).number("general.file_type"), Some(32));
    assert_eq!(Kind::from_name("Q4_0"), None);
    assert_eq!(Kind::Q8_0.of("a.weight", &[2, 48]), Kind::F16);
    assert_eq!(Kind::Q8_0.of("a.bias", &[64]), Kind::F32);
}

fn gemma3() -> (Value, Vec<Row>) {
    let mut config = llama_config();
    config["architectures"] = json!(["Gemma3ForCausalLM"]);
    config["model_type"] = json!("gemma3_text");
    config["head_dim"] = json!(8);
    let mut rows = llama_rows();
    let at = "model.layers.0.";
    rows.push(row(&format!("{at}pre_feedforward_layernorm.weight"), &[32]));
    rows.push(row(&format!("{at}post_feedforward_layernorm.weight"), &[32]));
    rows.push(row(&format!("{at}self_attn.q_norm.weight"), &[8]));
    rows.push(row(&format!("{at}self_attn.k_norm.weight"), &[8]));
    rows.push(row("vision_tower.x.weight", &[2]));
    (config, rows)
}

#[test]
fn gemmas_norms_are_more_by_one_and_rows_without_a_token_are_left_out() {
    let (config, rows) = gemma3();
    let made = made(&config, &rows);
    made.write("tokenizer.json", r#"{"model": {"vocab": {"a": 0}}, "added_tokens": [{"id": 1}]}"#);
    convert_as(&made, Kind::F32).unwrap();
    assert_eq!(weights(&made, "blk.0.post_ffw_norm.weight")[..3], [1.0, 2.0, 3.0]);
    let header = header(&made);
    assert_eq!(header.tensors[0].dimensions, [32, 2]);
    assert!(!header.tensors.iter().any(|tensor| tensor.name.contains("vision")));
    assert_eq!(header.number("gemma3.attention.sliding_window"), Some(4096));
}

#[test]
fn tensors_that_are_not_the_familys_are_named() {
    let mut rows = llama_rows();
    rows.push(row("model.layers.0.self_attn.sinks", &[4]));
    rows.push(row("model.layers.0.mlp.router.weight", &[4, 32]));
    let text = error(&llama_config(), &rows);
    assert!(
        text.contains(
            "unexpected tensor model.layers.0.self_attn.sinks in model.safetensors: \
            Llama has no tensor of that name"
        ),
        "{text}"
    );
    assert!(text.contains("model.layers.0.mlp.router.weight in model.safetensors"), "{text}");
    assert!(text.contains("--by upstream"), "{text}");
}

#[test]
fn shapes_that_contradict_the_config_are_named() {
    let mut config = llama_config();
    config["intermediate_size"] = json!(96);
    let text = error(&config, &llama_rows());
    let what = "model.layers.0.mlp.down_proj.weight has the shape [32, 64], but config.json \
        requires [32, 96]";
    assert!(text.contains(what), "{text}");
    assert!(text.contains("mlp.gate_proj.weight has the shape [64, 32], but"), "{text}");
    config["intermediate_size"] = json!(64);
    config["num_hidden_layers"] = json!(0);
    let text = error(&config, &llama_rows());
    let what = "model.layers.0.input_layernorm.weight belongs to layer 0, but config.json \
        declares 0 layers";
    assert!(text.contains(what), "{text}");
    config["num_hidden_layers"] = json!(3);
    let text = error(&config, &llama_rows());
    assert!(text.starts_with("tensors are missing in "), "{text}");
    assert!(text.contains("model.layers.1.self_attn.q_proj.weight"), "{text}");
    assert!(text.contains(", and 10 more"), "{text}");
}

#[test]
fn values_of_the_config_that_cannot_be_are_named() {
    for (key, value, says) in [
        ("hidden_size", json!("32"), "config.json: invalid value of hidden_size: \"32\""),
        ("num_attention_heads", json!(0), "config.json: invalid value of num_attention_heads: 0"),
        ("rms_norm_eps", json!(true), "config.json: invalid value of rms_norm_eps: true"),
        ("vocab_size", Value::Null, "config.json does not contain vocab_size"),
        ("max_position_embeddings", json!(-1), "invalid value of max_position_embeddings: -1"),
    ] {
        let mut config = llama_config();
        config[key] = value;
        let text = error(&config, &llama_rows());
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn what_stops_it_ends_it() {
    let made = made(&llama_config(), &llama_rows());
    let checkpoint = Checkpoint::open(made.dir()).unwrap();
    let job = Job {
        out: &made.path("out.gguf"),
        kind: Kind::F16,
        tokenizer: Keys::new(),
        general: &|_| Ok(Keys::new()),
    };
    let mut steps = Vec::new();
    let stopped = convert(&checkpoint, Family::Llama, job, &mut |done, total| {
        steps.push((done, total));
        if steps.len() == 2 { Err(Error::new("stopped")) } else { Ok(()) }
    });
    assert_eq!(stopped.unwrap_err().to_string(), "stopped");
    assert_eq!(steps, [(192, 19_008), (192, 19_008)]);
}

#[test]
fn rope_factors_of_llama_3_are_those_of_upstream() {
    let mut config = llama_config();
    config["head_dim"] = json!(128);
    config["rope_theta"] = json!(500_000.0);
    config["rope_scaling"] = json!({
        "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
        "original_max_position_embeddings": 8192, "rope_type": "llama3",
    });
    let config = Config::new(&config, Path::new("config.json"));
    let tensors = rope::tensors(Family::Llama, &config).unwrap();
    let bits: Vec<u32> = tensors[0].1.iter().map(|value| value.to_bits()).collect();
    assert_eq!((tensors[0].0.as_str(), bits.len()), ("rope_freqs.weight", 64));
    assert_eq!(bits[28..36], ROPE);
}

/// Of `generate_extra_tensors` in `conversion/llama.py` of the pinned llama.cpp with torch 2.15.
const ROPE: [u32; 8] = [
    0x3f80_0000,
    0x3f9e_126b,
    0x3fd3_5ec2,
    0x4011_b4ca,
    0x4052_b46f,
    0x40a5_7db9,
    0x411a_aaee,
    0x4200_0000,
];
