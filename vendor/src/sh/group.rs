//! A program and, where its time is bounded, everything that it starts: all of them end when it takes too long, and when
//! the process that started it is gone.

use std::io;
use std::process::{Child, Command, ExitStatus};

/// A running program; one with a bound is in a process group of its own where the system has such groups.
pub(super) struct Group {
    pub(super) leader: Child,
    /// Waits for the end of this process and then ends the group: Ctrl-C on a terminal reaches only the group of
    /// the process that is in the foreground.
    #[cfg(unix)]
    watch: Option<Child>,
}

impl Group {
    /// Starts `command` with the streams that it has.
    pub(super) fn spawn(mut command: Command, bounded: bool) -> io::Result<Self> {
        #[cfg(unix)]
        if bounded {
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        let leader = command.spawn()?;
        Ok(Self {
            #[cfg(unix)]
            watch: if bounded { watch(&leader) } else { None },
            leader,
        })
    }

    /// Ends a bounded program and what it has started.
    pub(super) fn kill(mut self) {
        #[cfg(unix)]
        {
            use rustix::process::{Pid, Signal, kill_process_group};
            // Who is gone already needs no end.
            let _ = kill_process_group(Pid::from_child(&self.leader), Signal::KILL);
            self.forget();
        }
        #[cfg(windows)]
        {
            let pid = self.leader.id().to_string();
            let tree = super::Cmd::new("taskkill").args(["/T", "/F", "/PID", &pid]);
            // A program that has ended by itself is not found.
            let _ = tree.read();
        }
        let _ = self.leader.kill();
        let _ = self.leader.wait();
    }

    /// Waits for the program's own end.
    pub(super) fn wait(mut self) -> io::Result<ExitStatus> {
        let status = self.leader.wait();
        #[cfg(unix)]
        self.forget();
        status
    }

    #[cfg(unix)]
    fn forget(&mut self) {
        if let Some(mut watch) = self.watch.take() {
            let _ = watch.kill();
            let _ = watch.wait();
        }
    }
}

/// A shell that reads from this process, which never writes: its end of the pipe closes when this process ends, in
/// whatever way. Without a shell, programs go on as they did.
#[cfg(unix)]
fn watch(leader: &Child) -> Option<Child> {
    use std::os::unix::process::CommandExt;
    use std::process::Stdio;
    let script = "read -r _; kill -s KILL -- \"-$1\"";
    let mut shell =
        super::Cmd::new("sh").args(["-c", script, "sh", &leader.id().to_string()]).command();
    // In a group of its own: the signal that ends this process must not end the watch first.
    shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    shell.spawn().ok()
}
