//! `cargo xtask serve`: from nothing to a server that answers.

use std::ffi::OsString;

use anyhow::Result;
use llama_src::sh::Cmd;
use workspace::screen::Screen;
use workspace::{built, cargo, install, source};

use crate::{args, toolkits};

/// Arguments of llama-server that name a model, or that need none.
const NAMES_A_MODEL: &str = "-m --model -mu --model-url -dr --docker-repo -hf -hfr --hf-repo --models-dir \
    --models-preset --version --help -h --usage --list-devices --completion-bash --licenses -cl --cache-list";

/// Where the page is when nobody says otherwise; upstream's own default is another one
/// ([`common.h` of b11549](https://github.com/ggml-org/llama.cpp/blob/b11549/common/common.h)).
const PORT: &str = "8080";

/// Features that say which processors the server is for.
const FOR_PROCESSORS: &[&str] = &["native", "cpu-all-variants", "backend-dl", "system"];

pub(crate) fn run(args: Vec<OsString>) -> Result<()> {
    let Some(args) = args::parse("serve", args)? else { return Ok(()) };
    let features = tuned(args.features.unwrap_or_default());
    let mut config = install::config(&features)?;
    let mut screen = Screen::new();
    let toolkits = toolkits::find(&mut config, args.yes)?;
    install::ensure(&config, &[], args.yes)?;
    let built = source::beside_page(&mut screen, &config, args.yes, |screen| {
        built::server(screen, &features, &toolkits)
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
    let names_a_port = |arg: &OsString| arg == "--port" || is_preset(arg);
    if !args.server.iter().any(names_a_port) && !is_set("LLAMA_ARG_PORT") {
        added.extend(["--port".into(), PORT.into()]);
    }
    let cmd = Cmd::new(server).args(added);
    // A user's own may hold a key, which nobody wants to see in a log.
    eprintln!("==> {cmd}{}", if args.server.is_empty() { "" } else { " and your arguments" });
    crate::become_program(&cmd.args(args.server))
}

/// What runs here is built for the processor that is here, unless something else is said.
fn tuned(mut features: Vec<String>) -> Vec<String> {
    if !features.iter().any(|feature| FOR_PROCESSORS.contains(&feature.as_str())) {
        features.push("native".to_owned());
    }
    features
}

fn names_a_model(args: &[OsString]) -> bool {
    let names = |arg: &str| NAMES_A_MODEL.split(' ').any(|name| name == arg);
    // The variable of `--hf-repo` is LLAMA_ARG_HF_REPO.
    let is_named_by = |name: &str| {
        let setting = name.strip_prefix("LLAMA_ARG_").unwrap_or_default();
        names(&format!("--{}", setting.to_lowercase().replace('_', "-")))
    };
    let mut variables = std::env::vars_os();
    variables.any(|(name, value)| !value.is_empty() && is_named_by(&name.to_string_lossy()))
        || args.iter().any(|arg| names(&arg.to_string_lossy()) || is_preset(arg))
}

/// Whether `arg` is an option such as `--gpt-oss-20b-default`, which names a model, a port and more.
fn is_preset(arg: &OsString) -> bool {
    arg.to_string_lossy().ends_with("-default")
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
            let features = given.split_whitespace().map(str::to_owned).collect();
            assert_eq!(tuned(features).join(" "), built);
        }
    }

    #[test]
    fn the_demo_model_is_for_who_names_none() {
        let named = |text: &str| names_a_model(&[OsString::from(text)]);
        assert!(named("-m") && named("--hf-repo") && named("--gpt-oss-20b-default"));
        assert!(!named("--port") && !named("--models-max"));
    }
}
