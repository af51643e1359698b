//! Verdicts about made-up containers, with a listener of this process for the server.

use std::cell::RefCell;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::thread;

use super::*;

/// A container whose main process has this program and these words.
struct Container {
    root: tempfile::TempDir,
    world: World,
}

impl Container {
    fn new(program: &str, words: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let dir = |name| root.path().join(name);
        let world = World {
            proc: dir("proc"),
            dev: dir("dev"),
            sys: dir("sys"),
            app: dir("app"),
            pid: 1,
            environment: Environment::new(),
        };
        let main = world.proc.join("1");
        fs::create_dir_all(&main).unwrap();
        fs::create_dir(&world.app).unwrap();
        symlink(program, main.join("exe")).unwrap();
        fs::write(main.join("cmdline"), words.join("\0") + "\0").unwrap();
        Self { root, world }
    }

    /// One whose server listens at `port`.
    fn serving(port: u16) -> Self {
        Self::new("/app/llama-server", &["llama-server", "--port", &port.to_string()])
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.world.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn with_variant(self, variant: &str) -> Self {
        let text = format!(r#"{{"variant": "{variant}"}}"#);
        fs::write(self.world.app.join("version.json"), text).unwrap();
        self
    }

    fn with_device(self, path: &str) -> Self {
        let path = self.world.dev.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
        self
    }

    fn with_maps(self, text: &str) -> Self {
        fs::write(self.world.proc.join("1/maps"), text).unwrap();
        self
    }

    /// The verdict, without this test's folder and port.
    fn verdict(&self) -> String {
        self.all().pop().unwrap()
    }

    /// All that is said on the way to it, too.
    fn all(&self) -> Vec<String> {
        let said = RefCell::new(Vec::new());
        let last = check(&self.world, &|verdict| said.borrow_mut().push(verdict));
        said.borrow_mut().push(last);
        let root = self.root.path().display().to_string();
        said.into_inner().iter().map(|verdict| verdict.to_string().replace(&root, "")).collect()
    }
}

/// A server that is well and answers for ever.
fn server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            assert_ne!(stream.read(&mut [0; 1024]).unwrap(), 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        }
    });
    port
}

#[test]
fn the_servers_own_arguments_say_whom_to_ask() {
    let port = server();
    let url = format!("http://127.0.0.1:{port}/health");
    assert_eq!(Container::serving(port).verdict(), format!("healthy: {url} answers 200"));
}

#[test]
fn its_variables_are_its_own_or_else_the_containers() {
    let port = server();
    let due = format!("healthy: http://127.0.0.1:{port}/health answers 200");
    let container = Container::new("/app/llama-server", &["llama-server"]);
    let container = container.with("LLAMA_ARG_PORT", &port.to_string());
    assert_eq!(container.verdict(), due);
    let own = container.world.proc.join("1/environ");
    fs::write(own, format!("LLAMA_ARG_PORT={port}\0")).unwrap();
    assert_eq!(container.with("LLAMA_ARG_PORT", "0").verdict(), due);
}

#[test]
fn a_url_is_asked_whatever_runs() {
    let port = server();
    let url = format!("http://127.0.0.1:{port}/ready");
    let with = |container: Container, url: &str| container.with(URL_VARIABLE, url).verdict();
    let due = format!("healthy: {url} answers 200");
    assert_eq!(with(Container::new("/app/bodhi", &["bodhi"]), &url), due);
    assert_eq!(with(Container::serving(0), &url), due);
    let wrong = with(Container::serving(port), "nowhere");
    assert!(wrong.starts_with("unhealthy: LLAMA_HEALTHCHECK_URL is `nowhere`, must"), "{wrong}");
    assert_eq!(with(Container::serving(port), ""), due.replace("ready", "health"));
}

