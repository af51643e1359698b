//! Root's rights: whether this user has them, and how one command gets them. Everything else runs as the user, and its
//! files stay the user's.

use std::ffi::OsString;
use std::fmt;
use std::io::IsTerminal;
use std::path::Path;

use anyhow::{Context, Result};
use llama_src::Error;
use llama_src::sh::Cmd;

use crate::cargo;

/// The status of this program when only root can do what it was asked for: `EX_NOPERM` of `sysexits.h`, which test
/// harnesses read as "skipped".
pub const NEEDS_ROOT: u8 = 77;

/// Variables that a command of root's needs of the user's: without them it has no way to the network.
const KEPT: &str = "--preserve-env=http_proxy,https_proxy,ftp_proxy,no_proxy";

/// How this user becomes root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rights {
    /// The user is root.
    Root,
    /// Through `sudo`.
    Sudo,
    None,
}

/// Who runs this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    name: String,
    uid: String,
    gid: String,
    rights: Rights,
}

/// A step that only root can do, for a user who cannot become root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeedsRoot {
    /// As in `make the Debian root arm64-root`.
    what: String,
    /// The user's name.
    name: String,
}

impl fmt::Display for NeedsRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Error::refused(format!("only root can {}, and this user may not use sudo", self.what))
            .hint(format!("root types: usermod -aG sudo {}", self.name))
            .hint("then log in again, and run the same command")
            .fmt(f)
    }
}

impl std::error::Error for NeedsRoot {}

impl User {
    /// Asks the system. A password is asked for only on a terminal.
    ///
    /// # Errors
    /// When the system does not say who it is.
    pub fn find() -> Result<Self> {
        let id = |of: &str| Cmd::new("id").arg(of).read().map(|id| id.trim().to_owned());
        let (name, uid, gid) = (id("-un")?, id("-u")?, id("-g")?);
        let rights = if uid == "0" {
            Rights::Root
        } else if Cmd::new("sudo").args(["--non-interactive", "true"]).read().is_ok()
            || can_be_asked() && which::which("sudo").is_ok()
        {
            Rights::Sudo
        } else {
            Rights::None
        };
        Ok(Self { name, uid, gid, rights })
    }

    /// A made-up ordinary user, with or without `sudo`, for tests.
    pub fn ordinary(sudo: bool) -> Self {
        let rights = if sudo { Rights::Sudo } else { Rights::None };
        Self { name: "me".into(), uid: "1000".into(), gid: "1001".into(), rights }
    }

    /// A made-up root, for tests.
    pub fn root() -> Self {
        Self { name: "root".into(), uid: "0".into(), gid: "0".into(), rights: Rights::Root }
    }

    /// Whether files that this user makes are root's.
    pub fn is_root(&self) -> bool {
        self.rights == Rights::Root
    }

    /// `UID:GID`, as `chown` and `chroot` take it.
    pub fn owner(&self) -> String {
        format!("{}:{}", self.uid, self.gid)
    }

    /// The group of a user who shares it with nobody.
    pub fn own_group(&self) -> Option<&str> {
        let group = Cmd::new("id").arg("-gn").read().ok()?;
        (self.name == group.trim()).then_some(&self.gid)
    }

    /// Whether this user can become root.
    ///
    /// # Errors
    /// When not; names `what` only root can do.
    pub fn must_become_root(&self, what: &str) -> Result<(), NeedsRoot> {
        match self.rights {
            Rights::Root | Rights::Sudo => Ok(()),
            Rights::None => Err(NeedsRoot { what: what.to_owned(), name: self.name.clone() }),
        }
    }

    /// `cmd` as root runs it, with the variables that `cmd` sets, a way to the network, and nothing else of this
    /// process's environment.
    ///
    /// # Errors
    /// When this user cannot become root; names `what`.
    pub fn as_root(&self, cmd: &Cmd, what: &str) -> Result<Cmd> {
        self.must_become_root(what)?;
        Ok(if self.is_root() { cmd.clone() } else { through_sudo(cmd, &[KEPT], &[]) })
    }

    /// Gives the user what root has made at `path`, so that nobody has to be root to change or remove it.
    ///
    /// # Errors
    /// When that fails.
    pub fn take_over(&self, path: &Path) -> Result<()> {
        if self.is_root() || !path.exists() {
            return Ok(());
        }
        let chown = Cmd::new("chown").args(["--recursive", "--no-dereference", &self.owner()]);
        let what = format!("give the files in {} to this user", path.display());
        self.as_root(&chown.arg(path), &what)?.read().with_context(|| format!("cannot {what}"))?;
        Ok(())
    }
}

/// For commands that are shown to a person: what to type before one of root's.
pub fn sudo() -> &'static str {
    if User::find().is_ok_and(|user| user.is_root()) { "" } else { "sudo " }
}

fn can_be_asked() -> bool {
    std::io::stdin().is_terminal() && !cargo::is_ci()
}

/// `cmd` behind `sudo` with its own `options` and the words `before` it. `sudo` has an environment of its own, so the
/// variables of `cmd` become words.
pub fn through_sudo(cmd: &Cmd, options: &[&str], before: &[&str]) -> Cmd {
    let inner = cmd.command();
    let mut sudo = Cmd::new("sudo").args(options).args(before);
    let set: Vec<OsString> = inner
        .get_envs()
        .filter_map(|(name, value)| Some([name, "=".as_ref(), value?].into_iter().collect()))
        .collect();
    let gone = inner.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name);
    let unset: Vec<&std::ffi::OsStr> = gone.flat_map(|name| ["--unset".as_ref(), name]).collect();
    if !set.is_empty() || !unset.is_empty() {
        sudo = sudo.arg("env").args(unset).args(set);
    }
    let sudo = sudo.arg(inner.get_program()).args(inner.get_args());
    match inner.get_current_dir() {
        Some(dir) => sudo.dir(dir),
        None => sudo,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_runs_a_command_as_it_is() {
        let cmd = Cmd::new("mount").arg("x").env("A", "1");
        assert_eq!(User::root().as_root(&cmd, "mount").unwrap().to_string(), "A=1 mount x");
    }

    #[test]
    fn others_run_it_through_sudo_with_its_variables() {
        let cmd = Cmd::new("apt-get").arg("update").env("A", "1 2").env_remove("B").dir("/d");
        let shown = |cmd: Cmd| cmd.to_string();
        assert_eq!(
            shown(User::ordinary(true).as_root(&cmd, "install").unwrap()),
            format!("cd /d && sudo {KEPT} env --unset B 'A=1 2' apt-get update")
        );
    }

    #[test]
    fn who_cannot_become_root_is_told_what_for() {
        let refused = User::ordinary(false).as_root(&Cmd::new("x"), "make the Debian root y");
        let error = refused.unwrap_err();
        assert!(error.is::<NeedsRoot>());
        assert_eq!(
            error.to_string(),
            "only root can make the Debian root y, and this user may not use sudo\n  hint: root types: usermod -aG \
             sudo me\n  hint: then log in again, and run the same command"
        );
    }
}
