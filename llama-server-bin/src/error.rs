//! Everything that can go wrong between looking for a server and stopping it.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// Why there is no running server; the message says what to try next.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// No server in any of the places, in the order in which they were tried.
    NotFound {
        /// Places looked at.
        tried: Vec<String>,
    },
    /// A path that was asked for by name is not a program.
    NotAProgram {
        /// The path.
        path: PathBuf,
        /// Who named it: `the given path` or `LLAMA_SERVER_BIN`.
        named_by: &'static str,
    },
    /// The operating system does not start the program.
    Start {
        /// The program.
        program: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// Someone else listens on the port that was asked for.
    PortTaken {
        /// `host:port`.
        address: String,
    },
    /// The server ended before it was ready.
    Exited {
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        log: Vec<String>,
    },
    /// The server was not ready in time, and has been killed.
    NotReady {
        /// How long was waited.
        waited: Duration,
        /// The last lines of its log.
        log: Vec<String>,
    },
    /// The operating system does not tell how the server is, or does not end it.
    Control {
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// `--version` gave no build number.
    NoVersion {
        /// The program.
        program: PathBuf,
        /// What it printed.
        output: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { tried } => not_found(f, tried),
            Self::NotAProgram { path, named_by } => {
                write!(f, "{} is not a program (from {named_by})", path.display())?;
                write!(f, "\n  hint: ls -l '{}'", path.display())
            }
            Self::Start { program, source } => {
                write!(f, "cannot start {}: {source}", program.display())?;
                write!(f, "\n  hint: '{}' --version", program.display())
            }
            Self::PortTaken { address } => {
                write!(f, "address already in use: {address}")?;
                f.write_str("\n  hint: use another --port, or leave it out for a free one")
            }
            Self::Exited { status, log } => {
                write!(f, "llama-server ended before it was ready ({status})")?;
                log_lines(f, log)
            }
            Self::NotReady { waited, log } => {
                write!(f, "llama-server was not ready after {waited:?}")?;
                log_lines(f, log)?;
                f.write_str("\n  hint: increase `ready_within`: a large model takes longer")?;
                f.write_str(
                    "\n  hint: set --port if logging is off: otherwise the address is \
                    read from the log",
                )
            }
            Self::Control { source } => write!(f, "cannot control llama-server: {source}"),
            Self::NoVersion { program, output } => {
                write!(f, "`{} --version` printed no build number", program.display())?;
                log_lines(f, &output.lines().map(str::to_owned).collect::<Vec<_>>())
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Start { source, .. } | Self::Control { source } => Some(source),
            _ => None,
        }
    }
}

fn not_found(f: &mut fmt::Formatter<'_>, tried: &[String]) -> fmt::Result {
    f.write_str("no llama-server found")?;
    for place in tried {
        write!(f, "\n  looked in: {place}")?;
    }
    f.write_str("\n  hint: cargo install --path llama-server-bin")?;
    f.write_str("\n  hint: export LLAMA_SERVER_BIN=/path/to/llama-server")
}

fn log_lines(f: &mut fmt::Formatter<'_>, lines: &[String]) -> fmt::Result {
    lines.iter().try_for_each(|line| write!(f, "\n  | {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_in_vain_lists_every_place_and_the_ways_out() {
        let tried =
            vec!["$LLAMA_SERVER_BIN (unset)".to_owned(), "/opt/app/llama-server".to_owned()];
        let expected = "no llama-server found
  looked in: $LLAMA_SERVER_BIN (unset)
  looked in: /opt/app/llama-server
  hint: cargo install --path llama-server-bin
  hint: export LLAMA_SERVER_BIN=/path/to/llama-server";
        assert_eq!(Error::NotFound { tried }.to_string(), expected);
    }

    #[test]
    fn a_named_path_that_is_no_program_says_who_named_it() {
        let error = Error::NotAProgram { path: "/no/such".into(), named_by: "LLAMA_SERVER_BIN" };
        let expected =
            "/no/such is not a program (from LLAMA_SERVER_BIN)\n  hint: ls -l '/no/such'";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_timeout_shows_the_log_before_the_hints() {
        let log = vec!["loading".to_owned()];
        let error = Error::NotReady { waited: Duration::from_secs(2), log }.to_string();
        let expected = "llama-server was not ready after 2s
  | loading
  hint: increase `ready_within`: a large model takes longer
  hint: set --port if logging is off: otherwise the address is read from the log";
        assert_eq!(error, expected);
    }

    #[test]
    fn a_taken_port_has_a_way_out() {
        let error = Error::PortTaken { address: "127.0.0.1:8080".to_owned() }.to_string();
        let expected = "address already in use: 127.0.0.1:8080
  hint: use another --port, or leave it out for a free one";
        assert_eq!(error, expected);
    }
}
