//! `cargo xtask`: one word, one function.

mod advisories;
mod bindings;
mod built;
mod cargo;
mod check;
mod component;
mod demo_model;
mod dist;
mod doctor;
mod elf;
mod files;
mod fuzz;
mod gpu_test;
mod http;
mod identity;
mod image;
mod licenses;
mod manifest;
mod release;
mod requirements;
mod sbom;
mod screen;
mod serve;
mod setup;
mod test;
mod toolkit;
mod variant;
mod variants;
mod vendor;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask COMMAND

  serve [--features LIST] [--yes] [-- ARGS]  build llama-server and run it; ARGS go to llama-server;
                                             without a model among them it serves the demo model
  test [--yes] [-- ARGS]                     every check and test; ARGS go to `cargo test`
  fuzz [--minutes N] [TARGET...]             broken input under sanitizers: see fuzz --help
  dist [--variant NAME] [--plan] [--setup]   folders and archives that run anywhere: see dist --help
  image WORD                                 container images, from build to release: see image --help
  gpu-test [--variant NAME] [--bench SIZE]   prove a distribution on this machine's GPU: see --help
  release STEP                               what CI publishes, step by step: see release --help
  verify DIR|ARCHIVE                         every promise about a distribution; runs what is in it
  variants [--json]                          the release matrix
  doctor [--features LIST]                   what a build needs, found or not, and what installs it
  setup [--features LIST] [--yes]            install what is missing
  setup docker [--yes|--stop]                a Docker engine, running, with what images are built from
  vendor [--check] [--force]                 fetch and verify llama.cpp, build its web UI
  vendor --update TAG [--from PATH]          move the pin
  bindings [--check]                         write the Rust declarations of the C headers
  demo-model [--check]                       train the demo model
  check [--fix] [NAME...]                    format, style, pin, features, flags, bindings, lints
  ci                                         test as CI runs it: installs, and skips nothing

--yes lets a command install packages with the system's package manager.
";

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let command = args.next().unwrap_or_default();
    match run(&command.to_string_lossy(), args.collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Commands whose own help says more than [`HELP`] does of them.
const WITH_HELP: [&str; 7] = ["check", "dist", "fuzz", "gpu-test", "image", "release", "vendor"];

/// What [`HELP`] says of one command, when `args` ask for it.
fn help(command: &str, args: &[OsString]) -> Option<String> {
    let mut own = args.iter().take_while(|arg| *arg != "--");
    if WITH_HELP.contains(&command) || !own.any(|arg| arg == "--help" || arg == "-h") {
        return None;
    }
    let mut text = String::new();
    let mut of_it = false;
    for line in HELP.lines().skip(2) {
        let words = line.trim_start();
        if !line.starts_with("   ") {
            of_it = words.split(' ').next() == Some(command);
        }
        if of_it {
            let words = if line.starts_with("   ") {
                line.to_owned()
            } else {
                format!("cargo xtask {words}")
            };
            text.push_str(&words);
            text.push('\n');
        }
    }
    (!text.is_empty()).then_some(text)
}

/// What a person types after `cargo xtask`.
pub(crate) fn run(command: &str, args: Vec<OsString>) -> Result<()> {
    if let Some(text) = help(command, &args) {
        screen::print(text);
        return Ok(());
    }
    match command {
        "serve" => serve::run(args),
        "test" => test::run(args),
        "dist" => dist::run(args),
        dist::BACKEND_WORD => dist::run_backend(args),
        "fuzz" => fuzz::run(args),
        "gpu-test" => gpu_test::run(args),
        "verify" => verify::run(args),
        verify::OPEN_WORD => verify::run_open(args),
        "release" => release::run(args),
        "variants" => variants::run(args),
        "doctor" => doctor::run(args),
        "setup" => setup::run(args),
        "image" => image::run(args),
        "vendor" => vendor::run(args),
        "bindings" => bindings::run(args),
        "demo-model" => demo_model::run(args),
        "check" => check::run(args),
        "ci" => test::ci(args),
        "" | "help" | "-h" | "--help" => {
            screen::print(HELP);
            Ok(())
        }
        _ => bail!("unknown command `{command}`\n  hint: cargo xtask --help"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_says_what_it_is_and_does_nothing() {
        let asked = |command: &str, args: &[&str]| {
            help(command, &args.iter().map(OsString::from).collect::<Vec<_>>())
        };
        let bindings = asked("bindings", &["--help"]).unwrap();
        assert!(bindings.starts_with("cargo xtask bindings [--check]  "), "{bindings}");
        let setup = asked("setup", &["docker", "-h"]).unwrap();
        assert_eq!(setup.lines().count(), 2, "{setup}");
        assert_eq!(asked("serve", &["-h"]).unwrap().lines().count(), 2);
        // What stands after `--` is another program's.
        assert_eq!(asked("serve", &["--", "--help"]), None);
        assert_eq!(asked("dist", &["--help"]), None);
        assert_eq!(asked("nonsense", &["--help"]), None);
        let lines = HELP.lines().filter_map(|line| line.strip_prefix("  "));
        let commands =
            lines.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split(' ').next());
        for command in commands.filter(|command| !WITH_HELP.contains(command)) {
            assert!(asked(command, &["--help"]).is_some(), "{command}");
        }
    }
}
