//! What is wrong with a checkpoint, told with the file at fault.

use super::*;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn request<'a>(dir: &'a Path, base: Option<&'a Path>) -> Request<'a> {
    Request { dir, out: Path::new("out.gguf"), kind: "F16", base }
}

/// The error, with the folder's name cut out of it.
fn fails(dir: &Path, base: Option<&Path>) -> String {
    let error = checkpoint(&request(dir, base)).expect_err("something is wrong");
    let mut text = error.to_string().replace(&dir.display().to_string(), "DIR");
    if let Some(base) = base {
        text = text.replace(&base.display().to_string(), "BASE");
    }
    text
}

#[test]
fn the_architecture_is_that_of_the_part_that_is_converted() {
    let config = r#"{"architectures": ["Gemma3ForConditionalGeneration"]}"#;
    let dir = folder(&[("config.json", config), ("model.safetensors", "")]);
    let name = |dir: &tempfile::TempDir| checkpoint(&request(dir.path(), None)).unwrap();
    assert_eq!(name(&dir), "Gemma3ForConditionalGeneration");
    let config = r#"{"architectures": ["A"], "text_config": {"architectures": ["B"]}}"#;
    assert_eq!(name(&folder(&[("config.json", config), ("pytorch_model.bin", "")])), "B");
}

#[test]
fn a_folder_that_is_no_checkpoint_says_what_it_lacks() {
    let dir = folder(&[("model.safetensors", "")]);
    let error = fails(dir.path(), None);
    assert_eq!(
        error,
        "config.json not found in DIR\n  hint: name the folder of a checkpoint, which contains a \
        config.json"
    );
    let error = fails(&dir.path().join("no"), None);
    assert!(error.starts_with("DIR does not exist\n"), "{error}");
    let error = fails(&dir.path().join("model.safetensors"), None);
    assert!(error.starts_with("DIR is a file, not a folder\n"), "{error}");
    let dir = folder(&[("config.json", "{}"), ("m.gguf", "")]);
    let error = fails(dir.path(), None);
    assert_eq!(
        error,
        "no weights found in DIR\n  hint: the folder has a GGUF file, which needs no conversion"
    );
    let dir = folder(&[("config.json", "{\n  \"a\": ,\n}"), ("model.safetensors", "")]);
    let error = fails(dir.path(), None);
    assert!(
        error.starts_with("DIR/config.json is not JSON: expected value at line 2 column 8"),
        "{error}"
    );
}

#[test]
fn pointers_of_git_lfs_are_told_of_all_at_once() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    let dir = folder(&[
        ("config.json", "{}"),
        ("model-00001-of-00002.safetensors", pointer),
        ("model-00002-of-00002.safetensors", pointer),
    ]);
    assert_eq!(
        fails(dir.path(), None),
        "DIR/model-00001-of-00002.safetensors (and 1 more) is a pointer of Git LFS, not the file\n  \
         hint: git -C DIR lfs pull"
    );
}

#[test]
fn an_adapter_and_a_model_are_told_apart() {
    let adapter = folder(&[("adapter_config.json", "{}"), ("adapter_model.safetensors", "")]);
    let error = fails(adapter.path(), None);
    assert_eq!(
        error,
        "DIR is an adapter, not a model\n  hint: --class lora --base FOLDER, the folder of its \
        base model"
    );
    let base = folder(&[("config.json", r#"{"architectures": ["B"]}"#)]);
    let checked = checkpoint(&request(adapter.path(), Some(base.path()))).unwrap();
    assert_eq!(checked, "B", "the base needs no weights");
    let empty = folder(&[]);
    let error = fails(empty.path(), Some(&base.path().join("no")));
    for words in [
        "adapter_config.json not found in DIR",
        "adapter_model.safetensors not found in DIR",
        "BASE does not exist",
        "hint: --base needs the folder of the base model, with its config.json and its tokenizer",
    ] {
        assert!(error.contains(words), "no `{words}` in {error}");
    }
    let request = Request { kind: "TQ1_0", ..request(adapter.path(), Some(base.path())) };
    let error = checkpoint(&request).expect_err("no such adapter").to_string();
    assert!(error.starts_with("cannot convert an adapter to TQ1_0\n"), "{error}");
}
