//! Runs a program whose lines are followed and which ends when the build ends.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use llama_src::Kind;
use llama_src::sh::Cmd;

use crate::Error;

/// How often is looked whether it is to end.
const TICK: Duration = Duration::from_millis(50);

/// Lines of a failed program that its error shows.
const TAIL: usize = 20;

/// Runs `cmd`, each line of its outputs goes to `on_line`. Its input is a pipe that ends when we do, so a
/// program that waits for that end does not outlive us; Ctrl-C of a terminal reaches it as it reaches us.
///
/// # Errors
/// When it cannot be started or fails, and when `stop` ended it.
pub fn run(
    cmd: &Cmd,
    on_line: &mut dyn FnMut(&str),
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(), Error> {
    let (status, tail) = follow(cmd, on_line, stop)?;
    let failed = |status| format!("a command failed with {status}: {cmd}");
    ended(status, tail, failed)
}

/// Runs this program once more, as `name`, as [`run`] does. Nobody typed that command, so no error shows it.
///
/// # Errors
/// As of [`run`]. [`crashed`] tells an end by a signal apart.
pub fn run_own(
    name: &str,
    cmd: &Cmd,
    on_line: &mut dyn FnMut(&str),
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(), Error> {
    let (status, tail) = follow(cmd, on_line, stop)?;
    let failed = |status: ExitStatus| match status.code() {
        Some(_) => format!("{name} failed ({status})"),
        None => format!("{name} crashed ({status})"),
    };
    ended(status, tail, failed)
}

/// Whether a signal ended a program that [`run`] or [`run_own`] started.
#[must_use]
pub fn crashed(error: &Error) -> bool {
    error.kind() == Kind::Tool && error.status().is_none()
}

fn ended(
    status: ExitStatus,
    tail: Vec<String>,
    failed: impl Fn(ExitStatus) -> String,
) -> Result<(), Error> {
    if status.success() {
        return Ok(());
    }
    Err(Error::tool(failed(status)).with_status(status.code()).log(tail))
}

/// How it ended, and its last lines.
fn follow(
    cmd: &Cmd,
    on_line: &mut dyn FnMut(&str),
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(ExitStatus, Vec<String>), Error> {
    let mut command = cmd.command();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let no_start = |e: std::io::Error| Error::from_io(format!("cannot run `{cmd}`"), &e);
    let mut child = command.spawn().map_err(no_start)?;
    let (sender, lines) = mpsc::channel();
    forward(child.stdout.take(), sender.clone());
    forward(child.stderr.take(), sender);
    let mut tail = Vec::new();
    loop {
        match lines.recv_timeout(TICK) {
            Ok(line) => {
                on_line(&line);
                tail.push(line);
                if tail.len() > TAIL {
                    tail.remove(0);
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if stop() {
            end(&mut child);
            return Err(stopped());
        }
    }
    child.wait().map(|status| (status, tail)).map_err(no_start)
}

/// The error of what was ended because of something else.
pub(crate) fn stopped() -> Error {
    Error::new("the build was canceled")
}

fn end(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

/// Lines end with `\n`, or with `\r` as progress does.
fn forward(from: Option<impl Read + Send + 'static>, to: Sender<String>) {
    let Some(from) = from else { return };
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            for line in line.split(|byte| *byte == b'\r').filter(|line| !line.is_empty()) {
                if to.send(String::from_utf8_lossy(line).trim_end().to_owned()).is_err() {
                    return;
                }
            }
        }
    });
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn sh(script: &str) -> Cmd {
        Cmd::new("sh").args(["-c", script])
    }

    #[test]
    fn lines_come_and_a_failure_shows_them() {
        let mut lines = Vec::new();
        run(&sh("echo a; printf 'b\\rc\\n'"), &mut |line| lines.push(line.to_owned()), &|| false)
            .expect("it runs");
        assert_eq!(lines, ["a", "b", "c"]);
        let error = run(&sh("echo why >&2; exit 3"), &mut |_| (), &|| false).expect_err("it fails");
        let text = "a command failed with exit status: 3: sh -c 'echo why >&2; exit 3'\n  | why";
        assert_eq!(error.to_string(), text);
        let error = run(&Cmd::new("no-such-program"), &mut |_| (), &|| false).expect_err("none");
        assert!(error.to_string().starts_with("cannot run `no-such-program`: "), "{error}");
    }

    #[test]
    fn a_crash_of_our_own_program_is_told_without_its_command() {
        let own = |script: &str| {
            run_own("the quantizer", &sh(script), &mut |_| (), &|| false).expect_err("it fails")
        };
        let error = own("echo why; kill -SEGV $$");
        let text = error.to_string();
        assert!(text.starts_with("the quantizer crashed (signal: 11 (SIGSEGV)"), "{text}");
        assert!(crashed(&error) && text.ends_with(")\n  | why"), "{text}");
        let error = own("exit 3");
        assert_eq!(error.to_string(), "the quantizer failed (exit status: 3)");
        assert!(!crashed(&error));
    }

    #[test]
    fn it_ends_when_the_build_ends() {
        let start = std::time::Instant::now();
        let error = run(&sh("exec sleep 60"), &mut |_| (), &|| true).expect_err("it is ended");
        assert_eq!(error, stopped());
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}
