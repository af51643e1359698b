//! What clients of OpenAI's and Anthropic's APIs read: Claude Code, SDKs, LangChain.

use std::thread;

use async_openai::types::responses::ResponseStreamEvent;
use llama_server_bin::Server;
use llama_tests::process::wait_for;
use llama_tests::server::start;
use llama_tests::workspace::root;
use llama_tests::{http, needs};
use serde_json::{Value, json};

/// The demo model with a template of llama.cpp's collection.
fn with_template(name: &str, more: &[&str]) -> Option<Server> {
    let path = root().join("vendor/llama.cpp/models/templates").join(name);
    let options = ["--chat-template-file", path.to_str().unwrap(), "-np", "2", "-c", "4096"];
    Some(start(&needs::server()?, &needs::demo_model()?, &[&options[..], more].concat()))
}

fn post(server: &Server, path: &str, body: &Value) -> Value {
    http::post(&format!("{}{path}", server.url()), body).ok()
}

/// The events of a stream, each with its data.
fn events(server: &Server, path: &str, mut body: Value) -> Vec<(String, Value)> {
    body["stream"] = json!(true);
    read(&post(server, path, &body))
}

fn read(text: &Value) -> Vec<(String, Value)> {
    let (mut name, mut found) = (String::new(), Vec::new());
    for line in text.as_str().unwrap_or_else(|| panic!("{text}")).lines() {
        if let Some(event) = line.strip_prefix("event: ") {
            event.clone_into(&mut name);
        } else if let Some(data) = line.strip_prefix("data: ").filter(|data| *data != "[DONE]") {
            found.push((std::mem::take(&mut name), serde_json::from_str(data).unwrap()));
        }
    }
    found
}

/// Claude Code sends such conversations, and Codex two system messages at the beginning.
#[test]
fn a_template_that_wants_its_system_message_first_takes_later_ones() {
    let Some(server) = with_template("Qwen3.5-4B.jinja", &[]) else { return };
    let say = |role: &str, content: &str| json!({ "role": role, "content": content });
    let messages = [say("user", "Hello"), say("system", "Be kind."), say("user", "Go on")];
    let body = json!({ "max_tokens": 4, "system": "Be brief.", "messages": messages });
    assert_eq!(post(&server, "/v1/messages", &body)["type"], "message");
    let parts = json!([{ "type": "text", "text": "Be quick." }]);
    let first = [say("system", "Be brief."), json!({ "role": "developer", "content": parts })];
    let both = [&first[..], &messages].concat();
    let body = json!({ "messages": both });
    let prompt = post(&server, "/apply-template", &body)["prompt"].clone();
    let expected = "<|im_start|>system\nBe brief.\n\nBe quick.<|im_end|>\n\
        <|im_start|>user\nHello<|im_end|>\n<|im_start|>user\nBe kind.<|im_end|>\n";
    assert!(prompt.as_str().unwrap().starts_with(expected), "{prompt}");
}

#[test]
fn thinking_that_is_disabled_is_not_begun() {
    let Some(server) = with_template("Qwen3.5-4B.jinja", &[]) else { return };
    let tokens = |thinking: &str| {
        let messages = [json!({ "role": "user", "content": "Hello" })];
        let body = json!({ "messages": messages, "thinking": { "type": thinking } });
        post(&server, "/v1/messages/count_tokens", &body)["input_tokens"].as_u64().unwrap()
    };
    assert!(tokens("disabled") > tokens("adaptive"), "the template ends the thoughts at once");
}

#[test]
fn a_stop_sequence_is_named() {
    let Some(server) = with_template("Qwen3.5-4B.jinja", &[]) else { return };
    let messages = [json!({ "role": "user", "content": "What is a tensor?" })];
    let mut body = json!({ "max_tokens": 60, "temperature": 0, "messages": messages });
    body["thinking"] = json!({ "type": "disabled" });
    body["stop_sequences"] = json!(["e", "a", "o", "i"]);
    let answer = post(&server, "/v1/messages", &body);
    assert_eq!(answer["stop_reason"], "stop_sequence", "{answer}");
    let events = events(&server, "/v1/messages", body);
    let end = &events[events.len() - 2].1;
    assert_eq!(end["delta"]["stop_reason"], "stop_sequence", "{end}");
}

