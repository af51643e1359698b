//! A command in place of the server: `docker run IMAGE cat /app/version.json` runs `cat` in our images,
//! as it does in images without an entry point.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;

/// Set to `1` by images.
const VARIABLE: &str = "LLAMA_SERVER_COMMANDS";

/// Becomes the program that the first argument names. Returns when none is meant or there is none: the
/// server then says what it thinks of the word.
pub(crate) fn run(args: &[OsString]) {
    #[expect(clippy::disallowed_methods, reason = "a message from the image, not a build setting")]
    let allowed = std::env::var_os(VARIABLE);
    if let Some((program, args)) = named(args, allowed.as_deref()) {
        #[expect(clippy::disallowed_methods, reason = "this process becomes the program")]
        let _not_there = std::process::Command::new(program).args(args).exec();
    }
}

/// The program and its arguments, of the words of a command line.
fn named<'a>(
    args: &'a [OsString],
    allowed: Option<&OsStr>,
) -> Option<(&'a OsString, &'a [OsString])> {
    let (program, rest) = args.get(1..)?.split_first()?;
    let is_option = program.is_empty() || program.as_encoded_bytes().starts_with(b"-");
    (allowed == Some(OsStr::new("1")) && !is_option).then_some((program, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_first_word_is_a_command_where_an_image_says_so() {
        let line = words("llama-server cat /app/version.json");
        let (program, args) = named(&line, Some(OsStr::new("1"))).unwrap();
        assert_eq!((program, args), (&line[1], &line[2..]));
        assert_eq!(named(&line, None), None);
        assert_eq!(named(&line, Some(OsStr::new("0"))), None);
    }

    #[test]
    fn options_are_the_servers() {
        for line in ["llama-server", "llama-server --help", "llama-server -m cat", "llama-server "]
        {
            assert_eq!(named(&words(line), Some(OsStr::new("1"))), None, "{line}");
        }
    }
}
