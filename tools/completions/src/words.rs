//! Every word of `cargo xtask` as one command of clap's, from the tools' own parsers.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command, CommandFactory};
use llama_build::Feature;
use workspace::tools::{TOOLS, Tool};

/// The name by which shells complete it; no program has it.
pub(crate) const NAME: &str = "llama_xtask";

/// `cargo xtask`, with its words as subcommands.
pub(crate) fn xtask() -> Command {
    let tools = [
        bench::Cli::command(),
        bindings::Cli::command(),
        ci::Cli::command(),
        crate::Cli::command(),
        demo_model::args::Cli::command(),
        distribution::Cli::command(),
        gpu_test::Cli::command(),
        image::Cli::command(),
        pin::Cli::command(),
        release::Cli::command(),
        verify::Cli::command(),
    ];
    let xtask = Command::new(NAME).disable_help_subcommand(true);
    let words = tools.iter().flat_map(Command::get_subcommands).filter(|word| !word.is_hide_set());
    let own = TOOLS.iter().filter(|tool| tool.package == "xtask").map(own);
    // `setup` is a word of `cargo xtask` itself, and `setup docker` a tool's.
    let provision = provision::Cli::command();
    let docker = provision.get_subcommands().flat_map(Command::get_subcommands);
    let docker: Vec<Command> = docker.filter(|word| !word.is_hide_set()).cloned().collect();
    let about = |word: &Command| {
        let tool = TOOLS.iter().find(|tool| tool.word == word.get_name());
        tool.map_or(word.clone(), |tool| word.clone().about(tool.about))
    };
    let xtask = xtask.subcommands(words.map(about)).subcommands(own);
    xtask.mut_subcommand("setup", |setup| setup.subcommands(docker))
}

/// A word that `cargo xtask` answers itself, from its line of the table: `[--option VALUE] [--flag] [-- ARGS]`.
fn own(tool: &Tool) -> Command {
    let parts = tool.args.split(['[', ']']).map(str::trim).filter(|part| !part.is_empty());
    let mut command = Command::new(tool.word).about(tool.about);
    for part in parts {
        let (name, value) = part.split_once(' ').unwrap_or((part, ""));
        let name = name.trim_start_matches('-');
        let option = Arg::new(name).long(name);
        command = command.arg(match (name, value) {
            ("", args) => Arg::new(args).last(true).num_args(0..),
            (_, "") => option.action(ArgAction::SetTrue),
            ("features", _) => option.value_parser(features()).hide_possible_values(true),
            (_, _) => option,
        });
    }
    command
}

fn features() -> PossibleValuesParser {
    PossibleValuesParser::new(Feature::rows().map(|row| row.name))
}
