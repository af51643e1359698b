//! Starts a server: its arguments, its environment, its address, and the wait until it answers.

use std::ffi::OsString;
use std::fmt;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::log::{Log, OnLine};
use crate::{Error, LEASH_VARIABLE, Server, find, health, secret};

/// Pause between two looks at a starting server.
const PAUSE: Duration = Duration::from_millis(20);

/// What to start, and how long to wait for it.
pub struct Launch {
    /// The server; `None`: the one that [`find`] finds.
    pub program: Option<PathBuf>,
    /// Arguments as they are, one each. Without `--host` it listens on 127.0.0.1, without `--port` on
    /// a free port.
    pub args: Vec<OsString>,
    /// Changes to the inherited environment: a value, or `None` to remove the variable.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// The directory to run in; `None`: the current one.
    pub dir: Option<PathBuf>,
    /// Longest wait for the model to be loaded.
    pub ready_within: Duration,
    /// Time for a clean end in [`Server::stop`] before the server is killed.
    pub stop_within: Duration,
    /// Called with each line of the server's log, from another thread.
    pub on_line: Option<OnLine>,
}

impl Launch {
    /// A launch with `args`, five minutes to get ready and ten seconds to stop.
    pub fn new<A: Into<OsString>>(args: impl IntoIterator<Item = A>) -> Self {
        Self {
            program: None,
            args: args.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            dir: None,
            ready_within: Duration::from_secs(300),
            stop_within: Duration::from_secs(10),
            on_line: None,
        }
    }

    /// Starts the server and waits until it is ready.
    ///
    /// # Errors
    /// When there is no server, its port is taken, it ends early, or it is not ready in time.
    pub fn start(mut self) -> Result<Server, Error> {
        let program = find(self.program.as_deref())?;
        // A relative path would mean another file in `dir`.
        let program = std::path::absolute(&program).unwrap_or(program);
        let wanted = self.complete_address();
        if let Some(authority) = &wanted {
            self.refuse_taken(authority)?;
        }
        let mut child = self.spawn(&program)?;
        let log = Log::of(&mut child, self.on_line.take());
        // From here on a return drops the server, and so kills it.
        let mut server = Server::new(child, log, self.stop_within);
        wait_until_ready(&mut server, wanted, self.ready_within)?;
        Ok(server)
    }

    /// Adds `--host` and `--port` where the caller gave none; the authority to ask, where it is known
    /// before the server says it.
    fn complete_address(&mut self) -> Option<String> {
        let host = self.setting("--host", "LLAMA_ARG_HOST");
        let port = self.setting("--port", "LLAMA_ARG_PORT");
        if host.is_none() {
            self.args.extend(["--host".into(), "127.0.0.1".into()]);
        }
        if port.is_none() {
            // The kernel picks: no other server can take the port in between.
            self.args.extend(["--port".into(), "0".into()]);
        }
        authority(host.as_deref(), port.as_deref()?)
    }

    /// The last value of an option, which wins over its variable.
    fn setting(&self, option: &str, variable: &str) -> Option<String> {
        let at = self.args.iter().rposition(|arg| arg == option);
        let value = at.and_then(|at| self.args.get(at + 1));
        let from_env = || {
            let entry = self.env.iter().rev().find(|(name, _)| name == variable);
            entry.and_then(|(_, value)| value.as_ref())
        };
        value.or_else(from_env).map(|value| value.to_string_lossy().into_owned())
    }

    fn refuse_taken(&self, authority: &str) -> Result<(), Error> {
        if self.args.iter().any(|arg| arg == "--reuse-port") {
            return Ok(());
        }
        match TcpListener::bind(authority) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                Err(Error::PortTaken { address: authority.to_owned() })
            }
            // The server explains every other case better.
            _ => Ok(()),
        }
    }

    fn spawn(&self, program: &Path) -> Result<Child, Error> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place of this library that starts a program"
        )]
        let mut command = Command::new(program);
        command.args(&self.args).env(LEASH_VARIABLE, "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command.spawn().map_err(|source| Error::Start { program: program.to_owned(), source })
    }
}

impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, args, .. } = self;
        f.debug_struct("Launch")
            .field("program", program)
            .field("args", &secret::shown(args))
            .finish_non_exhaustive()
    }
}

fn wait_until_ready(
    server: &mut Server,
    wanted: Option<String>,
    within: Duration,
) -> Result<(), Error> {
    let start = Instant::now();
    loop {
        if let Some(status) = server.exit_status()? {
            return Err(Error::Exited { status, log: server.last_words() });
        }
        if let Some(url) = server.said_address() {
            // It says so once the model is loaded; under `--api-prefix` there is no `/health`.
            let answer = url.strip_prefix("http://").map(health::status);
            if answer.is_none_or(|answer| answer.is_some_and(|status| status != 503)) {
                server.set_url(url);
                return Ok(());
            }
        } else if let Some(authority) = &wanted {
            if health::status(authority) == Some(200) {
                server.set_url(format!("http://{authority}"));
                return Ok(());
            }
        }
        if start.elapsed() > within {
            server.kill();
            return Err(Error::NotReady { waited: within, log: server.last_words() });
        }
        std::thread::sleep(PAUSE);
    }
}

/// Whom to ask for a server that listens on the first of `hosts` at `port`; `None` for port 0 and for
/// Unix sockets.
fn authority(hosts: Option<&str>, port: &str) -> Option<String> {
    let host = hosts.unwrap_or("127.0.0.1").split(',').next()?.trim();
    let port: u16 = port.parse().ok().filter(|port| *port != 0)?;
    (!host.ends_with(".sock")).then(|| format!("{}:{port}", reachable(host)))
}

/// A host one can connect to, for a host one can listen on, in the form of a URL.
pub(crate) fn reachable(host: &str) -> String {
    match host.trim_matches(['[', ']']) {
        "0.0.0.0" => "127.0.0.1".to_owned(),
        "::" => "[::1]".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_added_only_where_the_caller_gave_none() {
        let mut launch = Launch::new(["-m", "a b.gguf"]);
        assert_eq!(launch.complete_address(), None);
        assert_eq!(launch.args, ["-m", "a b.gguf", "--host", "127.0.0.1", "--port", "0"]);

        let mut launch = Launch::new(["--port", "81", "--host", "0.0.0.0", "--port", "82"]);
        assert_eq!(launch.complete_address().as_deref(), Some("127.0.0.1:82"));
        assert_eq!(launch.args.len(), 6);

        let mut launch = Launch::new(["-m", "m"]);
        launch.env = vec![("LLAMA_ARG_PORT".into(), Some("83".into()))];
        assert_eq!(launch.complete_address().as_deref(), Some("127.0.0.1:83"));
        assert_eq!(launch.args, ["-m", "m", "--host", "127.0.0.1"]);
    }

    #[test]
    fn an_authority_is_one_that_can_be_asked() {
        assert_eq!(authority(Some("::,0.0.0.0"), "80").as_deref(), Some("[::1]:80"));
        assert_eq!(authority(Some("fe80::1"), "80").as_deref(), Some("[fe80::1]:80"));
        assert_eq!(authority(Some("localhost"), "80").as_deref(), Some("localhost:80"));
        assert_eq!(authority(Some("/run/llama.sock"), "80"), None);
        assert_eq!(authority(None, "0"), None);
        assert_eq!(authority(None, "http"), None);
    }

    #[test]
    fn a_launch_shows_no_key() {
        let launch = Launch::new(["-m", "m.gguf", "--api-key", "KEY"]);
        let shown = format!("{launch:?}");
        assert!(shown.contains(r#""--api-key", "***""#) && !shown.contains("KEY"), "{shown}");
    }
}
