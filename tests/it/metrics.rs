//! The metrics that manifests, rules and pages name are those that the server prints: a llama.cpp that renames one would
//! stop an autoscaler or a router without a message.

use std::collections::BTreeSet;
use std::path::Path;

use llama_tests::http;
use llama_tests::needs;
use llama_tests::server::{launch, start};
use llama_tests::workspace::root;
use serde_json::json;

#[test]
fn each_metric_that_is_named_is_printed() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let server = start(&program, &model, &["--metrics"]);
    let answer = http::get(&format!("{}/metrics", server.url()));
    let printed = names(answer.body.as_str().unwrap());
    let mut named = BTreeSet::new();
    for folder in ["docker", "docs"] {
        in_files(&root().join(folder), &mut named);
    }
    assert!(named.len() > 1 && named.is_subset(&printed), "{named:?} of {printed:?}");
}

/// Of all models that are loaded, and none is loaded for it.
#[test]
fn a_router_has_the_metrics_of_the_models_that_are_loaded() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let models = tempfile::tempdir().unwrap();
    for name in ["a.gguf", "b.gguf"] {
        std::fs::copy(&model, models.path().join(name)).unwrap();
    }
    let mut launch = launch(&program, &model, &[]);
    launch.args = vec!["--models-dir".into(), models.path().into()];
    launch.args.extend(["--offline", "--metrics", "--api-key", "secret"].map(Into::into));
    let server = launch.start().unwrap();
    let get = |path: &str| {
        http::try_get(&format!("{}/metrics{path}", server.url()), Some("secret")).unwrap()
    };
    assert_eq!((get("").status, get("").body.as_str()), (200, Some("")));
    assert_eq!([get("?model=a").status, get("?model=none").status], [503, 404]);
    assert_eq!(get("").body.as_str(), Some(""), "a model was loaded");
    for name in ["a", "b"] {
        let body = json!({ "model": name, "content": "Hello" });
        http::post_with_key(&format!("{}/tokenize", server.url()), &body, Some("secret")).ok();
    }
    let all = get("").body;
    let all = all.as_str().unwrap();
    let count = |text: &str| all.lines().filter(|line| line.starts_with(text)).count();
    for (text, times) in [
        ("# TYPE llamacpp:prompt_tokens_total counter", 1),
        ("# HELP llamacpp:prompt_tokens_total ", 1),
        ("llamacpp:prompt_tokens_total{model=\"a\"} ", 1),
        ("llamacpp:requests_deferred{model=\"b\"} ", 1),
        ("llamacpp:prompt_tokens_total", 2),
    ] {
        assert_eq!(count(text), times, "{text}: {all}");
    }
    let one = get("?model=a").ok();
    assert!(one.as_str().unwrap().contains("\nllamacpp:prompt_tokens_total "), "{one}");
}

fn in_files(folder: &Path, named: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            in_files(&path, named);
        } else {
            // A picture names none.
            named.extend(names(&std::fs::read_to_string(path).unwrap_or_default()));
        }
    }
}

/// Also under the name that Prometheus' adapter gives, which has no colon.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|at: char| !at.is_ascii_lowercase() && at != '_' && at != ':');
    let own = words.filter_map(|word| {
        word.strip_prefix("llamacpp:").or_else(|| word.strip_prefix("llamacpp_"))
    });
    own.map(str::to_owned).filter(|name| !name.is_empty()).collect()
}