#[test]
fn a_word_that_the_server_stops_at_is_not_the_clients() {
    let options = ["-r", "e", "-r", "a", "-r", "o", "-r", "i"];
    let Some(server) = with_template("Qwen3.5-4B.jinja", &options) else { return };
    let messages = [json!({ "role": "user", "content": "What is a tensor?" })];
    let body = json!({ "max_tokens": 60, "temperature": 0, "messages": messages,
        "thinking": { "type": "disabled" } });
    let answer = post(&server, "/v1/messages", &body);
    let end = (&answer["stop_reason"], &answer["stop_sequence"]);
    assert_eq!(end, (&json!("end_turn"), &Value::Null), "{answer}");
}

/// A grammar writes the same call into each answer, and the request says whether it is one.
#[test]
fn a_call_in_a_stream_has_an_input_and_none_is_read_where_none_is_wanted() {
    let grammar = r#"root ::= "{\"name\": \"f\", \"parameters\": {}}""#;
    let name = "meta-llama-Llama-3.1-8B-Instruct.jinja";
    let Some(server) = with_template(name, &["--grammar", grammar]) else { return };
    let calls = |choice: &str| {
        let tool = json!({ "name": "f", "input_schema": { "type": "object", "properties": {} } });
        let messages = [json!({ "role": "user", "content": "Hello" })];
        let body = json!({ "max_tokens": 60, "messages": messages, "tools": [tool],
            "tool_choice": { "type": choice } });
        let events = events(&server, "/v1/messages", body);
        let begun = events.into_iter().filter(|(name, _)| name == "content_block_start");
        let blocks = begun.map(|(_, mut data)| data["content_block"].take());
        blocks.filter(|block| block["type"] == "tool_use").collect::<Vec<_>>()
    };
    let wanted = calls("auto");
    assert!(wanted.len() == 1 && wanted[0]["input"] == json!({}), "{wanted:?}");
    assert!(calls("none").is_empty());
}

