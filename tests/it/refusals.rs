//! What the server refuses, and how: an exit code that is not 0, a message, and never a signal.

use std::net::TcpListener;
use std::path::Path;

use llama_tests::needs;
use llama_tests::process::{command, finish};

/// Runs both servers with `args` and expects `message`.
fn refused(args: &[&Path], message: &str) {
    let Some(programs) = needs::both_servers() else { return };
    for (name, program) in programs {
        let finished =
            finish(command(&program).args(["--host", "127.0.0.1", "--offline"]).args(args));
        finished.assert_refused(name, message);
    }
}

fn refused_model(content: &[u8], message: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, content).unwrap();
    refused(&["--port".as_ref(), "0".as_ref(), "-m".as_ref(), &path], message);
}

#[test]
fn a_missing_model() {
    refused(
        &["--port".as_ref(), "0".as_ref(), "-m".as_ref(), "/no/such.gguf".as_ref()],
        "/no/such.gguf",
    );
}

#[test]
fn a_folder_for_a_model() {
    let folder = tempfile::tempdir().unwrap();
    refused(
        &["--port".as_ref(), "0".as_ref(), "-m".as_ref(), folder.path()],
        "failed to load model",
    );
}

#[test]
fn a_text_file_for_a_model() {
    refused_model(b"This is a text, not a model.\n", "invalid magic");
}

#[test]
fn an_empty_file_for_a_model() {
    refused_model(b"", "failed to load model");
}

#[test]
fn a_truncated_model() {
    let Some(model) = needs::demo_model() else { return };
    let content = std::fs::read(model).unwrap();
    refused_model(&content[..content.len() / 2], "failed to load model");
    refused_model(&content[..content.len() - 1], "failed to load model");
    refused_model(&content[..100], "failed to load model");
}

#[test]
fn a_taken_port() {
    let Some(model) = needs::demo_model() else { return };
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    refused(
        &["--port".as_ref(), port.as_ref(), "-m".as_ref(), &model],
        "couldn't bind HTTP server socket",
    );
}

#[test]
fn a_flag_that_does_not_exist() {
    refused(&["--no-such-flag".as_ref()], "invalid argument: --no-such-flag");
}

#[test]
fn a_port_that_does_not_exist() {
    for port in ["65536", "70000", "-1"] {
        refused(&["--port".as_ref(), port.as_ref()], "a port is a number from 0 to 65535");
    }
}

#[test]
fn a_file_of_keys_that_cannot_be_opened() {
    refused(
        &["--api-key-file".as_ref(), "/no/such/keys".as_ref()],
        "failed to open file '/no/such/keys': No such file or directory",
    );
}

/// Nobody listens at the endpoint.
#[test]
fn a_model_that_is_neither_in_the_cache_nor_to_be_had() {
    let Some(program) = needs::server() else { return };
    let cache = tempfile::tempdir().unwrap();
    let missing = format!(
        "the model someone/a-model:Q8_0 is not in the cache folder {}",
        cache.path().display()
    );
    let endpoint = "http://user:secret@127.0.0.1:1";
    let offline = format!("{missing}, and --offline forbids a download");
    let online = format!("{missing}, and http://****:****@127.0.0.1/ did not give it");
    for (args, messages) in [
        (&["--offline"][..], [offline.as_str(), "LLAMA_CACHE=FOLDER"]),
        (
            &[][..],
            [
                online.as_str(),
                "cannot reach http://****:****@127.0.0.1/api/models/someone/a-model/refs",
            ],
        ),
    ] {
        let mut server = command(&program);
        server.args(["--port", "0", "-hf", "someone/a-model:Q8_0"]).args(args);
        for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            server.env_remove(proxy);
        }
        let finished =
            finish(server.env("LLAMA_CACHE", cache.path()).env("MODEL_ENDPOINT", endpoint));
        for message in messages {
            finished.assert_refused("it", message);
        }
        assert!(!finished.output.contains("must be defined"), "{}", finished.output);
        assert!(!finished.output.contains("secret"), "{}", finished.output);
    }
}

#[test]
fn a_value_that_is_no_number() {
    refused(&["--port".as_ref(), "http".as_ref()], "--port");
    for (option, value, what) in [
        ("--ctx-size", "32k", "a whole number"),
        ("--batch-size", "8,192", "a whole number"),
        ("--parallel", "99999999999", "a whole number"),
        ("--temp", "0,8", "a number"),
        ("-ngl", "20k", "a number"),
    ] {
        let message = format!("'{value}' is not {what}");
        refused(&[option.as_ref(), value.as_ref()], &message);
    }
}

#[test]
fn a_prefix_that_no_request_would_match() {
    for prefix in ["/llm/", "llm", "/"] {
        refused(&["--api-prefix".as_ref(), prefix.as_ref()], "begin with a slash");
    }
}
