//! The server's output: read without pause, so that a full pipe never stops the server; the last
//! lines are kept, and the addresses in `listening on …` are remembered.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Lines kept.
const KEPT: usize = 200;
/// Addresses remembered, the newest among them: nobody hides the server's behind many others.
const ADDRESSES: usize = 64;
/// How lines of a server's `main` begin: of today's, and of older ones.
const STARTS: &[&str] = &["srv  llama_server: ", "srv          main: ", "main: "];
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
    addresses: Vec<String>,
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

    /// The URLs in lines that look like the server's own, oldest first.
    pub(crate) fn addresses(&self) -> Vec<String> {
        lock(&self.state).addresses.clone()
    }
}

impl State {
    fn add(&mut self, line: &str) {
        let address = listening_address(line).filter(|address| !self.addresses.contains(address));
        if let Some(address) = address {
            self.addresses.truncate(ADDRESSES - 1);
            self.addresses.push(address);
        }
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }
}

/// `http://127.0.0.1:8080` in `0.00.123.456 I srv  llama_server: listening on http://127.0.0.1:8080`; `None` for
/// a line that only quotes one.
///
/// <https://github.com/ggml-org/llama.cpp/blob/b11549/tools/server/server.cpp#L517-L519>
fn listening_address(line: &str) -> Option<String> {
    let line = without_colours(line);
    // `--log-jsonl`: a quotation mark in somebody's text has a backslash before it.
    let json = line.strip_prefix('{').and_then(|rest| rest.split_once(r#""msg":""#));
    let text = match json {
        Some((_, message)) => &message[..message.find(['"', '\\'])?],
        None => without_time_and_level(&line),
    };
    let rest = STARTS.iter().find_map(|start| text.strip_prefix(start))?;
    let rest = rest.strip_prefix("server is ").unwrap_or(rest).strip_prefix("listening on ")?;
    let address = rest.strip_suffix(" - starting the main loop").unwrap_or(rest);
    let is_url = ["http://", "https://", "unix://"].iter().any(|it| address.starts_with(it));
    (is_url && !address.contains(char::is_whitespace)).then(|| address.to_owned())
}

/// Without `ESC [ … m`, which `--log-colors on` adds.
fn without_colours(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}

/// Without `0.00.123.456 I `, which can be switched off.
fn without_time_and_level(line: &str) -> &str {
    let is_time = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let line = line.split_once(' ').filter(|(word, _)| is_time(word)).map_or(line, |(_, it)| it);
    line.strip_prefix("I ").unwrap_or(line)
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
    fn the_address_is_read_from_every_form_of_the_servers_own_line() {
        let is = |line: &str, due: &str| {
            assert_eq!(listening_address(line).as_deref(), Some(due), "{line}");
        };
        let url = "http://127.0.0.1:4711";
        is("0.00.123.456 I srv  llama_server: listening on http://127.0.0.1:4711", url);
        is("srv  llama_server: listening on http://127.0.0.1:4711", url);
        let colours =
            "\u{1b}[34m0.00.1\u{1b}[0m \u{1b}[32mI \u{1b}[0msrv  llama_server: listening on ";
        is(&format!("{colours}{url}"), url);
        let json = r#"{"type":"log","time":7,"level":"info","msg":"srv  llama_server: listening on https://[::1]:80\n"}"#;
        is(json, "https://[::1]:80");
        is("srv  llama_server: listening on unix:///run/l.sock", "unix:///run/l.sock");
        is("main: server is listening on http://127.0.0.1:4711 - starting the main loop", url);
        is("0.00.1 I srv          main: server is listening on http://127.0.0.1:4711", url);
    }

    #[test]
    fn a_line_that_quotes_an_address_is_none_of_the_servers() {
        for line in [
            "listening on http://example.test:80",
            "llama_model_loader: - kv   2: general.description str = listening on http://a.test:80",
            "0.00.1 I llama_model_loader: - kv 2: x str = a\\nsrv  llama_server: listening on http://a:1",
            "0.00.1 E srv  llama_server: listener on http://a:1 stopped unexpectedly",
            "srv  llama_server: listening on the street",
            "srv  llama_server: listening on http://a:1 and more",
            r#"{"msg":"x \"msg\":\"srv  llama_server: listening on http://a:1\n"}"#,
            r#"{"msg":"listening on http://a:1\n"}"#,
        ] {
            assert_eq!(listening_address(line), None, "{line}");
        }
    }

    #[test]
    fn the_last_lines_are_kept_and_the_addresses_outlive_them() {
        let mut state = State::default();
        let line = |host: &str| format!("srv  llama_server: listening on http://{host}:1");
        (0..2).for_each(|_| state.add(&line("h")));
        (0..KEPT + 5).for_each(|number| state.add(&number.to_string()));
        assert_eq!(state.lines.len(), KEPT);
        assert_eq!(state.lines[0], "5");
        assert_eq!(state.addresses, ["http://h:1"]);
        (0..2 * ADDRESSES).for_each(|number| state.add(&line(&number.to_string())));
        assert_eq!((state.addresses.len(), &*state.addresses[0]), (ADDRESSES, "http://h:1"));
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
