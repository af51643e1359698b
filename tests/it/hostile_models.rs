//! Models that break what the loader relies on: refused with code 1 and a sentence, or served; never a signal.

use std::path::{Path, PathBuf};

use demo_model::gguf::{File, Value};
use llama_server_bin::Error;
use llama_tests::process::{command, finish};
use llama_tests::server::launch;
use llama_tests::{http, needs};
use serde_json::json;

/// A number that no machine has memory, layers or tokens for.
const HUGE: u32 = 1 << 31;

/// The demo model with one change.
fn changed(folder: &Path, change: impl FnOnce(&mut File)) -> Option<PathBuf> {
    let mut file = File::read(&needs::demo_model()?).unwrap();
    change(&mut file);
    let path = folder.join("model.gguf");
    file.write(&path).unwrap();
    Some(path)
}

/// Gives a key another value, or a value where it has none.
fn set(file: &mut File, key: &str, value: Value) {
    file.metadata.retain(|(name, _)| name != key);
    file.set(key, value);
}

/// The static server's refusal of this model.
fn refused(change: impl FnOnce(&mut File), what: &str, message: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (Some(server), Some(path)) = (needs::server(), changed(folder.path(), change)) else {
        return;
    };
    let finished = finish(command(&server).args(["--port", "0", "--offline", "-m"]).arg(path));
    assert_eq!(finished.status.code(), Some(1), "{what}: {}\n{}", finished.status, finished.output);
    finished.assert_refused(what, message);
}

#[test]
fn a_model_with_too_many_layers_is_refused_with_a_sentence() {
    for count in [0, 513, HUGE] {
        let change = |file: &mut File| set(file, "llama.block_count", Value::U32(count));
        refused(change, &format!("{count} layers"), "hparams.n_layer_all <= LLAMA_MAX_LAYERS");
    }
}

#[test]
fn a_model_with_a_token_twice_is_refused_with_a_sentence() {
    let change = |file: &mut File| {
        let tokens = file.metadata.iter_mut().find(|(key, _)| key == "tokenizer.ggml.tokens");
        let Some((_, Value::Texts(tokens))) = tokens else { panic!("the demo model has tokens") };
        tokens[300] = tokens[301].clone();
    };
    refused(change, "a token twice", "a token is in the vocabulary twice");
}

/// It was called ready, and ended by the first request.
#[test]
fn a_model_with_an_impossible_context_is_refused_before_it_is_called_ready() {
    for length in [0, HUGE, u32::MAX] {
        let change = |file: &mut File| set(file, "llama.context_length", Value::U32(length));
        refused(change, &format!("a context of {length}"), "hparams.n_ctx_train <= INT32_MAX");
    }
}

/// Whatever a model says, it is served or refused.
#[test]
fn no_number_in_a_model_ends_the_server_by_a_signal() {
    let (Some(program), Some(_)) = (needs::server(), needs::demo_model()) else { return };
    let keys = [
        "embedding_length",
        "feed_forward_length",
        "attention.head_count",
        "attention.head_count_kv",
        "attention.key_length",
        "attention.value_length",
        "rope.dimension_count",
        "expert_count",
        "expert_used_count",
        "expert_group_count",
        "nextn_predict_layers",
        "vocab_size",
    ];
    let folder = tempfile::tempdir().unwrap();
    for key in keys {
        for value in [0, 1, 7, HUGE] {
            let change = |file: &mut File| set(file, &format!("llama.{key}"), Value::U32(value));
            let path = changed(folder.path(), change).unwrap();
            served_or_refused(&program, &path, &format!("{key} = {value}"));
        }
    }
}

#[test]
fn no_special_token_and_no_template_ends_the_server_by_a_signal() {
    let (Some(program), Some(_)) = (needs::server(), needs::demo_model()) else { return };
    let folder = tempfile::tempdir().unwrap();
    for name in ["bos", "eos", "eot", "unknown", "padding"] {
        for value in [1_280, i32::MAX as u32, u32::MAX] {
            let key = format!("tokenizer.ggml.{name}_token_id");
            let path = changed(folder.path(), |file| set(file, &key, Value::U32(value))).unwrap();
            served_or_refused(&program, &path, &format!("{key} = {value}"));
        }
    }
    let doubled = |first: &str, next: &str| {
        format!(
            "{{% set ns = namespace({first}) %}}{{% for i in range(60) %}}{{% set ns.s = {next} %}}{{% endfor \
            %}}{{{{ ns.s }}}}"
        )
    };
    let nested = |begin: &str, end: &str, count| begin.repeat(count) + &end.repeat(count);
    for template in [
        format!("{{{{ {} }}}}", nested("(", ")", 50_000)),
        format!("{{{{ {}1 }}}}", "-".repeat(200_000)),
        nested("{% if a %}", "{% endif %}", 50_000),
        "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}".to_owned(),
        "{% for i in range(1000000000) %}x{% endfor %}".to_owned(),
        // Each makes more than any memory holds of a few bytes.
        doubled("s='x'", "ns.s ~ ns.s"),
        doubled("s=['x']", "ns.s + ns.s"),
        doubled("s=['x']", "[ns.s, ns.s]"),
        doubled("s='x'", "ns.s | replace('x', 'xx')"),
        "{{ 'x' * 1000000000000 }}".to_owned(),
        "{{ [[1]] | tojson(indent=2000000000) }}".to_owned(),
        "x".repeat(2_000_000),
    ] {
        let change =
            |file: &mut File| set(file, "tokenizer.chat_template", Value::Text(template.clone()));
        let path = changed(folder.path(), change).unwrap();
        served_or_refused(&program, &path, &template[..template.len().min(60)]);
    }
}

/// Starts the server, which may refuse the model with code 1, and asks it for a few tokens.
fn served_or_refused(program: &Path, model: &Path, what: &str) {
    match launch(program, model, &["--ctx-size", "256"]).start() {
        Err(Error::Exited { status, log }) => {
            assert_eq!(status.code(), Some(1), "{what}: {status}\n{}", log.join("\n"));
        }
        Err(error) => panic!("{what}: {error}"),
        Ok(mut server) => {
            let body = json!({ "prompt": "Hello", "n_predict": 4 });
            http::post(&format!("{}/completion", server.url()), &body);
            assert!(server.exit_status().unwrap().is_none(), "{what}: it has ended");
        }
    }
}
