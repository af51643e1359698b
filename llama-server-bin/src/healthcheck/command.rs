//! The command line, and the one promise about time: there is a verdict before the time is up.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::check::verdict::Verdict;
use crate::check::{self, World};
use crate::drain;

const HELP: &str = "\
llama-healthcheck: check the health of the llama-server in this container

usage: llama-healthcheck [--pid PID] [--timeout SECONDS]
       llama-healthcheck --drain[=SECONDS] [--pid PID]

  --pid PID          the container's main process; default: 1
  --timeout SECONDS  time limit of the check; default: 5
  --drain[=SECONDS]  end llama-server instead, as preStop in Kubernetes: it serves for SECONDS more (default: 5), until
                     load balancers know, then gets SIGTERM and has LLAMA_SERVER_DRAIN seconds for running requests
  -h, --help         print this help
  -V, --version      print the version

It prints one line that begins with healthy, starting or unhealthy. It ends with 0 if healthy, otherwise with 1.

environment:
  LLAMA_HEALTHCHECK_URL  address to check instead of the one that llama-server has bound:
                         http://HOST:PORT/PATH, https://HOST:PORT or http://unix:/FILE:/PATH
  LLAMA_REQUIRE_GPU      1: a server that does not use its GPU is unhealthy; 0 (default): the line only says so
";

/// What the command line says.
#[derive(Debug, PartialEq, Eq)]
enum Command {
    Print(String),
    Check { pid: u32, timeout: Duration },
    Drain { pid: u32, serve_on: Duration },
}

pub(crate) fn run() -> ExitCode {
    let (text, is_good) = match parse(std::env::args_os().skip(1)) {
        Ok(Command::Print(text)) => (text, true),
        Ok(Command::Check { pid, timeout }) => {
            let verdict = verdict(world(pid), timeout);
            (format!("{verdict}\n"), verdict.is_healthy())
        }
        Ok(Command::Drain { pid, serve_on }) => {
            let say = |line: &str| {
                let _ = writeln!(std::io::stdout(), "{line}");
            };
            let done = drain::drain(Path::new("/proc"), pid, serve_on, &say);
            (
                done.as_ref().err().map_or_else(String::new, |why| format!("not drained: {why}\n")),
                done.is_ok(),
            )
        }
        Err(message) => {
            eprintln!("error: {message}\n  hint: llama-healthcheck --help");
            return ExitCode::FAILURE;
        }
    };
    // The exit code counts also where nobody reads.
    let _ = std::io::stdout().write_all(text.as_bytes());
    // Docker keeps every code but these two for itself.
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let mut args = args.map(|arg| arg.to_string_lossy().into_owned());
    let (mut pid, mut seconds, mut drain) = (1, 5, None);
    while let Some(arg) = args.next() {
        let mut number = || {
            let value = args.next().unwrap_or_default();
            value.parse().ok().filter(|number: &u32| *number > 0)
        };
        let missing = || format!("{arg} must be a number above 0");
        match arg.as_str() {
            "--pid" => pid = number().ok_or_else(missing)?,
            "--timeout" => seconds = number().ok_or_else(missing)?,
            "--drain" => drain = Some(drain::SERVE_ON),
            "-h" | "--help" => return Ok(Command::Print(HELP.to_owned())),
            "-V" | "--version" => {
                let version = env!("CARGO_PKG_VERSION");
                return Ok(Command::Print(format!("llama-healthcheck {version}\n")));
            }
            _ => match arg.strip_prefix("--drain=").map(str::parse) {
                Some(Ok(seconds)) => drain = Some(seconds),
                Some(Err(_)) => return Err("--drain= must be whole seconds".to_owned()),
                None => return Err(format!("unexpected argument `{arg}`")),
            },
        }
    }
    if let Some(seconds) = drain {
        return Ok(Command::Drain { pid, serve_on: Duration::from_secs(seconds.into()) });
    }
    Ok(Command::Check { pid, timeout: Duration::from_secs(seconds.into()) })
}

/// This container.
fn world(pid: u32) -> World {
    let text = |(name, value): (OsString, OsString)| {
        (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
    };
    let program = std::env::current_exe().unwrap_or_default();
    World {
        proc: "/proc".into(),
        dev: "/dev".into(),
        sys: "/sys".into(),
        app: program.parent().unwrap_or(Path::new("/app")).to_owned(),
        pid,
        environment: std::env::vars_os().map(text).collect(),
    }
}

/// The verdict within `timeout`, whatever hangs: a name server, the server, a driver.
fn verdict(world: World, timeout: Duration) -> Verdict {
    let (sender, verdicts) = mpsc::channel();
    let world = Arc::new(world);
    let say = move |world: &World| {
        let say = |verdict| {
            // The time can be up.
            let _ = sender.send(verdict);
        };
        say(check::check(world, &say));
    };
    let (other, others) = (say.clone(), Arc::clone(&world));
    // Nobody waits for this thread: a hanging driver call cannot be ended.
    if std::thread::Builder::new().spawn(move || other(&others)).is_err() {
        // The container has as many processes as it may: whoever asks ends a check that hangs.
        say(&world);
    }
    drop(say);
    last(&verdicts, timeout)
}

/// The last of the `verdicts` that comes in time.
fn last(verdicts: &Receiver<Verdict>, timeout: Duration) -> Verdict {
    let end = Instant::now() + timeout;
    let mut last = Verdict::Unhealthy(format!("no result within {} s", timeout.as_secs()));
    loop {
        match verdicts.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(verdict) => last = verdict,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Command, String> {
        parse(words.iter().map(OsString::from))
    }

    #[test]
    fn the_command_line_is_small() {
        let check =
            |pid, seconds| Ok(Command::Check { pid, timeout: Duration::from_secs(seconds) });
        assert_eq!(parsed(&[]), check(1, 5));
        assert_eq!(parsed(&["--pid", "7", "--timeout", "2"]), check(7, 2));
        let drain =
            |pid, seconds| Ok(Command::Drain { pid, serve_on: Duration::from_secs(seconds) });
        assert_eq!(parsed(&["--drain"]), drain(1, 5));
        assert_eq!(parsed(&["--drain=0", "--pid", "7"]), drain(7, 0));
        assert_eq!(parsed(&["-h"]), Ok(Command::Print(HELP.to_owned())));
        let version = format!("llama-healthcheck {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(parsed(&["--version"]), Ok(Command::Print(version)));
    }

    #[test]
    fn what_is_wrong_with_it_is_told() {
        let refused = |words: &[&str]| parsed(words).unwrap_err();
        assert_eq!(refused(&["--pid"]), "--pid must be a number above 0");
        assert_eq!(refused(&["--timeout", "0"]), "--timeout must be a number above 0");
        assert_eq!(refused(&["--drain=5s"]), "--drain= must be whole seconds");
        assert_eq!(refused(&["--port", "1"]), "unexpected argument `--port`");
    }

    #[test]
    fn when_the_time_is_up_the_last_verdict_counts() {
        let (sender, verdicts) = mpsc::channel();
        let short = Duration::from_millis(20);
        let none = last(&verdicts, short).to_string();
        assert_eq!(none, "unhealthy: no result within 0 s");
        sender.send(Verdict::Unhealthy("a".into())).unwrap();
        sender.send(Verdict::Healthy("b".into())).unwrap();
        assert_eq!(last(&verdicts, short).to_string(), "healthy: b");
        // Nobody will say more: it does not wait.
        drop(sender);
        last(&verdicts, Duration::from_secs(3600));
    }
}
