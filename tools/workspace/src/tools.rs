//! The tools behind the words of `cargo xtask`: programs of their own, which Cargo compiles when somebody calls them.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use llama_src::Error;
use llama_src::sh::Cmd;

use crate::built::Built;
use crate::cargo;
use crate::root::{NEEDS_ROOT, NeedsRoot};
use crate::screen::{Screen, print};

/// A word of `cargo xtask` that a tool answers.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// What a person types.
    pub word: &'static str,
    /// The package whose program takes the word as its first argument.
    pub package: &'static str,
    /// What may follow the word, in short.
    pub args: &'static str,
    /// One line for a person.
    pub about: &'static str,
}

/// All of them, in the order of the help. The package `xtask` answers its words itself.
#[rustfmt::skip]
pub const TOOLS: [Tool; 18] = [
    tool(["serve", "xtask", "[--features LIST] [--yes] [-- ARGS]",
        "Build llama-server and run it; ARGS go to it; default: the demo model"]),
    tool(["test", "ci", "[--yes] [-- ARGS]",
        "Run all checks and tests; ARGS are passed to `cargo test`"]),
    tool(["fuzz", "ci", "[--minutes N] [TARGET...]",
        "Send broken input to the server's parsers"]),
    tool(["dist", "distribution", "[--variant NAME] [--setup]",
        "Make folders and archives that run anywhere"]),
    tool(["image", "image", "WORD",
        "Build, test, name and release container images"]),
    tool(["gpu-test", "gpu-test", "[--variant NAME]",
        "Prove a distribution on this machine's GPU"]),
    tool(["bench", "bench", "[--quick] WORD...",
        "Measure builds, sizes, starts and speed next to upstream's"]),
    tool(["release", "release", "STEP",
        "Run one step of what CI publishes"]),
    tool(["verify", "verify", "DIR|ARCHIVE",
        "Check a distribution against its manifest; runs its programs"]),
    tool(["variants", "distribution", "[--json]",
        "Print the release matrix"]),
    tool(["doctor", "xtask", "[--features LIST]",
        "Print what a build needs and what installs it"]),
    tool(["setup", "xtask", "[--features LIST] [--yes]",
        "Install what is missing"]),
    tool(["setup docker", "provision", "[--yes|--stop]",
        "Start a Docker engine and get what images are built from"]),
    tool(["vendor", "pin", "[--check|--update TAG]",
        "Fetch and verify llama.cpp and its web UI; move the pin"]),
    tool(["bindings", "bindings", "[--check]",
        "Write the Rust declarations of the C headers"]),
    tool(["demo-model", "demo-model", "[--check]",
        "Train the demo model"]),
    tool(["check", "ci", "[--fix] [NAME...]",
        "Check format, style, documents, flags, bindings, lints"]),
    tool(["completions", "completions", "SHELL",
        "Print what completes these commands in bash, zsh or fish"]),
];

/// What the options of the commands of `cargo xtask` itself mean.
const OPTIONS: [(&str, &str); 4] = [
    ("--features LIST", "Features of llama-sys, with commas: cuda,rpc"),
    ("--yes", "Install what is missing: packages, Node.js, a GPU's toolkit"),
    ("--stop", "Stop the engine that `setup docker` has started"),
    ("-- ARGS", "Arguments of llama-server: -- -m model.gguf --port 9000"),
];

/// Two lines a word, of at most 80 columns each.
pub fn help() -> String {
    let mut text = "cargo xtask COMMAND\n\n".to_owned();
    for Tool { word, args, about, .. } in TOOLS {
        text.push_str(&format!("  {word} {args}\n      {about}\n"));
    }
    text + "\nEach command has --help. With --yes a command installs packages with the\n\
            system's package manager. `cargo xtask ci` is `test` as CI runs it: it skips\n\
            nothing.\n"
}

const fn tool([word, package, args, about]: [&'static str; 4]) -> Tool {
    Tool { word, package, args, about }
}

/// The package that answers `word`.
pub fn package(word: &str) -> Option<&'static str> {
    match word {
        // Only other commands type these.
        "provision" => Some("provision"),
        "toolkit" => Some("distribution"),
        "ci" => Some("ci"),
        _ => TOOLS.iter().find(|tool| tool.word == word).map(|tool| tool.package),
    }
}

/// The line of [`TOOLS`] about `word`, for the tool's own help.
///
/// # Panics
/// When no tool answers it.
pub fn about(word: &str) -> &'static str {
    TOOLS.iter().find(|tool| tool.word == word).expect("a word of TOOLS").about
}

/// `cargo run` for the tool that answers `word`, with that word as its first argument.
///
/// # Panics
/// When no tool does: words come from [`TOOLS`].
pub fn cmd(word: &str) -> Cmd {
    let package = package(word).expect("a word of TOOLS");
    if !is_compiled(package) {
        eprintln!("==> compiling the tool `{package}`");
    }
    let run = cargo::cargo_here("run").args(["--release", "--quiet", "--manifest-path"]);
    let run = run.arg(cargo::root().join("Cargo.toml")).args(["--package", package]);
    let run = match package {
        // It is built for this machine's processor, three times as fast, and nothing else is.
        "demo-model" => run
            .arg("--target-dir")
            .arg(cargo::target_dir().join("demo-model"))
            .env("RUSTFLAGS", "-Ctarget-cpu=native"),
        // Nobody else waits for bindgen.
        "bindings" => run.args(["--features", "bindgen"]),
        _ => run,
    };
    run.arg("--").arg(word)
}

