//! Commands as they print, fail and end.

use super::*;

#[test]
fn a_command_prints_as_a_line_that_can_be_pasted() {
    let cmd = Cmd::new("cmake").args(["-B", "a b", "-DX='y'"]).env("CC", "gcc 12").dir("/s p");
    assert_eq!(cmd.to_string(), r"cd '/s p' && CC='gcc 12' cmake -B 'a b' '-DX='\''y'\'''");
}

#[cfg(unix)]
#[test]
fn a_secret_is_in_no_message() {
    let cmd = Cmd::new("sh").args(["-c", "exit $1", "0"]).arg_shown_as("3", "***");
    let shown = "sh -c 'exit $1' 0 '***'";
    assert_eq!(cmd.to_string(), shown);
    let error = cmd.run().unwrap_err().to_string();
    assert_eq!(error, format!("a command failed with exit status: 3: {shown}"));
}

#[cfg(unix)]
#[test]
fn a_failure_shows_command_status_and_log() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let cmd = Cmd::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]);
    let error = cmd.run_logged(&log, |_| ()).unwrap_err();
    assert_eq!(error.status(), Some(3));
    let error = error.to_string();
    assert!(error.starts_with("a command failed with exit status: 3: sh -c 'echo out;"), "{error}");
    assert!(error.contains("\n  | out") && error.contains("\n  | err"), "{error}");
    assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), 2);
}

#[cfg(unix)]
#[test]
fn a_command_that_takes_too_long_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let cmd = Cmd::new("sh").args(["-c", "echo begun; exec sleep 60"]);
    let cmd = cmd.limit(Duration::from_millis(300));
    let error = cmd.run_logged(&dir.path().join("log"), |_| ()).unwrap_err().to_string();
    assert_eq!(
        error,
        "a command timed out after 0.3 s: sh -c 'echo begun; exec sleep 60'\n  | begun"
    );
}

/// Waits until the process that wrote its id into `file` is gone; a zombie counts as gone.
#[cfg(target_os = "linux")]
fn ends(file: &Path) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        let pid = std::fs::read_to_string(file).unwrap_or_default();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        if !pid.trim().is_empty() && stat.map_or(true, |stat| stat.contains(") Z ")) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// A program whose grandchild, of whom no parent is left, writes its id into `file` and stays.
#[cfg(target_os = "linux")]
fn with_orphan(file: &Path) -> Cmd {
    let script = "(sh -c 'echo $$ > \"$0\"; exec sleep 600' \"$0\" &); sleep 600";
    Cmd::new("sh").args(["-c", script]).arg(file)
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_command_started_ends_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let cmd = with_orphan(&file).limit(Duration::from_secs(1));
    cmd.run_logged(&dir.path().join("log"), |_| ()).unwrap_err();
    assert!(ends(&file), "the grandchild lives");
}

/// Run by the next test in a process of its own; in itself it does nothing.
#[cfg(target_os = "linux")]
#[test]
fn child() {
    #[expect(clippy::disallowed_methods, reason = "how the parent test speaks to its child")]
    if let Some(dir) = std::env::var_os("CHILD_DIR").map(PathBuf::from) {
        let cmd = with_orphan(&dir.join("pid")).limit(Duration::from_secs(600));
        cmd.run_logged(&dir.join("log"), |_| ()).unwrap();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_command_started_ends_with_who_started_it() {
    let dir = tempfile::tempdir().unwrap();
    let own = Cmd::new(std::env::current_exe().unwrap());
    let own = own.args(["--exact", "sh::tests::child"]).env("CHILD_DIR", dir.path());
    let mut child = own.command().stdout(Stdio::null()).spawn().unwrap();
    let file = dir.path().join("pid");
    let start = Instant::now();
    while std::fs::read_to_string(&file).unwrap_or_default().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(20), "the grandchild did not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(ends(&file), "the grandchild lives");
}

#[cfg(unix)]
#[test]
fn a_log_does_not_follow_a_link() {
    let dir = tempfile::tempdir().unwrap();
    let [other, log] = ["other", "log"].map(|name| dir.path().join(name));
    std::fs::write(&other, "mine").unwrap();
    std::os::unix::fs::symlink(&other, &log).unwrap();
    let error = Cmd::new("echo").arg("x").run_logged(&log, |_| ()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot write the log {}: ", log.display())), "{error}");
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "mine");
    std::fs::remove_file(&log).unwrap();
    std::fs::hard_link(&other, &log).unwrap();
    Cmd::new("echo").arg("x").run_logged(&log, |_| ()).unwrap_err();
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "mine");
}

/// As where one thread writes a program while another one starts a child, which has the file open until it is another program.
#[cfg(target_os = "linux")]
#[test]
fn a_program_that_is_still_being_written_is_waited_for() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("program");
    std::fs::write(&path, "#!/bin/sh\necho run\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let open = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    let closes = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        drop(open);
    });
    assert_eq!(Cmd::new(&path).read().unwrap(), "run\n");
    closes.join().unwrap();
}
