//! The time that running requests have after a signal, and the time that the server waits for its RPC workers.
//! llama.cpp reads both where it needs them (`vendor/patches/0031`, `0060`). They are checked here, while somebody looks.

use std::time::Duration;

/// Seconds; 0 where it is not set.
const DRAIN: &str = "LLAMA_SERVER_DRAIN";
/// Seconds; 60 where it is not set.
const RPC_WAIT: &str = "LLAMA_SERVER_RPC_WAIT";
/// A day.
const MOST: u32 = 86_400;

/// The time that the environment names. Ends the process where one of the two is none, with what to type.
pub(crate) fn time() -> Duration {
    read(RPC_WAIT);
    read(DRAIN)
}

fn read(variable: &str) -> Duration {
    #[expect(clippy::disallowed_methods, reason = "a setting of the server, not of a build")]
    let value = std::env::var_os(variable).unwrap_or_default();
    parse(variable, &value.to_string_lossy()).unwrap_or_else(|message| {
        eprintln!("error: {message}");
        std::process::exit(1)
    })
}

fn parse(variable: &str, value: &str) -> Result<Duration, String> {
    let seconds = if value.is_empty() { Some(0) } else { value.parse().ok() };
    let seconds = seconds.filter(|seconds| *seconds <= MOST && !value.starts_with('+'));
    seconds.map(|seconds| Duration::from_secs(seconds.into())).ok_or_else(|| {
        format!(
            "{variable} is `{value}`, but must be whole seconds, at most {MOST}\n  hint: {variable}=30"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drain_is_whole_seconds() {
        for (value, seconds) in [("", 0), ("0", 0), ("30", 30), ("86400", 86_400)] {
            assert_eq!(parse(DRAIN, value), Ok(Duration::from_secs(seconds)), "{value}");
        }
        for value in ["30s", "-1", "+1", "1.5", " 1", "86401", "99999999999"] {
            let message = format!(
                "LLAMA_SERVER_DRAIN is `{value}`, but must be whole seconds, at most 86400\n  \
                hint: LLAMA_SERVER_DRAIN=30"
            );
            assert_eq!(parse(DRAIN, value), Err(message));
        }
    }
}
