//! Runs other programs: shows each command as a line that can be pasted, keeps its log, and explains
//! its failure. The only place in the workspace that starts a process for the build.

mod group;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use self::group::Group;
use crate::{Error, place};

/// Lines of a failed tool's log that an error shows; under `CI` all of them.
const TAIL: usize = 100;

/// Times that a program is started anew whose file is being written.
const BUSY: u32 = 50;

/// A program with its arguments, environment changes and directory.
#[derive(Debug, Clone)]
pub struct Cmd {
    program: OsString,
    args: Vec<OsString>,
    /// The arguments in messages.
    shown: Vec<OsString>,
    env: Vec<(OsString, Option<OsString>)>,
    not_typed: Vec<OsString>,
    inherits: fn(&str) -> bool,
    dir: Option<PathBuf>,
    limit: Option<Duration>,
}

impl Cmd {
    /// A command that runs `program`, found through `PATH` unless it is a path.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref().to_owned();
        Self {
            program,
            args: Vec::new(),
            shown: Vec::new(),
            env: Vec::new(),
            not_typed: Vec::new(),
            inherits: |_| true,
            dir: None,
            limit: None,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(self, arg: impl AsRef<OsStr>) -> Self {
        let arg = arg.as_ref();
        self.arg_shown_as(arg, arg)
    }

    /// Adds one argument that every message shows as `shown`: a secret.
    #[must_use]
    pub fn arg_shown_as(mut self, arg: impl AsRef<OsStr>, shown: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self.shown.push(shown.as_ref().to_owned());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(self, args: impl IntoIterator<Item = S>) -> Self {
        args.into_iter().fold(self, |cmd, arg| cmd.arg(arg))
    }

    /// Sets a variable of the child's environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), Some(value.as_ref().to_owned())));
        self
    }

    /// Removes a variable from the child's environment.
    #[must_use]
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), None));
        self
    }

    /// Removes a variable that this process has and a person's shell has not: the line that is shown does
    /// without it.
    #[must_use]
    pub fn env_not_typed(mut self, name: impl AsRef<OsStr>) -> Self {
        self.not_typed.push(name.as_ref().to_owned());
        self
    }

    /// Hands on those variables of this process's environment alone whose names `keep` knows: for programs that run
    /// other people's code.
    #[must_use]
    pub fn inherits(mut self, keep: fn(&str) -> bool) -> Self {
        self.inherits = keep;
        self
    }

    /// Runs in `dir` instead of the current directory.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Ends [`Self::run_logged`] with an error after `limit`, and all that the program has started by then.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Standard output as text.
    ///
    /// # Errors
    /// When the program cannot be started or fails; its output is in the error.
    pub fn read(&self) -> Result<String, Error> {
        let output = self.started(|| self.command().stdin(Stdio::null()).output())?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let both = [output.stdout, output.stderr].concat();
        let lines = String::from_utf8_lossy(&both).lines().map(str::to_owned).collect();
        Err(self.failed(output.status, lines))
    }

    /// The same for a program that works long: what it says on standard error is seen as it comes.
    ///
    /// # Errors
    /// When the program cannot be started or fails.
    pub fn read_shown(&self) -> Result<String, Error> {
        let output = self.started(|| self.command().stderr(Stdio::inherit()).output())?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(self.failed(output.status, Vec::new()))
    }

    /// Runs with the caller's own input and output.
    ///
    /// # Errors
    /// When the program cannot be started or fails.
    pub fn run(&self) -> Result<(), Error> {
        let status = self.started(|| self.command().status())?;
        if status.success() { Ok(()) } else { Err(self.failed(status, Vec::new())) }
    }

    /// Runs with both outputs going line by line to `log` and `on_line`.
    ///
    /// # Errors
    /// When the program cannot be started or fails; the error shows the end of the log.
    pub fn run_logged(&self, log: &Path, mut on_line: impl FnMut(&str)) -> Result<(), Error> {
        let mut file = place::append(log).map_err(|e| Error::io("write the log", log, &e))?;
        let mut group = self.started(|| {
            let mut command = self.command();
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            Group::spawn(command, self.limit.is_some())
        })?;
        let mut lines = vec![];
        let (output, deadline) =
            (merged_output(&mut group.leader), self.limit.map(|limit| Instant::now() + limit));
        loop {
            match next_line(&output, deadline) {
                Ok(line) => {
                    // A full disk must not hide what the tool says.
                    let _ = writeln!(file, "{line}");
                    on_line(&line);
                    lines.push(line);
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => return Err(self.too_long(group, lines)),
            }
        }
        let status = group.wait().map_err(|e| self.no_start(&e))?;
        if status.success() {
            return Ok(());
        }
        Err(self.failed(status, lines).hint(format!("the whole log is {}", log.display())))
    }

    /// The process to be, for callers that manage its life themselves.
    #[must_use]
    pub fn command(&self) -> Command {
        #[expect(clippy::disallowed_methods, reason = "the one place that starts programs")]
        let mut command = Command::new(&self.program);
        command.args(&self.args);
        for (name, _) in std::env::vars_os() {
            if !(self.inherits)(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        for name in &self.not_typed {
            command.env_remove(name);
        }
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command
    }

    /// What `start` gives. A program that this process has just written may be open still, in a child that another thread
    /// starts at the same moment: then it is tried again.
    fn started<T>(&self, start: impl Fn() -> std::io::Result<T>) -> Result<T, Error> {
        let mut tries = 0..BUSY;
        loop {
            match start() {
                Err(e) if e.kind() == ErrorKind::ExecutableFileBusy && tries.next().is_some() => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                started => return started.map_err(|e| self.no_start(&e)),
            }
        }
    }

    fn no_start(&self, error: &std::io::Error) -> Error {
        Error::from_io(format!("cannot run `{}`", self.program.to_string_lossy()), error)
    }

    fn too_long(&self, group: Group, lines: Vec<String>) -> Error {
        group.kill();
        let seconds = self.limit.unwrap_or_default().as_secs_f32();
        Error::tool(format!("a command timed out after {seconds} s: {self}")).log(tail(lines))
    }

    fn failed(&self, status: ExitStatus, lines: Vec<String>) -> Error {
        let failed = Error::tool(format!("a command failed with {status}: {self}"));
        failed.with_status(status.code()).log(tail(lines))
    }
}

/// The command as a shell line.
impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(dir) = &self.dir {
            write!(f, "cd {} && ", quote(dir.as_os_str()))?;
        }
        for (name, value) in &self.env {
            match value {
                Some(value) => write!(f, "{}={} ", name.to_string_lossy(), quote(value))?,
                None => write!(f, "env -u {} ", name.to_string_lossy())?,
            }
        }
        f.write_str(&quote(&self.program))?;
        for arg in &self.shown {
            write!(f, " {}", quote(arg))?;
        }
        Ok(())
    }
}

