//! The server's life and its API.

use std::ffi::OsStr;
use std::path::Path;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::types::chat::{
    ChatCompletionRequestUserMessage, CreateChatCompletionRequest, CreateChatCompletionRequestArgs,
};
use async_openai::types::embeddings::CreateEmbeddingRequestArgs;
use futures::StreamExt;
use llama_server_bin::{Server, version};
use llama_src::Pin;
use llama_tests::process::{KilledOnDrop, PATIENCE, wait_for};
use llama_tests::server::{build_number, free_port, launch, start};
use llama_tests::{http, needs};
use serde_json::json;

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limited = runtime.block_on(async { tokio::time::timeout(PATIENCE, future).await });
    limited.expect("the server answers its client in time")
}

fn client(server: &Server, key: &str) -> Client<OpenAIConfig> {
    let base = format!("{}/v1", server.url());
    // reqwest is the same one that fetches llama.cpp, which names its provider itself. A second
    // installation is refused, and that is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::with_config(OpenAIConfig::new().with_api_base(base).with_api_key(key))
}

fn chat_request() -> CreateChatCompletionRequest {
    let message = ChatCompletionRequestUserMessage::from("Hello!");
    CreateChatCompletionRequestArgs::default()
        .model("demo")
        .messages(vec![message.into()])
        .temperature(0.0)
        .max_completion_tokens(24_u32)
        .build()
        .unwrap()
}

/// The server reads `--lookup-cache-static` while it loads, and waits there for as long as nobody
/// writes to the pipe: the time of loading is as long as this test likes.
#[cfg(unix)]
#[test]
fn health_is_503_while_loading_and_200_then() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(
        llama_tests::process::finish(llama_tests::process::command("/usr/bin/mkfifo").arg(&pipe))
            .status
            .success()
    );
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let args =
        ["--port", &port.to_string(), "--spec-type", "ngram-cache", "-lcs", pipe.to_str().unwrap()];
    let launch = launch(&program, &model, &args);
    let starting = std::thread::spawn(move || launch.start());

    wait_for("503 from /health", || {
        assert!(
            !starting.is_finished(),
            "the server was ready, or ended, before its model was loaded"
        );
        http::try_get(&format!("{url}/health"), None).filter(|answer| answer.status == 503)
    });
    assert_eq!(http::get(&format!("{url}/v1/models")).status, 503);
    assert!(!starting.is_finished(), "the library took a loading server for a ready one");

    std::fs::write(&pipe, "").unwrap();
    let server = starting.join().unwrap().unwrap();
    assert_eq!(server.url(), url);
    assert_eq!(http::get(&format!("{url}/health")).ok(), json!({ "status": "ok" }));
}

#[test]
fn chat_answers_plain_and_streaming_alike() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let server = start(&program, &model, &[]);
    let client = client(&server, "");
    run(async {
        let plain = client.chat().create(chat_request()).await.unwrap();
        let choice = &plain.choices[0];
        let text = choice.message.content.clone().unwrap();
        assert!(!text.trim().is_empty(), "{plain:?}");
        assert!(choice.finish_reason.is_some(), "{plain:?}");
        let usage = plain.usage.unwrap();
        assert!(
            (1..=24).contains(&usage.completion_tokens) && usage.prompt_tokens > 0,
            "{usage:?}"
        );

        let mut parts = Vec::new();
        let mut stream = client.chat().create_stream(chat_request()).await.unwrap();
        while let Some(event) = stream.next().await {
            let event = event.unwrap();
            parts.extend(event.choices.first().and_then(|choice| choice.delta.content.clone()));
        }
        assert_eq!(parts.concat(), text);
        assert!(parts.len() > 1, "the answer came in one piece: {parts:?}");
    });
}

#[test]
fn embeddings_are_unit_vectors_that_tell_texts_apart() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let server = start(&program, &model, &["--embeddings", "--pooling", "mean"]);
    let texts = ["the cat sleeps", "a ship on the sea", "the cat sleeps"];
    let request = CreateEmbeddingRequestArgs::default().model("demo").input(texts).build().unwrap();
    let answer = run(client(&server, "").embeddings().create(request)).unwrap();
    let vectors: Vec<&[f32]> = answer.data.iter().map(|entry| entry.embedding.as_slice()).collect();
    assert_eq!(vectors.len(), 3);
    assert!(vectors.iter().all(|vector| vector.len() == vectors[0].len() && vector.len() > 1));
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    for vector in &vectors {
        assert!((product(vector, vector) - 1.0).abs() < 1e-3, "not of length 1: {vector:?}");
    }
    assert!(product(vectors[0], vectors[2]) > 0.999, "one text, two vectors");
    assert!(product(vectors[0], vectors[1]) < 0.999, "two texts, one vector");
}

