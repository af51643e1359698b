//! What is wrong with a request is said with 400: a client asks again after a 500.

use llama_tests::http;
use llama_tests::needs;
use llama_tests::server::start;
use serde_json::{Value, json};

use super::{ask, one, refused, times};

fn tool(name: &str) -> Value {
    let parameters = json!({ "type": "object", "properties": { "a": { "type": "integer" } } });
    json!({ "type": "function", "function": { "name": name, "parameters": parameters } })
}

/// A conversation with these fields.
fn chat(fields: &Value) -> Value {
    let messages = json!([{ "role": "user", "content": "Hello" }]);
    let mut body = json!({ "messages": messages, "max_tokens": 60, "temperature": 0 });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

#[test]
fn a_request_that_is_wrong_gets_400_and_the_reason() {
    let Some(server) = one() else { return };
    let message = |message: Value| json!({ "messages": [message] });
    let image =
        json!([{ "type": "image_url", "image_url": { "url": "data:image/png;base64,AA" } }]);
    let call = json!({ "type": "function", "function": { "name": "f", "arguments": "{bad" } });
    let (chat_path, other) = ("/v1/chat/completions", json!({ "type": "function", "name": "g" }));
    let cases = [
        (chat_path, message(json!({ "role": "user", "content": image })), "image input is not"),
        (chat_path, message(json!({ "content": "a" })), "Failed to parse messages"),
        (
            chat_path,
            message(json!({ "role": "assistant", "content": "", "tool_calls": [call] })),
            "",
        ),
        (
            chat_path,
            chat(&json!({ "tools": [tool("f")], "tool_choice": other })),
            "'g', which is not",
        ),
        (chat_path, chat(&json!({ "reasoning_format": "x" })), "Unknown reasoning format"),
        (
            chat_path,
            chat(&json!({ "grammar": "root ::= \"a\"", "json_schema": { "type": "integer" } })),
            "both json_schema and grammar",
        ),
        ("/v1/messages", json!({ "max_tokens": 1 }), "'messages' is required"),
        ("/detokenize", json!({ "tokens": [-1] }), "no token -1"),
        ("/detokenize", json!({ "tokens": [1_000_000_000] }), "no token 1000000000"),
        (
            "/v1/streams/lookup",
            json!({ "conversation_ids": vec!["a"; 2_000] }),
            "at most 1024 conversation_ids",
        ),
    ];
    for (path, body, reason) in cases {
        refused(&server, path, &body.to_string(), reason);
    }
    let gone = http::get(&format!("{}/v1/stream?conv_id=none", server.url()));
    assert_eq!(gone.status, 404);
    let said = gone.body["error"]["message"].as_str().unwrap_or_default();
    assert!(!said.is_empty() && said != "File Not Found", "{said}");
}

/// A score is all that it has; the numbers behind it were other requests' memory.
#[test]
fn a_reranker_computes_no_embeddings() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let server = start(&program, &model, &["--reranking"]);
    for path in ["/embedding", "/embeddings", "/v1/embeddings"] {
        let body = json!({ "input": "a", "content": "a", "embd_normalize": -1 });
        let answer = http::post(&format!("{}{path}", server.url()), &body);
        assert_eq!(answer.status, 400, "{path}: {}", answer.body);
        assert!(answer.body.to_string().contains("Use /v1/rerank"), "{path}: {}", answer.body);
    }
    let rerank = |top_n: i32| {
        let body = json!({ "query": "a", "documents": ["b", "c"], "top_n": top_n });
        http::post(&format!("{}/v1/rerank", server.url()), &body)
    };
    assert_eq!(rerank(1).ok()["results"].as_array().map(Vec::len), Some(1));
    assert_eq!(rerank(-1).status, 400);
}

#[test]
fn a_long_text_for_an_embedding_is_the_clients_fault() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let server =
        start(&program, &model, &["--embeddings", "--pooling", "mean", "-ub", "8", "-b", "8"]);
    let body = json!({ "input": "a b c d e f g h i j k l m n o p" });
    let answer = http::post(&format!("{}/v1/embeddings", server.url()), &body);
    assert_eq!(answer.status, 400, "{}", answer.body);
}

/// The model is told of no other function than the one that a client names, by both fields that name it.
#[test]
fn the_function_that_is_named_is_the_only_one() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("names.jinja");
    let text =
        "{% for tool in tools %}<{{ tool.function.name }}>{% endfor %}{{ messages[0].content }}";
    std::fs::write(&template, text).unwrap();
    let server = start(&program, &model, &["--chat-template-file", template.to_str().unwrap()]);
    let prompt = |choice: Value| {
        let tools = json!([tool("first"), tool("second")]);
        let body = chat(&json!({ "tools": tools, "tool_choice": choice }));
        ask(&server, "/apply-template", &body.to_string()).ok()["prompt"].to_string()
    };
    assert!(prompt(json!("auto")).contains("<first><second>"));
    for choice in [
        json!({ "type": "function", "function": { "name": "second" } }),
        json!({ "type": "function", "name": "second" }),
    ] {
        let prompt = prompt(choice);
        assert!(prompt.contains("<second>") && !prompt.contains("first"), "{prompt}");
    }
}

/// Templates of models in use copy all of the text before each message.
#[test]
fn a_long_conversation_is_rendered_by_a_template_that_copies_it_each_time() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("copies.jinja");
    let text = "{% set all = namespace(text='') %}{% for message in messages %}\
                {% set all.text = all.text ~ message.content %}\
                {% for before in range(loop.index0) %}{% set x = before %}{% endfor %}\
                {% endfor %}{{ all.text }}";
    std::fs::write(&template, text).unwrap();
    let server = start(&program, &model, &["--chat-template-file", template.to_str().unwrap()]);
    let message = json!({ "role": "user", "content": times("word ", 400) });
    let body = json!({ "messages": vec![message; 400] });
    let answer = ask(&server, "/apply-template", &body.to_string()).ok();
    assert_eq!(answer["prompt"].as_str().map(str::len), Some(800_000));
}

#[test]
fn the_responses_api_follows_a_schema() {
    let Some(server) = one() else { return };
    let schema = json!({ "type": "integer" });
    let format = json!({ "type": "json_schema", "name": "n", "strict": true, "schema": schema });
    let item = json!({ "role": "assistant", "content": "Hi" });
    let thought = json!({ "type": "reasoning", "summary": [] });
    let user = json!({ "role": "user", "content": "Hello" });
    let body = json!({
        "input": [user, thought, item, user], "tools": null, "max_output_tokens": 20,
        "text": { "format": format }, "temperature": 0,
    });
    let answer = ask(&server, "/v1/responses", &body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
    let text = answer.body["output"][0]["content"][0]["text"].as_str().unwrap_or_default();
    assert!(text.trim().parse::<i128>().is_ok(), "{}", answer.body);
}

#[test]
fn a_stream_of_several_prompts_has_no_empty_events() {
    let Some(server) = one() else { return };
    let body = json!({ "prompt": ["x", "y"], "max_tokens": 2, "n_predict": 2, "stream": true });
    for path in ["/v1/completions", "/completion"] {
        let answer = ask(&server, path, &body.to_string());
        let text = answer.body.as_str().unwrap_or_default();
        assert!(text.starts_with("data: {") && !text.contains("data: null"), "{path}: {text}");
    }
}
