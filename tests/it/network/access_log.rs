//! The access log: a line for each request that is done, and nothing in it that is secret.

use std::io::{Read, Write};

use llama_server_bin::Server;
use llama_tests::process::wait_for;
use llama_tests::server::launch;
use llama_tests::{http, needs};
use serde_json::{Value, json};

use super::{ask, connect, status};

/// A server with an access log and a key.
fn logging(args: &[&str]) -> Option<Server> {
    let (program, model) = (needs::server()?, needs::demo_model()?);
    let mut launch = launch(&program, &model, &[&["--api-key", "the-secret"], args].concat());
    launch.env.push(("LLAMA_SERVER_ACCESS_LOG".into(), Some("1".into())));
    Some(launch.start().unwrap())
}

/// The first line of the access log that has this.
fn line(server: &Server, what: &str) -> String {
    let has = |line: &String| line.contains("access: ") && line.contains(what);
    wait_for(what, || server.log().into_iter().find(has))
}

/// The value of a field.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let mut words = line.split_whitespace().filter_map(|word| word.split_once('='));
    words.find(|(key, _)| *key == name).unwrap_or_else(|| panic!("no {name}: {line}")).1
}

const KEY: &str = "Authorization: Bearer the-secret";

#[test]
fn a_request_leaves_a_line_and_gets_its_id_back() {
    let Some(server) = logging(&["--metrics"]) else { return };
    let lines = ["Host: x", KEY, "X-Request-Id: abc-1\"\\ %0A"];
    let body = r#"{"content":"something private"}"#;
    let answer = ask(&server, "POST /tokenize?token=hidden", &lines, body);
    assert_eq!(status(&answer), 200, "{answer}");
    assert!(answer.contains("X-Request-Id: abc-1???%0A\r\n"), "{answer}");
    let done = line(&server, "path=/tokenize");
    for (name, value) in
        [("method", "POST"), ("status", "200"), ("remote", "127.0.0.1"), ("id", "abc-1???%0A")]
    {
        assert_eq!(field(&done, name), value, "{done}");
    }
    let sent = answer.split("\r\n\r\n").nth(1).unwrap().len();
    assert_eq!(field(&done, "bytes"), sent.to_string(), "{done}");
    assert!(field(&done, "ms").parse::<u64>().is_ok(), "{done}");
    // 2026-11-29T11:45:13.123Z
    let time = field(&done, "time");
    assert!(time.len() == 24 && time.starts_with("20") && time.ends_with('Z'), "{done}");

    assert_eq!(status(&ask(&server, "POST /tokenize/none", &["Host: x"], body)), 401);
    assert_eq!(field(&line(&server, "path=/tokenize/none"), "status"), "401");
    ask(&server, "GET /a%0Ab\"c", &["Host: x", KEY], "");
    line(&server, "path=/a%0Ab?c status=404");
    assert_eq!(status(&ask(&server, "GET /health", &["Host: x"], "")), 200);
    assert_eq!(status(&ask(&server, "GET /metrics", &["Host: x", KEY], "")), 200);
    assert_eq!(status(&ask(&server, "GET /metrics", &["Host: x"], "")), 401);
    assert_eq!(field(&line(&server, "path=/metrics"), "status"), "401");
    let log = server.log().join("\n");
    for hidden in ["the-secret", "hidden", "private", "path=/health", "path=/metrics status=200"] {
        assert!(!log.contains(hidden), "{hidden}: {log}");
    }
}

#[test]
fn an_answer_leaves_its_line_at_its_end() {
    let Some(server) = logging(&["--context-shift"]) else { return };
    let request = |id: &str, tokens: i32, is_stream: bool| {
        let body = json!({ "prompt": "Hello", "n_predict": tokens, "ignore_eos": true, "stream": is_stream });
        let body = body.to_string();
        let mut stream = connect(&server);
        let head = format!(
            "POST /completion HTTP/1.1\r\n{KEY}\r\nX-Request-Id: {id}\r\nConnection: close"
        );
        write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        stream
    };
    let whole = super::answer(&mut request("whole", 20, true));
    let done = line(&server, "id=whole");
    let events: usize = whole.lines().filter(|line| line.starts_with("data: ")).map(str::len).sum();
    assert!(field(&done, "bytes").parse::<usize>().unwrap() >= events, "{done}: {whole}");
    assert_eq!((field(&done, "status"), field(&done, "cut")), ("200", "false"), "{done}");

    let mut reader = request("gone", -1, true);
    reader.read_exact(&mut [0; 1000]).unwrap();
    let has = |line: &String| line.contains("access: ") && line.contains("id=gone");
    assert!(!server.log().iter().any(has), "it is not done yet");
    drop(reader);
    let done = line(&server, "id=gone");
    assert_eq!(field(&done, "cut"), "true", "{done}");

    // Who does not wait for a whole answer.
    let waits = request("tired", -1, false);
    let works = |server: &Server| server.log().iter().any(|line| line.contains("processing task"));
    wait_for("its task", || works(&server).then_some(()));
    drop(waits);
    assert_eq!(field(&line(&server, "id=tired"), "status"), "499");
}

#[test]
fn lines_are_objects_where_the_log_has_objects() {
    let Some(server) = logging(&["--log-jsonl"]) else { return };
    ask(&server, "GET /none", &["Host: x", KEY, "X-Request-Id: abc"], "");
    let of_access = |line: String| {
        let object: Value = serde_json::from_str(&line).ok()?;
        (object["type"] == "access").then_some(object)
    };
    let object = wait_for("an object", || server.log().into_iter().find_map(of_access));
    let data = &object["data"];
    assert_eq!(
        (&data["path"], &data["status"], &data["id"]),
        (&json!("/none"), &json!(404), &json!("abc"))
    );
}

#[test]
fn a_router_leaves_lines_too() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let mut launch = launch(&program, &model, &[]);
    let models = model.parent().unwrap().as_os_str().to_owned();
    launch.args = vec!["--models-dir".into(), models, "--offline".into()];
    launch.env.push(("LLAMA_SERVER_ACCESS_LOG".into(), Some("1".into())));
    let server = launch.start().unwrap();
    let body = r#"{"model":"llama-demo","content":"Hello"}"#;
    let answer = ask(&server, "POST /tokenize", &["Host: x", "X-Request-Id: abc"], body);
    assert_eq!(answer.matches("X-Request-Id: abc\r\n").count(), 1, "{answer}");
    // The router's server has a line as well.
    let own = wait_for("two lines", || {
        let has = |line: &String| line.contains("access: ") && line.contains("id=abc");
        let lines: Vec<_> = server.log().into_iter().filter(has).collect();
        (lines.len() == 2).then_some(lines)
    });
    assert!(own.iter().all(|line| field(line, "status") == "200"), "{own:?}");
    assert_eq!(http::get(&format!("{}/none", server.url())).status, 404);
    assert_eq!(field(&line(&server, "path=/none"), "status"), "404");
}
