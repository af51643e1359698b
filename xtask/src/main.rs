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
  verify DIR|ARCHIVE                         every promise about a distribution; runs what is in it
  variants [--json]                          the release matrix
  doctor [--features LIST]                   what a build needs, found or not, and what installs it
  setup [--features LIST] [--yes]            install what is missing
  setup docker [--yes]                       a Docker engine, running, with what images are built from
  vendor [--check] [--force]                 fetch and verify llama.cpp, build its web UI
  vendor --update TAG [--from PATH]          move the pin
  bindings [--check]                         write the Rust declarations of the C headers
  demo-model [--check]                       train the demo model
  check [--fix] [NAME...]                    format, style, pin, README, flags, bindings, lints
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

fn run(command: &str, args: Vec<OsString>) -> Result<()> {
    match command {
        "serve" => serve::run(args),
        "test" => test::run(args),
        "dist" => dist::run(args),
        dist::BACKEND_WORD => dist::run_backend(args),
        "fuzz" => fuzz::run(args),
        "gpu-test" => gpu_test::run(args),
        "verify" => verify::run(args),
        verify::OPEN_WORD => verify::run_open(args),
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
