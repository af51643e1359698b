//! `cargo xtask serve`: from nothing to a server that answers.

use std::ffi::OsString;

use anyhow::{Result, bail};
use lexopt::prelude::*;
use llama_src::Error;
use llama_src::sh::Cmd;

use workspace::screen::Screen;
use workspace::{built, cargo, install, source, tools};

use crate::toolkits;

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
    if tools::helped("serve", &args) {
        return Ok(());
    }
    let mut args = parse(args)?;
    tune(&mut args.features);
    let mut config = install::config(&args.features)?;
    let mut screen = Screen::new();
    let toolkits = toolkits::find(&mut config, args.yes)?;
    install::ensure(&config, &[], args.yes)?;
    let built = source::beside_page(&mut screen, &config, args.yes, |screen| {
        built::server(screen, &args.features, &toolkits)
    })?;
    let server = built.program("llama-server")?;
    let mut added: Vec<OsString> = Vec::new();
    if !names_a_model(&args.server) {
        let demo = cargo::root().join("tests/models/llama-demo.gguf");
        eprintln!(
            "==> no model given, serving the demo model; to serve yours: cargo xtask serve -- -m \
            model.gguf"
        );
        added.extend(["-m".into(), demo.into_os_string()]);
    }
    if !args.server.iter().any(|arg| arg == "--port") && !is_set("LLAMA_ARG_PORT") {
        added.extend(["--port".into(), PORT.into()]);
    }
    let cmd = Cmd::new(server).args(added);
    // A user's own may hold a key, which nobody wants to see in a log.
    eprintln!("==> {cmd}{}", if args.server.is_empty() { "" } else { " and your arguments" });
    crate::become_program(&cmd.args(args.server))
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
            Long("features") => parsed.features = install::split(&own.value()?.string()?),
            Long("yes") | Short('y') => parsed.yes = true,
            Value(value) => bail!(
                Error::usage(format!("unexpected argument `{}`", value.to_string_lossy()))
                    .hint("put the arguments of llama-server after `--`")
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

fn names_a_model(args: &[OsString]) -> bool {
    let names = |name: &str| {
        let setting = name.strip_prefix("LLAMA_ARG_").unwrap_or_default();
        setting.starts_with("MODEL") || setting.ends_with("_REPO")
    };
    let mut variables = std::env::vars_os();
    variables.any(|(name, value)| !value.is_empty() && names(&name.to_string_lossy()))
        || args.iter().any(|arg| NAMES_A_MODEL.iter().any(|name| arg == name))
}

fn is_set(name: &str) -> bool {
    #[expect(clippy::disallowed_methods, reason = "llama-server's own variable")]
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
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
        assert_eq!(
            parse(words("-y x.gguf")).unwrap_err().to_string(),
            "unexpected argument `x.gguf`\n  hint: put the arguments of llama-server after `--`"
        );
    }
}
