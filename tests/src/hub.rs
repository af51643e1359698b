//! A model hub on this machine: the part of Hugging Face's HTTP interface that downloads ask for, with the files of
//! one folder in every repository.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use sha2::{Digest as _, Sha256};

/// The commit of every repository at first. Upstream asks for forty hexadecimal digits.
pub const COMMIT: &str = "0123456789012345678901234567890123456789";
/// Who may read repositories of the organization `private`.
pub const TOKEN: &str = "hf_ofThisHub";
/// What Git keeps as a pointer in a repository of the hub.
const LARGE: [&str; 2] = ["gguf", "safetensors"];

/// Answers until the test program ends, on all addresses: containers ask too.
#[derive(Debug)]
pub struct Hub {
    port: u16,
    shared: Arc<Shared>,
}

/// What its answers depend on.
#[derive(Debug)]
struct Shared {
    files: PathBuf,
    downloads: AtomicUsize,
    commit: Mutex<String>,
    refused: Mutex<&'static [&'static str]>,
}

impl Hub {
    /// With the files of the folder `files`, or that one file, in every repository; they are read when they are
    /// asked for.
    ///
    /// # Panics
    /// When no port can be had.
    pub fn start(files: PathBuf) -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared {
            files,
            downloads: AtomicUsize::new(0),
            commit: Mutex::new(COMMIT.to_owned()),
            refused: Mutex::default(),
        });
        let asked = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let asked = Arc::clone(&asked);
                // Who asks may go away in the middle of an answer.
                std::thread::spawn(move || answer(&stream, &asked).unwrap_or_default());
            }
        });
        Self { port, shared }
    }

    /// What `HF_ENDPOINT` is for who reaches this machine at `host`.
    pub fn endpoint(&self, host: &str) -> String {
        format!("http://{host}:{}", self.port)
    }

    /// How many files were sent so far.
    pub fn downloads(&self) -> usize {
        self.shared.downloads.load(Ordering::Relaxed)
    }

    /// Names this commit as the newest of every repository.
    pub fn commit(&self, commit: &str) {
        commit.clone_into(&mut held(&self.shared.commit));
    }

    /// Answers 503 to requests for files with these methods, such as `GET`. It still lists them.
    pub fn refuse(&self, methods: &'static [&'static str]) {
        *held(&self.shared.refused) = methods;
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(mut stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut head = BufReader::new(stream).lines().map_while(Result::ok);
    let line = head.next().unwrap_or_default();
    let head: Vec<String> = head.take_while(|line| !line.is_empty()).collect();
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let private = ["/private/", "/api/models/private/"].iter().any(|start| path.starts_with(start));
    let known =
        |line: &String| line.eq_ignore_ascii_case(&format!("authorization: Bearer {TOKEN}"));
    if private && !head.iter().any(known) {
        let head = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        return stream.write_all(head.as_bytes());
    }
    if let Some(file) = resolved(path, &shared.files) {
        if held(&shared.refused).contains(&method) {
            let head = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            return stream.write_all(head.as_bytes());
        }
        if method != "HEAD" {
            shared.downloads.fetch_add(1, Ordering::Relaxed);
        }
        return send(stream, method, &file, range(&head));
    }
    let commit = held(&shared.commit).clone();
    let (status, body) = match list(path, &shared.files, &commit)? {
        Some(list) => ("200 OK", list.to_string()),
        None => ("404 Not Found", "{\"error\":\"not found\"}".to_owned()),
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(body.as_bytes())
}

/// The file that `/ORG/REPOSITORY/resolve/REVISION/PATH` names.
fn resolved(path: &str, files: &Path) -> Option<PathBuf> {
    let (_, rest) = path.split_once("/resolve/")?;
    let (_, name) = rest.split_once('/')?;
    let alone = files.is_file() && files.ends_with(name);
    let file = if alone { files.to_owned() } else { files.join(name) };
    file.is_file().then_some(file)
}

/// Where the answer begins, by `Range: bytes=N-`.
fn range(head: &[String]) -> Option<u64> {
    let mut lines = head.iter().map(|line| line.to_lowercase());
    let line = lines.find(|line| line.starts_with("range:"))?;
    line.split_once("bytes=")?.1.split('-').next()?.parse().ok()
}

fn send(
    mut stream: &TcpStream,
    method: &str,
    file: &Path,
    from: Option<u64>,
) -> std::io::Result<()> {
    let mut body = std::fs::File::open(file)?;
    let size = body.metadata()?.len();
    let etag = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let rest = size.saturating_sub(from.unwrap_or(0));
    match from {
        Some(from) => write!(
            stream,
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{size}\r\n",
            size.saturating_sub(1)
        )?,
        None => write!(stream, "HTTP/1.1 200 OK\r\n")?,
    }
    let headers = format!("Accept-Ranges: bytes\r\nETag: \"{etag}-{size}\"\r\nConnection: close");
    write!(stream, "Content-Length: {rest}\r\n{headers}\r\n\r\n")?;
    if method == "HEAD" {
        return Ok(());
    }
    body.seek(SeekFrom::Start(from.unwrap_or(0)))?;
    std::io::copy(&mut body, &mut stream).map(drop)
}

/// The answers that are no files: of branches, a revision, and the files of one.
fn list(path: &str, files: &Path, commit: &str) -> std::io::Result<Option<Value>> {
    if !path.starts_with("/api/models/") {
        return Ok(None);
    }
    if path.ends_with("/refs") {
        return Ok(Some(json!({ "branches": [{ "name": "main", "targetCommit": commit }] })));
    }
    if path.contains("/revision/") {
        return Ok(Some(json!({ "sha": commit })));
    }
    if !path.contains("/tree/") {
        return Ok(None);
    }
    let mut listed = Vec::new();
    let mut paths = vec![files.to_owned()];
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            let inside = std::fs::read_dir(path)?;
            paths.extend(inside.collect::<Result<Vec<_>, _>>()?.iter().map(|entry| entry.path()));
        } else {
            listed.push(described(&path, files)?);
        }
    }
    listed.sort_by_key(|file| file["path"].as_str().map(str::to_owned));
    Ok(Some(Value::Array(listed)))
}

fn described(path: &Path, files: &Path) -> std::io::Result<Value> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.read_to_end(&mut bytes)?;
    let name = path.strip_prefix(files).expect("it lies in the folder");
    let name =
        if name.as_os_str().is_empty() { path.file_name().map(Path::new) } else { Some(name) };
    let name = name.expect("a file has a name").to_string_lossy();
    let blob = Sha1::new().chain_update(format!("blob {}\0", bytes.len())).chain_update(&bytes);
    let mut file = json!({
        "type": "file", "path": name, "size": bytes.len(), "oid": hex(&blob.finalize()),
    });
    if path.extension().is_some_and(|end| LARGE.iter().any(|large| *end == **large)) {
        file["lfs"] =
            json!({ "oid": hex(&Sha256::digest(&bytes)), "size": bytes.len(), "pointerSize": 134 });
    }
    Ok(file)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes what is written");
        text
    })
}
