//! Tests of what passes from an image to its server.

use std::path::PathBuf;

use super::*;

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn target() -> Target {
    Target {
        command: vec![],
        folder: PathBuf::from("/store"),
        mark: "849d4691".to_owned(),
        name: Some("example.org/m:1".to_owned()),
        size: 1,
    }
}

#[test]
fn a_note_names_what_was_left_out_and_how_to_give_it() {
    let line = "-m m --log-file /x --props --log-file /y -c 1";
    let passed = here(&words(line), &[], &target()).unwrap();
    assert_eq!(passed.args.join(" "), "-m m -c 1");
    let expected = "ignored `--log-file`, `--props` of the image: an image decides only how its model computes; to \
                    use it, type it: -- --log-file … --props";
    assert_eq!(passed.note.unwrap(), expected);
    assert!(here(&words("-m m -c 1"), &[], &target()).unwrap().note.is_none());

    let passed = in_container(&words("-m m --port 1 --log-file /x"));
    assert_eq!(passed.args.join(" "), "-m m --log-file /x");
    let expected = "ignored `--port` of the image: an image does not decide where its server listens; to use it, \
                    type it: -- --port …";
    assert_eq!(passed.note.unwrap(), expected);
}

#[test]
fn a_note_stays_short_and_has_no_control_characters() {
    let options: Vec<String> = (0..10).map(|at| format!("--\u{1b}{at}")).collect();
    let note = note(&options, "why").unwrap();
    assert!(note.contains("`--?7` and 2 others of the image: why"), "{note}");
    assert!(note.ends_with("-- --?0 --?1 --?2 --?3 --?4 --?5 --?6 --?7"), "{note}");
}

#[test]
fn an_image_that_downloads_its_model_needs_a_word_of_the_user() {
    let error = here(&words("-hf org/repo -c 1"), &[], &target()).err().unwrap().to_string();
    let expected = "the command of example.org/m:1 names no model of the image, and run ignores `-hf` of an image
  hint: if you trust the image: gguf-packer run example.org/m:1 -- -hf …
  hint: or start it in a container: gguf-packer run example.org/m:1 --by IMAGE";
    assert_eq!(error, expected);
    let extra = words("-hf org/repo");
    assert_eq!(here(&words("-hf org/repo -c 1"), &extra, &target()).unwrap().args, ["-c", "1"]);
}
