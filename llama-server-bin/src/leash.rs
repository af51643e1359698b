//! The server's end of the leash: a program that starts this server through the library holds the
//! other end of our standard input. When that program is gone, however it went, the pipe closes and
//! the server stops. `PR_SET_PDEATHSIG` would be tied to the *thread* that started us, and to Linux.

use std::io::{ErrorKind, Read};
use std::time::Duration;

/// Set to `1` by the library for a server on a leash.
pub(crate) const VARIABLE: &str = llama_server_bin::LEASH_VARIABLE;
/// Time for a clean end before a hard one, beside what running requests have.
const GRACE: Duration = Duration::from_secs(10);

pub(crate) fn is_asked_for() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a message from the parent, not a build setting")]
    let value = std::env::var_os(VARIABLE);
    value.is_some_and(|value| value == "1")
}

/// Stops this process when standard input ends; `drain` is the time that running requests have then.
pub(crate) fn hold(drain: Duration) {
    std::thread::spawn(move || {
        let mut input = std::io::stdin();
        let mut ignored = [0; 256];
        loop {
            match input.read(&mut ignored) {
                Ok(1..) => {}
                // A signal for the server that came to this thread: the parent is still there.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
            }
        }
        #[cfg(unix)]
        if rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM)
            .is_ok()
        {
            std::thread::sleep(GRACE + drain);
        }
        std::process::abort();
    });
}
