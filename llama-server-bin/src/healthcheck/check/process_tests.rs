//! Main processes, from made-up `/proc` folders.

use std::os::unix::fs::symlink;

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

/// What is found: the server's number and arguments, or the name that there is instead.
fn found(rows: &[Row<'_>]) -> String {
    match find(proc(rows).path(), 1) {
        Main::Server(server) => {
            let pid = server.dir.file_name().unwrap().to_string_lossy().into_owned();
            format!("{pid} {:?}", server.arguments)
        }
        Main::Without(name) => format!("{name} without it"),
        Main::Other(name) => name,
        Main::Unseen => "unseen".to_owned(),
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
fn an_emulated_server_is_one() {
    for emulator in ["/usr/bin/qemu-aarch64-static", "/run/rosetta/rosetta"] {
        let words = &["/usr/libexec/x", "/app/llama-server", "/app/bin/llama-server", "-v"];
        assert_eq!(found(&[(1, 0, emulator, words)]), r#"1 ["-v"]"#);
    }
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
    assert_eq!(found(rows), r#"30 ["--models-dir", "/m"]"#);
}

#[test]
fn a_server_of_another_program_is_that_programs_affair() {
    let rows: &[Row<'_>] = &[
        (1, 0, "/sbin/docker-init", &["docker-init", "--", "/app/bodhi", "serve"]),
        (6, 1, "/app/bodhi", &["/app/bodhi", "serve"]),
        (9, 6, "/app/llama-server", &["llama-server"]),
    ];
    assert_eq!(found(rows), "docker-init");
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
    let Main::Server(server) = find(proc.path(), 1) else { panic!("no server") };
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
