//! Schemas that are small and become large, or lead to themselves.

use serde_json::{Value, json};

use super::{ask, completion, one, refused, refused_completion, times};

#[test]
fn a_schema_that_leads_to_itself_is_refused() {
    let Some(server) = one() else { return };
    let definition = json!({ "a": { "$ref": "#/$defs/a" } });
    let schema = json!({ "$defs": definition, "allOf": [{ "$ref": "#/$defs/a" }] });
    refused_completion(&server, json!({ "json_schema": schema }), "a $ref leads to itself");
    let schema = json!({ "$defs": definition, "$ref": "#/$defs/a" });
    refused_completion(&server, json!({ "json_schema": schema }), "failed to parse grammar");
    let chain = (1..=40_000).map(|n| json!({ "$ref": format!("#/$defs/{n}") }));
    let chain: Vec<Value> = chain.chain([json!({ "type": "string" })]).collect();
    let schema = json!({ "$defs": chain, "$ref": "#/$defs/0" });
    refused_completion(&server, json!({ "json_schema": schema }), "nested too deep");
}

#[test]
fn a_schema_that_becomes_too_large_is_refused() {
    let Some(server) = one() else { return };
    let mut types = json!({ "type": "string" });
    for _ in 0..14 {
        types = json!({ "type": vec!["array"; 7], "items": types });
    }
    let inner: serde_json::Map<_, _> = (0..3_000)
        .map(|n| (format!("p{n}"), json!({ "type": "object", "properties": {} })))
        .collect();
    let names = json!({ "properties": { times("k", 500_000): { "properties": inner } } });
    let cases = [
        (types, "at most 50000 nodes"),
        (names, "too large"),
        (
            json!({ "properties": { times("a", 200_000): {} }, "additionalProperties": {} }),
            "at most 200 bytes",
        ),
        (json!({ "type": "array", "minItems": 5, "maxItems": 3 }), "failed to parse grammar"),
        (json!({ "type": "string", "minLength": 2_000_000_000 }), "failed to parse grammar"),
    ];
    for (schema, message) in cases {
        refused_completion(&server, json!({ "json_schema": schema }), message);
    }
}

#[test]
fn a_schema_that_is_only_wide_is_answered() {
    let Some(server) = one() else { return };
    let wide = |count: usize, value: &Value| {
        let all = (0..count).map(|n| (format!("key{n}"), value.clone()));
        json!({ "type": "object", "properties": all.collect::<serde_json::Map<_, _>>() })
    };
    let pattern = json!({ "type": "string", "pattern": "^[a-z]{1,5}$" });
    let run =
        json!({ "type": "object", "properties": { times("_", 300_000): { "type": "string" } } });
    for schema in [
        wide(1_000, &json!({ "type": "string" })),
        wide(1_000, &pattern),
        run,
        json!({ "type": "integer", "minimum": 999_999_999_999_999_999_u64 }),
        json!({ "type": "integer", "exclusiveMinimum": 1e300 }),
    ] {
        let answer = ask(
            &server,
            "/completion",
            &completion(json!({ "json_schema": schema, "n_predict": 4 })),
        );
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

#[test]
fn tools_of_strangers_are_bounded() {
    let Some(server) = one() else { return };
    let tool = |name: &str, parameters: Value| json!({ "type": "function", "function": { "name": name, "parameters": parameters } });
    let chat = |tools: Vec<Value>| {
        let messages = json!([{ "role": "user", "content": "a" }]);
        json!({ "messages": messages, "tools": tools, "max_tokens": 2 }).to_string()
    };
    let many = (0..3_000).map(|n| tool(&format!("f{n}"), json!({}))).collect();
    refused(&server, "/v1/chat/completions", &chat(many), "at most 1024 tools");
    let long = vec![tool(&times("_", 300_000), json!({}))];
    refused(&server, "/v1/chat/completions", &chat(long), "at most 256 bytes");
    let twice = |n: usize| json!({ "anyOf": vec![json!({ "$ref": format!("#/$defs/a{n}") }); 2] });
    let mut definitions: serde_json::Map<_, _> =
        (0..60).map(|n| (format!("a{n}"), twice(n + 1))).collect();
    definitions.insert("a60".to_owned(), json!({ "type": "string" }));
    let parameters = json!({ "type": "object", "properties": { "x": { "$ref": "#/$defs/a0" } }, "$defs": definitions });
    ask(&server, "/v1/chat/completions", &chat(vec![tool("f", parameters)]));
}
