//! A model hub on this machine: the part of Hugging Face's HTTP interface that a download by `-hf` asks for,
//! with the demo model in every repository.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;

use serde_json::{Value, json};

/// The name of the model's file in every repository.
const FILE: &str = "model.gguf";
/// Upstream asks for forty hexadecimal digits.
const COMMIT: &str = "0123456789012345678901234567890123456789";

/// Answers until the test program ends, on all addresses: containers ask too.
#[derive(Debug)]
pub struct Hub {
    port: u16,
}

impl Hub {
    /// With `model` as the file of every repository.
    ///
    /// # Panics
    /// When no port can be had.
    pub fn start(model: PathBuf) -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let model = model.clone();
                // Who asks may go away in the middle of an answer.
                std::thread::spawn(move || answer(&stream, &model).unwrap_or_default());
            }
        });
        Self { port }
    }

    /// What `HF_ENDPOINT` is for who reaches this machine at `host`.
    pub fn endpoint(&self, host: &str) -> String {
        format!("http://{host}:{}", self.port)
    }
}

fn answer(mut stream: &TcpStream, model: &PathBuf) -> std::io::Result<()> {
    let mut head = BufReader::new(stream).lines().map_while(Result::ok);
    let line = head.next().unwrap_or_default();
    // The rest of the head.
    head.take_while(|line| !line.is_empty()).for_each(drop);
    let mut words = line.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, body) = if path.ends_with(&format!("/resolve/{COMMIT}/{FILE}")) {
        ("200 OK", std::fs::read(model)?)
    } else {
        match list(path, model)? {
            Some(list) => ("200 OK", list.to_string().into_bytes()),
            None => ("404 Not Found", b"{\"error\":\"not found\"}".to_vec()),
        }
    };
    let length = body.len();
    let headers = "Connection: close\r\nAccept-Ranges: none\r\nETag: \"demo\"";
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n\r\n")?;
    if method != "HEAD" {
        stream.write_all(&body)?;
    }
    stream.flush()
}

/// The answers that are lists: of branches, and of files.
fn list(path: &str, model: &PathBuf) -> std::io::Result<Option<Value>> {
    if !path.starts_with("/api/models/") {
        return Ok(None);
    }
    let size = std::fs::metadata(model)?.len();
    let oid = COMMIT.repeat(2)[..64].to_owned();
    Ok(if path.ends_with("/refs") {
        Some(json!({ "branches": [{ "name": "main", "targetCommit": COMMIT }] }))
    } else if path.contains(&format!("/tree/{COMMIT}")) {
        let file = json!({ "type": "file", "path": FILE, "size": size, "lfs": { "oid": oid } });
        Some(json!([file]))
    } else {
        None
    })
}
