//! Lists and numbers of a request that cost memory, or time for each token.

use serde_json::{Value, json};

use super::{ask, completion, one, refused, refused_completion, start, times};
use llama_tests::needs;

#[test]
fn lists_of_a_request_are_bounded() {
    let Some(server) = one() else { return };
    let words = |count: usize| (0..count).map(|n| format!("w{n}")).collect::<Vec<_>>();
    let trigger = |kind: u32, value: &str| json!([{ "type": kind, "value": value }]);
    let cases = [
        (json!({ "prompt": words(20_000) }), "at most 1024 prompts"),
        (json!({ "prompt": words(1_000), "x": times("a", 1_000_000) }), "in all copies"),
        (json!({ "stop": words(200_000) }), "at most 256 stop strings"),
        (json!({ "stop": [times("e", 1_000_000)] }), "at most 1024 bytes in a stop string"),
        (json!({ "samplers": vec!["temperature"; 100_000] }), "at most 64 samplers"),
        (
            json!({ "dry_multiplier": 1, "dry_sequence_breakers": words(20_000) }),
            "at most 32 dry_sequence_breakers",
        ),
        (json!({ "response_fields": words(100_000) }), "at most 256 response_fields"),
        (
            json!({ "grammar": "root ::= \"a\"", "grammar_triggers": trigger(77, "a") }),
            "a token or a word",
        ),
        (
            json!({ "grammar": "root ::= \"a\"", "grammar_triggers": trigger(2, "(a*)*b") }),
            "a token or a word",
        ),
        (
            json!({ "grammar": "root ::= \"a\"", "grammar_triggers": trigger(1, &times("a", 300_000)) }),
            "256 bytes",
        ),
    ];
    for (fields, message) in cases {
        refused_completion(&server, fields, message);
    }
}

/// Each of these allocated 8 GB, or more.
#[test]
fn numbers_without_bound_are_answered_as_the_largest_that_makes_sense() {
    let Some(server) = one() else { return };
    for fields in [
        json!({ "repeat_last_n": i32::MAX, "repeat_penalty": 1.1 }),
        json!({ "dry_penalty_last_n": i32::MAX, "dry_multiplier": 1 }),
        json!({ "n_probs": i32::MAX }),
        json!({ "n_probs": -1 }),
        json!({ "samplers": ["infill"] }),
        json!({ "logit_bias": (0..1280).map(|token| json!([token, false])).collect::<Vec<_>>() }),
    ] {
        let body = completion(json!({ "n_predict": 4 }));
        let Value::Object(mut body) = serde_json::from_str(&body).unwrap() else {
            panic!("it is an object")
        };
        body.extend(fields.as_object().unwrap().clone());
        let answer = ask(&server, "/completion", &Value::Object(body).to_string());
        assert_eq!(answer.status, 200, "{fields}: {}", answer.body);
    }
}

#[test]
fn texts_and_documents_are_bounded() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let texts: Vec<&str> = vec!["a"; 20_000];
    let server = start(&program, &model, &["--embeddings", "--pooling", "mean"]);
    refused(
        &server,
        "/v1/embeddings",
        &json!({ "input": texts }).to_string(),
        "at most 1024 texts",
    );
}
