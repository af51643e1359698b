//! Texts of one long word, for models whose texts are split by regular expressions.

use demo_model::gguf::{File, Value};
use llama_tests::tiny::{self, Arch};
use llama_tests::{http, needs};
use serde_json::json;

use super::{start, times};

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
