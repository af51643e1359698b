//! A web server for tests that can do what servers do wrong: answer late, break off, ignore ranges.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A server that lives as long as the test.
pub(crate) struct Site {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Path and query.
    pub(crate) path: String,
    headers: Vec<(String, String)>,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// The connection ends after so many bytes of the body.
    cut: Option<usize>,
}

impl Site {
    pub(crate) fn new(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (answer, heard) = (Arc::new(answer), asked.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, heard) = (answer.clone(), heard.clone());
                thread::spawn(move || {
                    if let Some(asked) = read(&stream) {
                        heard.lock().unwrap().push(asked.clone());
                        answer(&asked).send(&asked, stream);
                    }
                });
            }
        });
        Self { url, asked }
    }

    /// Requests since the last call, as `path` and the range where one was asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        let range =
            |asked: &Asked| asked.header("range").map(|r| format!(" {r}")).unwrap_or_default();
        let mut asked = self.asked.lock().unwrap();
        asked.drain(..).map(|asked| format!("{}{}", asked.path, range(&asked))).collect()
    }

    /// Authorizations of all requests since the last call.
    pub(crate) fn tokens(&self) -> Vec<Option<String>> {
        let mut asked = self.asked.lock().unwrap();
        asked.drain(..).map(|asked| asked.header("authorization").map(str::to_owned)).collect()
    }
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![], body: body.into(), cut: None }
    }

    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, body)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn cut(mut self, after: usize) -> Self {
        self.cut = Some(after);
        self
    }

    /// The part that was asked for, as servers that know ranges send it.
    pub(crate) fn ranged(mut self, asked: &Asked) -> Self {
        let range = asked.header("range").and_then(|range| range.strip_prefix("bytes="));
        let Some(from) = range.and_then(|range| range.trim_end_matches('-').parse::<usize>().ok())
        else {
            return self;
        };
        let total = self.body.len();
        if from >= total {
            return Self::new(416, "").header("Content-Range", &format!("bytes */{total}"));
        }
        self.status = 206;
        self.body.drain(..from);
        let range = format!("bytes {from}-{}/{total}", total - 1);
        self.header("Content-Range", &range)
    }

    fn send(self, _: &Asked, mut to: TcpStream) {
        let mut head = format!("HTTP/1.1 {} Status\r\nConnection: close\r\n", self.status);
        head += &format!("Content-Length: {}\r\n", self.body.len());
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        let end = self.cut.unwrap_or(self.body.len()).min(self.body.len());
        // The client may have gone.
        let _ = to.write_all(head.as_bytes()).and_then(|()| to.write_all(&self.body[..end]));
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers = lines.take_while(|line| !line.is_empty());
    let pair =
        |line: String| line.split_once(':').map(|(n, v)| (n.to_lowercase(), v.trim().to_owned()));
    Some(Asked { path, headers: headers.filter_map(pair).collect() })
}