/// Whether the program of `package` lies beside this one. Where that cannot be told, nobody is told to wait.
fn is_compiled(package: &str) -> bool {
    let program = format!("{package}{}", std::env::consts::EXE_SUFFIX);
    let own = std::env::current_exe();
    own.map_or(true, |own| own.with_file_name(program).is_file()) || package == "demo-model"
}

/// The programs of the tools that answer `words`, built now: to start one of them later takes no lock of Cargo's, which a
/// build beside it would hold.
///
/// # Errors
/// What Cargo says.
pub fn programs(screen: &mut Screen, words: &[&str]) -> Result<Built> {
    let mut build = cargo::cargo("build").args(["--release", "--quiet"]);
    for package in words.iter().filter_map(|word| package(word)) {
        build = build.args(["--package", package]);
    }
    Built::by(screen, build)
}

/// The `main` of a tool, and of `cargo xtask`: prints the error and picks the exit code.
pub fn main(run: impl FnOnce() -> Result<()>) -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", told(&error));
            ExitCode::from(exit_code(&error))
        }
    }
}

/// The facts of `error` and of its causes in one line, then what each of them adds: hints come last.
fn told(error: &anyhow::Error) -> String {
    let texts: Vec<String> = error.chain().map(ToString::to_string).collect();
    let parts = texts.iter().map(|text| text.split_at(text.find('\n').unwrap_or(text.len())));
    let (facts, rest): (Vec<&str>, Vec<&str>) = parts.unzip();
    facts.join(": ") + &rest.concat()
}

fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<NeedsRoot>() {
        return NEEDS_ROOT;
    }
    if error.is::<lexopt::Error>() {
        return 2;
    }
    error.downcast_ref().map_or(1, Error::exit_code)
}

/// Prints what [`TOOLS`] say of `word`, a command of `cargo xtask` itself, when `args` ask for help and not for that
/// of another program.
pub fn helped(word: &str, args: &[OsString]) -> bool {
    let mut own = args.iter().take_while(|arg| *arg != "--");
    let asked = own.any(|arg| arg == "--help" || arg == "-h");
    if asked {
        let mut text = String::new();
        for Tool { word, args, about, .. } in lines(word) {
            text.push_str(&format!("cargo xtask {word} {args}\n    {about}\n"));
        }
        text.push('\n');
        for (option, about) in OPTIONS {
            if takes(word, option.trim_end_matches(" LIST")) {
                text.push_str(&format!("  {option:<15}  {about}\n"));
            }
        }
        print(text);
    }
    asked
}

/// The lines of [`TOOLS`] that begin with `word`.
fn lines(word: &str) -> impl Iterator<Item = &'static Tool> {
    TOOLS.iter().filter(move |tool| tool.word.split(' ').next() == Some(word))
}

/// Whether the help of `word` lists `option`.
pub fn takes(word: &str, option: &str) -> bool {
    lines(word).any(|tool| tool.args.contains(option))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_fits_a_terminal_and_every_word_has_its_tool() {
        let help = help();
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        for tool in TOOLS {
            let word = tool.word.split(' ').next().unwrap();
            assert!(package(word).is_some(), "{word}");
            assert!(
                cargo::root().join("tools").join(tool.package).is_dir() || tool.package == "xtask"
            );
        }
    }

    #[test]
    fn hints_come_after_the_causes_and_wrong_words_end_with_2() {
        use anyhow::Context;
        let cause = || Error::missing("no file").hint("b");
        let context = Error::usage("cannot read it").hint("a");
        let error = Err::<(), _>(cause()).context(context).context("it failed").unwrap_err();
        assert_eq!(told(&error), "it failed: cannot read it: no file\n  hint: a\n  hint: b");
        assert_eq!(exit_code(&error), 2);
        assert_eq!(exit_code(&anyhow::Error::from(cause()).context("x")), 1);
        let unknown = lexopt::Parser::from_args(["-x"]).next().unwrap().unwrap().unexpected();
        assert_eq!(exit_code(&unknown.into()), 2);
        assert_eq!(exit_code(&anyhow::anyhow!("x")), 1);
    }

    /// `cargo xtask verify ./x` in a folder of the clone means the x that is there.
    #[test]
    fn a_tool_runs_where_its_user_is() {
        for tool in TOOLS.iter().filter(|tool| package(tool.word).is_some()) {
            assert_eq!(cmd(tool.word).command().get_current_dir(), None, "{}", tool.word);
        }
    }

    #[test]
    fn help_is_asked_of_this_command_only() {
        let asked =
            |args: &[&str]| helped("serve", &args.iter().map(OsString::from).collect::<Vec<_>>());
        assert!(asked(&["--yes", "-h"]));
        assert!(!asked(&["--", "--help"]));
    }
}
