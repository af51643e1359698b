//! Main processes, from made-up `/proc` folders.

use std::os::unix::fs::symlink;

use std::fs;

use super::*;

/// A process: number, parent, program (empty: not to be read), words.
type Row<'a> = (u32, u32, &'a str, &'a [&'a str]);

fn proc(rows: &[Row<'_>]) -> tempfile::TempDir {
    let proc = tempfile::tempdir().unwrap();
    for (pid, parent, program, words) in rows {
        let dir = proc.path().join(pid.to_string());
        fs::create_dir(&dir).unwrap();
        let words: String = words.iter().map(|word| format!("{word}\0")).collect();
        fs::write(dir.join("cmdline"), words).unwrap();
        fs::write(dir.join("stat"), format!("{pid} (a) b) S {parent} 1 1 0 -1")).unwrap();
        if !program.is_empty() {
            symlink(program, dir.join("exe")).unwrap();
        }
    }
    proc
}

/// What is found: the servers' numbers and arguments, or the name that there is instead.
fn found(rows: &[Row<'_>]) -> String {
    found_in(proc(rows).path())
}

fn found_in(proc: &Path) -> String {
    let shown = |server: &Server| {
        let pid = server.dir.file_name().unwrap().to_string_lossy().into_owned();
        let models = if server.models.is_empty() { "" } else { " and models" };
        format!("{pid} {:?}{models}", server.arguments)
    };
    let all = |servers: &[Server]| servers.iter().map(shown).collect::<Vec<_>>().join(", ");
    match find(proc, 1) {
        Found::Servers(servers) => all(&servers),
        Found::Without(name) => format!("{name} without it"),
        Found::Other(name, servers) if servers.is_empty() => name,
        Found::Other(name, servers) => format!("{name} with {}", all(&servers)),
        Found::Worker(_) => "worker".to_owned(),
        Found::Unseen => "unseen".to_owned(),
    }
}

#[test]
fn the_main_process_is_the_server() {
    let words: &[&str] = &["/app/bin/llama-server", "--port", "9", ""];
    assert_eq!(found(&[(1, 0, "/app/llama-server", words)]), r#"1 ["--port", "9", ""]"#);
    // Replaced while it runs; another user's; its name is what was executed.
    assert_eq!(found(&[(1, 0, "/app/llama-server (deleted)", words)]), r#"1 ["--port", "9", ""]"#);
    assert_eq!(found(&[(1, 0, "", words)]), r#"1 ["--port", "9", ""]"#);
    assert_eq!(found(&[(1, 0, "/app/llama-server", &["renamed", "-v"])]), r#"1 ["-v"]"#);
    assert_eq!(found(&[(1, 0, "/app/llama-server", &[])]), "1 []");
}

#[test]
fn a_worker_is_one_below_an_init_system_too() {
    let words = &["ggml-rpc-server", "-H", "0.0.0.0"];
    assert_eq!(found(&[(1, 0, "/app/ggml-rpc-server", words)]), "worker");
    // Its command line is that of the image's entry point.
    let init = &["docker-init", "--", "/app/bin/llama-server", "ggml-rpc-server"];
    let rows: &[Row<'_>] =
        &[(1, 0, "/sbin/docker-init", init), (7, 1, "/app/ggml-rpc-server", words)];
    assert_eq!(found(rows), "worker");
    let rows: &[Row<'_>] = &[(1, 0, "/usr/bin/x", &["x"]), (7, 1, "/app/ggml-rpc-server", words)];
    assert_eq!(found(rows), "x");
}

#[test]
fn an_emulated_server_is_one() {
    for emulator in ["/usr/bin/qemu-aarch64-static", "/run/rosetta/rosetta"] {
        let words = &["/usr/libexec/x", "/app/llama-server", "/app/bin/llama-server", "-v"];
        assert_eq!(found(&[(1, 0, emulator, words)]), r#"1 ["-v"]"#);
    }
    let loader = (1, 0, "/lib/ld-linux-x86-64.so.2", &["/app/llama-server", "-v"][..]);
    assert_eq!(found(&[loader]), r#"1 ["-v"]"#);
    assert_eq!(found(&[(1, 0, "/usr/bin/qemu-aarch64", &["q", "/app/bodhi"])]), "bodhi");
}

#[test]
fn an_init_system_or_a_shell_stands_for_its_child() {
    let rows: &[Row<'_>] = &[
        (1, 0, "/usr/bin/tini", &["tini", "--", "run.sh"]),
        (7, 1, "/usr/bin/dash", &["/bin/sh", "run.sh"]),
        (12, 7, "/usr/bin/sleep", &["sleep", "9"]),
        (30, 7, "/app/llama-server", &["llama-server", "--models-dir", "/m"]),
        // Its own child in router mode, and one by hand: `docker exec`.
        (31, 30, "/app/llama-server", &["llama-server", "--port", "4711"]),
        (8, 0, "/app/llama-server", &["llama-server", "--port", "4712"]),
    ];
    assert_eq!(found(rows), r#"30 ["--models-dir", "/m"] and models"#);
    let two: &[Row<'_>] = &[
        (1, 0, "/usr/bin/dash", &["sh", "run.sh"]),
        (7, 1, "/app/llama-server", &["llama-server", "-v"]),
        (8, 1, "/app/llama-server", &["llama-server"]),
    ];
    assert_eq!(found(two), r#"7 ["-v"], 8 []"#);
}

#[test]
fn a_server_of_another_program_is_found_as_that_programs() {
    let rows: &[Row<'_>] = &[
        (1, 0, "/sbin/docker-init", &["docker-init", "--", "/app/bodhi", "serve"]),
        (6, 1, "/app/bodhi", &["/app/bodhi", "serve"]),
        (9, 6, "/app/llama-server", &["llama-server"]),
    ];
    assert_eq!(found(rows), "docker-init");
    assert_eq!(found(&[(1, 0, "/app/bodhi", &["bodhi"]), rows[2]]), "bodhi");
    let below = [(1, 0, "/app/bodhi", &["bodhi"][..]), (9, 1, rows[2].2, rows[2].3)];
    assert_eq!(found(&below), "bodhi with 9 []");
}

#[test]
fn a_starter_that_lost_its_server_is_without_it() {
    let words: &[&str] = &["sh", "-c", "/app/llama-server -m x & sleep 9"];
    assert_eq!(found(&[(1, 0, "/usr/bin/dash", words)]), "dash without it");
    assert_eq!(found(&[(1, 0, "", &["-bash"])]), "bash");
    assert_eq!(found(&[]), "unseen");
    // Dead, but not yet buried.
    assert_eq!(found(&[(1, 0, "", &[])]), "unseen");
}

#[test]
fn a_process_tells_its_variables_and_libraries_or_nothing() {
    let proc = proc(&[(1, 0, "/app/llama-server", &["llama-server"])]);
    let Found::Servers(servers) = find(proc.path(), 1) else { panic!("no server") };
    let server = &servers[0];
    assert_eq!((server.environment(), server.has_loaded("libggml-cuda.so")), (None, None));
    let dir = proc.path().join("1");
    fs::write(dir.join("environ"), "A=b=c\0odd\0B=\0").unwrap();
    let due = [("A", "b=c"), ("B", "")].map(|(name, value)| (name.into(), value.into()));
    assert_eq!(server.environment(), Some(due.into()));
    fs::write(dir.join("maps"), "7f-80 r-xp 0 00:1 7   /app/libggml-cuda.so\n80-81 rw-p\n")
        .unwrap();
    assert_eq!(server.has_loaded("libggml-cuda.so"), Some(true));
    assert_eq!(server.has_loaded("ggml-cuda.so"), Some(false));
    assert_eq!(server.folder(), dir.join("cwd"));
}

/// The first process is the host's (`--pid host`) or `pause` (`shareProcessNamespace`).
#[test]
fn among_others_processes_the_containers_own_main_process_counts() {
    let server: &[&str] = &["llama-server", "--port", "9"];
    let rows: &[Row<'_>] = &[
        (1, 0, "/pause", &["/pause"]),
        (20, 1, "/app/llama-server", &["llama-server", "--port", "1"]),
        (30, 1, "/usr/bin/dash", &["sh", "-c", "llama-healthcheck"]),
        (31, 30, "/app/llama-healthcheck", &["llama-healthcheck"]),
        (40, 1, "/app/llama-server", server),
        (50, 1, "/usr/bin/bash", &["bash"]),
    ];
    // Files that are seen, and when each was started.
    let of = |rows: &[Row<'_>]| {
        let proc = proc(rows);
        for (pid, parent, ..) in rows {
            let dir = proc.path().join(pid.to_string());
            fs::create_dir(dir.join("ns")).unwrap();
            symlink(if *pid < 30 { "mnt:[1]" } else { "mnt:[2]" }, dir.join("ns/mnt")).unwrap();
            let start = if *pid == 40 { 5 } else { 9 };
            let zeros = "0 ".repeat(17);
            fs::write(dir.join("stat"), format!("{pid} (x) S {parent} {zeros}{start} 0")).unwrap();
        }
        symlink("31", proc.path().join("self")).unwrap();
        found_in(proc.path())
    };
    assert_eq!(of(rows), r#"40 ["--port", "9"]"#);
    // Without the server only what came later is there.
    assert_eq!(of(&[&rows[..4], &rows[5..]].concat()), "bash");
    assert_eq!(of(&rows[..4]), "unseen");
}

#[test]
fn a_server_that_nobody_has_buried_is_missed() {
    let proc = proc(&[(1, 0, "/usr/bin/python3", &["python3"]), (9, 1, "", &[])]);
    fs::write(proc.path().join("9/stat"), "9 (llama-server) Z 1 1").unwrap();
    assert_eq!(found_in(proc.path()), "python3 without it");
}

#[test]
fn a_container_ends_with_its_first_process_and_what_that_stands_for() {
    let rows: &[Row<'_>] = &[
        (1, 0, "/usr/bin/tini", &["tini", "--", "run.sh"]),
        (7, 1, "/usr/bin/dash", &["/bin/sh", "run.sh"]),
        (30, 7, "/app/llama-server", &["llama-server"]),
        (40, 1, "/app/bodhi", &["bodhi"]),
        (41, 40, "/app/llama-server", &["llama-server"]),
    ];
    let proc = proc(rows);
    let main = |pid| is_main(proc.path(), pid);
    assert_eq!([1, 30, 41, 99].map(main), [true, true, false, false]);
}
