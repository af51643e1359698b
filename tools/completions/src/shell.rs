//! The script for a shell: clap's for a command of another name, and a part of ours by which `cargo xtask` in a clone of
//! this repository is completed as that command. Cargo's own completion keeps everything else.

use clap::{Command, ValueEnum};
use clap_complete::Shell as Generator;

use crate::words::{self, NAME};

/// A shell that has completions.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    /// What the shell reads when it starts.
    pub(crate) fn script(self) -> String {
        let (generator, own) = match self {
            Self::Bash => (Generator::Bash, include_str!("cargo.bash")),
            Self::Zsh => (Generator::Zsh, include_str!("cargo.zsh")),
            Self::Fish => (Generator::Fish, include_str!("cargo.fish")),
        };
        let mut xtask = words::xtask();
        let mut script = Vec::new();
        clap_complete::generate(generator, &mut xtask, NAME, &mut script);
        let script = String::from_utf8_lossy(&script).into_owned();
        let values = if let Self::Fish = self { values(&xtask, &[]) } else { String::new() };
        format!("{script}{values}\n{own}")
    }
}

/// Values that stand alone, such as `cpu` in `image build cpu`: clap's script for fish has none.
fn values(command: &Command, path: &[&str]) -> String {
    let function = format!("__fish_{NAME}_using_subcommand");
    let seen = match path {
        [] => String::new(),
        [first] => format!("{function} {first}"),
        [first, rest @ ..] => {
            let rest = rest.iter().map(|word| format!("; and __fish_seen_subcommand_from {word}"));
            format!("{function} {first}{}", rest.collect::<String>())
        }
    };
    let known = command.get_positionals().flat_map(clap::Arg::get_possible_values);
    let known: Vec<String> = known.map(|value| value.get_name().to_owned()).collect();
    let mut lines = String::new();
    if !known.is_empty() {
        lines = format!("complete -c {NAME} -n \"{seen}\" -f -a \"{}\"\n", known.join(" "));
    }
    for word in command.get_subcommands() {
        lines += &values(word, &[path, &[word.get_name()]].concat());
    }
    lines
}
