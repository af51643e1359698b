//! A made-up release, its archive, its pin, and a web server for it that misbehaves on request.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flate2::{Compression, write::GzEncoder};
use llama_src::{Pin, Progress, Request, pin::Mirror};
use sha2::Digest;

/// Files of the made-up release.
pub(crate) const FILES: &[(&str, &str)] = &[
    ("CMakeLists.txt", "project(x)\n"),
    ("docs/much.md", "not needed\n"),
    ("include/llama.h", "#pragma once\n"),
    ("src/llama.cpp", "one\ntwo\nthree\n"),
];
/// Its git tree id (`git write-tree`).
pub(crate) const TREE: &str = "2bfae65b7e7409239f591605716dbb94f09865d2";
/// The same without `docs`.
pub(crate) const PACKAGED: &str = "a569a586b716c6a73d5593046da4948a08e62391";

/// A folder with spaces and umlauts in its name, and the folder that goes with it.
pub(crate) fn folder() -> (tempfile::TempDir, PathBuf) {
    let temp = tempfile::Builder::new().prefix("llama src ä ").tempdir().unwrap();
    let dir = temp.path().canonicalize().unwrap();
    (temp, dir)
}

/// Writes the made-up release into `dir`.
pub(crate) fn write_tree(dir: &Path) {
    for (path, text) in FILES {
        let at = dir.join(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, text).unwrap();
    }
}

/// An archive as GitHub makes them, with `extra` bytes of noise so that it is not over at once.
pub(crate) fn archive(text: &str, extra: usize) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut add = |path: &str, content: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o664);
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.append_data(&mut header, format!("llama.cpp-b1/{path}"), content).unwrap();
    };
    for (path, content) in FILES {
        add(path, content.replace("two", text).as_bytes());
    }
    if extra > 0 {
        let noise =
            std::iter::successors(Some(1_u32), |n| Some(n.wrapping_mul(1_664_525).wrapping_add(1)));
        add("noise", &noise.map(|n| (n >> 24) as u8).take(extra).collect::<Vec<_>>());
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// A request for the made-up release in `root`, from one mirror.
pub(crate) fn request(root: &Path, url: &str) -> Request {
    let mut pin = Pin::load();
    pin.tag = "b1".into();
    pin.tree = TREE.into();
    pin.packaged_tree = PACKAGED.into();
    pin.mirrors = vec![Mirror::Archive { url: url.into(), strip: 1 }];
    Request {
        root: root.to_owned(),
        pin,
        #[cfg(feature = "fetch")]
        limits: llama_src::fetch::Limits {
            stall: Duration::from_millis(400),
            ..llama_src::fetch::Limits::default()
        },
        ..Request::default()
    }
}

/// What a prepared tree said, and what it is or why there is none; `dir` and `url` made short.
pub(crate) fn prepare(request: &Request) -> (Vec<String>, Result<llama_src::SourceTree, String>) {
    let mut said = Vec::new();
    let tree = llama_src::SourceTree::prepare(request, &mut |news| {
        if let Progress::Say(text) = news {
            said.push(text.to_owned());
        }
    });
    (said, tree.map_err(|error| error.to_string()))
}

/// Names in a folder, sorted.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// How the server answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// The archive.
    Good,
    /// A redirect to `/archive`, where it is good.
    Redirect,
    /// A redirect to a place that is not https.
    Downgrade,
    /// 404.
    Missing,
    /// Half of the archive, then nothing more.
    Stalled,
    /// Half of the archive, then the end.
    Truncated,
    /// The archive, slowly.
    Slow,
}

/// A server on this machine; counts its requests.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) requests: Arc<AtomicUsize>,
}

pub(crate) fn serve(manner: Manner, archive: Vec<u8>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/{{tag}}.tar.gz", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (archive, count) = (archive.clone(), count.clone());
            std::thread::spawn(move || answer(stream.unwrap(), manner, &archive, &count));
        }
    });
    Server { url, requests }
}

/// A made-up index of Python packages; counts its requests.
pub(crate) struct Index {
    pub(crate) url: String,
    pub(crate) sha256: String,
    pub(crate) requests: Arc<AtomicUsize>,
}

/// An index whose package `x` has one file.
pub(crate) fn index(file: &'static str, bytes: Vec<u8>) -> Index {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/simple", listener.local_addr().unwrap());
    let sha256 = llama_src::tree::hex(&sha2::Sha256::digest(&bytes));
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let Some(head) = head(&mut stream) else { continue };
            count.fetch_add(1, Ordering::SeqCst);
            let page = format!("<a href=\"../../files/{file}#sha256=0\">{file}</a>").into_bytes();
            let found = match head.split(' ').nth(1) {
                Some("/simple/x/") => Some(&page),
                Some(path) if path == format!("/files/{file}") => Some(&bytes),
                _ => None,
            };
            let (status, body) = found.map_or(("404 Not Found", &[][..]), |body| ("200 OK", body));
            let head = format!(
                "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            // The client may be gone, which is its right.
            let _ = stream.write_all(&[head.as_bytes(), body].concat());
        }
    });
    Index { url, sha256, requests }
}

/// The head of a request; `None` when the client is gone.
fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

fn answer(mut stream: TcpStream, manner: Manner, archive: &[u8], count: &AtomicUsize) {
    let Some(head) = head(&mut stream) else { return };
    count.fetch_add(1, Ordering::SeqCst);
    let redirected = head.starts_with("GET /archive ");
    let text = |status: &str, extra: &str| {
        format!("HTTP/1.1 {status}\r\nConnection: close\r\n{extra}\r\n").into_bytes()
    };
    let good = text("200 OK", &format!("Content-Length: {}\r\n", archive.len()));
    let half = archive.len() / 2;
    // The client may be gone, which is its right.
    let _ = match manner {
        Manner::Redirect if !redirected => {
            stream.write_all(&text("302 Found", "Location: /archive\r\n"))
        }
        Manner::Downgrade => {
            stream.write_all(&text("302 Found", "Location: http://example.invalid/x\r\n"))
        }
        Manner::Missing => stream.write_all(&text("404 Not Found", "Content-Length: 0\r\n")),
        Manner::Good | Manner::Redirect => stream.write_all(&[&good, archive].concat()),
        Manner::Truncated => stream.write_all(&[&good, &archive[..half]].concat()),
        Manner::Stalled => {
            let sent = stream.write_all(&[&good, &archive[..half]].concat());
            std::thread::sleep(Duration::from_secs(3));
            sent
        }
        Manner::Slow => stream.write_all(&good).and_then(|()| {
            archive.chunks(archive.len() / 40 + 1).try_for_each(|chunk| {
                std::thread::sleep(Duration::from_millis(50));
                stream.write_all(chunk)
            })
        }),
    };
}
