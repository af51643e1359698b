//! Sorts the words of `estimate` before they are read: what is not ours and stands behind the model is llama-server's.
//! `help COMMAND` becomes `COMMAND --help`.

use std::ffi::OsString;

use clap::{Arg, Command};

/// `words` with those of llama-server behind `--`.
pub(super) fn sorted(words: Vec<OsString>, program: &Command) -> Vec<OsString> {
    let command = command_at(&words);
    if let Some(at) = command.filter(|at| words[*at] == "help") {
        return help(words, at);
    }
    let Some(at) = command.filter(|at| words[*at] == "estimate") else { return words };
    let Some(command) = program.find_subcommand("estimate") else { return words };
    let mut words = words.into_iter();
    let mut ours: Vec<OsString> = words.by_ref().take(at + 1).collect();
    let (mut theirs, mut has_model) = (Vec::new(), false);
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        if word == "--" {
            theirs.extend(words.by_ref());
            break;
        }
        let text = word.to_string_lossy().into_owned();
        match known(&text, command, program) {
            Some(_) if text.contains('=') => ours.push(word),
            Some(Takes::Nothing) => ours.push(word),
            Some(Takes::Value) => {
                ours.push(word);
                ours.extend(words.next());
            }
            Some(Takes::OneOf(values)) => {
                let value = words.next_if(|next| values.iter().any(|value| next == value.as_str()));
                ours.push(
                    value
                        .map_or(word, |value| format!("{text}={}", value.to_string_lossy()).into()),
                );
            }
            None if has_model => theirs.push(word),
            None => {
                has_model = !text.starts_with('-');
                ours.push(word);
            }
        }
    }
    if !theirs.is_empty() {
        ours.push("--".into());
        ours.append(&mut theirs);
    }
    ours
}

/// `help COMMAND` is `COMMAND --help`.
fn help(mut words: Vec<OsString>, at: usize) -> Vec<OsString> {
    words.remove(at);
    words.push("--help".into());
    words
}

/// Where the command is: behind options of the program, of which one has a value.
fn command_at(words: &[OsString]) -> Option<usize> {
    let mut at = 1;
    while words.get(at)?.to_string_lossy().starts_with('-') {
        at += if words[at] == "--store" { 2 } else { 1 };
    }
    words.get(at).map(|_| at)
}

/// What an option takes.
enum Takes {
    Nothing,
    Value,
    /// One of these, or nothing.
    OneOf(Vec<String>),
}

fn known(text: &str, command: &Command, program: &Command) -> Option<Takes> {
    if ["-h", "--help"].contains(&text) {
        return Some(Takes::Nothing);
    }
    let name = text.strip_prefix("--")?;
    let name = name.split('=').next()?;
    let mut all =
        command.get_arguments().chain(program.get_arguments().filter(|arg| arg.is_global_set()));
    let arg: &Arg = all.find(|arg| arg.get_long() == Some(name))?;
    if !arg.get_action().takes_values() {
        return Some(Takes::Nothing);
    }
    if arg.get_num_args().is_some_and(|count| count.min_values() == 0) {
        let values =
            arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        return Some(Takes::OneOf(values));
    }
    Some(Takes::Value)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn line(text: &str) -> String {
        let words = text.split(' ').map(OsString::from).collect();
        let sorted = sorted(words, &super::super::Cli::command());
        let words: Vec<String> =
            sorted.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
        words.join(" ")
    }

    #[test]
    fn what_is_not_ours_is_the_server_s() {
        for (given, expected) in [
            ("g estimate m -c 8192 --json", "g estimate m --json -- -c 8192"),
            ("g estimate --json m -fa on --gpu 24GiB", "g estimate --json m --gpu 24GiB -- -fa on"),
            (
                "g --store d estimate m --flash-attn -b 1",
                "g --store d estimate m --flash-attn -- -b 1",
            ),
            ("g estimate m --fit off --flash-attn on", "g estimate m --fit=off --flash-attn=on"),
            ("g estimate --fit m -- --fit-target 1", "g estimate --fit m -- --fit-target 1"),
            ("g estimate --ctx-size -1 m --store=x", "g estimate --ctx-size -1 m --store=x"),
            ("g estimate -c 8192 m", "g estimate -c 8192 -- m"),
            ("g estimate -h", "g estimate -h"),
            ("g run m -- estimate", "g run m -- estimate"),
            ("g", "g"),
            ("g help", "g --help"),
            ("g --store d help estimate", "g --store d estimate --help"),
            ("g help store check", "g store check --help"),
            ("g run help", "g run help"),
        ] {
            assert_eq!(line(given), expected, "{given}");
        }
    }
}
