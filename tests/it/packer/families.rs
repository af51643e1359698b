//! A checkpoint of every family that is converted here, through `CONVERT` and `QUANTIZE` to llama-server.

use std::fs;
use std::path::Path;

use llama_tests::checkpoints::Checkpoint;
use llama_tests::packer::Packer;
use llama_tests::process::{KilledOnDrop, wait_for};
use llama_tests::server::free_port;
use llama_tests::{http, needs, workspace};
use serde_json::json;

/// Converts the checkpoint in a build, quantizes it, and has it say something. No Python is needed.
fn serves(name: &str, architecture: &str) {
    let (Some(packer), Some(server)) = (Packer::new(), needs::server()) else { return };
    let packer = packer.env("GGUF_PACKER_PYTHON", "/no/python");
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[name]);
    let file = format!(
        "FROM scratch AS f16\nCONVERT --from=context {name} model.F16.gguf\nFROM scratch\n\
         QUANTIZE --from=f16 --type=Q4_0 model.F16.gguf model.gguf\n\
         CMD [\"-m\", \"model.gguf\", \"-c\", \"256\"]\n"
    );
    fs::write(dir.path().join("GGUFPackerfile"), file).unwrap();
    packer.does_in(dir.path(), &["build", "--tag", "family:1", "."]);
    let shown = packer.does(&["inspect", "family:1"]);
    let label = format!("\"gguf.model.architecture\": \"{architecture}\"");
    assert!(shown.contains(&label), "no {label} in {shown}");
    let port = free_port().to_string();
    let words = ["run", "family:1", "--", "--port", &port, "--no-warmup"];
    let mut command = packer.command(&words);
    let _server = KilledOnDrop(command.env("LLAMA_SERVER_BIN", server).spawn().unwrap());
    let url = format!("http://127.0.0.1:{port}");
    wait_for("the server", || {
        http::try_get(&format!("{url}/health"), None).filter(|answer| answer.status == 200)
    });
    let question = json!({ "prompt": "Hello", "n_predict": 4 });
    let answer = http::post(&format!("{url}/completion"), &question).ok();
    assert!(answer["tokens_predicted"].as_u64() > Some(0), "{name}: {answer}");
}

fn write(dir: &Path, names: &[&str]) {
    let source = workspace::root().join("vendor/llama.cpp");
    for name in names {
        Checkpoint::named(name).write(dir, &source);
    }
}

#[test]
fn llama_3_is_converted_and_served() {
    serves("Llama-3.2-1B-Instruct", "llama");
}

#[test]
fn llama_2_is_converted_and_served() {
    serves("Llama-2-7b-chat-hf", "llama");
}

#[test]
fn mistral_is_converted_and_served() {
    serves("Mistral-7B-v0.1", "llama");
}

#[test]
fn qwen3_is_converted_and_served() {
    serves("Qwen3-4B", "qwen3");
}

#[test]
fn gemma_is_converted_and_served() {
    serves("gemma-2b-it", "gemma");
}

#[test]
fn gemma_2_is_converted_and_served() {
    serves("gemma-2-2b-it", "gemma2");
}

#[test]
fn gemma_3_is_converted_and_served() {
    serves("gemma-3-1b-it", "gemma3");
}

#[test]
fn phi_3_is_converted_and_served() {
    serves("Phi-3-mini-128k-instruct", "phi3");
}

#[test]
fn phi_4_is_converted_and_served() {
    serves("phi-4", "phi3");
}

/// `--class=lora`, its base without weights, and the server that applies it.
#[test]
fn an_adapter_is_converted_and_applied() {
    let (Some(packer), Some(server)) = (Packer::new(), needs::server()) else { return };
    let packer = packer.env("GGUF_PACKER_PYTHON", "/no/python");
    let dir = tempfile::tempdir().unwrap();
    let (base, adapter) = ("Qwen2-0.5B-Instruct", "Qwen2-0.5B-MAC-lora");
    write(dir.path(), &[base, adapter]);
    let file = format!(
        "FROM scratch\nCOPY --exclude={base}/*.safetensors {base} base\n\
         CONVERT --from=context --class=lora --base=base {adapter} adapter.gguf\n\
         CONVERT --from=context {base} model.gguf\n\
         CMD [\"-m\", \"model.gguf\", \"--lora\", \"adapter.gguf\", \"-c\", \"256\"]\n"
    );
    fs::write(dir.path().join("GGUFPackerfile"), file).unwrap();
    packer.does_in(dir.path(), &["build", "--tag", "adapted:1", "."]);
    let port = free_port().to_string();
    let words = ["run", "adapted:1", "--", "--port", &port, "--no-warmup"];
    let mut command = packer.command(&words);
    let _server = KilledOnDrop(command.env("LLAMA_SERVER_BIN", server).spawn().unwrap());
    let url = format!("http://127.0.0.1:{port}/lora-adapters");
    let list =
        wait_for("the adapter", || http::try_get(&url, None).filter(|answer| answer.status == 200));
    assert!(list.ok()[0]["path"].as_str().unwrap().ends_with("adapter.gguf"));
}
