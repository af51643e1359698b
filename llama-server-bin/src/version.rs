//! Which llama.cpp a server is made of.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Error;

/// What `llama-server --version` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// llama.cpp's build number: 1 for `b1`.
    pub build_number: u32,
    /// The whole first line.
    pub text: String,
}

/// Asks the server at `program` for its version.
///
/// # Errors
/// When it cannot be started or says nothing that looks like a build number.
pub fn version(program: &Path) -> Result<Version, Error> {
    #[expect(clippy::disallowed_methods, reason = "a short-lived program, read to its end")]
    let mut command = Command::new(program);
    let output = command.arg("--version").stdin(Stdio::null()).output();
    let output = output.map_err(|source| Error::Start { program: program.to_owned(), source })?;
    let text = String::from_utf8_lossy(&[output.stderr, output.stdout].concat()).into_owned();
    parse(&text).ok_or_else(|| Error::NoVersion { program: program.to_owned(), output: text })
}

/// From `version: 1.2.3 (build 1, commit b1)`, or `version: 6000 (abc)` of older servers.
fn parse(output: &str) -> Option<Version> {
    let text = output.lines().find(|line| line.starts_with("version: "))?;
    let number = text.split_once("(build ").map_or(&text["version: ".len()..], |(_, rest)| rest);
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    Some(Version { build_number: number[..end].parse().ok()?, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_number_is_read_from_new_and_old_servers() {
        let new = "load_backend: x\nversion: 1.2.3 (build 1, commit b1)\nbuilt with GNU\n";
        let version = parse(new).unwrap();
        assert_eq!(version.build_number, 1);
        assert_eq!(version.text, "version: 1.2.3 (build 1, commit b1)");
        assert_eq!(parse("version: 6123 (0abc123)\n").unwrap().build_number, 6123);
        assert_eq!(parse("usage: server\n"), None);
        assert_eq!(parse("version: unknown\n"), None);
    }
}
