//! Long commands of root's: they see all of this process's environment, and run no longer than it.

use anyhow::Result;
use llama_src::sh::Cmd;
use workspace::root::{User, through_sudo};

/// Ends the command when this program is gone: `sudo` goes on after the death of whoever started it. Arguments: this
/// program's process, command and its arguments.
const WATCH: &str = r#"own=$1; shift
while kill -0 $$ && sleep 1; do kill -0 "$own" || kill -KILL $$; done >/dev/null 2>&1 </dev/null &
exec "$@""#;

/// `cmd` as root runs it for `user`, with all of this process's environment, and not longer than this process runs.
///
/// # Errors
/// When `user` cannot become root; names `what`.
pub(crate) fn as_root(user: &User, cmd: &Cmd, what: &str) -> Result<Cmd> {
    user.must_become_root(what)?;
    let own = std::process::id().to_string();
    let watch = ["sh", "-c", WATCH, "watch", &own];
    Ok(if user.is_root() { cmd.clone() } else { through_sudo(cmd, &["--preserve-env"], &watch) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_run_it_behind_a_watch() {
        let shown = |user: User| as_root(&user, &Cmd::new("true"), "run").unwrap().to_string();
        assert_eq!(shown(User::root()), "true");
        let here = shown(User::ordinary(true));
        assert!(here.starts_with("sudo --preserve-env sh -c "), "{here}");
        assert!(here.ends_with(&format!(" watch {} true", std::process::id())), "{here}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_watched_command_ends_with_whoever_wanted_it_and_leaves_its_status() {
        let watched = |own: &str, line: &str| {
            let words = ["-c", WATCH, "watch", own, "sh", "-c", line];
            Cmd::new("sh").args(words).read()
        };
        let own = std::process::id().to_string();
        assert_eq!(watched(&own, "echo done").unwrap(), "done\n");
        assert!(watched(&own, "exit 3").unwrap_err().to_string().contains("exit status: 3"));
        // A process that is gone.
        let gone = Cmd::new("sh").args(["-c", "echo $$"]).read().unwrap();
        let error = watched(gone.trim(), "exec sleep 60").unwrap_err().to_string();
        assert!(error.contains("signal: 9"), "{error}");
    }
}
