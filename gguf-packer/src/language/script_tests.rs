//! Tests of `script.rs`.

use super::super::Settings;
use super::super::stages::resolve;
use super::*;

const ERRORS: [&str; 3] = [
    include_str!("golden/errors-1"),
    include_str!("golden/errors-2"),
    include_str!("golden/errors-3"),
];

/// What is told about a file: what is wrong with its form, or with its values.
fn told(text: &str, target: Option<&str>) -> String {
    let settings = Settings { target: target.map(str::to_owned), ..Settings::default() };
    match parse(text, "F").and_then(|script| resolve(&script, &settings)) {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(errors) => errors.to_string(),
    }
}

/// Files, each behind `===`, and behind `---` what is told about it.
#[test]
fn every_error_says_where_what_and_what_to_write() {
    let mut wrong = Vec::new();
    for case in ERRORS.iter().flat_map(|file| file.split("===").skip(1)) {
        let (head, rest) = case.split_once('\n').expect("a first line");
        let (text, expected) = rest.split_once("---\n").expect("a file and what is told");
        let told = told(text, head.trim().strip_prefix("target="));
        if told != expected.trim_end() {
            wrong.push(format!("==={head}\n{text}---\n{told}\n"));
        }
    }
    assert!(wrong.is_empty(), "is told otherwise:\n{}", wrong.concat());
}
