//! Texts that take long to split: one long word, for models whose texts are split by regular expressions, and many
//! special tokens.

use demo_model::gguf::{File, Value};
use llama_tests::tiny::{self, Arch};
use llama_tests::{http, needs};
use serde_json::json;

use super::{ask, one, start, times};

/// A model that splits texts as DeepSeek's do, by `std::regex`.
fn model(path: &std::path::Path) {
    tiny::write(Arch::Qwen2, 1, path);
    let mut file = File::read(path).unwrap();
    let keys = ["tokenizer.ggml.model", "tokenizer.ggml.pre"];
    file.metadata.retain(|(key, _)| !keys.contains(&key.as_str()));
    file.set(keys[0], "gpt2");
    file.set(keys[1], "deepseek-llm");
    file.set("tokenizer.ggml.merges", Value::Texts(vec!["a a".to_owned()]));
    file.write(path).unwrap();
}

#[test]
fn a_text_of_one_long_word_does_not_end_the_server() {
    let Some(program) = needs::server() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    model(&path);
    let server = start(&program, &path, &[]);
    let url = format!("{}/tokenize", server.url());
    let count = |text: &str| {
        let answer = http::post(&url, &json!({ "content": text })).ok();
        answer["tokens"].as_array().unwrap().len()
    };
    for word in ["a", " ", "\n", "1", "!", "ä", "語"] {
        count(&times(word, 300_000));
    }
    assert!(count(&times("a", 300_000)) >= 150_000 / 2, "all of it is there");
    assert_eq!(http::get(&format!("{}/health", server.url())).status, 200);
}

/// Upstream counted all pieces before each of them, and copied all tokens before each line end, which took minutes.
#[test]
fn a_long_text_is_split_soon_and_as_a_short_one() {
    let Some(server) = one() else { return };
    for piece in ["<|im_end|>", "ab<|im_start|><|im_end|>\n", "\n\n\n"] {
        let tokens = |count: usize| {
            let body = json!({ "content": times(piece, count), "parse_special": true });
            let answer = ask(&server, "/tokenize", &body.to_string()).ok();
            let tokens = answer["tokens"].as_array().unwrap().iter().map(serde_json::Value::as_u64);
            tokens.collect::<Option<Vec<_>>>().unwrap()
        };
        let (one, two) = (tokens(1), tokens(2));
        let next = &two[one.len()..];
        assert!(tokens(200_000) == [&one[..], &next.repeat(199_999)].concat(), "{piece}");
    }
}
