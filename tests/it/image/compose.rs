//! Compose: up, healthy, a chat.

use llama_tests::docker::{self, docker, image};
use llama_tests::http;
use llama_tests::process::{Finished, finish};
use llama_tests::server::free_port;
use llama_tests::workspace::root;
use serde_json::json;

/// Its containers, network and volume are gone when this is dropped.
struct Project {
    environment: Vec<(&'static str, String)>,
}

impl Project {
    fn compose(&self, words: &[&str]) -> Finished {
        let own = ["compose", "--file", "docker/compose.yaml", "--project-name", "llama-it"];
        let mut compose = docker(&[&own, words].concat());
        finish(compose.envs(self.environment.iter().cloned()))
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let mut down = docker(&["compose", "--project-name", "llama-it", "down", "--volumes"]);
        let _ = down.output();
    }
}

#[test]
fn up_waits_until_there_is_a_chat() {
    if image("cpu").is_none() {
        return;
    }
    let port = free_port().to_string();
    let project = Project {
        environment: vec![
            ("REGISTRY", format!("{}/", docker::REGISTRY)),
            ("TAG", "runtime".into()),
            ("PORT", port.clone()),
            ("MODELS", root().join("tests/models").display().to_string()),
            ("LLAMA_ARGS", "-m /models/llama-demo.gguf".into()),
        ],
    };
    let Finished { status, output } =
        project.compose(&["--profile", "cpu", "up", "--wait", "--no-build"]);
    assert!(status.success(), "{output}");
    let question = json!({ "messages": [{ "role": "user", "content": "Hello, who are you?" }] });
    let url = format!("http://127.0.0.1:{port}/v1/chat/completions");
    let answer = http::post(&url, &question).ok();
    let words = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(words.split_whitespace().count() > 2, "{answer}");
}
