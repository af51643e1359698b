//! The metrics that manifests, rules and pages name are those that the server prints: a llama.cpp that renames one would
//! stop an autoscaler or a router without a message.

use std::collections::BTreeSet;
use std::path::Path;

use llama_tests::http;
use llama_tests::needs;
use llama_tests::server::start;
use llama_tests::workspace::root;

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
