//! The server's output: read without pause, so that a full pipe never stops the server; the last
//! lines are kept, and the address in `listening on …` is remembered.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Lines kept.
const KEPT: usize = 200;
/// Bytes after which a line is cut in two.
const LONGEST: u64 = 64 * 1024;
/// Wait for the last lines of a server that has ended; a grandchild may hold the pipe open for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Called for each line of a server's output, from another thread.
pub type OnLine = Box<dyn FnMut(&str) + Send>;

/// Both outputs of a server.
#[derive(Debug)]
pub(crate) struct Log {
    state: Arc<Mutex<State>>,
    readers: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<String>,
    address: Option<String>,
}

impl Log {
    /// Reads the outputs of `child`, which must be piped.
    pub(crate) fn of(child: &mut Child, on_line: Option<OnLine>) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let on_line = Arc::new(Mutex::new(on_line));
        let outputs: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|output| Box::new(output) as _),
            child.stderr.take().map(|output| Box::new(output) as _),
        ];
        let readers = outputs.into_iter().flatten().map(|output| {
            let (state, on_line) = (Arc::clone(&state), Arc::clone(&on_line));
            std::thread::spawn(move || {
                for_each_line(output, |line| {
                    lock(&state).add(line);
                    if let Some(on_line) = lock(&on_line).as_mut() {
                        on_line(line);
                    }
                });
            })
        });
        Self { readers: readers.collect(), state }
    }

    /// The last lines, oldest first.
    pub(crate) fn lines(&self) -> Vec<String> {
        lock(&self.state).lines.iter().cloned().collect()
    }

    /// The last lines of a server that has ended.
    pub(crate) fn last_words(&self) -> Vec<String> {
        let start = Instant::now();
        while start.elapsed() < LAST_WORDS && !self.readers.iter().all(JoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.lines()
    }

    /// The URL that the server said it listens on.
    pub(crate) fn address(&self) -> Option<String> {
        lock(&self.state).address.clone()
    }
}

impl State {
    fn add(&mut self, line: &str) {
        if self.address.is_none() {
            self.address = listening_address(line).map(str::to_owned);
        }
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }
}

/// `http://127.0.0.1:8080` in `0.00.123.456 I srv llama_server: listening on http://127.0.0.1:8080`.
///
/// <https://github.com/ggml-org/llama.cpp/blob/b11549/tools/server/server.cpp#L517-L519>
fn listening_address(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("listening on ")?;
    let end =
        rest.find(|c: char| c.is_whitespace() || "\"\\\u{1b}".contains(c)).unwrap_or(rest.len());
    let address = &rest[..end];
    ["http://", "https://", "unix://"]
        .iter()
        .any(|scheme| address.starts_with(scheme))
        .then_some(address)
}

fn for_each_line(output: impl Read, mut act: impl FnMut(&str)) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while matches!((&mut output).take(LONGEST).read_until(b'\n', &mut line), Ok(1..)) {
        act(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
}

/// A panic in a caller's `on_line` must not take the log with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_plain_and_json_lines() {
        let plain = "0.00.1 I srv  llama_server: listening on http://127.0.0.1:4711";
        assert_eq!(listening_address(plain), Some("http://127.0.0.1:4711"));
        let json = r#"{"msg":"listening on https://[::1]:80\n"}"#;
        assert_eq!(listening_address(json), Some("https://[::1]:80"));
        assert_eq!(listening_address("listening on the street"), None);
        assert_eq!(listening_address("E srv: listener on http://a:1 stopped"), None);
    }

    #[test]
    fn the_last_lines_are_kept_and_the_address_outlives_them() {
        let mut state = State::default();
        state.add("listening on http://h:1");
        (0..KEPT + 5).for_each(|number| state.add(&number.to_string()));
        assert_eq!(state.lines.len(), KEPT);
        assert_eq!(state.lines[0], "5");
        assert_eq!(state.address.as_deref(), Some("http://h:1"));
    }

    #[test]
    fn endless_lines_and_wild_bytes_are_cut_and_shown() {
        let mut lines = Vec::new();
        let long = [vec![b'x'; LONGEST as usize + 1], b"\n\xff\r\nend".to_vec()].concat();
        for_each_line(&long[..], |line| lines.push(line.to_owned()));
        assert_eq!(lines[0].len() as u64, LONGEST);
        assert_eq!(lines[1..], ["x", "\u{fffd}", "end"]);
    }
}