#[test]
fn text_survives_tokenize_and_detokenize() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let server = start(&program, &model, &[]);
    let text = "Hello, world: äöü 🦙";
    let answer =
        http::post(&format!("{}/tokenize", server.url()), &json!({ "content": text })).ok();
    let tokens = &answer["tokens"];
    assert!(tokens.as_array().is_some_and(|tokens| tokens.len() > 3), "{answer}");
    let answer =
        http::post(&format!("{}/detokenize", server.url()), &json!({ "tokens": tokens })).ok();
    // Sentencepiece models put a space before the first word.
    assert_eq!(answer["content"].as_str().map(str::trim_start), Some(text));
}

#[test]
fn metrics_count_tokens_when_they_are_switched_on() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let server = start(&program, &model, &["--metrics"]);
    let tokens = llama_tests::server::greedy_tokens(&server, "Hello", 8);
    assert!(!tokens.is_empty());
    let url = format!("{}/metrics", server.url());
    wait_for("llamacpp:tokens_predicted_total above 0 in /metrics", || {
        let body = http::get(&url).ok();
        let text = body.as_str().unwrap().to_owned();
        let line =
            text.lines().find_map(|line| line.strip_prefix("llamacpp:tokens_predicted_total "));
        let count: f64 =
            line.unwrap_or_else(|| panic!("no such counter in {text}")).parse().unwrap();
        (count >= 1.0).then_some(())
    });
}

#[test]
fn props_and_models_say_what_is_served() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let server = start(&program, &model, &["--alias", "the demo"]);
    let props = http::get(&format!("{}/props", server.url())).ok();
    let build = props["build_info"].as_str().unwrap_or_else(|| panic!("no build_info in {props}"));
    assert!(build.contains(&build_number()), "{build}");
    assert_eq!(version(&program).unwrap().build_number, Pin::load().build_number);
    let models = http::get(&format!("{}/v1/models", server.url())).ok();
    assert_eq!(models["data"][0]["id"], "the demo", "{models}");
    assert_eq!(
        http::get(&format!("{}/metrics", server.url())).status,
        501,
        "metrics are off by default"
    );
}

