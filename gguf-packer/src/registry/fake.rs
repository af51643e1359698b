//! Tests only: a registry on this machine that can be made to refuse, to lie, and to go away.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::digest::Digest;

/// What goes wrong.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// An answer of its own: status, headers, body.
    Answer(u16, &'static str, &'static str),
    /// Only so many bytes of the body, then the connection is closed.
    Cut(usize),
    /// Reads so many bytes of the request's body, keeps them, and closes the connection.
    CutUpload(usize),
    /// No answer.
    Close,
    /// Does what is asked, and does not answer.
    Mute,
    /// Does what is asked, and answers with this status and without headers.
    Bare(u16),
    /// Other bytes than were asked for.
    Lie(&'static [u8]),
    /// As if no range had been asked for.
    NoRange,
    /// Says nothing for a while.
    Sleep(u64),
}

/// Which requests a fault is for, and how many of them.
#[derive(Debug, Clone)]
struct Rule {
    /// Part of `METHOD PATH`.
    of: String,
    left: usize,
    fault: Fault,
}

#[derive(Debug, Default)]
struct State {
    blobs: BTreeMap<(String, String), Vec<u8>>,
    manifests: BTreeMap<(String, String), (String, Vec<u8>)>,
    /// Answers to other paths: status, headers, body.
    pages: BTreeMap<String, (u16, String, Vec<u8>)>,
    uploads: BTreeMap<String, Vec<u8>>,
    rules: Vec<Rule>,
    log: Vec<String>,
    /// `USER:PASSWORD` that tokens are given for.
    account: Option<String>,
    /// Basic instead of tokens.
    basic: bool,
    /// Gives tokens to everybody.
    public: bool,
}

/// A registry.
pub(super) struct Registry {
    pub(super) address: String,
    state: Arc<Mutex<State>>,
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Registry {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
        let state = Arc::new(Mutex::new(State::default()));
        let (shared, own) = (Arc::clone(&state), address.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, address) = (Arc::clone(&shared), own.clone());
                thread::spawn(move || {
                    let _ = serve(&stream, &state, &address);
                });
            }
        });
        Self { address, state }
    }

    /// `HOST:PORT/REST`.
    pub(super) fn name(&self, rest: &str) -> crate::reference::Name {
        format!("{}/{rest}", self.address).parse().unwrap()
    }

    pub(super) fn fault(&self, of: &str, times: usize, fault: Fault) {
        self.state.lock().unwrap().rules.push(Rule { of: of.to_owned(), left: times, fault });
    }

    pub(super) fn wants(&self, account: &str, basic: bool) {
        let mut state = self.state.lock().unwrap();
        (state.account, state.basic, state.public) = (Some(account.to_owned()), basic, false);
    }

    /// Everybody gets a token, who has to be asked for all the same.
    pub(super) fn is_public(&self) {
        self.wants("everybody:", false);
        self.state.lock().unwrap().public = true;
    }

    pub(super) fn blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let key = (repository.to_owned(), digest.to_string());
        self.state.lock().unwrap().blobs.insert(key, bytes.to_vec());
        digest
    }

    pub(super) fn manifest(&self, repository: &str, tag: &str, kind: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let mut state = self.state.lock().unwrap();
        for name in [tag.to_owned(), digest.to_string()] {
            state
                .manifests
                .insert((repository.to_owned(), name), (kind.to_owned(), bytes.to_vec()));
        }
        digest
    }

    pub(super) fn page(&self, path: &str, status: u16, headers: &str, body: &[u8]) {
        let page = (status, headers.to_owned(), body.to_vec());
        self.state.lock().unwrap().pages.insert(path.to_owned(), page);
    }

    /// The manifest that a tag or digest has.
    pub(super) fn has(&self, repository: &str, name: &str) -> Option<Vec<u8>> {
        let key = (repository.to_owned(), name.to_owned());
        Some(self.state.lock().unwrap().manifests.get(&key)?.1.clone())
    }

    pub(super) fn has_blob(&self, repository: &str, digest: &Digest) -> bool {
        let key = (repository.to_owned(), digest.to_string());
        self.state.lock().unwrap().blobs.contains_key(&key)
    }

    /// `METHOD PATH RANGE` of all requests since the last time.
    pub(super) fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().log)
    }
}

