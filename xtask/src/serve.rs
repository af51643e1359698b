//! `cargo xtask serve`: from nothing to a server that answers.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use lexopt::prelude::*;
use llama_server_bin::{MODEL_VARIABLES, secret};
use llama_src::sh::Cmd;

use crate::built::Built;
use crate::screen::Screen;
use crate::vendor::{self, WithoutPage};
use crate::{cargo, setup};

/// Arguments of llama-server that name a model, or that need none.
const NAMES_A_MODEL: &[&str] = &[
    "-m",
    "--model",
    "-mu",
    "--model-url",
    "-dr",
    "--docker-repo",
    "-hf",
    "-hfr",
    "--hf-repo",
    "--models-dir",
    "--models-preset",
    "--version",
    "--help",
    "-h",
    "--usage",
    "--list-devices",
    "--completion-bash",
    "--licenses",
    "-cl",
    "--cache-list",
];

/// Where the page is when nobody says otherwise; upstream's own default is another one
/// ([`common.h` of b11549](https://github.com/ggml-org/llama.cpp/blob/b11549/common/common.h)).
const PORT: &str = "8080";

#[derive(Debug, Default)]
struct Args {
    features: Vec<String>,
    yes: bool,
    server: Vec<OsString>,
}

/// Features that say which processors the server is for.
const FOR_PROCESSORS: &[&str] = &["native", "cpu-all-variants", "backend-dl", "system"];

pub(crate) fn run(args: Vec<OsString>) -> Result<()> {
    let mut args = parse(args)?;
    tune(&mut args.features);
    let mut config = setup::config(&args.features)?;
    let mut screen = Screen::new();
    let toolkits = setup::toolkits(&mut config, args.yes, &mut screen)?;
    setup::ensure(&config, &[], args.yes)?;
    vendor::source(&mut screen, args.yes, WithoutPage::GoOn)?;
    let server = build(&mut screen, &args.features, &toolkits)?;
    if !names_a_model(&args.server) {
        let demo = cargo::root().join("tests/models/llama-demo.gguf");
        eprintln!(
            "==> no model is named: serving the demo model; your own: cargo xtask serve -- -m model.gguf"
        );
        args.server.splice(0..0, ["-m".into(), demo.into_os_string()]);
    }
    if !args.server.iter().any(|arg| arg == "--port") && !is_set(&["LLAMA_ARG_PORT"]) {
        args.server.splice(0..0, ["--port".into(), PORT.into()]);
    }
    let cmd = command(&server, &args.server);
    eprintln!("==> {cmd}");
    become_server(&cmd)
}

fn parse(args: Vec<OsString>) -> Result<Args> {
    let mut parsed = Args::default();
    let mut own = args.clone();
    if let Some(end) = args.iter().position(|arg| arg == "--") {
        parsed.server = own.split_off(end + 1);
        own.pop();
    }
    let mut own = lexopt::Parser::from_args(own);
    while let Some(arg) = own.next()? {
        match arg {
            Long("features") => parsed.features = setup::split(&own.value()?.string()?),
            Long("yes") | Short('y') => parsed.yes = true,
            Value(value) => bail!(
                "`{}` is no argument of `serve`\n  hint: arguments of llama-server come after `--`",
                value.to_string_lossy()
            ),
            _ => return Err(arg.unexpected().into()),
        }
    }
    Ok(parsed)
}

/// What runs here is built for the processor that is here, unless something else is said.
fn tune(features: &mut Vec<String>) {
    if !features.iter().any(|feature| FOR_PROCESSORS.contains(&feature.as_str())) {
        features.push("native".to_owned());
    }
}

/// Builds the server with the features of `cargo build --release` and `more`; `env` says where toolkits are.
pub(crate) fn build(
    screen: &mut Screen,
    more: &[String],
    env: &[(&str, PathBuf)],
) -> Result<PathBuf> {
    let with = if more.is_empty() { String::new() } else { format!(" with {}", more.join(", ")) };
    screen.step(&format!("building llama-server{with}"));
    let mut cmd = cargo::cargo("build").args(["--release", "--package", "llama-server-bin"]);
    if !more.is_empty() {
        cmd = cmd.arg("--features").arg(more.join(","));
    }
    cmd = env.iter().fold(cmd, |cmd, (name, path)| cmd.env(name, path));
    Built::by(screen, cmd)?.program("llama-server")
}

fn names_a_model(args: &[OsString]) -> bool {
    is_set(MODEL_VARIABLES) || args.iter().any(|arg| NAMES_A_MODEL.iter().any(|name| arg == name))
}

fn is_set(names: &[&str]) -> bool {
    #[expect(clippy::disallowed_methods, reason = "llama-server's own variables")]
    names.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// The server's command, which shows no key.
fn command(server: &Path, args: &[OsString]) -> Cmd {
    let words = args.iter().zip(secret::shown(args));
    words.fold(Cmd::new(server), |cmd, (arg, shown)| cmd.arg_shown_as(arg, shown))
}

/// Ends as the server: signals, Ctrl-C among them, go to it and its exit code is ours.
#[cfg(unix)]
fn become_server(cmd: &Cmd) -> Result<()> {
    use std::os::unix::process::CommandExt;
    let error = cmd.command().exec();
    bail!("cannot start the server: {error}")
}

#[cfg(not(unix))]
fn become_server(cmd: &Cmd) -> Result<()> {
    Ok(cmd.run()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_built_for_this_machine_unless_features_say_otherwise() {
        for (given, built) in [
            ("", "native"),
            ("cuda", "cuda native"),
            ("native", "native"),
            ("cpu-all-variants", "cpu-all-variants"),
            ("cuda backend-dl", "cuda backend-dl"),
        ] {
            let mut features: Vec<String> = given.split_whitespace().map(str::to_owned).collect();
            tune(&mut features);
            assert_eq!(features.join(" "), built);
        }
    }

    #[test]
    fn what_follows_two_dashes_is_the_servers() {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        let args = parse(words("--yes --features cuda,backend-dl -- -m x.gguf --yes")).unwrap();
        assert!(args.yes);
        assert_eq!(args.features, ["cuda", "backend-dl"]);
        assert_eq!(args.server, words("-m x.gguf --yes"));
        assert!(names_a_model(&args.server));
        assert!(!names_a_model(&words("--port 9")));
        let cmd = command(Path::new("s"), &words("-m x.gguf --api-key KEY"));
        assert_eq!(cmd.to_string(), "s -m x.gguf --api-key '***'");
        let given: Vec<_> = cmd.command().get_args().map(OsString::from).collect();
        assert_eq!(given, words("-m x.gguf --api-key KEY"));
        assert_eq!(
            parse(words("-y x.gguf")).unwrap_err().to_string(),
            "`x.gguf` is no argument of `serve`\n  hint: arguments of llama-server come after `--`"
        );
    }
}
