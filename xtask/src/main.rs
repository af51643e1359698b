//! `cargo xtask`: one word, one function or one tool.

mod args;
mod doctor;
mod serve;
mod setup;
mod toolkits;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, bail};
use llama_src::Error;
use llama_src::sh::Cmd;
use workspace::{screen, tools};

fn main() -> ExitCode {
    tools::main(|| {
        let mut args = std::env::args_os().skip(1);
        let word = args.next().unwrap_or_default();
        run(&word.to_string_lossy(), args.collect())
    })
}

/// What a person types after `cargo xtask`.
fn run(word: &str, args: Vec<OsString>) -> Result<()> {
    match word {
        "help" if !args.is_empty() => run(&args[0].to_string_lossy(), vec!["--help".into()])?,
        "" | "help" | "-h" | "--help" => screen::print(tools::help()),
        "serve" => serve::run(args)?,
        "setup" if args.first().is_some_and(|arg| arg == "docker") => {
            become_program(&tools::cmd("provision").args(args))?;
        }
        "setup" => setup::run(args)?,
        "doctor" => doctor::run(args)?,
        _ if tools::package(word).is_some() => become_program(&tools::cmd(word).args(args))?,
        _ => bail!(Error::usage(format!("unknown command `{word}`")).hint("cargo xtask --help")),
    }
    Ok(())
}

/// Ends as `cmd`: signals, Ctrl-C among them, go to it, and its exit code is ours.
#[cfg(unix)]
fn become_program(cmd: &Cmd) -> Result<()> {
    use std::os::unix::process::CommandExt;
    let error = cmd.command().exec();
    bail!("cannot start {cmd}: {error}")
}

#[cfg(not(unix))]
fn become_program(cmd: &Cmd) -> Result<()> {
    let status = cmd.command().status()?;
    std::process::exit(status.code().unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_word_is_refused() {
        let error = run("nonsense", vec![]).unwrap_err().to_string();
        assert_eq!(error, "unknown command `nonsense`\n  hint: cargo xtask --help");
    }
}
