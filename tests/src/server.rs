//! Real servers, started through the library that this repository offers for it.

use std::ffi::OsString;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

use llama_server_bin::{Error, Launch, Server};
use serde_json::{Value, json};

use crate::http;
use crate::process::{PATIENCE, command, finish};

/// The build number of the pinned llama.cpp, which servers say in `--version` and `/props`.
pub fn build_number() -> String {
    llama_src::Pin::load().build_number.to_string()
}

/// A launch of `program` with `model`, ready to be changed.
pub fn launch(program: &Path, model: &Path, args: &[&str]) -> Launch {
    let mut all: Vec<OsString> = vec!["-m".into(), model.into(), "--offline".into()];
    all.extend(args.iter().map(OsString::from));
    let mut launch = Launch::new(all);
    launch.program = Some(program.to_owned());
    launch.ready_within = PATIENCE;
    launch.stop_within = PATIENCE;
    launch
}

/// A running server.
///
/// # Panics
/// When it does not get ready.
pub fn start(program: &Path, model: &Path, args: &[&str]) -> Server {
    launch(program, model, args).start().unwrap_or_else(|error: Error| panic!("{error}"))
}

/// A key and a certificate of nobody's in `folder`, made by `openssl`.
///
/// # Panics
/// When it makes none.
pub fn certificate(openssl: &Path, folder: &Path) -> (PathBuf, PathBuf) {
    let (key, certificate) = (folder.join("key.pem"), folder.join("cert.pem"));
    let kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let mut request = command(openssl);
    request.args(kind).args(["-subj", "/CN=nobody.test", "-keyout"]).arg(&key);
    let made = finish(request.arg("-out").arg(&certificate));
    assert!(made.status.success(), "{}", made.output);
    (key, certificate)
}

/// The token numbers of a greedy completion of `prompt`, computed anew.
///
/// # Panics
/// When the server does not give them.
pub fn greedy_tokens(server: &Server, prompt: &str, count: u32) -> Vec<u64> {
    greedy_tokens_of(server.url(), prompt, count)
}

/// The same of the server at `url`.
///
/// # Panics
/// When the server does not give them.
pub fn greedy_tokens_of(url: &str, prompt: &str, count: u32) -> Vec<u64> {
    let body = json!({
        "prompt": prompt, "n_predict": count, "temperature": 0, "seed": 1,
        "cache_prompt": false, "return_tokens": true,
    });
    let answer = http::post(&format!("{url}/completion"), &body).ok();
    let tokens = answer["tokens"].as_array().unwrap_or_else(|| panic!("no tokens in {answer}"));
    tokens.iter().filter_map(Value::as_u64).collect()
}

/// A free port that the kernel gives to nobody who asks for any (32768 and up).
///
/// # Panics
/// When a hundred ports in a row are taken.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = 20_000 + u16::try_from(std::process::id() % 100).expect("below 100") * 100;
    let mut ports = (0..100).map(|_| base + NEXT.fetch_add(1, Ordering::Relaxed) % 100);
    let free = ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.expect("one of a hundred ports is free")
}
