//! `cargo xtask completions`: prints a script that completes the commands of `cargo xtask` in a shell. It gathers the
//! parsers of all tools, so nothing depends on it.

mod shell;
#[cfg(test)]
mod tests;
mod words;

use std::process::ExitCode;

use clap::Parser;
use shell::Shell;
use workspace::screen;
use workspace::tools;

/// The lines are those of docs/xtask.md.
const INSTALL: &str = "\
Install it, for the next shell that you start:
  cargo xtask completions bash > ~/.cargo-xtask.bash
  echo '. ~/.cargo-xtask.bash' >> ~/.bashrc

  cargo xtask completions zsh > ~/.cargo-xtask.zsh
  echo '. ~/.cargo-xtask.zsh' >> ~/.zshrc

  cargo xtask completions fish > ~/.config/fish/conf.d/cargo-xtask.fish";

/// The words of this program.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
enum Cli {
    #[command(about = tools::about("completions"), after_help = INSTALL)]
    Completions {
        /// The shell
        shell: Shell,
    },
}

fn main() -> ExitCode {
    tools::main(|| {
        let Cli::Completions { shell } = Cli::parse();
        screen::print(shell.script());
        Ok(())
    })
}
