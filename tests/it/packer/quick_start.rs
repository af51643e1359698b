//! The document's quick start, word for word, from a repository of safetensors to a chat. No Python is needed.

use std::path::Path;

use llama_tests::checkpoints::Checkpoint;
use llama_tests::hub::Hub;
use llama_tests::packer::Packer;
use llama_tests::process::KilledOnDrop;
use llama_tests::process::wait_for;
use llama_tests::registry::Registry;
use llama_tests::server::free_port;
use llama_tests::{http, needs, workspace};
use serde_json::json;

/// The document's file.
const FILE: &str = include_str!("../../../gguf-packer/src/language/samples/quick-start");

/// A hub with a small random model of Qwen2's shape and with its tokenizer, and a packer that asks it.
fn with_hub(dir: &Path) -> Option<(Packer, Hub)> {
    let packer = Packer::new()?;
    let source = workspace::root().join("vendor/llama.cpp");
    let hub = Hub::start(Checkpoint::named("Qwen2-0.5B-Instruct").write(dir, &source));
    let packer = packer.env("GGUF_PACKER_PYTHON", "/no/python");
    Some((packer.env("HF_ENDPOINT", hub.endpoint("127.0.0.1")), hub))
}

/// Builds it with two types, ships both, and talks to one.
#[test]
fn the_documents_quick_start_ends_in_a_chat() {
    let dir = tempfile::tempdir().unwrap();
    let Some((packer, hub)) = with_hub(dir.path()) else { return };
    let Some(registry) = Registry::start() else { return };
    let context = dir.path().join("context");
    std::fs::create_dir(&context).unwrap();
    std::fs::write(context.join("Dockerfile"), FILE).unwrap();
    let name = |kind: &str| format!("{}/qwen2:0.5b-instruct-{kind}-demo", registry.address);
    let (q5, q4) = (name("q5-k-m"), name("q4-k-m"));

    packer.does_in(&context, &["build", "--tag", &q5, "--push", "."]);
    let downloads = hub.downloads();
    assert!(downloads >= 5, "{downloads} files were downloaded");
    let other = ["build", "--tag", &q4, "--build-arg", "QUANTIZE_TYPE=Q4_K_M", "--push", "."];
    let output = packer.does_in(&context, &other);
    assert!(output.contains("CACHED"), "{output}");
    assert!(!output.contains("llama.cpp's script converts"), "{output}");
    assert_eq!(hub.downloads(), downloads, "the repository was downloaded twice:\n{output}");

    let reader = Packer::new().unwrap();
    reader.does(&["pull", &q5]);
    reader.does(&["pull", &q4]);
    let list = reader.does(&["list"]);
    for words in ["NAME", "ARCH", "PARAMS", "BPW", "Q5_K_M", "Q4_K_M", "qwen2", " ago"] {
        assert!(list.contains(words), "no {words} in\n{list}");
    }
    assert_eq!(packer.list(), reader.list(), "both stores have the same images");
    let shown = reader.does(&["inspect", &q5]);
    for words in
        ["Hugging Face", "gguf.model.architecture", "/models/Qwen2-0.5B-Instruct.Q5_K_M.gguf"]
    {
        assert!(shown.contains(words), "no {words} in\n{shown}");
    }

    let line = reader.does(&["run", &q5, "--dry-run", "--", "--flash-attn"]);
    assert!(line.contains("--flash-attn on"), "{line}");
    talks(&reader, &q5);
}

/// Starts the model by our own server, and asks it something.
fn talks(packer: &Packer, name: &str) {
    let Some(server) = needs::server() else { return };
    let port = free_port().to_string();
    let words = ["run", name, "--", "--port", &port];
    let mut command = packer.command(&words);
    let _server = KilledOnDrop(command.env("LLAMA_SERVER_BIN", server).spawn().unwrap());
    let url = format!("http://127.0.0.1:{port}");
    wait_for("the server", || {
        http::try_get(&format!("{url}/health"), None).filter(|answer| answer.status == 200)
    });
    // Qwen2's own numbers for these words.
    let words = http::post(&format!("{url}/tokenize"), &json!({ "content": "Hello world" })).ok();
    assert_eq!(words["tokens"], json!([9707, 1879]), "{words}");
    let question = json!({ "messages": [{ "role": "user", "content": "Hello" }], "max_tokens": 8 });
    let answer = http::post(&format!("{url}/v1/chat/completions"), &question).ok();
    assert!(answer["choices"][0]["message"]["content"].is_string(), "{answer}");
    // The template puts the system prompt before what was asked.
    let prompt = http::post(&format!("{url}/apply-template"), &question).ok();
    let prompt = prompt["prompt"].as_str().unwrap();
    assert!(prompt.starts_with("<|im_start|>system\nYou are an AI assistant"), "{prompt}");
    assert!(
        prompt.contains("<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"),
        "{prompt}"
    );
}
