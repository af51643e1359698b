//! Chat templates from everywhere that they may be, and special tokens, as upstream's converter writes them.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;

/// What is written of a folder with these files.
fn written(files: &[(&str, &str)]) -> Keys {
    let dir = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("tokenizer.model", "");
    files.iter().for_each(|(name, text)| write(name, text));
    keys(dir.path()).unwrap()
}

fn keys(dir: &Path) -> Result<Keys, Error> {
    let files = Files::read(dir)?;
    let mut keys = Keys::new();
    Special::read(dir, &files, KINDS.to_vec(), Some(100), true)?.write(&mut keys);
    Ok(keys)
}

const CONFIG: &str = "tokenizer_config.json";
const TEMPLATE: &str = "tokenizer.chat_template";

fn text(text: &str) -> Key {
    Key::String(text.to_owned())
}

#[test]
fn the_template_of_the_config_goes_before_those_of_files() {
    let jinja = ("chat_template.jinja", "a\r\nb\rc\n");
    let both = written(&[(CONFIG, r#"{"chat_template": "own"}"#), jinja]);
    assert_eq!(both.get(TEMPLATE), Some(&text("own")));
    // Python reads all line ends as one.
    let file = written(&[(CONFIG, "{}"), jinja, ("chat_template.json", "{")]);
    assert_eq!(file.get(TEMPLATE), Some(&text("a\nb\nc\n")));
    let json = written(&[(CONFIG, "{}"), ("chat_template.json", r#"{"chat_template": "j"}"#)]);
    assert_eq!(json.get(TEMPLATE), Some(&text("j")));
}

#[test]
fn a_template_that_is_null_or_no_text_is_none() {
    for config in [r#"{"chat_template": null}"#, r#"{"chat_template": 3}"#] {
        let keys = written(&[(CONFIG, config), ("chat_template.jinja", "file")]);
        assert_eq!(keys.get(TEMPLATE), None, "{config}");
    }
    assert_eq!(written(&[("chat_template.jinja", "file")]).get(TEMPLATE), None, "no config");
}

#[test]
fn several_templates_have_their_names() {
    let listed = r#"{"chat_template": [{"name": "tool use", "template": "T"}, {"name": "default", "template": "D"}]}"#;
    let listed = written(&[(CONFIG, listed)]);
    let more = ("additional_chat_templates/tool use.jinja", "T");
    let files = written(&[(CONFIG, "{}"), ("chat_template.jinja", "D"), more]);
    for keys in [listed, files] {
        let rows: Vec<_> =
            keys.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
        let names = Key::Strings(vec!["tool_use".to_owned()]);
        let expected = [
            ("tokenizer.chat_template.tool_use", text("T")),
            ("tokenizer.chat_templates", names),
            (TEMPLATE, text("D")),
        ];
        assert_eq!(rows, expected.map(|(name, value)| (name.to_owned(), value)));
    }
}

#[test]
fn numbers_of_special_tokens_that_are_none_are_left_out() {
    let config =
        r#"{"bos_token_id": 1, "eos_token_id": [2], "pad_token_id": 100, "unk_token_id": null}"#;
    let keys = written(&[("config.json", config)]);
    let rows: Vec<_> = keys.iter().collect();
    assert_eq!(rows, [("tokenizer.ggml.bos_token_id", &Key::U32(1))]);
}

#[test]
fn merges_come_from_merges_txt_when_the_tokenizer_has_none() {
    let keys = written(&[("merges.txt", "#version\na b\nc\n\nd e f\n x  y \n")]);
    let merges = Key::Strings(vec!["a b".to_owned(), "x y".to_owned()]);
    assert_eq!(keys.get("tokenizer.ggml.merges"), Some(&merges));
}

#[test]
fn json_that_is_broken_is_told_with_its_line_and_column() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("tokenizer.json"), "{\"a\":\n 1,}").unwrap();
    let error = keys(dir.path()).unwrap_err().to_string();
    assert!(error.contains("tokenizer.json") && error.contains("line 2 column 4"), "{error}");
    let none = TempDir::new().unwrap();
    let error = keys(none.path()).unwrap_err().to_string();
    assert!(error.contains("no tokenizer found in"), "{error}");
}

#[test]
fn a_processor_of_roberta_names_the_tokens_that_the_config_lacks() {
    let tokenizer = r#"{"added_tokens": [{"id": 2, "content": "</s>"}], "post_processor":
        {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1]}}"#;
    let keys = written(&[("tokenizer.json", tokenizer), (CONFIG, "{}")]);
    assert_eq!(keys.get("tokenizer.ggml.seperator_token_id"), Some(&Key::U32(2)));
    assert_eq!(keys.get("tokenizer.ggml.add_sep_token"), Some(&Key::Bool(true)));
}
