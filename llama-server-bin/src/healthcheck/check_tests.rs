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

    /// The server has this file open.
    fn with_open(self, file: &str) -> Self {
        let fd = self.world.proc.join("1/fd");
        fs::create_dir(&fd).unwrap();
        symlink(file, fd.join("3")).unwrap();
        self
    }

    /// One more process.
    fn process(&self, pid: u32, parent: u32, program: &str, words: &[&str]) {
        let dir = self.world.proc.join(pid.to_string());
        fs::create_dir(&dir).unwrap();
        symlink(program, dir.join("exe")).unwrap();
        fs::write(dir.join("cmdline"), words.join("\0") + "\0").unwrap();
        fs::write(dir.join("stat"), format!("{pid} (x) S {parent} 1")).unwrap();
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
    answering(|| "HTTP/1.1 200 OK\r\n\r\n".to_owned())
}

/// A server that says `answer` to everything.
fn answering(answer: impl Fn() -> String + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            assert_ne!(stream.read(&mut [0; 1024]).unwrap(), 0);
            stream.write_all(answer().as_bytes()).unwrap();
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

/// What `docker run --device none`, `-ngl 0`, or `/dev/null` in a GPU's place come to.
#[test]
fn with_a_gpu_is_said_only_of_a_server_that_uses_it() {
    let of = |devices: &'static str, open: &str, required: &str| {
        let container = Container::serving(answering(move || {
            format!("HTTP/1.1 200 OK\r\nllama-devices: {devices}\r\n\r\n")
        }));
        let container = container.with_variant("vulkan").with_device("dri/renderD128");
        let open = container.with(REQUIRE_GPU, required).with_open(open);
        let verdict = open.verdict();
        let (start, end) = verdict.split_once(" answers 200, ").unwrap();
        format!("{}: {end}", start.split(':').next().unwrap())
    };
    let node = "/dev/dri/renderD128";
    assert_eq!(of("Vulkan0, Vulkan1", node, "1"), "healthy: with Vulkan0, Vulkan1");
    let why = "no part of the model is on /dev/dri/renderD128 (--device, --n-gpu-layers)";
    assert_eq!(of("none", node, "0"), format!("healthy: on the CPU: {why}"));
    assert_eq!(of("none", node, "1"), format!("unhealthy: but LLAMA_REQUIRE_GPU=1 and {why}"));
    let why = "Vulkan0 is made of software: llama-server has no GPU's device open";
    assert_eq!(of("Vulkan0", "/dev/null", "0"), format!("healthy: on the CPU: {why}"));
    assert_eq!(
        of("Vulkan0", "/dev/null", "1"),
        format!("unhealthy: but LLAMA_REQUIRE_GPU=1 and {why}")
    );
    assert_eq!(of("RPC0[10.0.0.1:50052]", "/dev/null", "1"), "healthy: with RPC0[10.0.0.1:50052]");
}

#[test]
fn a_server_without_a_model_of_its_own_has_its_gpu_in_reach() {
    let router = Container::serving(server()).with_variant("vulkan").with_device("dri/renderD128");
    let verdict = router.with(REQUIRE_GPU, "1").with_open("/dev/null").verdict();
    assert!(verdict.ends_with(" answers 200, with /dev/dri/renderD128 in reach"), "{verdict}");
}

