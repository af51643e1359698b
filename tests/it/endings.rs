//! How a server ends: in time and well, whatever is connected, and with nothing lost where it has time.

/// Routers in front of servers.
mod balancers;
/// Half requests, readers that stopped, handshakes: none holds up the end.
mod connections;
/// Half of a model, and what becomes of it.
mod downloads;
/// What runs is finished, what is new is refused.
mod drain;
/// Before the server is ready, and as the first process of a container.
mod early;
/// Routers and the servers that they start.
mod router;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use llama_tests::needs;
use llama_tests::process::{KilledOnDrop, PATIENCE, command, wait_for};
use llama_tests::server::free_port;
use rustix::process::{Pid, Signal, kill_process};

/// Longest end. Ends take four seconds or less where the machine has nothing else to do; without the mends
/// they take an hour.
const END: Duration = Duration::from_secs(20);

/// A server that says that it is ready.
struct Running {
    child: KilledOnDrop,
    port: u16,
    log: Arc<Mutex<String>>,
}

impl Running {
    /// The static server with the demo model, and `args`; `None` where there is none.
    fn start(args: &[&str]) -> Option<Self> {
        Self::start_with(args, &[])
    }

    /// The same with these variables.
    fn start_with(args: &[&str], variables: &[(&str, &str)]) -> Option<Self> {
        let (program, model) = (needs::server()?, needs::demo_model()?);
        let mut command = command(program);
        command.arg("-m").arg(model).args(["--offline", "-t", "1"]).args(args);
        Some(Self::spawn(command.envs(variables.iter().copied()), free_port()))
    }

    /// One of several servers, with four slots and time for its streams.
    fn in_fleet(port: u16) -> Option<Self> {
        let (program, model) = (needs::server()?, needs::demo_model()?);
        let mut command = command(program);
        command.arg("-m").arg(model).args(["--offline", "-t", "1", "-np", "4"]);
        command.args(["--context-shift", "--metrics"]).env("LLAMA_SERVER_DRAIN", "100");
        Some(Self::spawn(&mut command, port))
    }

    /// `command` with a port, as soon as it listens.
    fn spawn(command: &mut Command, port: u16) -> Self {
        let command = command.args(["--port", &port.to_string()]).stderr(Stdio::piped());
        let mut child = KilledOnDrop(command.stdout(Stdio::null()).spawn().unwrap());
        let lines = BufReader::new(child.0.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                *kept.lock().unwrap() += &(line + "\n");
            }
        });
        let running = Self { child, port, log };
        running.wait_for_log("listening on");
        running
    }

    fn wait_for_log(&self, text: &str) {
        wait_for(text, || self.log().contains(text).then_some(()));
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    fn pid(&self) -> i32 {
        self.child.0.id().try_into().unwrap()
    }

    fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).unwrap()
    }

    /// A connection on which this was sent.
    fn sent(&self, text: &str) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    }

    /// The whole answer to `GET path`.
    fn get(&self, path: &str) -> String {
        answer(self.sent(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")))
    }

    /// Waits until it works on a request.
    fn gets_work(&self) {
        wait_for("a server at work", || {
            (!self.get("/metrics").contains("llamacpp:requests_processing 0\n")).then_some(())
        });
    }

    /// Tokens that take so many seconds, as fast as this machine is now; `stream` asks for some.
    fn tokens(&self, seconds: f64, stream: impl Fn(i32) -> String) -> i32 {
        const FEW: i32 = 50;
        answer(self.sent(&stream(1)));
        let start = Instant::now();
        answer(self.sent(&stream(FEW)));
        (f64::from(FEW) * seconds / start.elapsed().as_secs_f64()) as i32 + FEW
    }

    fn status(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.0.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "it goes on:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for its end after a signal, which must be a good one; prints how long it took.
    fn ends_well(&mut self, what: &str) {
        let start = Instant::now();
        let status = self.status();
        let time = start.elapsed();
        eprintln!("{what}: it ended after {:.1} s", time.as_secs_f32());
        assert_eq!(status.code(), Some(0), "{what}: {status}\n{}", self.log());
        assert!(time < END, "{what}: it took {time:?}\n{}", self.log());
    }

    /// Tells it to end, which it must do well and in time.
    fn ends_in_time(&mut self, what: &str) {
        self.signal(Signal::TERM);
        self.ends_well(what);
    }
}

fn send(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// All that comes until the other side closes.
fn answer(mut stream: impl Read) -> String {
    let mut bytes = Vec::new();
    // What came before a reset is still worth showing.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `POST path`, whole.
fn post(path: &str, body: &serde_json::Value) -> String {
    let body = body.to_string();
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

/// A request for a stream of so many tokens; -1 never ends.
fn stream(tokens: i32) -> String {
    let body = serde_json::json!({
        "prompt": "Hello", "n_predict": tokens, "ignore_eos": true, "stream": true, "seed": 1,
    });
    post("/completion", &body)
}

/// Processes whose parent is `pid`, with their state.
fn children(pid: i32) -> Vec<(i32, char)> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let child = |child: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).ok()?;
        let mut words = stat.rsplit_once(')')?.1.split_whitespace();
        let state = words.next()?.chars().next()?;
        (words.next()? == pid.to_string()).then_some((child, state))
    };
    pids.filter_map(child).collect()
}

fn is_there(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// Whether this process has a handler of its own for SIGTERM.
fn handles_sigterm(pid: i32) -> bool {
    const SIGTERM: u32 = 15;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    caught.is_some_and(|mask| mask & (1 << (SIGTERM - 1)) != 0)
}
