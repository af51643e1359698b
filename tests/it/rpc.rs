//! One model over several machines: a server and its RPC workers, programs of the distribution, each at an address of
//! its own.

/// Workers that are not there, or are none.
mod absent;
/// What others than a server send to a worker.
mod strangers;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use llama_tests::process::{KilledOnDrop, PATIENCE, command, wait_for};
use llama_tests::server::{free_port, greedy_tokens_of};
use llama_tests::{needs, tiny};

const PROMPT: &str = "Once upon a time";
const TOKENS: u32 = 24;

/// A worker of the distribution with a cache.
struct Worker {
    child: KilledOnDrop,
    port: u16,
    log: PathBuf,
}

impl Worker {
    fn start(dist: &Path, port: u16, folder: &Path) -> Self {
        let log = folder.join("log");
        std::fs::create_dir_all(folder).unwrap();
        let mut command = command(dist.join("bin/ggml-rpc-server"));
        command.args(["-t", "1", "-c", "-p", &port.to_string()]).env("LLAMA_CACHE", folder);
        let file = std::fs::File::create(&log).unwrap();
        command.stderr(file.try_clone().unwrap()).stdout(file);
        let worker = Self { child: KilledOnDrop(command.spawn().unwrap()), port, log };
        wait_for("a worker", || TcpStream::connect(worker.at()).ok());
        worker
    }

    fn at(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    fn kill(mut self) {
        self.child.0.kill().unwrap();
    }
}

/// The server of the distribution, which computes on workers.
struct Head {
    child: KilledOnDrop,
    port: u16,
    log: PathBuf,
}

impl Head {
    fn start(dist: &Path, model: &Path, workers: &[String], folder: &Path) -> Self {
        let (port, log) = (free_port(), folder.join("head.log"));
        let mut command = head(dist, model, &workers.join(","));
        // One of the two layers for each of two workers.
        command.args(["--port", &port.to_string(), "-ts", "1,3"]).stdout(Stdio::null());
        command.stderr(std::fs::File::create(&log).unwrap());
        Self { child: KilledOnDrop(command.spawn().unwrap()), port, log }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// What it says to the prompt, as soon as it is ready.
    fn tokens(&mut self) -> Vec<u64> {
        wait_for("a server with workers", || {
            let ended = self.child.0.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}\n{}", self.log());
            self.log().contains("listening on").then_some(())
        });
        greedy_tokens_of(&format!("http://127.0.0.1:{}", self.port), PROMPT, TOKENS)
    }

    /// Its exit code and its last line, and how long it went on.
    fn ended(&mut self) -> (Option<i32>, String, Duration) {
        let start = Instant::now();
        let status = wait_for("the end of a server", || self.child.0.try_wait().unwrap());
        let last = self.log().lines().last().unwrap_or_default().to_owned();
        (status.code(), last, start.elapsed())
    }
}

/// The command of a server that puts all of `model` on `workers`.
fn head(dist: &Path, model: &Path, workers: &str) -> Command {
    let mut command = command(dist.join("bin/llama-server"));
    command.arg("-m").arg(model).args(["--offline", "-t", "1", "-c", "256", "-np", "1"]);
    if !workers.is_empty() {
        command.args(["-ngl", "99", "--rpc", workers]);
    }
    command
}

/// A port that leads to `to`, and what has gone to it.
fn counted(to: u16) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    std::thread::spawn(move || {
        for head in listener.incoming().flatten() {
            let Ok(worker) = TcpStream::connect(("127.0.0.1", to)) else { continue };
            let answers = (worker.try_clone().unwrap(), head.try_clone().unwrap());
            let counter = Arc::clone(&counter);
            std::thread::spawn(move || pass(head, worker, &counter));
            std::thread::spawn(move || pass(answers.0, answers.1, &AtomicU64::new(0)));
        }
    });
    (at, sent)
}

fn pass(mut from: TcpStream, mut to: TcpStream, count: &AtomicU64) {
    let mut bytes = vec![0; 1 << 20];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        count.fetch_add(read as u64, Ordering::Relaxed);
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    // One of the two may be gone.
    let _ = to.shutdown(Shutdown::Write);
}

#[test]
fn two_workers_answer_as_one_machine_and_get_the_model_once() {
    let Some(dist) = needs::dist() else { return };
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("wide.gguf");
    tiny::write_wide(1, &model);
    let alone = Head::start(&dist, &model, &[], dir.path()).tokens();
    assert_eq!(alone.len(), TOKENS as usize);
    let folders = ["a", "b"].map(|name| dir.path().join(name));
    let mut sent = Vec::new();
    for _ in 0..2 {
        let workers = folders.each_ref().map(|folder| Worker::start(&dist, free_port(), folder));
        let counted = workers.each_ref().map(|worker| counted(worker.port));
        let at = counted.each_ref().map(|(at, _)| at.clone());
        let mut head = Head::start(&dist, &model, &at, dir.path());
        assert_eq!(head.tokens(), alone, "{}", head.log());
        sent.push(counted.map(|(_, sent)| sent.load(Ordering::Relaxed)));
    }
    eprintln!("bytes to each worker, at the first and at the second start: {sent:?}");
    for worker in 0..2 {
        let (first, second) = (sent[0][worker], sent[1][worker]);
        assert!(first > 20_000_000, "worker {worker} has little of the model: {sent:?}");
        assert!(second * 10 < first, "worker {worker} got the model again: {sent:?}");
    }
}

#[test]
fn a_lost_worker_ends_the_server_at_once_and_a_new_group_goes_on() {
    let (Some(dist), Some(model)) = (needs::dist(), needs::demo_model()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let start = |name: &str| Worker::start(&dist, free_port(), &dir.path().join(name));
    let (first, second) = (start("a"), start("b"));
    let at = [first.at(), second.at()];
    let mut head = Head::start(&dist, &model, &at, dir.path());
    let tokens = head.tokens();
    // No request runs: nobody reads from the worker.
    second.kill();
    let (code, line, time) = head.ended();
    assert_eq!(code, Some(1), "{}", head.log());
    let due = format!(
        "error: RPC worker {}: it is lost: it ended, or its machine or the network failed",
        at[1]
    );
    assert_eq!(line, due);
    eprintln!("a server without its worker ended after {time:?}");
    assert!(time < PATIENCE / 10, "{time:?}");
    // What a supervisor does. The worker that is left serves the new server.
    let second = start("b");
    let mut head = Head::start(&dist, &model, &[at[0].clone(), second.at()], dir.path());
    assert_eq!(head.tokens(), tokens, "{}", first.log());
}