#[test]
fn a_server_that_gets_nothing_done_says_so() {
    let message = "no progress for 61 s while work waits";
    let port = answering(move || {
        let head = "HTTP/1.1 503 Service Unavailable\r\n\r\n";
        format!(r#"{head}{{"error":{{"code":503,"message":"{message}"}}}}"#)
    });
    let url = format!("http://127.0.0.1:{port}/health");
    assert_eq!(
        Container::serving(port).with(STALL, "60").verdict(),
        format!("unhealthy: {url} answers 503: {message}")
    );
    assert_eq!(
        Container::serving(server()).with(STALL, "a minute").verdict(),
        "unhealthy: LLAMA_HEALTHCHECK_STALL is `a minute`, must be a number of seconds"
    );
}

#[test]
fn of_several_the_worst_is_heard() {
    let said = |verdict: Verdict, devices: Option<&str>| Said {
        verdict,
        devices: devices.map(str::to_owned),
    };
    let well = |devices| said(Verdict::Healthy("well".into()), devices);
    let shown = |said: Said| format!("{} {:?}", said.verdict, said.devices.as_deref());
    let ill = || Said::unhealthy("ill".into());
    assert_eq!(shown(well(None).with(well(Some("CUDA0")))), r#"healthy: well Some("CUDA0")"#);
    assert_eq!(
        shown(well(Some("CUDA0")).with(well(Some("none")))),
        r#"healthy: well Some("none")"#
    );
    assert_eq!(
        shown(well(Some("none")).with(well(Some("CUDA0")))),
        r#"healthy: well Some("none")"#
    );
    assert_eq!(shown(well(None).with(ill())), "unhealthy: ill None");
    assert_eq!(shown(ill().with(well(None))), "unhealthy: ill None");
}

/// Each model of a router has a server of its own.
#[test]
fn a_router_is_as_well_as_its_models() {
    let (router, model) = (server(), server());
    let stalled = answering(|| "HTTP/1.1 503 Service Unavailable\r\n\r\nno progress".to_owned());
    let of = |port: u16| {
        let container = Container::serving(router);
        container.process(
            7,
            1,
            "/app/llama-server",
            &["llama-server", "--port", &port.to_string()],
        );
        container.verdict()
    };
    assert_eq!(of(model), format!("healthy: http://127.0.0.1:{router}/health answers 200"));
    assert_eq!(
        of(stalled),
        format!("unhealthy: http://127.0.0.1:{stalled}/health answers 503: no progress")
    );
}

#[test]
fn a_server_that_listens_nowhere_is_starting() {
    let container = Container::serving(1);
    let dir = container.world.proc.join("1");
    for name in ["fd", "net"] {
        fs::create_dir(dir.join(name)).unwrap();
    }
    for name in ["net/tcp", "net/unix"] {
        fs::write(dir.join(name), "").unwrap();
    }
    assert_eq!(
        container.verdict(),
        "starting: llama-server does not listen yet (it may be fetching its model)"
    );
}

/// A program of somebody else's decides when its servers start, not whether they are well.
#[test]
fn a_server_that_runs_under_another_main_process_is_asked() {
    let of = |port: u16| {
        let bodhi = Container::new("/app/bodhi", &["bodhi"]);
        bodhi.process(9, 1, "/app/llama-server", &["llama-server", "--port", &port.to_string()]);
        bodhi.verdict()
    };
    let well = server();
    assert_eq!(of(well), format!("healthy: http://127.0.0.1:{well}/health answers 200"));
    let ill = answering(|| "HTTP/1.1 500 Internal Server Error\r\n\r\nbroken".to_owned());
    assert_eq!(of(ill), format!("unhealthy: http://127.0.0.1:{ill}/health answers 500: broken"));
    let loading = answering(|| "HTTP/1.1 503 x\r\n\r\nloading model".to_owned());
    let verdict = of(loading);
    assert!(verdict.starts_with("unhealthy: llama-server cannot be started: "), "{verdict}");
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
fn a_worker_listens_and_is_not_connected_to() {
    let container = Container::new("/app/ggml-rpc-server", &["ggml-rpc-server"]);
    assert_eq!(container.verdict(), "healthy: ggml-rpc-server runs");
    let container = container.with_open("socket:[7]");
    let net = container.world.proc.join("1/net");
    fs::create_dir(&net).unwrap();
    fs::write(net.join("unix"), "").unwrap();
    fs::write(net.join("tcp"), "").unwrap();
    assert_eq!(container.verdict(), "starting: ggml-rpc-server does not listen yet");
    let line = "0: 00000000:C384 00000000:0000 0A 0:0 00:0 0 10001 0 7 1 x\n";
    fs::write(net.join("tcp"), line).unwrap();
    assert_eq!(container.verdict(), "healthy: ggml-rpc-server listens on 0.0.0.0:50052");
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
    assert_eq!(gone.verdict(), "unhealthy: cannot read /proc/4711");
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
