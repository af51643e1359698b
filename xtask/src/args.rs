//! The options of `serve`, `setup` and `doctor`.

use std::ffi::OsString;

use anyhow::{Result, bail};
use lexopt::prelude::*;
use llama_src::Error;
use workspace::{install, tools};

#[derive(Debug, Default)]
pub(crate) struct Args {
    /// `None`: nobody said a word about features.
    pub(crate) features: Option<Vec<String>>,
    pub(crate) yes: bool,
    /// What follows `--`.
    pub(crate) server: Vec<OsString>,
}

/// What `args` of the command `word` say, of the options that its help lists; `None` when they asked for that help.
///
/// # Errors
/// For any other word.
pub(crate) fn parse(word: &str, mut args: Vec<OsString>) -> Result<Option<Args>> {
    if tools::helped(word, &args) {
        return Ok(None);
    }
    let takes = |option: &str| tools::takes(word, option);
    let mut parsed = Args::default();
    if let Some(end) = args.iter().position(|arg| arg == "--").filter(|_| takes("-- ARGS")) {
        parsed.server = args.split_off(end + 1);
        args.pop();
    }
    let mut own = lexopt::Parser::from_args(args);
    while let Some(arg) = own.next()? {
        match arg {
            Long("features") => parsed.features = Some(install::split(&own.value()?.string()?)),
            Long("yes") | Short('y') if takes("--yes") => parsed.yes = true,
            Value(value) if takes("-- ARGS") => bail!(
                Error::usage(format!("unexpected argument `{}`", value.to_string_lossy()))
                    .hint("put the arguments of llama-server after `--`")
            ),
            _ => return Err(arg.unexpected().into()),
        }
    }
    Ok(Some(parsed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn what_follows_two_dashes_is_the_servers() {
        let given = words("--yes --features cuda,backend-dl -- -m x.gguf --yes");
        let args = parse("serve", given).unwrap().unwrap();
        assert!(args.yes);
        assert_eq!(args.features.unwrap(), ["cuda", "backend-dl"]);
        assert_eq!(args.server, words("-m x.gguf --yes"));
        assert_eq!(
            parse("serve", words("-y x.gguf")).unwrap_err().to_string(),
            "unexpected argument `x.gguf`\n  hint: put the arguments of llama-server after `--`"
        );
    }

    #[test]
    fn a_command_takes_what_its_help_lists() {
        assert!(parse("doctor", words("--features cuda")).unwrap().is_some());
        for (word, args) in [("doctor", "--yes"), ("doctor", "-- x"), ("setup", "-y -- x")] {
            assert!(parse(word, words(args)).is_err(), "{word} {args}");
        }
        assert!(parse("setup", words("--yes -h")).unwrap().is_none());
    }
}
