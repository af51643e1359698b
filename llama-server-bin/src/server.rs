//! A running server: its address, its log, its end.

use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use crate::Error;
use crate::log::Log;

/// A `llama-server` that is ready. Dropping it kills it; [`Server::stop`] ends it cleanly.
#[derive(Debug)]
pub struct Server {
    child: Child,
    log: Log,
    url: String,
    stop_within: Duration,
}

impl Server {
    pub(crate) fn new(child: Child, log: Log, stop_within: Duration) -> Self {
        Self { child, log, url: String::new(), stop_within }
    }

    /// Where it listens, without a slash at the end: `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The operating system's number of the process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The last 200 lines of its log, oldest first.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log.lines()
    }

    /// How it ended; `None` while it runs.
    ///
    /// # Errors
    /// When the operating system does not tell.
    pub fn exit_status(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.child.try_wait().map_err(|source| Error::Control { source })
    }

    /// Ends it: `SIGTERM`, then a kill when it takes longer than `stop_within`. Windows has no such
    /// signal for one process: there it is killed at once.
    ///
    /// # Errors
    /// When the operating system does not end it.
    pub fn stop(mut self) -> Result<ExitStatus, Error> {
        if let Some(status) = self.exit_status()? {
            return Ok(status);
        }
        self.ask_to_end();
        let start = Instant::now();
        while cfg!(unix) && start.elapsed() < self.stop_within {
            if let Some(status) = self.exit_status()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.kill();
        self.child.wait().map_err(|source| Error::Control { source })
    }

    #[cfg(unix)]
    fn ask_to_end(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        // The child has not been waited for, so the number is still its own.
        let sent = pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM));
        debug_assert_eq!(sent, Some(Ok(())));
    }

    #[cfg(not(unix))]
    fn ask_to_end(&self) {}

    pub(crate) fn kill(&mut self) {
        // Fails only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(crate) fn last_words(&self) -> Vec<String> {
        self.log.last_words()
    }

    /// The addresses in lines of its log that look like its own, oldest first.
    pub(crate) fn said_addresses(&self) -> Vec<String> {
        self.log.addresses()
    }

    pub(crate) fn set_url(&mut self, url: String) {
        self.url = url;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