fn serve(stream: &TcpStream, state: &Mutex<State>, address: &str) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let Some((mut request, length)) = head(&mut reader)? else { return Ok(()) };
        let fault = fault(&request, &mut state.lock().unwrap());
        if let Some(Fault::CutUpload(n)) = fault {
            let mut part = vec![0; n];
            reader.read_exact(&mut part)?;
            state.lock().unwrap().uploads.entry(request.path).or_default().extend(part);
            return Ok(());
        }
        // As Google's servers do.
        if length.is_none() && ["POST", "PUT"].contains(&request.method.as_str()) {
            write(stream, &request, 411, "", b"", None)?;
            continue;
        }
        request.body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut request.body)?;
        match fault {
            Some(Fault::Close) => return Ok(()),
            Some(Fault::Sleep(millis)) => thread::sleep(std::time::Duration::from_millis(millis)),
            Some(Fault::Answer(status, headers, body)) => {
                write(stream, &request, status, headers, body.as_bytes(), None)?;
                continue;
            }
            Some(Fault::Lie(bytes)) => {
                write(stream, &request, 200, "", bytes, None)?;
                continue;
            }
            Some(Fault::NoRange) => drop(request.headers.remove("range")),
            _ => {}
        }
        let cut = if let Some(Fault::Cut(n)) = fault { Some(n) } else { None };
        let (mut status, mut headers, body) = answer(&request, &mut state.lock().unwrap(), address);
        match fault {
            Some(Fault::Mute) => return Ok(()),
            Some(Fault::Bare(other)) => (status, headers) = (other, String::new()),
            _ => {}
        }
        write(stream, &request, status, &headers, &body, cut)?;
        if cut.is_some() {
            return Ok(());
        }
    }
}

/// What goes wrong with the request, which is logged.
fn fault(request: &Request, state: &mut State) -> Option<Fault> {
    let line = format!("{} {}", request.method, request.path);
    let range = request.headers.get("range").or(request.headers.get("content-range"));
    state.log.push(range.map_or(line.clone(), |range| format!("{line} {range}")));
    let rule = state.rules.iter_mut().find(|rule| rule.left > 0 && line.contains(&rule.of))?;
    rule.left -= 1;
    Some(rule.fault.clone())
}

