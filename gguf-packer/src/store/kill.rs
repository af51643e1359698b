//! Tests only: ends a process, as SIGKILL does, at its Nth change of the disk.

use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which change does not happen any more.
const VARIABLE: &str = "GGUF_PACKER_TEST_KILL_AT";

static DONE: AtomicU64 = AtomicU64::new(0);
static KILL_AT: OnceLock<Option<u64>> = OnceLock::new();

/// Counts a change of the disk.
pub(crate) fn step() {
    let at = KILL_AT.get_or_init(|| variable(VARIABLE)?.parse().ok());
    if at.is_some_and(|at| DONE.fetch_add(1, Ordering::SeqCst) + 1 == at) {
        end();
    }
}

/// A variable that the parent has set.
pub(crate) fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "what a test tells itself")]
    std::env::var(name).ok()
}

/// Runs one test of this program again, in a process that dies at its Nth change of the disk. Says whether
/// it came to its end before.
pub(crate) fn lives(test: &str, variables: &[(&str, &str)], at: u64) -> bool {
    #[expect(clippy::disallowed_methods, reason = "a test that kills itself")]
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--test-threads", "1"]).env(VARIABLE, at.to_string());
    command.envs(variables.iter().copied()).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        assert!(text.contains("1 passed"), "{text}");
        return true;
    }
    assert!(output.status.code().is_none(), "it failed before it was killed: {text}");
    false
}

#[cfg(unix)]
fn end() {
    use rustix::process::{Signal, getpid, kill_process};
    let _ = kill_process(getpid(), Signal::KILL);
    loop {
        std::thread::park();
    }
}

#[cfg(not(unix))]
fn end() {
    std::process::abort();
}
