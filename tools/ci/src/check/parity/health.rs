//! `llama-healthcheck` asks where upstream's server listens by default.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use workspace::cargo;

/// Our file and the line that has the port there.
const OURS: (&str, &str) =
    ("llama-server-bin/src/healthcheck/check/endpoint.rs", "const DEFAULT_PORT: u16 = ");
/// Upstream's.
const THEIRS: (&str, &str) = ("common/common.h", "int32_t port ");

/// What differs.
pub(super) fn drift(tree: &Path) -> Result<Option<String>> {
    let read = |root: &Path, file: &str| {
        fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"))
    };
    compare(&read(&cargo::root(), OURS.0)?, &read(tree, THEIRS.0)?)
}

fn compare(ours: &str, theirs: &str) -> Result<Option<String>> {
    let port = |text: &str, (file, start): (&str, &str)| {
        let line = text.lines().map(str::trim).find(|line| line.starts_with(start));
        let value = line.and_then(|line| line.split_once('=')?.1.split_once(';'));
        let value = value.map(|(value, _)| value.trim().to_owned());
        value.with_context(|| format!("no default port found in {file}"))
    };
    let (ours, theirs) = (port(ours, OURS)?, port(theirs, THEIRS)?);
    let message =
        format!("{}: the default port is {theirs}, ours in {} is {ours}", THEIRS.0, OURS.0);
    Ok((ours != theirs).then_some(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_default_port_is_found() {
        let compare = |ours: &str| {
            compare(ours, "    int32_t port                = 9931;          // server listens\n")
        };
        assert_eq!(compare("const DEFAULT_PORT: u16 = 9931;\n").unwrap(), None);
        assert_eq!(
            compare("const DEFAULT_PORT: u16 = 8080;\n").unwrap().unwrap(),
            "common/common.h: the default port is 9931, ours in \
             llama-server-bin/src/healthcheck/check/endpoint.rs is 8080"
        );
        assert_eq!(
            compare("").unwrap_err().to_string(),
            "no default port found in llama-server-bin/src/healthcheck/check/endpoint.rs"
        );
    }
}