/// The head of a request, and how long its body is if that is said.
fn head(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<(Request, Option<usize>)>> {
    // TLS, which begins with a byte that no word begins with, is hung up on.
    if reader.fill_buf()?.first().is_none_or(|byte| *byte == 0x16) {
        return Ok(None);
    }
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    // As proxies are asked.
    let whole = target.strip_prefix("http://").and_then(|rest| Some(&rest[rest.find('/')?..]));
    let target = whole.unwrap_or(&target);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (path, query) = (path.to_owned(), query.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((key, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(key.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map(|length: &String| length.parse().unwrap());
    Ok(Some((Request { method, path, query, headers, body: Vec::new() }, length)))
}

fn write(
    mut stream: &TcpStream,
    request: &Request,
    status: u16,
    headers: &str,
    body: &[u8],
    cut: Option<usize>,
) -> std::io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    if request.method != "HEAD" {
        stream.write_all(&body[..cut.unwrap_or(length).min(length)])?;
    }
    stream.flush()
}

type Answer = (u16, String, Vec<u8>);

fn answer(request: &Request, state: &mut State, address: &str) -> Answer {
    if let Some(page) = state.pages.get(&request.path) {
        return page.clone();
    }
    if request.path == "/token" {
        return token(request, state);
    }
    if let Some(refusal) = unauthorized(request, state, address) {
        return refusal;
    }
    let Some(rest) = request.path.strip_prefix("/v2/") else { return error(404, "NOT_FOUND") };
    if rest.is_empty() {
        return (200, String::new(), Vec::new());
    }
    for part in ["/manifests/", "/blobs/uploads/", "/blobs/"] {
        if let Some((repository, name)) = rest.split_once(part) {
            return match part {
                "/manifests/" => manifest(request, state, repository, name),
                "/blobs/" => blob(request, state, repository, name),
                _ => upload(request, state, repository, name),
            };
        }
    }
    error(404, "NOT_FOUND")
}

fn error(status: u16, code: &str) -> Answer {
    let body = format!("{{\"errors\":[{{\"code\":\"{code}\",\"message\":\"so it is\"}}]}}");
    (status, String::new(), body.into_bytes())
}

fn unauthorized(request: &Request, state: &State, address: &str) -> Option<Answer> {
    let account = state.account.as_ref()?;
    let given = request.headers.get("authorization").map(String::as_str).unwrap_or_default();
    let (expected, challenge) = if state.basic {
        (format!("Basic {}", STANDARD.encode(account)), "Basic realm=\"x\"".to_owned())
    } else {
        let token = format!("Bearer token-of-{}", account.split(':').next().unwrap());
        (token, format!("Bearer realm=\"http://{address}/token\",service=\"s\""))
    };
    let refused = || {
        let (status, _, body) = error(401, "UNAUTHORIZED");
        (status, format!("www-authenticate: {challenge}\r\n"), body)
    };
    (given != expected).then(refused)
}

fn token(request: &Request, state: &State) -> Answer {
    let account = state.account.as_deref().unwrap_or_default();
    let basic = format!("Basic {}", STANDARD.encode(account));
    let body = String::from_utf8_lossy(&request.body);
    let identity =
        body.contains("grant_type=refresh_token") && body.contains("refresh_token=identity");
    if request.headers.get("authorization") != Some(&basic) && !identity && !state.public {
        return error(401, "UNAUTHORIZED");
    }
    let user = account.split(':').next().unwrap();
    (200, String::new(), format!("{{\"token\":\"token-of-{user}\"}}").into_bytes())
}

fn manifest(request: &Request, state: &mut State, repository: &str, name: &str) -> Answer {
    let key = (repository.to_owned(), name.to_owned());
    let digest = Digest::of(&request.body).to_string();
    if request.method == "PUT" {
        let kind = request.headers["content-type"].clone();
        let by_digest = (repository.to_owned(), digest.clone());
        for key in [key, by_digest] {
            state.manifests.insert(key, (kind.clone(), request.body.clone()));
        }
        return (201, format!("docker-content-digest: {digest}\r\n"), Vec::new());
    }
    match state.manifests.get(&key) {
        Some((kind, bytes)) => {
            let digest = Digest::of(bytes);
            let headers = format!("content-type: {kind}\r\ndocker-content-digest: {digest}\r\n");
            (200, headers, bytes.clone())
        }
        None => error(404, "MANIFEST_UNKNOWN"),
    }
}

fn blob(request: &Request, state: &State, repository: &str, name: &str) -> Answer {
    let Some(bytes) = state.blobs.get(&(repository.to_owned(), name.to_owned())) else {
        return error(404, "BLOB_UNKNOWN");
    };
    let range = request.headers.get("range").and_then(|range| range.strip_prefix("bytes="));
    let ends = range.and_then(|range| range.split_once('-'));
    let ends = ends.and_then(|(from, to)| Some((from.parse::<usize>().ok()?, to.parse::<usize>())));
    match ends {
        Some((from, to)) => {
            let to = to.map_or(bytes.len(), |to| (to + 1).min(bytes.len()));
            let range = format!("content-range: bytes {from}-{}/{}\r\n", to - 1, bytes.len());
            (206, range, bytes[from..to].to_vec())
        }
        None => (200, String::new(), bytes.clone()),
    }
}

fn upload(request: &Request, state: &mut State, repository: &str, id: &str) -> Answer {
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(request.query.as_bytes()).into_owned().collect();
    let location = |id: &str| format!("location: /v2/{repository}/blobs/uploads/{id}\r\n");
    if request.method == "POST" {
        if let (Some(digest), Some(from)) = (query.get("mount"), query.get("from")) {
            if let Some(bytes) = state.blobs.get(&(from.clone(), digest.clone())).cloned() {
                state.blobs.insert((repository.to_owned(), digest.clone()), bytes);
                return (201, location(""), Vec::new());
            }
        }
        let id = format!("u{}", state.uploads.len());
        state.uploads.insert(format!("/v2/{repository}/blobs/uploads/{id}"), Vec::new());
        return (202, location(&id), Vec::new());
    }
    let Some(upload) = state.uploads.get_mut(&request.path) else {
        return error(404, "BLOB_UPLOAD_UNKNOWN");
    };
    let from = request
        .headers
        .get("content-range")
        .and_then(|range| range.split('-').next()?.parse().ok());
    if request.method == "PATCH" && from.is_some_and(|from: usize| from != upload.len()) {
        return error(416, "RANGE_INVALID");
    }
    upload.extend(&request.body);
    let range = format!("{}range: 0-{}\r\n", location(id), upload.len().saturating_sub(1));
    match request.method.as_str() {
        "PATCH" => (202, range, Vec::new()),
        "GET" => (204, range, Vec::new()),
        _ => {
            let bytes = upload.clone();
            if query["digest"] != Digest::of(&bytes).to_string() {
                return error(400, "DIGEST_INVALID");
            }
            state.blobs.insert((repository.to_owned(), query["digest"].clone()), bytes);
            (201, location(""), Vec::new())
        }
    }
}
