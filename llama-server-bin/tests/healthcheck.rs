//! `llama-healthcheck` as a container runs it, with a stand-in for the server (`fake/server.rs`) and for
//! NVIDIA's library (`fake/nvml.rs`), both compiled with rustc when the tests start.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Instant;

/// What an image has in `/app`, and NVIDIA's library beside it, for as long as the tests live.
static IMAGE: LazyLock<PathBuf> = LazyLock::new(|| {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("image-{}", std::process::id()));
    // Of a run long ago that had this number.
    let _ = fs::remove_dir_all(&dir);
    let (app, driver) = (dir.join("app"), dir.join("driver"));
    fs::create_dir_all(&app).unwrap();
    fs::create_dir_all(&driver).unwrap();
    compile("server.rs", &app.join("llama-server"), "bin");
    let library = driver.join("libnvidia-ml.so.1");
    compile("nvml.rs", &library, "cdylib");
    // Libraries that open; nobody asks them anything.
    for name in ["libllama-server-impl.so", "libggml-cpu-x64.so", "libggml-cuda.so"] {
        fs::hard_link(&library, app.join(name)).unwrap();
    }
    fs::hard_link(env!("CARGO_BIN_EXE_llama-healthcheck"), app.join("llama-healthcheck")).unwrap();
    fs::write(app.join("version.json"), "{\n  \"variant\": \"cuda\"\n}\n").unwrap();
    dir
});

fn compile(source: &str, to: &Path, kind: &str) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake").join(source);
    let mut rustc = command("rustc");
    rustc
        .args(["--edition=2024", "-Cstrip=symbols", "--crate-type", kind, "-o"])
        .arg(to)
        .arg(&source);
    assert!(rustc.status().unwrap().success(), "rustc failed on {}", source.display());
}

#[expect(clippy::disallowed_methods, reason = "a test starts what it tests")]
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

/// A main process; it and its children end with it.
struct Main(Child);

impl Main {
    fn server(port: u16, load: u32) -> Self {
        let mut command = command(IMAGE.join("app/llama-server"));
        command.args(["--port", &port.to_string(), "--api-prefix", "/v"]);
        // The backend is in its memory, as if it had loaded it.
        command.env("LD_PRELOAD", IMAGE.join("app/libggml-cuda.so"));
        Self::start(command, port, load)
    }