/// The first token is a half of `é`.
#[test]
fn a_stream_of_the_responses_api_begins_once_and_is_numbered() {
    let Some(server) = with_template("Qwen3.5-4B.jinja", &[]) else { return };
    let body = json!({ "input": "Hello", "max_output_tokens": 9, "grammar": "root ::= \"é\" [a-z ]{60}",
        "reasoning": { "effort": "none" } });
    let events = events(&server, "/v1/responses", body);
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..2], ["response.created", "response.in_progress"], "{names:?}");
    assert_eq!(names.iter().filter(|name| **name == "response.created").count(), 1, "{names:?}");
    assert_eq!(events[0].1["response"]["output"], json!([]));
    for (number, (name, data)) in events.iter().enumerate() {
        assert_eq!(data["sequence_number"], number, "{name}");
        let of_item = name.contains("output") || name.contains("content_part");
        assert_eq!(data["output_index"] == 0, of_item, "{name}: {data}");
        let of_part = name.contains("_text.") || name.contains("content_part");
        assert_eq!(data["content_index"] == 0, of_part, "{name}: {data}");
    }
    are_of_openai(&events);
    let (name, data) = events.last().unwrap();
    let response = &data["response"];
    assert_eq!((name.as_str(), &response["status"]), ("response.incomplete", &json!("incomplete")));
    assert_eq!(response["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(response["usage"]["output_tokens_details"]["reasoning_tokens"], 0);
}

/// As OpenAI's Rust client reads them, which is strict.
fn are_of_openai(events: &[(String, Value)]) {
    for (name, data) in events {
        let read = serde_json::from_value::<ResponseStreamEvent>(data.clone());
        assert!(read.is_ok() && data["type"] == **name, "{read:?}: {data}");
    }
}

/// The server ends in the middle of an answer.
#[test]
fn an_error_in_a_stream_has_the_form_of_its_api() {
    let message = "the server is shutting down";
    let error = json!({ "code": 503, "message": message, "type": "unavailable_error" });
    for path in ["/v1/responses", "/v1/messages"] {
        let endless = ["--context-shift", "--ignore-eos"];
        let Some(server) = with_template("Qwen3.5-4B.jinja", &endless) else { return };
        let url = format!("{}{path}", server.url());
        let messages = json!([{ "role": "user", "content": "Hello" }]);
        let body = json!({ "input": "Hello", "messages": messages, "stream": true,
            "max_tokens": 1_000_000 });
        let asked = thread::spawn(move || http::post(&url, &body).ok());
        wait_for("an answer", || {
            let slots = http::get(&format!("{}/slots", server.url())).ok();
            let tokens = |slot: &Value| slot["next_token"][0]["n_decoded"].as_u64();
            slots.as_array()?.iter().any(|slot| tokens(slot) > Some(9)).then_some(())
        });
        server.stop().unwrap();
        let events = read(&asked.join().unwrap());
        let (name, data) = events.last().unwrap();
        let kind = (name.as_str(), &data["type"], &data["error"]);
        assert_eq!(kind, ("error", &json!("error"), &error));
        if path == "/v1/responses" {
            are_of_openai(&events);
            assert_eq!((&data["message"], &data["code"]), (&error["message"], &error["type"]));
        }
    }
}

/// What might begin a stop word is held back, and the limit comes before the rest of the word.
#[test]
fn a_stream_ends_with_what_was_held_back() {
    let Some(server) = with_template("Qwen3.5-4B.jinja", &[]) else { return };
    let mut body = json!({ "prompt": "A tensor is", "n_predict": 8, "temperature": 0 });
    let whole = post(&server, "/completion", &body)["content"].as_str().unwrap().to_owned();
    let last = whole.chars().last().unwrap();
    body["stop"] = json!([format!("{last}\u{1}")]);
    let parts = events(&server, "/completion", body);
    let text: String = parts.iter().filter_map(|(_, data)| data["content"].as_str()).collect();
    assert_eq!(text, whole);
}

#[test]
fn usage_counts_all_answers() {
    let Some(server) = with_template("Qwen3.5-4B.jinja", &[]) else { return };
    let body = json!({ "prompt": ["Hello", "What is a tensor?"], "max_tokens": 4, "n": 2,
        "ignore_eos": true });
    let usage = post(&server, "/v1/completions", &body)["usage"].clone();
    let tokens = |text: &str| {
        let answer = post(&server, "/tokenize", &json!({ "content": text, "add_special": true }));
        answer["tokens"].as_array().unwrap().len()
    };
    let asked = tokens("Hello") + tokens("What is a tensor?");
    assert_eq!(usage["completion_tokens"], 4 * 4, "{usage}");
    assert_eq!(usage["prompt_tokens"], asked, "{usage}");
    assert_eq!(usage["total_tokens"], 4 * 4 + asked, "{usage}");
    // Now all but the last token of each prompt is there, and a stream counts once, at its end.
    let again = post(&server, "/v1/completions", &body)["usage"].clone();
    assert_eq!(again["prompt_tokens_details"]["cached_tokens"], asked - 2, "{again}");
    let chunks = events(&server, "/v1/completions", body);
    let counts: Vec<_> = chunks.iter().filter(|(_, data)| data["usage"].is_object()).collect();
    assert!(counts.len() == 1 && counts[0].1["usage"] == again, "{counts:?} {again}");
    assert_eq!(counts[0], chunks.last().unwrap());
    let messages = [json!({ "role": "user", "content": "Hello" })];
    let body = json!({ "messages": messages, "max_tokens": 4, "n": 2, "ignore_eos": true,
        "stream_options": { "include_usage": true } });
    let whole = post(&server, "/v1/chat/completions", &body)["usage"].clone();
    let chunks = events(&server, "/v1/chat/completions", body);
    let counts: Vec<_> = chunks.iter().filter(|(_, data)| data["usage"].is_object()).collect();
    assert_eq!((counts.len(), counts[0]), (1, chunks.last().unwrap()), "{counts:?}");
    let (of_stream, choices) = (&counts[0].1["usage"], &counts[0].1["choices"]);
    assert_eq!((&of_stream["completion_tokens"], choices), (&json!(8), &json!([])));
    assert_eq!(of_stream["total_tokens"], whole["total_tokens"]);
}

#[test]
fn a_schema_is_held_in_each_form_and_beside_tools() {
    let Some(server) = with_template("Qwen3.5-4B.jinja", &[]) else { return };
    let schema = json!({ "enum": ["yes"] });
    let function = json!({ "name": "f", "parameters": { "type": "object", "properties": {} } });
    let tools = json!([{ "type": "function", "function": function }]);
    for (format, tools) in [
        (json!({ "type": "json_schema", "schema": schema }), Value::Null),
        (json!({ "type": "json_schema", "json_schema": { "schema": schema } }), Value::Null),
        (json!({ "type": "json_schema", "json_schema": { "schema": schema } }), tools),
    ] {
        let messages = [json!({ "role": "user", "content": "Hello" })];
        let body = json!({ "messages": messages, "response_format": format, "tools": tools,
            "reasoning_effort": "none", "max_tokens": 40 });
        let answer = post(&server, "/v1/chat/completions", &body);
        assert_eq!(answer["choices"][0]["message"]["content"], "\"yes\"", "{format}: {answer}");
    }
}

#[test]
fn an_embedding_has_the_dimensions_that_are_asked_for() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let server = start(&program, &model, &["--embeddings", "--pooling", "mean"]);
    let body = json!({ "input": "Hello", "dimensions": 8, "encoding_format": null });
    let answer = post(&server, "/v1/embeddings", &body);
    let numbers = answer["data"][0]["embedding"].as_array().unwrap();
    let squares: f64 = numbers.iter().map(|number| number.as_f64().unwrap().powi(2)).sum();
    assert!(numbers.len() == 8 && (squares - 1.0).abs() < 1e-3, "{answer}");
    let body = json!({ "input": "Hello", "dimensions": 100_000 });
    let answer = http::post(&format!("{}/v1/embeddings", server.url()), &body);
    assert_eq!(answer.status, 400, "{}", answer.body);
}

/// Llama 3 writes calls of tools without a marker, so that any brace might begin one.
#[test]
fn an_answer_with_a_brace_is_text_where_tools_are_offered() {
    let Some(server) = with_template("meta-llama-Llama-3.1-8B-Instruct.jinja", &[]) else { return };
    let tokens = post(&server, "/tokenize", &json!({ "content": "{" }))["tokens"].clone();
    let brace = tokens.as_array().unwrap().last().unwrap().clone();
    let function = json!({ "name": "f", "parameters": { "type": "object", "properties": {} } });
    let body = json!({
        "messages": [{ "role": "user", "content": "Hello" }],
        "tools": [{ "type": "function", "function": function }],
        "logit_bias": [[brace, 100]],
        "max_tokens": 8,
    });
    let answer = post(&server, "/v1/chat/completions", &body);
    let content = answer["choices"][0]["message"]["content"].as_str().unwrap_or_default();
    assert!(content.contains("{{{"), "{answer}");
    let deltas = events(&server, "/v1/chat/completions", body);
    let deltas = deltas.iter().map(|(_, data)| data["choices"][0]["delta"]["content"].clone());
    let text: String = deltas.filter_map(|delta| delta.as_str().map(str::to_owned)).collect();
    assert_eq!(text, content);
}
