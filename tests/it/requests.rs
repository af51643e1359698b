//! Requests that want to end the server, or to keep it from working for others: each gets an answer that says why it
//! is refused, and the server goes on.

mod faults;
mod lists;
mod schemas;
mod sleep;
mod words;

use std::time::{Duration, Instant};

use llama_server_bin::Server;
use llama_tests::http::{self, Answer};
use llama_tests::needs;
use llama_tests::server::{greedy_tokens, start};
use serde_json::{Value, json};

/// Far above what any of these takes (seconds on a busy machine), far below what they took (minutes, or for ever).
const SOON: Duration = Duration::from_secs(20);

/// The answer to `body`, after which the server still works.
fn ask(server: &Server, path: &str, body: &str) -> Answer {
    let begin = Instant::now();
    let answer = http::post_text(&format!("{}{path}", server.url()), body);
    let shown = &body[..body.len().min(200)];
    assert!(begin.elapsed() < SOON, "{path} {shown}: took {:?}", begin.elapsed());
    assert_eq!(http::get(&format!("{}/health", server.url())).status, 200, "after {path} {shown}");
    assert_eq!(greedy_tokens(server, "Hello", 2).len(), 2, "after {path} {shown}");
    answer
}

/// `body` is answered with 400 and a message that has `message` in it.
fn refused(server: &Server, path: &str, body: &str, message: &str) {
    let answer = ask(server, path, body);
    let text = answer.body["error"]["message"].as_str().unwrap_or_default().to_owned();
    let shown = &body[..body.len().min(200)];
    assert!(
        answer.status == 400 && text.contains(message),
        "{path} {shown}: {} {text}",
        answer.status
    );
}

/// A completion with these fields is refused.
fn refused_completion(server: &Server, fields: Value, message: &str) {
    refused(server, "/completion", &completion(fields), message);
}

fn completion(fields: Value) -> String {
    let mut body = json!({ "prompt": "a", "n_predict": 30, "temperature": 0 });
    let Value::Object(fields) = fields else { panic!("fields have names") };
    body.as_object_mut().unwrap().extend(fields);
    body.to_string()
}

/// The static server and the shared one, with the demo model.
fn both() -> Vec<Server> {
    let (Some(programs), Some(model)) = (needs::both_servers(), needs::demo_model()) else {
        return Vec::new();
    };
    programs.iter().map(|(_, program)| start(program, &model, &["-np", "2"])).collect()
}

fn one() -> Option<Server> {
    Some(start(&needs::server()?, &needs::demo_model()?, &["-np", "2"]))
}

/// Text `count` times.
fn times(text: &str, count: usize) -> String {
    text.repeat(count)
}