    fn start(mut command: Command, port: u16, load: u32) -> Self {
        command.env("FAKE", format!("load {load} silent")).stdin(Stdio::piped());
        let main = Self(command.spawn().unwrap());
        let start = Instant::now();
        while !has_listener(port) {
            assert!(start.elapsed().as_secs() < 60, "nobody listens at {port}");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        main
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Main {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Not by asking: every question counts.
fn has_listener(port: u16) -> bool {
    const LISTENS: &str = "0A";
    let local = format!("0100007F:{port:04X}");
    fs::read_to_string("/proc/net/tcp").unwrap().lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.get(1) == Some(&local.as_str()) && words.get(3) == Some(&LISTENS)
    })
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Exit code and verdict for the main process `pid`, with these variables.
fn check(pid: &str, variables: &[(&str, &str)]) -> (i32, String) {
    let mut check = command(IMAGE.join("app/llama-healthcheck"));
    check.args(["--pid", pid, "--timeout", "2"]).env_clear();
    let output = check.envs(variables.iter().copied()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let image = IMAGE.display().to_string();
    let verdict = String::from_utf8(output.stdout).unwrap().replace(&image, "");
    (output.status.code().unwrap(), verdict)
}

fn says(code: i32, verdict: &str) -> (i32, String) {
    (code, format!("{verdict}\n"))
}

#[test]
fn a_server_starts_and_is_healthy() {
    let port = free_port();
    let server = Main::server(port, 1);
    let pid = server.pid();
    assert_eq!(check(&pid, &[]), says(1, "starting: the model is loading"));
    let due = format!(
        "healthy: http://127.0.0.1:{port}/v/health answers 200, on the CPU: NVIDIA driver not \
        found (libnvidia-ml.so.1)"
    );
    assert_eq!(check(&pid, &[]), says(0, &due));
    let elsewhere = format!("http://127.0.0.1:{port}/health");
    assert_eq!(
        check(&pid, &[("LLAMA_HEALTHCHECK_URL", &elsewhere)]),
        says(1, &format!("unhealthy: {elsewhere} answers 404: File Not Found"))
    );
    drop(server);
    let gone = format!("unhealthy: cannot read /proc/{pid}");
    assert_eq!(check(&pid, &[]), says(1, &gone));
}

#[test]
fn nvidias_library_is_asked() {
    let port = free_port();
    let server = Main::server(port, 0);
    let with = |gpus: &str, required: &str| {
        let driver = IMAGE.join("driver").display().to_string();
        let variables =
            [("LD_LIBRARY_PATH", &*driver), ("FAKE_GPUS", gpus), ("LLAMA_REQUIRE_GPU", required)];
        let (code, verdict) = check(&server.pid(), &variables);
        (code, verdict.replace(&format!("http://127.0.0.1:{port}/v/health answers 200, "), ""))
    };
    assert_eq!(with("2", "1"), says(0, "healthy: with 2 NVIDIA GPUs available"));
    assert_eq!(with("0", "0"), says(0, "healthy: on the CPU: the NVIDIA driver lists no GPU"));
    assert_eq!(
        with("broken", "1"),
        says(
            1,
            "unhealthy: but LLAMA_REQUIRE_GPU=1 and the NVIDIA driver reports `Driver Not \
            Loaded`"
        )
    );
}

#[test]
fn a_server_that_hangs_is_unhealthy_in_time() {
    // Its connections are accepted by the kernel alone.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/health", listener.local_addr().unwrap());
    let start = Instant::now();
    assert_eq!(
        check("1", &[("LLAMA_HEALTHCHECK_URL", &url)]),
        says(1, &format!("unhealthy: {url} timed out"))
    );
    assert!(start.elapsed().as_secs() < 60, "it did not give up");
}

#[test]
fn a_shell_stands_for_its_server() {
    let port = free_port();
    let mut shell = command("sh");
    // The shell ends its child when its input ends.
    let script = r#""$0" --port "$1" & read -r _; kill $!"#;
    shell.args(["-c", script]).arg(IMAGE.join("app/llama-server")).arg(port.to_string());
    let mut shell = Main::start(shell, port, 0);
    let (code, verdict) = check(&shell.pid(), &[]);
    drop(shell.0.stdin.take());
    shell.0.wait().unwrap();
    let due = format!("healthy: http://127.0.0.1:{port}/health answers 200, on the CPU: ");
    assert!(code == 0 && verdict.starts_with(&due), "{code}: {verdict}");
}

#[test]
fn under_another_main_process_the_libraries_are_opened() {
    // Not this process, whose servers are other tests'.
    let other = Main(command("sleep").arg("600").spawn().unwrap());
    assert_eq!(
        check(&other.pid(), &[]),
        says(
            0,
            "healthy: llama-server can start: its 3 libraries load (not queried, because the main \
            process is `sleep`), on the CPU: NVIDIA driver not found (libnvidia-ml.so.1)"
        )
    );
}

/// What `--drain=SECONDS` says of the main process `pid`, and how it ends.
fn drain(seconds: u32, pid: &str) -> (i32, String) {
    let mut drain = command(IMAGE.join("app/llama-healthcheck"));
    let output = drain.args([&format!("--drain={seconds}"), "--pid", pid]).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_drain_lets_the_server_serve_on_and_then_ends_it() {
    let port = free_port();
    let mut server = Main::server(port, 0);
    let pid = server.pid();
    let start = Instant::now();
    let due = says(0, &format!("drained: llama-server (process {pid}) has ended"));
    let status = std::thread::scope(|scope| {
        let drained = scope.spawn(|| drain(2, &pid));
        while start.elapsed().as_secs() < 1 {
            assert!(server.0.try_wait().unwrap().is_none(), "it did not serve on");
        }
        // At once: to other tests one that nobody waits for is a server that has died.
        let status = server.0.wait().unwrap();
        assert_eq!(drained.join().unwrap(), due);
        status
    });
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    assert_eq!(signal, Some(15), "the stand-in has no handler: {status}");
    let gone = says(1, "not drained: llama-server is not running");
    assert_eq!(drain(0, &pid), gone);
}

#[test]
fn a_wrong_command_line_is_told() {
    let output = command(env!("CARGO_BIN_EXE_llama-healthcheck")).arg("--port").output().unwrap();
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: unexpected argument `--port`\n  hint: llama-healthcheck --help\n"
    );
    assert_eq!(output.status.code(), Some(1));
}
