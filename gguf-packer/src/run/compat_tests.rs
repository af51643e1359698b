//! Tests of the table: each row, and what has several.

use super::*;

/// Files, and the model's template.
struct Known(&'static [(&'static str, &'static str)], Option<&'static str>);

impl Texts for Known {
    fn file(&self, path: &str) -> Result<String, Error> {
        let known = self.0.iter().find(|(known, _)| *known == path);
        known.map(|(_, text)| (*text).to_owned()).ok_or_else(|| Error::new(format!("no {path}")))
    }

    fn template(&self) -> Result<Option<String>, Error> {
        Ok(self.1.map(str::to_owned))
    }
}

const TEXTS: Known = Known(&[("/s.txt", "Be kind."), ("/t.jinja", "{{ t }}")], Some("{{ model }}"));

fn words(line: &str) -> Vec<String> {
    line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn now(line: &str) -> String {
    today(&words(line), &TEXTS).unwrap().args.join(" ")
}

fn notes(line: &str) -> Vec<String> {
    today(&words(line), &TEXTS).unwrap().notes
}

#[test]
fn switches_take_a_value() {
    assert_eq!(now("-fa"), "-fa on");
    assert_eq!(now("--flash-attn --host 0.0.0.0"), "--flash-attn on --host 0.0.0.0");
    assert_eq!(now("--flash-attn auto -c 1"), "--flash-attn auto -c 1");
    assert_eq!(now("-fa off"), "-fa off");
    assert_eq!(now("--log-colors --log-prefix"), "--log-colors on --log-prefix");
}

#[test]
fn adapters_are_one_list() {
    assert_eq!(now("--lora a -c 1 --lora b --lora c,d"), "--lora a,b,c,d -c 1");
    assert_eq!(now("--control-vector a --control-vector b"), "--control-vector a,b");
    assert_eq!(now("--lora-scaled a 0.5 --lora-scaled b:2 -m m"), "--lora-scaled a:0.5,b:2 -m m");
    assert_eq!(now("--control-vector-scaled v -1"), "--control-vector-scaled v:-1");
    let error = today(&words("--lora-scaled a -m"), &TEXTS).unwrap_err().to_string();
    let expected = "`--lora-scaled a` needs a scale, not `-m`\n  hint: --lora-scaled a:1.0";
    assert_eq!(error, expected);
}

#[test]
fn how_a_model_is_loaded_is_one_option() {
    for (old, new) in [
        ("--mlock", "--load-mode mmap+mlock"),
        ("--no-mmap", "--load-mode none"),
        ("--mlock --no-mmap", "--load-mode mlock"),
        ("--mmap", "--load-mode mmap"),
        ("-dio", "--load-mode dio"),
        ("--direct-io --no-mmap", "--load-mode dio"),
        ("-ndio", ""),
        ("--no-direct-io", ""),
        ("--mlock -lm none", "-lm none"),
    ] {
        assert_eq!(now(old), new, "{old}");
    }
}

#[test]
fn options_have_other_names() {
    for (old, new) in [
        ("--draft 8", "--spec-draft-n-max 8"),
        ("--draft-n 8", "--spec-draft-n-max 8"),
        ("--draft-max 8", "--spec-draft-n-max 8"),
        ("--draft-min 2", "--spec-draft-n-min 2"),
        ("--draft-n-min 2", "--spec-draft-n-min 2"),
        ("-ps 0.1", "--spec-draft-p-split 0.1"),
        ("--p-split 0.1", "--spec-draft-p-split 0.1"),
        ("--slots-endpoint-disable", "--no-slots"),
        ("--log-format json", "--log-jsonl"),
        ("--log-format text", ""),
    ] {
        assert_eq!(now(old), new);
        assert!(notes(old).is_empty());
    }
}

#[test]
fn what_is_gone_is_left_out_with_a_word() {
    let mut rows = 0;
    for (names, becomes) in TABLE {
        let Becomes::Nothing(why) = becomes else { continue };
        for name in names.split(' ') {
            let values = command::units(&words(name))[0].values;
            let line = format!("-c 1 {name}{} -m m", " 1".repeat(values));
            assert_eq!(now(&line), "-c 1 -m m", "{line}");
            assert_eq!(notes(&line), [format!("ignored `{name}`: {why}")]);
            rows += 1;
        }
    }
    assert_eq!(rows, 40);
}

#[test]
fn what_is_as_it_was_stays() {
    let line =
        "-m m -c 8192 -ngl 99 --jinja --mmproj p -md d -np 4 -cb --metrics --no-context-shift -sp";
    assert_eq!(now(line), line);
    assert!(notes(line).is_empty());
}

fn template_with(template: &str) -> String {
    super::template::with_system_prompt(Some(template), "Be kind.")
}

#[test]
fn a_system_prompt_becomes_a_part_of_the_template() {
    let with = template_with;
    for option in ["-spf", "-sysf", "--system-prompt-file"] {
        let expected = format!("-m m -c 1 --chat-template {}", with("{{ model }}"));
        assert_eq!(now(&format!("-m m {option} /s.txt -c 1")), expected);
    }
    let expected = format!("-m m --chat-template {}", with("{{mine}}"));
    assert_eq!(now("--system-prompt-file /s.txt --chat-template {{mine}} -m m"), expected);
    let expected = format!("--chat-template {}", with("{{ t }}"));
    assert_eq!(
        now("--chat-template-file /t.jinja --no-jinja --system-prompt-file /s.txt"),
        expected
    );
    let note = "merged `--system-prompt-file /s.txt` into `--chat-template`";
    assert_eq!(notes("--system-prompt-file /s.txt"), [note]);
}

#[test]
fn a_template_that_is_a_name_cannot_hold_a_system_prompt() {
    let line = "--chat-template llama2 --system-prompt-file /s.txt";
    assert_eq!(now(line), "--chat-template llama2");
    let expected = "ignored `--system-prompt-file /s.txt`: the chat template `llama2` is built into \
        llama.cpp and cannot be extended";
    assert_eq!(notes(line), [expected]);
}

#[test]
fn what_cannot_be_done_is_an_error() {
    let error = |line: &str| today(&words(line), &TEXTS).unwrap_err().to_string();
    assert_eq!(error("--lora"), "the option `--lora` needs a value");
    assert_eq!(error("--system-prompt-file /none"), "no /none");
    let long = Known(Box::leak(Box::new([("/s", "x".repeat(LONGEST).leak() as &str)])), None);
    let error = today(&words("-spf /s"), &long).unwrap_err().to_string();
    assert!(error.contains("an argument has at most 131071"), "{error}");
}

#[test]
fn the_table_of_all_options_has_every_option_of_2024() {
    for (names, _) in TABLE {
        for name in names.split(' ') {
            assert!(command::options::find(name).is_some(), "{name} is missing");
        }
    }
}

#[test]
fn a_value_is_no_option() {
    for line in ["-r -p -c 4096", "-r --mlock", "--alias -fa"] {
        assert_eq!(now(line), line);
        assert!(notes(line).is_empty(), "{line}");
    }
    assert_eq!(now("-r --lora --lora a --lora b"), "-r --lora --lora a,b");
    let expected = format!("-r --no-jinja --chat-template {}", template_with("{{ model }}"));
    assert_eq!(now("-r --no-jinja -spf /s.txt"), expected);
}

#[test]
fn options_may_have_underscores() {
    assert_eq!(
        now("--flash_attn --draft_max 8 -r --a_b"),
        "--flash-attn on --spec-draft-n-max 8 -r --a_b"
    );
    assert_eq!(now("--unknown_option a_b"), "--unknown_option a_b");
    let expected = format!("--chat-template {}", template_with("{{ model }}"));
    assert_eq!(now("--system_prompt_file /s.txt"), expected);
}
