//! The demo model says words and knows its own tokens; random models of other architectures load.

use demo_model::corpus::Corpus;
use llama_server_bin::Server;
use llama_tests::server::start;
use llama_tests::tiny::{self, Arch};
use llama_tests::{http, needs};
use serde_json::{Value, json};

#[test]
fn the_demo_model_answers_what_it_has_learnt_and_stops() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let server = start(&program, &model, &[]);
    let corpus = Corpus::load();
    for question in
        ["What is llama.cpp?", "How do I use a bigger model?", "Which backends are there?"]
    {
        let topic = corpus.topics.iter().find(|topic| topic.questions.contains(&question)).unwrap();
        let (answer, reason) = chat(&server, question);
        assert!(topic.answers.contains(&answer.as_str()), "{question} {answer}");
        assert_eq!(reason, "stop", "{question} {answer}");
    }
    let (answer, reason) = chat(&server, "How many bananas does a giraffe eat?");
    let words = answer.split_whitespace().count();
    assert!(reason == "stop" && (4..100).contains(&words), "{reason}: {answer}");
}

/// The demo model was trained on the tokens of an encoder of our own.
#[test]
fn llama_cpp_splits_text_as_the_demo_model_was_trained() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let server = start(&program, &model, &[]);
    let corpus = Corpus::load();
    let tokenizer = corpus.tokenizer();
    let topics = corpus.topics.iter().chain([&corpus.unknown]);
    let mut texts: Vec<&str> =
        topics.flat_map(|t| t.questions.iter().chain(&t.answers)).copied().collect();
    texts.extend(&corpus.prose);
    let odd = "  two  spaces, Größe 🦙\u{0}\n\n\t<|im_start|>user\nHello<|im_end|>\n";
    for text in texts.chunks(50).map(|texts| texts.join("\n")).chain([odd.to_owned()]) {
        let body = json!({ "content": text, "add_special": false, "parse_special": true });
        let answer = http::post(&format!("{}/tokenize", server.url()), &body).ok();
        let tokens: Vec<u64> =
            answer["tokens"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
        let own: Vec<u64> = tokenizer.encode(&text).into_iter().map(u64::from).collect();
        assert_eq!(tokens, own, "{text}");
    }
}

#[test]
fn random_models_of_every_architecture_load_and_generate() {
    let Some(program) = needs::server() else { return };
    let folder = tempfile::tempdir().unwrap();
    for arch in Arch::ALL {
        let path = folder.path().join(arch.name());
        tiny::write(arch, 1, &path);
        let server = start(&program, &path, &[]);
        let body =
            json!({ "prompt": "Hello", "n_predict": 8, "ignore_eos": true, "temperature": 0 });
        let answer = http::post(&format!("{}/completion", server.url()), &body).ok();
        assert_eq!(answer["tokens_predicted"], 8, "{arch:?}: {answer}");
    }
}

/// The likeliest answer to `question`, and why it ended.
fn chat(server: &Server, question: &str) -> (String, String) {
    let message = json!({ "role": "user", "content": question });
    let body = json!({ "messages": [message], "temperature": 0, "max_tokens": 200 });
    let answer = http::post(&format!("{}/v1/chat/completions", server.url()), &body).ok();
    let choice = &answer["choices"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&choice["message"]["content"]), text(&choice["finish_reason"]))
}
