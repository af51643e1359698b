//! Programs that run to their end under a deadline, and waits that say what they waited for.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Generous: the machine may be busy with something else.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// A command for `program`, without standard input.
pub fn command(program: impl AsRef<Path>) -> Command {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests start what they test, in ways a build never does"
    )]
    let mut command = Command::new(program.as_ref());
    command.stdin(Stdio::null());
    command
}

/// A child that does not outlive its test, however the test ends.
#[derive(Debug)]
pub struct KilledOnDrop(pub Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        // Fails only for a child that has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How a program ended, and all that it wrote.
#[derive(Debug)]
pub struct Finished {
    /// Exit code or signal.
    pub status: ExitStatus,
    /// Standard error, then standard output.
    pub output: String,
}

impl Finished {
    /// # Panics
    /// When the program succeeded, crashed, or did not say `message`.
    pub fn assert_refused(&self, who: &str, message: &str) {
        let Self { status, output } = self;
        assert!(
            status.code().is_some_and(|code| code != 0),
            "{who} ended with {status}:\n{output}"
        );
        assert!(output.contains(message), "{who} did not say `{message}`:\n{output}");
    }
}

/// Runs `command` to its end.
///
/// # Panics
/// When it does not start, or still runs after [`PATIENCE`].
pub fn finish(command: &mut Command) -> Finished {
    let shown = format!("{command:?}");
    let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
    let outputs = [
        read_in_background(child.stderr.take().expect("it is piped")),
        read_in_background(child.stdout.take().expect("it is piped")),
    ];
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child is ours") {
            break Some(status);
        }
        if start.elapsed() > PATIENCE {
            child.kill().expect("the child is ours");
            child.wait().expect("the child is ours");
            break None;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let output = outputs.map(|output| output.join().expect("reading does not panic")).concat();
    let status =
        status.unwrap_or_else(|| panic!("{shown} still ran after {PATIENCE:?}:\n{output}"));
    Finished { status, output }
}

/// Polls `look` until it gives something.
///
/// # Panics
/// After [`PATIENCE`], with `what`.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn read_in_background(mut output: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before an error is still worth showing.
        let _ = output.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