#[cfg(unix)]
#[test]
fn both_signals_end_both_servers_cleanly() {
    let (Some(programs), Some(model)) = (needs::both_servers(), needs::demo_model()) else {
        return;
    };
    for (name, program) in programs {
        let status = start(&program, &model, &[]).stop().unwrap();
        assert_eq!(status.code(), Some(0), "{name}, SIGTERM: {status}");

        let mut server = start(&program, &model, &[]);
        let pid = rustix::process::Pid::from_raw(i32::try_from(server.pid()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        let status = wait_for("the end after SIGINT", || server.exit_status().unwrap());
        assert_eq!(status.code(), Some(0), "{name}, SIGINT: {status}\n{}", server.log().join("\n"));
    }
}

/// Requests that would never end are told why they do, and do not hold up the end. Several times: in one of ten
/// a signal met the main thread with a lock in its hand, for which its handler waited.
#[cfg(unix)]
#[test]
fn a_server_ends_in_the_middle_of_its_requests() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    for _ in 0..12 {
        ends_in_the_middle_of_its_requests(&program, &model);
    }
}

#[cfg(unix)]
fn ends_in_the_middle_of_its_requests(program: &Path, model: &Path) {
    let server = start(program, model, &["-np", "2", "--context-shift", "--slots"]);
    let ask = |stream: bool| {
        let url = format!("{}/v1/completions", server.url());
        let body =
            json!({"prompt": "Hello", "max_tokens": -1, "ignore_eos": true, "stream": stream});
        std::thread::spawn(move || http::post(&url, &body))
    };
    let (whole, stream) = (ask(false), ask(true));
    wait_for("two requests in progress", || {
        let slots = http::get(&format!("{}/slots", server.url())).ok();
        let busy = |slot: &serde_json::Value| slot["next_token"][0]["n_decoded"].as_u64() > Some(0);
        (slots.as_array()?.iter().filter(|slot| busy(slot)).count() == 2).then_some(())
    });
    let start = std::time::Instant::now();
    let status = server.stop().unwrap();
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(start.elapsed().as_secs() < 5, "it took {:?}", start.elapsed());
    let (whole, stream) = (whole.join().unwrap(), stream.join().unwrap());
    assert_eq!((whole.status, stream.status), (503, 200), "{} {}", whole.body, stream.body);
    let message = "the server is shutting down";
    assert_eq!(whole.body["error"]["message"], message);
    let events = stream.body.as_str().unwrap();
    let last = events.trim_end().lines().last().unwrap();
    assert!(last.starts_with("data: ") && last.contains(message), "{last}");
}

/// What supervisors do with a server that they have only waited for.
#[cfg(unix)]
#[test]
fn a_signal_in_the_moment_of_health_is_no_crash_and_not_forgotten() {
    let (Some(programs), Some(model)) = (needs::both_servers(), needs::demo_model()) else {
        return;
    };
    for (name, program) in &programs {
        for attempt in 0..40 {
            let port = free_port();
            let mut command = llama_tests::process::command(program);
            command.arg("-m").arg(&model).args(["--offline", "--log-disable", "--port"]);
            let mut child = KilledOnDrop(command.arg(port.to_string()).spawn().unwrap());
            let url = format!("http://127.0.0.1:{port}/health");
            let start = std::time::Instant::now();
            while http::try_get(&url, None).is_none_or(|answer| answer.status != 200) {
                assert!(start.elapsed() < PATIENCE, "{name}: it is not ready");
            }
            let pid = i32::try_from(child.0.id()).unwrap();
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
            let status = wait_for("the end after SIGTERM", || child.0.try_wait().unwrap());
            assert_eq!(status.code(), Some(0), "{name}, attempt {attempt}: {status}");
        }
    }
}

/// A parent that is killed cannot clean up: its end of the pipe closes all the same.
#[cfg(unix)]
#[test]
fn a_server_on_a_leash_ends_with_its_parent() {
    let (Some(programs), Some(model)) = (needs::both_servers(), needs::demo_model()) else {
        return;
    };
    for (name, program) in programs {
        let port = free_port();
        let mut command = llama_tests::process::command(&program);
        command.arg("-m").arg(&model).args([
            "--offline",
            "--log-disable",
            "--port",
            &port.to_string(),
        ]);
        command.env(llama_server_bin::LEASH_VARIABLE, "1").stdin(std::process::Stdio::piped());
        let mut child = KilledOnDrop(command.spawn().unwrap());
        let url = format!("http://127.0.0.1:{port}/health");
        wait_for("200 from /health", || {
            http::try_get(&url, None).filter(|answer| answer.status == 200)
        });
        assert!(child.0.try_wait().unwrap().is_none(), "{name}: ended while it was held");
        drop(child.0.stdin.take());
        let status = wait_for("the end after the pipe closed", || child.0.try_wait().unwrap());
        assert_eq!(status.code(), Some(0), "{name}: {status}");
    }
}

#[cfg(unix)]
#[test]
fn any_bytes_will_do_for_a_models_path() {
    let (Some(programs), Some(model)) = (needs::both_servers(), needs::demo_model()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let bytes: &OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"latin-1 \xe4\xf6\xfc.gguf");
    for name in [OsStr::new("two words.gguf"), OsStr::new("Übung süß.gguf"), bytes] {
        let path = folder.path().join("a folder").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::copy(&model, &path).unwrap();
        for (_, program) in &programs {
            let server = start(program, &path, &["--alias", "demo"]);
            assert!(
                !llama_tests::server::greedy_tokens(&server, "Hello", 4).is_empty(),
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn without_the_key_only_health_answers() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let server = start(&program, &model, &["--api-key", "secret"]);
    let (health, props) = (format!("{}/health", server.url()), format!("{}/props", server.url()));
    let status = |url: &str, key| http::try_get(url, key).expect("the server answers").status;
    assert_eq!(status(&health, None), 200);
    assert_eq!(status(&props, None), 401);
    assert_eq!(status(&props, Some("wrong")), 401);
    assert_eq!(status(&props, Some("secret")), 200);
    run(async {
        let refused = client(&server, "wrong").chat().create(chat_request()).await.unwrap_err();
        assert!(refused.to_string().contains("Invalid API Key"), "{refused}");
        client(&server, "secret").chat().create(chat_request()).await.unwrap();
    });
    assert!(!server.log().join("\n").contains("secret"), "the key is in the log");
}

#[test]
fn two_servers_run_side_by_side() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let name = |server: &Server| {
        http::get(&format!("{}/v1/models", server.url())).ok()["data"][0]["id"]
            .as_str()
            .map(str::to_owned)
    };
    let model: &Path = &model;
    let first = start(&program, model, &["--alias", "first"]);
    let second = start(&program, model, &["--alias", "second"]);
    assert_eq!(name(&first).as_deref(), Some("first"));
    assert_eq!(name(&second).as_deref(), Some("second"));
    first.stop().unwrap();
    assert_eq!(name(&second).as_deref(), Some("second"));
}
