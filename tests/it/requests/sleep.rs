//! Requests to a server that unloads its model when nobody asks for anything.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use llama_tests::{http, needs};
use serde_json::json;

use super::start;

/// Tokenizing makes no task, so that the server thought itself idle: it freed the vocabulary under its requests.
#[test]
fn a_model_is_not_unloaded_while_requests_use_it() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let server = start(&program, &model, &["--sleep-idle-seconds", "1"]);
    let text = "How do I use a bigger model? ".repeat(20_000);
    let (done, url) = (AtomicBool::new(false), server.url());
    let ask = |path: &str| {
        let message = json!([{ "role": "user", "content": text }]);
        let body = json!({ "content": text, "messages": message });
        while !done.load(Ordering::Relaxed) {
            http::post(&format!("{url}{path}"), &body).ok();
        }
    };
    std::thread::scope(|scope| {
        for path in
            ["/tokenize", "/tokenize", "/v1/chat/completions/input_tokens", "/apply-template"]
        {
            scope.spawn(move || ask(path));
        }
        std::thread::sleep(Duration::from_secs(5));
        done.store(true, Ordering::Relaxed);
    });
    let is_sleeping = || http::get(&format!("{url}/props")).ok()["is_sleeping"] == true;
    assert!(!is_sleeping(), "it slept while it was asked");
    llama_tests::process::wait_for("the server to sleep", || is_sleeping().then_some(()));
    let answer = http::post(&format!("{url}/tokenize"), &json!({ "content": "a" })).ok();
    assert!(answer["tokens"].is_array(), "it does not wake up: {answer}");
}
