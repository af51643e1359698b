//! Starts a server: its arguments, its environment, its address, and the wait until it answers.

use std::ffi::OsString;
use std::fmt;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::address::Wanted;
use crate::log::{Log, OnLine};
use crate::{Error, LEASH_VARIABLE, Server, find, health, secret, sockets};

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
        if let Some(authority) = wanted.authority() {
            self.refuse_taken(&authority)?;
        }
        let mut child = self.spawn(&program)?;
        let log = Log::of(&mut child, self.on_line.take());
        // From here on a return drops the server, and so kills it.
        let mut server = Server::new(child, log, self.stop_within);
        wait_until_ready(&mut server, &wanted, self.ready_within)?;
        Ok(server)
    }

    /// Adds `--host` and `--port` where the caller gave none.
    fn complete_address(&mut self) -> Wanted {
        let host = self.setting("--host", "LLAMA_ARG_HOST");
        let port = self.setting("--port", "LLAMA_ARG_PORT");
        if host.is_none() {
            self.args.extend(["--host".into(), "127.0.0.1".into()]);
        }
        if port.is_none() {
            // The kernel picks: no other server can take the port in between.
            self.args.extend(["--port".into(), "0".into()]);
        }
        Wanted::new(host.as_deref(), port.as_deref())
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
        alone(&mut command);
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

/// Ctrl-C in a terminal is for the caller, who stops the server or lets it finish.
fn alone(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    // CREATE_NEW_PROCESS_GROUP
    #[cfg(windows)]
    std::os::windows::process::CommandExt::creation_flags(command, 0x0000_0200);
}

fn wait_until_ready(server: &mut Server, wanted: &Wanted, within: Duration) -> Result<(), Error> {
    let authority = wanted.authority();
    let start = Instant::now();
    loop {
        if let Some(status) = server.exit_status()? {
            return Err(Error::Exited { status, log: server.last_words() });
        }
        let url = said_address(server, wanted).or_else(|| {
            let authority = authority.as_ref()?;
            (health::status(authority) == Some(200)).then(|| format!("http://{authority}"))
        });
        if let Some(url) = url {
            server.set_url(url);
            return Ok(());
        }
        if start.elapsed() > within {
            server.kill();
            return Err(Error::NotReady { waited: within, log: server.last_words() });
        }
        std::thread::sleep(PAUSE);
    }
}

/// The address that the server says, once it is so and the server is ready.
fn said_address(server: &Server, wanted: &Wanted) -> Option<String> {
    let said = server.said_addresses();
    if said.is_empty() {
        return None;
    }
    let bound = sockets::of_family(Path::new("/proc"), server.pid()).ok();
    let mut urls = said.iter().filter_map(|url| wanted.believed(url, bound.as_deref()));
    // It says so once the model is loaded; under `--api-prefix` there is no `/health`. One that speaks TLS has
    // no answer to this question.
    urls.find(|url| match url.split_once("://") {
        Some(("http", authority)) => health::status(authority).is_some_and(|it| it != 503),
        Some(("https", authority)) => health::status(authority).is_none(),
        Some((_, file)) => health::status_of_socket(file).is_none_or(|it| it != 503),
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_added_only_where_the_caller_gave_none() {
        let mut launch = Launch::new(["-m", "a b.gguf"]);
        assert_eq!(launch.complete_address().authority(), None);
        assert_eq!(launch.args, ["-m", "a b.gguf", "--host", "127.0.0.1", "--port", "0"]);

        let mut launch = Launch::new(["--port", "81", "--host", "0.0.0.0", "--port", "82"]);
        assert_eq!(launch.complete_address().authority().as_deref(), Some("127.0.0.1:82"));
        assert_eq!(launch.args.len(), 6);

        let mut launch = Launch::new(["-m", "m"]);
        launch.env = vec![("LLAMA_ARG_PORT".into(), Some("83".into()))];
        assert_eq!(launch.complete_address().authority().as_deref(), Some("127.0.0.1:83"));
        assert_eq!(launch.args, ["-m", "m", "--host", "127.0.0.1"]);
    }

    #[test]
    fn a_launch_shows_no_key() {
        let launch = Launch::new(["-m", "m.gguf", "--api-key", "KEY"]);
        let shown = format!("{launch:?}");
        assert!(shown.contains(r#""--api-key", "***""#) && !shown.contains("KEY"), "{shown}");
    }
}
