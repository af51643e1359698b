//! The program itself: its help, its exit codes, what it prints for shells and for `man`.

#![expect(clippy::disallowed_methods, reason = "the tests start what they test")]

use std::process::{Command, Output};

fn run(words: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_gguf-packer");
    let folder = tempfile::tempdir().expect("there is room for a store");
    let mut command = Command::new(program);
    command.args(words).env("GGUF_PACKER_STORE_PATH", folder.path().join("store"));
    command.output().expect("it starts")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn help_names_every_command() {
    let help = run(&["--help"]);
    assert!(help.status.success());
    for word in [
        "build",
        "push",
        "pull",
        "tag",
        "list",
        "inspect",
        "remove",
        "prune",
        "save",
        "load",
        "login",
        "logout",
        "run",
        "convert",
        "estimate",
        "quantize",
        "store",
        "completions",
        "man",
    ] {
        let line = format!("\n  {word} ");
        assert!(text(&help).contains(&line), "no {word} in {}", text(&help));
        assert!(run(&[word, "--help"]).status.success(), "{word}");
    }
}

#[test]
fn wrong_words_end_with_2_and_failures_with_1() {
    assert_eq!(run(&["bild"]).status.code(), Some(2));
    assert_eq!(run(&["build", "--no-such"]).status.code(), Some(2));
    let missing = run(&["inspect", "0123456789ab"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).starts_with("error: "));
}

#[test]
fn an_error_moves_no_cursor() {
    let output = run(&["inspect", "a\u{1b}[2Jb\u{202e}\u{9b}c"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("`a\\u001b[2Jb\\u202e\\u009bc`"), "{said}");
    assert!(!said.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{said}");
}

#[test]
fn shells_and_man_get_what_they_read() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(text(&run(&["completions", shell])).contains("quantize"), "{shell}");
    }
    let folder = tempfile::tempdir().expect("there is room for pages");
    let pages = folder.path().join("man1");
    assert!(run(&["man", &pages.to_string_lossy()]).status.success());
    let page = std::fs::read_to_string(pages.join("gguf-packer-build.1")).expect("a page");
    assert!(page.contains("build\\-arg"), "{page}");
}

#[test]
fn an_empty_store_is_whole_and_lists_nothing() {
    assert!(text(&run(&["store", "check", "--deep"])).starts_with("the store is intact: 0 images"));
    assert_eq!(text(&run(&["list", "--json"])), "[]\n");
}

#[test]
fn a_conversion_says_everything_that_is_wrong_with_its_words() {
    let folder = tempfile::tempdir().expect("there is room for a checkpoint");
    let dir = folder.path().to_string_lossy().into_owned();
    let failed = |code: i32, words: &[&str], said: &[&str]| {
        let output = run(&[&["convert"], words].concat());
        assert_eq!(output.status.code(), Some(code));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        for said in said {
            assert!(text.contains(said), "no `{said}` in {text}");
        }
    };
    failed(
        2,
        &["--type", "Q4_K_M", "--base", &dir, &dir, "/no/such/out.gguf"],
        &[
            "unknown type `Q4_K_M`",
            "hint: CONVERT --type=F16, then QUANTIZE --type=Q4_K_M",
            "`--base` is only for adapters",
            "hint: mkdir -p /no/such",
        ],
    );
    failed(1, &[&dir, &format!("{dir}/out.gguf")], &["config.json not found in "]);
    assert_eq!(run(&["convert", "--class", "lora", &dir, "out.gguf"]).status.code(), Some(2));
    let left = std::fs::read_dir(folder.path()).expect("it is there").count();
    assert_eq!(left, 0, "nothing is half-written");
}

/// `build` of this file, with `words`: the exit code, and what it says.
fn build(file: &str, words: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("there is room");
    std::fs::write(folder.path().join("GGUFPackerfile"), file).expect("there is room");
    let context = folder.path().display().to_string();
    let output = run(&[&["build"], words, &[&context]].concat());
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_broken_rule_that_is_an_error_writes_no_image() {
    let folder = tempfile::tempdir().expect("there is room");
    let id = folder.path().join("id");
    let words = ["--iidfile", id.to_str().expect("a plain path")];
    let file = "FROM scratch AS Upper\nCOPY GGUFPackerfile /\n";
    let (code, said) = build(&format!("# check=error=true\n{file}"), &words);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("lint violations found") && !id.exists(), "{said}");
    let (code, said) = build(file, &words);
    assert!(code == Some(0) && id.exists(), "{said}");
}

#[test]
fn a_time_may_be_a_build_argument() {
    let (code, said) = build("FROM scratch\n", &["--build-arg", "SOURCE_DATE_EPOCH=soon"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("SOURCE_DATE_EPOCH is `soon`, not a number of seconds"), "{said}");
}

#[test]
fn a_name_of_hugging_face_has_capital_letters() {
    let (code, said) = build("FROM hf.co/Qwen/Qwen2-0.5B-GGUF\n", &["--check"]);
    assert_eq!(code, Some(0), "{said}");
    let (_, said) = build("FROM r.example/Qwen\n", &["--check"]);
    assert!(said.contains("neither a stage nor a valid image name"), "{said}");
}

#[test]
fn a_path_is_a_file_whatever_it_ends_with() {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("model");
    std::fs::write(&path, "no model").expect("there is room");
    let output = run(&["run", path.to_str().expect("a plain path")]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && !said.contains("not found"), "{said}");
}