#[test]
fn a_gpu_that_cannot_be_reached_is_told_or_wrong() {
    let port = server();
    let url = format!("http://127.0.0.1:{port}/health");
    let vulkan = || Container::serving(port).with_variant("vulkan");
    assert_eq!(
        vulkan().verdict(),
        format!("healthy: {url} answers 200, on the CPU: there is no /dev/dri/renderD*")
    );
    assert_eq!(
        vulkan().with(REQUIRE_GPU, "0").verdict(),
        format!("healthy: {url} answers 200, on the CPU: there is no /dev/dri/renderD*")
    );
    assert_eq!(
        vulkan().with(REQUIRE_GPU, "1").verdict(),
        format!(
            "unhealthy: {url} answers 200, but LLAMA_REQUIRE_GPU=1 and there is no /dev/dri/renderD*"
        )
    );
    let node = vulkan().with(REQUIRE_GPU, "1").with_device("dri/renderD128");
    assert_eq!(node.verdict(), format!("healthy: {url} answers 200, with /dev/dri/renderD128"));
    assert_eq!(
        Container::serving(port).with(REQUIRE_GPU, "1").verdict(),
        format!(
            "unhealthy: {url} answers 200, but LLAMA_REQUIRE_GPU=1 and /app/version.json: No such \
             file or directory (os error 2)"
        )
    );
}

#[test]
fn a_backend_that_the_server_did_not_load_is_of_no_use() {
    let port = server();
    let vulkan = |maps: &str| {
        let container = Container::serving(port).with_variant("vulkan");
        container.with_device("dri/renderD128").with_maps(maps).verdict()
    };
    let loaded = vulkan("7f-80 r-xp 0 00:1 7 /app/libggml-vulkan.so\n");
    assert!(loaded.ends_with("answers 200, with /dev/dri/renderD128"), "{loaded}");
    let alone = vulkan("7f-80 r-xp 0 00:1 7 /app/libggml-cpu-x64.so\n");
    let due = "answers 200, on the CPU: llama-server has not loaded libggml-vulkan.so";
    assert!(alone.ends_with(due), "{alone}");
}

#[test]
fn under_another_main_process_the_files_are_looked_at() {
    let bodhi = Container::new("/app/bodhi", &["bodhi"]).with_variant("cpu");
    fs::write(bodhi.world.app.join("libggml-cpu-x64.so"), "").unwrap();
    assert_eq!(
        bodhi.verdict(),
        "unhealthy: llama-server cannot be started: /app/llama-server: No such file or directory \
         (os error 2); /app has no libllama-server-impl.so; libggml-cpu-x64.so does not open: \
         /app/libggml-cpu-x64.so: file too short"
    );
}

#[test]
fn a_starter_without_its_server_is_unhealthy() {
    let tini = Container::new("/usr/bin/tini", &["tini", "--", "/app/bin/llama-server"]);
    assert_eq!(
        tini.verdict(),
        "unhealthy: llama-server is not running: `tini` has no such child process"
    );
}

#[test]
fn a_main_process_that_is_gone_is_unhealthy() {
    let mut gone = Container::serving(1);
    gone.world.pid = 4711;
    assert_eq!(gone.verdict(), "unhealthy: process 4711 is not to be seen in /proc");
}

#[test]
fn before_each_step_that_can_hang_its_verdict_is_said() {
    let port = server();
    let url = format!("http://127.0.0.1:{port}/health");
    let serving = Container::serving(port).with_variant("cpu");
    assert_eq!(
        serving.all(),
        [
            format!("unhealthy: {url} does not answer in time"),
            format!("healthy: {url} answers 200, on the CPU: the GPU's driver does not answer"),
            format!("healthy: {url} answers 200"),
        ]
    );
    assert_eq!(
        Container::new("/app/bodhi", &["bodhi"]).all()[0],
        "unhealthy: the libraries of llama-server do not open in time"
    );
}

#[test]
fn a_policy_that_nobody_knows_is_refused() {
    assert_eq!(
        Container::serving(1).with(REQUIRE_GPU, "yes").verdict(),
        "unhealthy: LLAMA_REQUIRE_GPU is `yes`, must be 0 or 1"
    );
    assert_eq!(
        Container::serving(0).verdict(),
        "unhealthy: llama-server chose its port itself (--port 0): LLAMA_HEALTHCHECK_URL has to name it"
    );
}
