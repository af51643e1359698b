//! What a person reads and what shells complete, for every command.

use std::path::Path;

use clap::{Command, ValueEnum};
use llama_src::sh::Cmd;
use workspace::cargo;
use workspace::tools::TOOLS;

use crate::shell::Shell;
use crate::words::xtask;

/// The commands below `command` with their words, all of them.
fn every(command: &Command) -> Vec<(String, Command)> {
    let below = |word: &Command| {
        let deeper = every(word).into_iter();
        let deeper =
            deeper.map(|(words, command)| (format!("{} {words}", word.get_name()), command));
        [(word.get_name().to_owned(), word.clone())].into_iter().chain(deeper).collect::<Vec<_>>()
    };
    command.get_subcommands().flat_map(below).collect()
}

#[test]
fn every_command_of_the_table_has_a_parser_with_the_options_of_its_line() {
    xtask().debug_assert();
    let all = every(&xtask());
    for tool in TOOLS {
        let (_, command) = all.iter().find(|(words, _)| words == tool.word).expect(tool.word);
        let has = |option: &str| command.get_arguments().any(|arg| arg.get_long() == Some(option));
        let options = tool.args.split(|c: char| !c.is_ascii_lowercase() && c != '-');
        for option in options.filter_map(|word| word.strip_prefix("--")).filter(|w| !w.is_empty()) {
            assert!(has(option), "{} has no --{option}", tool.word);
        }
    }
}

#[test]
fn every_help_fits_a_terminal_and_begins_with_the_command() {
    let mut too_wide = Vec::new();
    for (words, command) in every(&xtask()) {
        let mut command = command.bin_name(format!("cargo xtask {words}"));
        for help in [command.render_help(), command.render_long_help()] {
            let help = help.to_string();
            let wide = help.lines().filter(|line| line.chars().count() > 80);
            too_wide.extend(wide.map(|line| format!("{words}: {line}")));
            assert!(help.contains(&format!("Usage: cargo xtask {words}")), "{help}");
        }
    }
    assert!(too_wide.is_empty(), "{too_wide:#?}");
}

/// Lines of a page that begin with `cargo xtask`, as a shell reads them.
fn typed(page: &str) -> Vec<Vec<String>> {
    let page = page.replace("\\\n", " ");
    let lines = page.lines().filter_map(|line| line.trim_start().strip_prefix("cargo xtask "));
    let command = |line: &str| {
        // A number that the reader has to fill in.
        let word = |word: &str| if word == "N" { "1".to_owned() } else { word.to_owned() };
        let words = line.split_whitespace().map(word);
        words.take_while(|word| !["#", "&&", "|", ">"].contains(&word.as_str())).collect()
    };
    lines.map(command).collect()
}

#[test]
fn every_line_of_the_documents_is_understood() {
    let docs = cargo::root().join("docs");
    let pages = std::fs::read_dir(&docs).unwrap().map(|entry| entry.unwrap().path());
    let more = ["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| cargo::root().join(name));
    let (mut count, mut wrong) = (0, Vec::new());
    for path in pages.chain(more).filter(|path| path.extension().is_some_and(|end| end == "md")) {
        for words in typed(&std::fs::read_to_string(&path).unwrap()) {
            // The head of the list of commands.
            if words == ["COMMAND"] {
                continue;
            }
            count += 1;
            let error = xtask().no_binary_name(true).try_get_matches_from(&words).err();
            let error = error.filter(|error| error.use_stderr());
            wrong.extend(error.map(|error| format!("{} {words:?}: {error}", path.display())));
        }
    }
    assert!(wrong.is_empty() && count > 20, "{count}: {wrong:#?}");
}

#[test]
fn the_page_says_how_to_install_it_as_the_help_does() {
    let page = std::fs::read_to_string(cargo::root().join("docs/xtask.md")).unwrap();
    let lines = crate::INSTALL.lines().map(str::trim);
    for line in lines.filter(|line| line.starts_with("cargo") || line.starts_with("echo")) {
        assert!(page.contains(line), "{line}");
    }
}

/// What `shell` offers for the last of `words`, in the workspace's folder or in `dir`.
fn offered(shell: Shell, words: &[&str], dir: &Path) -> Option<Vec<String>> {
    let name = shell.to_possible_value()?.get_name().to_owned();
    if which::which(&name).is_err() {
        assert!(!cargo::is_ci(), "no {name} for the test of completions");
        eprintln!("not tested: {name} is not installed");
        return None;
    }
    let temp = tempfile::tempdir().unwrap();
    let script = temp.path().join("script");
    std::fs::write(&script, shell.script()).unwrap();
    let cmd = match shell {
        Shell::Bash => Cmd::new("bash").args(["--norc", "-c", BASH, "bash"]),
        Shell::Zsh => Cmd::new("zsh").args(["-f", "-c", ZSH, "zsh"]),
        Shell::Fish => Cmd::new("fish").args(["--no-config", "--command", FISH]),
    };
    let cmd = cmd.arg(&script).args(words).dir(dir).env("HOME", temp.path());
    let text = cmd.read().unwrap();
    Some(text.lines().map(|line| line.trim().to_owned()).collect())
}

const BASH: &str = r#"
    . "$1"; shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    __llama_xtask_cargo "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    printf '%s\n' "${COMPREPLY[@]}"
"#;

/// A shell at a terminal, at which somebody types the words, Tab and Enter: a function named `cargo` keeps the last word.
const ZSH: &str = r#"
    zmodload zsh/zpty
    script=$1; shift
    zpty shell "zsh -f -i"
    zpty -w shell "autoload -Uz compinit; compinit -u; . $script"
    zpty -w shell 'cargo() { print -r -- $@[-1] >$HOME/last; mv $HOME/last $HOME/word }'
    zpty -w shell "$*"$'\t'
    repeat 300; do
        [[ -e $HOME/word ]] && break
        sleep 0.1
    done
    cat $HOME/word
"#;

const FISH: &str = r#"
    source $argv[1]
    complete -C (string join ' ' -- $argv[2..]) | string replace -r '\t.*' ''
    true
"#;

#[test]
fn shells_complete_words_options_and_values() {
    let root = cargo::root();
    for shell in Shell::value_variants() {
        for (words, some) in [
            ("cargo xtask im", "image"),
            ("cargo xtask image bu", "build"),
            ("cargo xtask image build cu", "cuda"),
            ("cargo xtask image build cuda --pu", "--push"),
            ("cargo xtask dist --variant vu", "vulkan"),
            ("cargo xtask check sty", "style"),
            ("cargo xtask serve --features cud", "cuda"),
            ("cargo xtask setup dock", "docker"),
        ] {
            let words: Vec<&str> = words.split(' ').collect();
            let Some(offered) = offered(*shell, &words, &root) else { break };
            assert!(offered.iter().any(|word| word == some), "{shell:?} {words:?}: {offered:?}");
        }
    }
}

#[test]
fn other_projects_and_other_words_of_cargo_are_left_alone() {
    let elsewhere = tempfile::tempdir().unwrap();
    let root = cargo::root();
    for (words, dir) in [("cargo xtask im", elsewhere.path()), ("cargo im", &*root)] {
        for shell in Shell::value_variants() {
            let words: Vec<&str> = words.split(' ').collect();
            let Some(offered) = offered(*shell, &words, dir) else { continue };
            assert!(!offered.iter().any(|word| word == "image"), "{shell:?}: {offered:?}");
        }
    }
}
