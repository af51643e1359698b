//! Starting, waiting and stopping, against a stand-in server of forty lines (`fake/server.rs`,
//! compiled with rustc when the tests start).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::OsString;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use llama_server_bin::{Error, Launch, Server, version};

/// The stand-in, in a folder that lives as long as the tests.
static FAKE: LazyLock<PathBuf> = LazyLock::new(|| {
    let program =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fake-{}", std::process::id()));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake/server.rs");
    #[expect(clippy::disallowed_methods, reason = "a test starts what it tests")]
    let mut rustc = Command::new("rustc");
    let status = rustc.args(["--edition=2024", "-o"]).arg(&program).arg(&source).status().unwrap();
    assert!(status.success(), "rustc failed on {}", source.display());
    program
});

fn launch(behaviour: &str, args: &[&str]) -> Launch {
    let mut launch = Launch::new(args);
    launch.program = Some(FAKE.clone());
    launch.env = vec![("FAKE".into(), Some(behaviour.into()))];
    launch.ready_within = Duration::from_secs(60);
    launch
}

fn is_listening(server_url: &str) -> bool {
    TcpStream::connect(server_url.trim_start_matches("http://")).is_ok()
}

/// Waits until `done` holds, and says what it waited for when it does not.
fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited a minute for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_server_is_returned_once_it_has_loaded_and_stops_cleanly() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&lines);
    let mut launch = launch("load 5", &["--alias", "two words", ""]);
    launch.on_line = Some(Box::new(move |line| seen.lock().unwrap().push(line.to_owned())));
    let server = launch.start().unwrap();
    let log = server.log().join("\n");
    assert!(log.contains("503") && log.contains("listening on"), "{log}");
    assert!(
        log.contains(r#"["--alias", "two words", "", "--host", "127.0.0.1", "--port", "0"]"#),
        "{log}"
    );
    assert!(lines.lock().unwrap().iter().any(|line| line.contains("listening on")));
    assert!(is_listening(server.url()), "{}", server.url());
    assert!(server.pid() != 0);
    let url = server.url().to_owned();
    let status = server.stop().unwrap();
    // The stand-in has no handler: what counts is that it was asked, not killed.
    #[cfg(unix)]
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));
    assert!(!status.success() && !is_listening(&url));
}

#[test]
fn with_a_port_a_silent_log_is_no_obstacle() {
    let port = free_port().to_string();
    let mut server = launch("load 5 silent", &["--port", &port]).start().unwrap();
    assert_eq!(server.url(), format!("http://127.0.0.1:{port}"));
    assert!(server.log().is_empty(), "{:?}", server.log());
    assert!(server.exit_status().unwrap().is_none());
}

#[test]
fn an_early_end_comes_with_status_and_last_words() {
    let start = Instant::now();
    let error = launch("fail", &[]).start().unwrap_err();
    let Error::Exited { status, log } = &error else { panic!("{error}") };
    assert_eq!(status.code(), Some(7));
    assert_eq!(log, &["error: no such model"]);
    assert_eq!(
        error.to_string(),
        format!("llama-server ended before it was ready ({status})\n  | error: no such model")
    );
    assert!(start.elapsed() < Duration::from_secs(60), "it waited for a dead server");
}

#[test]
fn a_server_that_never_gets_ready_is_killed() {
    let port = free_port().to_string();
    let mut launch = launch("load 1000000", &["--port", &port]);
    launch.ready_within = Duration::from_millis(500);
    let error = launch.start().unwrap_err();
    let Error::NotReady { log, .. } = &error else { panic!("{error}") };
    assert!(log.join("\n").contains("answered 503"), "{log:?}");
    assert!(!is_listening(&format!("127.0.0.1:{port}")));
}

#[test]
fn a_dropped_server_is_gone() {
    let server = launch("load 0", &[]).start().unwrap();
    let url = server.url().to_owned();
    drop(server);
    assert!(!is_listening(&url));
}

#[test]
fn a_server_that_does_not_stop_when_asked_is_killed() {
    // Only a Unix server can be asked.
    if cfg!(unix) {
        // A signal that a shell ignores is ignored by what it becomes.
        let mut stubborn = launch("load 0", &[]);
        let text = format!("trap '' TERM\nexec '{}' \"$@\"", FAKE.display());
        stubborn.program = Some(script("stubborn", &text));
        stubborn.stop_within = Duration::from_millis(300);
        let status = stubborn.start().unwrap().stop().unwrap();
        #[cfg(unix)]
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
        assert!(!status.success());
    }
}

#[test]
fn a_taken_port_is_named_before_anything_is_started() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let error = launch("load 0", &["--port", &address.port().to_string()]).start().unwrap_err();
    assert!(
        matches!(&error, Error::PortTaken { address: taken } if *taken == address.to_string()),
        "{error}"
    );
}

#[test]
fn much_output_never_blocks_the_server() {
    let server = launch("load 0 chatty", &[]).start().unwrap();
    wait_for("the last of 20,000 lines", || {
        server.log().last().is_some_and(|line| line.contains("line 20000"))
    });
    assert_eq!(server.log().len(), 200);
}

#[test]
fn only_what_the_server_has_bound_is_its_address() {
    let server = launch("load 2 deceived", &[]).start().unwrap();
    assert!(server.log().join("\n").contains("example.test"), "{:?}", server.log());
    assert!(server.url().starts_with("http://127.0.0.1:"), "{}", server.url());
    assert!(is_listening(server.url()), "{}", server.url());
}

#[test]
fn a_server_that_a_script_starts_is_found_where_it_listens() {
    if cfg!(unix) {
        let mut wrapped = launch("load 0", &[]);
        let text = format!("trap 'kill $!' TERM\n'{}' \"$@\" &\nwait", FAKE.display());
        wrapped.program = Some(script("wrapped", &text));
        let server = wrapped.start().unwrap();
        assert!(is_listening(server.url()), "{}", server.url());
        server.stop().unwrap();
    }
}

/// What a terminal's Ctrl-C reaches is the group of the program that runs in it.
#[cfg(unix)]
#[test]
fn a_server_is_in_a_process_group_of_its_own() {
    let server = launch("load 0", &[]).start().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(server.pid()).unwrap());
    assert_eq!(rustix::process::getpgid(pid).ok(), pid);
}

#[test]
fn two_servers_at_once_get_different_ports() {
    let servers: Vec<Server> = (0..2).map(|_| launch("load 0", &[]).start().unwrap()).collect();
    assert_ne!(servers[0].url(), servers[1].url());
}

#[test]
fn a_file_that_is_no_program_does_not_start() {
    let mut launch = Launch::new::<OsString>([]);
    launch.program = Some(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    let error = launch.start().unwrap_err();
    assert!(matches!(error, Error::NotAProgram { .. } | Error::Start { .. }), "{error}");
}

#[test]
fn the_build_number_is_asked_for() {
    assert_eq!(version(&FAKE).unwrap().build_number, 1);
}

/// The leash: standard input stays open as long as the server is held.
#[test]
fn standard_input_ends_only_with_the_server() {
    let server = launch("load 0 leash", &[]).start().unwrap();
    let log = server.log().join("\n");
    assert!(log.contains("LLAMA_SERVER_LEASH=1"), "{log}");
    assert!(!log.contains("end of input"), "{log}");
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn script(name: &str, text: &str) -> PathBuf {
    let path =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.sh", std::process::id()));
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path
}
