//! Adapters, and what is refused of them.

use std::fs::{self, File};

use serde_json::json;

use super::super::testing::{Made, Row, llama_config, row};
use super::*;
use crate::gguf::Header;

const AT: &str = "base_model.model.model.layers.0.";

fn rows() -> Vec<Row> {
    let half = |name: &str, half: &str| format!("{AT}{name}.lora_{half}.weight");
    vec![
        row(&half("self_attn.q_proj", "B"), &[32, 4]),
        row(&half("mlp.down_proj", "A"), &[4, 64]),
        row(&half("self_attn.q_proj", "A"), &[4, 32]),
        row(&half("mlp.down_proj", "B"), &[32, 4]),
    ]
}

fn made(rows: &[Row]) -> (Made, Made) {
    let base = Made::new(&llama_config());
    let adapter = Made::new(&json!({}));
    adapter.write(CONFIG, r#"{"lora_alpha": 16, "alora_invocation_tokens": [7, 9]}"#);
    adapter.weights(WEIGHTS, rows);
    (base, adapter)
}

/// The family, what the conversion gives, the counted parameters.
fn convert(base: &Made, made: &Made) -> Option<Result<i64, String>> {
    let base = Checkpoint::without_weights(base.dir()).unwrap();
    let adapter = Adapter::open(made.dir()).unwrap().unwrap();
    let family = adapter.family(&base).ok()?;
    let total = std::cell::Cell::new(0);
    let general = |counted: i64| {
        total.set(counted);
        Ok(Keys::new())
    };
    let out = made.path("out.gguf");
    let job = Job { out: &out, kind: Kind::F32, tokenizer: Keys::new(), general: &general };
    let done = adapter.convert(&base, family, job, &mut |_, _| Ok(()));
    Some(done.map(|()| total.get()).map_err(|e| e.to_string()))
}

#[test]
fn an_adapter_has_the_keys_and_tensors_of_upstream() {
    let (base, made) = made(&rows());
    assert_eq!(convert(&base, &made), Some(Ok(-(32 * 32 + 32 * 64))));
    let bytes = fs::read(made.path("out.gguf")).unwrap();
    let file = File::open(made.path("out.gguf")).unwrap();
    let header = Header::read(std::io::BufReader::new(file), bytes.len() as u64).unwrap();
    let keys: Vec<&str> = header.metadata.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "general.architecture",
            "general.type",
            "adapter.type",
            "adapter.lora.alpha",
            "adapter.alora.invocation_tokens",
            "general.quantization_version",
        ]
    );
    let names: Vec<&str> = header.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "blk.0.attn_q.weight.lora_a",
            "blk.0.attn_q.weight.lora_b",
            "blk.0.ffn_down.weight.lora_a",
            "blk.0.ffn_down.weight.lora_b",
        ]
    );
    // The rows of the second half change places as those of the tensor do; rows of 4, heads of 8.
    let start = (header.data_start + header.tensors[1].offset) as usize;
    let first = |row: usize| {
        let at = start + row * 16;
        f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) / 4.0
    };
    assert_eq!([0, 1, 2, 3].map(first), [0.0, 4.0, 1.0, 5.0]);
}

#[test]
fn halves_that_are_missing_or_do_not_fit_are_named() {
    let mut some = rows();
    some.truncate(3);
    some[0].2 = vec![32, 8];
    some.push(row(&format!("{AT}mlp.gate.lora_A.weight"), &[4, 32]));
    some.push(row(&format!("{AT}mlp.gate.lora_B.weight"), &[4, 4]));
    let (base, made) = made(&some);
    let text = convert(&base, &made).unwrap().unwrap_err();
    assert!(
        text.contains(
            "halves of model.layers.0.self_attn.q_proj.weight have different ranks, 4 and 8"
        ),
        "{text}"
    );
    assert!(text.contains("adapter_model.safetensors has no lora_B"), "{text}");
    assert!(text.contains("model.layers.0.mlp.gate.weight in "), "{text}");
    some = rows();
    some[3].2 = vec![16, 4];
    let (base, made) = self::made(&some);
    let text = convert(&base, &made).unwrap().unwrap_err();
    assert!(text.contains("mlp.down_proj.weight has the shape [16, 64], but "), "{text}");
    assert!(!made.path("out.gguf").exists());
}

#[test]
fn what_is_more_than_pairs_is_left_to_upstream() {
    let mut more = rows();
    more.push(row(&format!("{AT}input_layernorm.weight"), &[32]));
    let (base, made) = made(&more);
    assert_eq!(convert(&base, &made), None);
    let (base, made) = self::made(&rows());
    made.write(CONFIG, r#"{"lora_alpha": 16, "invocation_string": "go"}"#);
    assert_eq!(convert(&base, &made), None);
    made.write(CONFIG, "{}");
    let text = convert(&base, &made).unwrap().unwrap_err();
    assert!(text.contains("adapter_config.json does not contain lora_alpha"), "{text}");
    fs::remove_file(made.path(WEIGHTS)).unwrap();
    assert!(Adapter::open(made.dir()).unwrap().is_none());
}
