//! Tests only: ends the process, as SIGKILL does, at its Nth change of the disk.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which change does not happen any more.
pub(crate) const VARIABLE: &str = "GGUF_PACKER_TEST_KILL_AT";

static DONE: AtomicU64 = AtomicU64::new(0);
static KILL_AT: OnceLock<Option<u64>> = OnceLock::new();

/// Counts a change of the disk.
pub(crate) fn step() {
    #[expect(clippy::disallowed_methods, reason = "only tests read it")]
    let at = KILL_AT.get_or_init(|| std::env::var(VARIABLE).ok()?.parse().ok());
    if let Some(at) = at {
        if DONE.fetch_add(1, Ordering::SeqCst) + 1 == *at {
            end();
        }
    }
}

#[cfg(unix)]
fn end() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    loop {
        std::thread::park();
    }
}

#[cfg(not(unix))]
fn end() {
    std::process::abort();
}