fn quote(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn tail(mut lines: Vec<String>) -> Vec<String> {
    #[expect(clippy::disallowed_methods, reason = "decides how much is shown, not what is built")]
    let all = std::env::var_os("CI").is_some();
    if !all && lines.len() > TAIL {
        lines.drain(..lines.len() - TAIL);
    }
    lines
}

fn next_line(
    output: &mpsc::Receiver<String>,
    deadline: Option<Instant>,
) -> Result<String, RecvTimeoutError> {
    match deadline {
        Some(deadline) => output.recv_timeout(deadline.saturating_duration_since(Instant::now())),
        None => output.recv().map_err(|_| RecvTimeoutError::Disconnected),
    }
}

/// Lines of both outputs in the order in which they come.
fn merged_output(child: &mut Child) -> mpsc::Receiver<String> {
    fn forward(from: impl Read + Send + 'static, to: mpsc::Sender<String>) {
        std::thread::spawn(move || {
            for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                if to.send(line).is_err() {
                    return;
                }
            }
        });
    }
    let (sender, lines) = mpsc::channel();
    forward(child.stdout.take().expect("piped by the caller"), sender.clone());
    forward(child.stderr.take().expect("piped by the caller"), sender);
    lines
}

#[cfg(test)]
#[path = "sh_tests.rs"]
mod tests;
