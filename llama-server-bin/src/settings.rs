//! The variables of this build, checked before the server starts, while somebody looks: llama.cpp reads most of them where
//! it needs them (`vendor/patches/0031`, `0040`, `0043`, `0050`, `0060`, `0082`, `0083`).

use std::ffi::OsString;
use std::time::Duration;

/// Seconds that running requests have after a signal; 0 where it is not set.
const DRAIN: &str = "LLAMA_SERVER_DRAIN";
/// A day.
const MOST: u32 = 86_400;

/// What the value of a variable is. An empty one counts as none: Compose hands on empty ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// 0 or 1.
    Switch,
    /// Whole seconds, at most a day.
    Seconds,
    /// A number above 0.
    Number,
}

/// Those that are no path. `LLAMA_SERVER_SANDBOX` is checked where it is read.
const VARIABLES: [(&str, Kind); 11] = [
    (DRAIN, Kind::Seconds),
    ("LLAMA_SERVER_RPC_WAIT", Kind::Seconds),
    ("LLAMA_HEALTHCHECK_STALL", Kind::Seconds),
    ("LLAMA_SERVER_CPUS", Kind::Number),
    ("LLAMA_SERVER_CACHE_RAM", Kind::Number),
    ("LLAMA_SERVER_OPEN_METRICS", Kind::Switch),
    ("LLAMA_SERVER_KEEP_ALIVE", Kind::Seconds),
    ("LLAMA_SERVER_ACCESS_LOG", Kind::Switch),
    ("LLAMA_SERVER_NEEDS_MODEL", Kind::Switch),
    ("LLAMA_SERVER_COMMANDS", Kind::Switch),
    ("LLAMA_REQUIRE_GPU", Kind::Switch),
];

/// Ends the process where a variable has a value that cannot be meant, with what to type.
pub(crate) fn check() {
    let wrong = |(name, kind)| wrong(name, kind, &variable(name).to_string_lossy());
    let wrong: Vec<String> = VARIABLES.into_iter().filter_map(wrong).collect();
    if !wrong.is_empty() {
        wrong.iter().for_each(|message| eprintln!("error: {message}"));
        std::process::exit(1);
    }
}

/// The time that running requests have after a signal.
pub(crate) fn drain() -> Duration {
    let seconds = variable(DRAIN).to_string_lossy().parse();
    Duration::from_secs(seconds.unwrap_or_default())
}

fn variable(name: &str) -> OsString {
    #[expect(clippy::disallowed_methods, reason = "settings of the server, not of a build")]
    std::env::var_os(name).unwrap_or_default()
}

fn wrong(name: &str, kind: Kind, value: &str) -> Option<String> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse::<u32>().ok().filter(|_| digits);
    let (is_right, must_be, example) = match kind {
        Kind::Switch => (["0", "1"].contains(&value), "0 or 1".to_owned(), 1),
        Kind::Seconds => (
            number.is_some_and(|seconds| seconds <= MOST),
            format!("whole seconds, at most {MOST}"),
            30,
        ),
        Kind::Number => (number.is_some_and(|number| number > 0), "a number above 0".to_owned(), 4),
    };
    (!is_right && !value.is_empty())
        .then(|| format!("{name} is `{value}`, but must be {must_be}\n  hint: {name}={example}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_values() {
        let (switch, seconds, number) = (Kind::Switch, Kind::Seconds, Kind::Number);
        let right = [(switch, "0 1"), (seconds, "0 30 86400"), (number, "1 128")];
        for (kind, values) in right {
            for value in values.split(' ').chain([""]) {
                assert_eq!(wrong("X", kind, value), None, "{value}");
            }
        }
        for (kind, values, message) in [
            (switch, "true yes 2 on", "0 or 1\n  hint: X=1"),
            (
                seconds,
                "30s -1 +1 1.5 86401 99999999999 x",
                "whole seconds, at most 86400\n  hint: X=30",
            ),
            (number, "0 -1 +4 x", "a number above 0\n  hint: X=4"),
        ] {
            for value in values.split(' ') {
                let expected = format!("X is `{value}`, but must be {message}");
                assert_eq!(wrong("X", kind, value), Some(expected));
            }
        }
    }

    #[test]
    fn what_the_help_names_is_checked() {
        let args = ["llama-server", "--help"].map(OsString::from);
        let help = crate::help::text(&args).expect("it asks").to_string_lossy();
        for (name, _) in VARIABLES.iter().filter(|(name, _)| *name != "LLAMA_REQUIRE_GPU") {
            assert!(help.contains(name), "{name}");
        }
        let named = help.lines().filter_map(|line| line.split_once('=').map(|(name, _)| name));
        for name in named.filter(|name| name.starts_with("LLAMA_")) {
            let is_checked = VARIABLES.iter().any(|(known, _)| *known == name);
            assert!(is_checked || name.starts_with("LLAMA_SERVER_SANDBOX"), "{name}");
        }
    }
}