/// A body whose schema is an array of arrays, `depth` levels deep.
fn nested_schema(depth: usize) -> String {
    let (begin, end) = (times(r#"{"type":"array","items":"#, depth), times("}", depth));
    format!(r#"{{"prompt":"a","n_predict":2,"json_schema":{begin}{{"type":"string"}}{end}}}"#)
}

#[test]
fn json_nested_too_deep_is_refused_wherever_it_comes_from() {
    let limit = "at most 128 levels";
    let array = |depth: usize| times("[", depth) + &times("]", depth);
    for server in both() {
        for depth in [200, 5_000, 50_000] {
            refused(&server, "/completion", &nested_schema(depth), limit);
        }
        assert_eq!(ask(&server, "/completion", &nested_schema(100)).status, 200);
        let body =
            format!(r#"{{"messages":[{{"role":"user","content":"a"}}],"x":{}}}"#, array(50_000));
        for path in [
            "/v1/chat/completions",
            "/tokenize",
            "/apply-template",
            "/v1/messages",
            "/v1/responses",
        ] {
            refused(&server, path, &body, limit);
        }
        let call = json!({ "id": "1", "type": "function", "function": { "name": "f", "arguments": array(50_000) } });
        let messages = json!([{ "role": "user", "content": "a" }, { "role": "assistant", "tool_calls": [call] }]);
        // What of them a template reads is its own business.
        let body = json!({ "messages": messages, "max_tokens": 1 }).to_string();
        assert!(ask(&server, "/v1/chat/completions", &body).status <= 400);
    }
}

#[test]
fn an_object_of_too_many_members_is_refused() {
    let Some(server) = one() else { return };
    let members = |count: usize| (0..count).map(|n| (format!("key {n}"), Value::Null)).collect();
    let body = |count| completion(json!({ "x": Value::Object(members(count)) }));
    refused(&server, "/completion", &body(200_000), "at most 4096 members");
    assert_eq!(ask(&server, "/completion", &body(4_096)).status, 200);
}

#[test]
fn a_grammar_nested_too_deep_is_refused_and_the_server_goes_on() {
    let grammar = |depth| format!(r#"root ::= {}"a"{}"#, times("(", depth), times(")", depth));
    for server in both() {
        refused_completion(&server, json!({ "grammar": grammar(20_000) }), "at most 256 groups");
        let body = completion(json!({ "grammar": grammar(200) }));
        assert_eq!(ask(&server, "/completion", &body).body["content"], "a");
    }
}

#[test]
fn a_grammar_that_grows_without_end_is_refused() {
    let Some(server) = one() else { return };
    let chain = |count: usize, rule: &dyn Fn(usize) -> String| {
        (0..count).map(|n| format!("r{n} ::= {}\n", rule(n + 1))).collect::<String>()
    };
    let long = |count: usize| times("a", count);
    let cases = [
        (format!(r#"root ::= "{}"{{2000}}"#, long(1_000)), "at most 500000 elements"),
        (format!(r#"root ::= "{}""#, long(600_000)), "at most 500000 elements"),
        (r#"root ::= "a"{5,3}"#.to_owned(), "failed to parse grammar"),
        (
            format!("root ::= r0\n{}r30 ::= \"a\"", chain(30, &|n| times(&format!("r{n}? "), 4))),
            "steps",
        ),
        (
            r#"root ::= z root "y" | "x"
z ::= w
w ::= """#
                .to_owned(),
            "steps",
        ),
        ("root ::= z root\nz ::= y\ny ::= \"\"".to_owned(), "failed to parse grammar"),
    ];
    for (grammar, message) in cases {
        refused_completion(&server, json!({ "grammar": grammar }), message);
    }
    let twice = format!("root ::= r0\n{}r60 ::= \"a\"", chain(60, &|n| format!("r{n} | r{n}")));
    let body = completion(json!({ "grammar": twice }));
    assert_eq!(
        ask(&server, "/completion", &body).body["content"],
        "a",
        "each rule is looked at once"
    );
    let body = completion(
        json!({ "grammar": format!("root ::= r0\n{}r100000 ::= \"a\"", chain(100_000, &|n| format!("r{n}"))) }),
    );
    assert_eq!(ask(&server, "/completion", &body).body["content"], "a", "a chain of rules");
}

/// While a text is made by them: what goes wrong is an error of that request.
#[test]
fn a_grammar_that_goes_nowhere_ends_its_own_request() {
    let Some(server) = one() else { return };
    let nowhere = "root ::= \"a\" r\nr ::= z r\nz ::= y\ny ::= \"\"";
    let ambiguous = r#"root ::= s
s ::= [a-zA-Z ,.] s s s | """#;
    for grammar in [nowhere, ambiguous, "root ::= <[99999999]>", "root ::= [\u{10fff0}]"] {
        for bias in [json!([]), json!([[2, 100], [4, 100]])] {
            let body =
                completion(json!({ "grammar": grammar, "logit_bias": bias, "n_predict": 200 }));
            let answer = ask(&server, "/completion", &body);
            assert!([200, 400, 500].contains(&answer.status), "{grammar}: {}", answer.body);
        }
    }
}
