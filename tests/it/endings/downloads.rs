//! Downloads that are told to end: they end at once, and the next start makes the best of what has come.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use llama_tests::needs;
use llama_tests::process::{KilledOnDrop, command, wait_for};
use llama_tests::server::free_port;
use rustix::process::Signal;

use super::early::ends_well;
use super::send;

/// A model behind an address, half of which comes until it is told otherwise.
struct Shop {
    address: String,
    is_slow: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
}

impl Shop {
    fn open(model: Vec<u8>, tag: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/model.gguf", listener.local_addr().unwrap());
        let (is_slow, sent) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let shop = Self { address, is_slow: Arc::clone(&is_slow), sent: Arc::clone(&sent) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (model, is_slow, sent) =
                    (model.clone(), Arc::clone(&is_slow), Arc::clone(&sent));
                std::thread::spawn(move || serve(&stream, &model, tag, &is_slow, &sent));
            }
        });
        shop
    }
}

/// One request, for the whole or for its end. Whoever is slow stops in the middle.
fn serve(
    mut stream: &TcpStream,
    model: &[u8],
    tag: &str,
    is_slow: &AtomicBool,
    sent: &AtomicUsize,
) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    let (mut from, mut code) = (0, "200 OK");
    for line in lines.take_while(|line| !line.is_empty()) {
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap();
            code = "206 Partial Content";
        }
    }
    if from >= model.len() {
        let _ =
            stream.write_all(b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    let rest = &model[from..];
    let head = format!(
        "HTTP/1.1 {code}\r\nAccept-Ranges: bytes\r\nETag: \"{tag}\"\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        rest.len()
    );
    let _ = stream.write_all(head.as_bytes());
    if request.starts_with("HEAD") {
        return;
    }
    let is_slow = is_slow.load(Ordering::SeqCst);
    let part = if is_slow { &rest[..rest.len() / 2] } else { rest };
    let _ = stream.write_all(part);
    sent.fetch_add(part.len(), Ordering::SeqCst);
    if is_slow {
        // Until the other side is gone.
        let _ = std::io::Read::read(&mut stream, &mut [0]);
    }
}

/// A server that downloads its model into the folder `cache`.
fn downloading(program: &Path, shop: &Shop, cache: &Path) -> Command {
    let mut command = command(program);
    command.arg("-m").arg(cache.join("model.gguf")).args(["-mu", &shop.address, "-t", "1"]);
    command.args(["--port", &free_port().to_string()]).stderr(Stdio::piped());
    command
}

/// The model's file in `cache`, once `command` serves it.
fn downloaded(command: &mut Command, cache: &Path) -> Vec<u8> {
    let mut child = KilledOnDrop(command.spawn().unwrap());
    let mut lines = BufReader::new(child.0.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut log = String::new();
    let is_listening = lines.any(|line| {
        log += &(line.clone() + "\n");
        line.contains("listening on")
    });
    assert!(is_listening, "it does not serve:\n{log}");
    let [whole] = &files(cache, |name| name.ends_with(".gguf"))[..] else {
        panic!("{:?}", files(cache, |_| true));
    };
    assert!(files(cache, |name| name.contains("downloadInProgress")).is_empty());
    std::fs::read(whole).unwrap()
}

fn files(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let wanted = |path: &PathBuf| wanted(&path.file_name().unwrap().to_string_lossy());
    entries.map(|entry| entry.path()).filter(wanted).collect()
}

/// A download that ended in the middle, with the cache that it left.
fn cut_download(program: &Path, shop: &Shop, cache: &Path) {
    let mut child = KilledOnDrop(downloading(program, shop, cache).spawn().unwrap());
    wait_for("half a model", || {
        let parts = files(cache, |name| name.ends_with(".downloadInProgress"));
        (shop.sent.load(Ordering::SeqCst) > 0 && !parts.is_empty()).then_some(())
    });
    let start = Instant::now();
    send(child.0.id().try_into().unwrap(), Signal::TERM);
    ends_well("a download", &mut child.0, start);
    assert!(
        files(cache, |name| name.ends_with(".gguf")).is_empty(),
        "half a model is taken for one"
    );
}

#[test]
fn a_download_ends_at_once_and_goes_on_at_the_next_start() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let model = std::fs::read(model).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let shop = Shop::open(model.clone(), "one");
    cut_download(&program, &shop, cache.path());
    shop.is_slow.store(false, Ordering::SeqCst);
    let got = downloaded(&mut downloading(&program, &shop, cache.path()), cache.path());
    assert!(got == model, "{} bytes of {}", got.len(), model.len());
}

#[test]
fn half_of_one_model_is_not_completed_with_half_of_another() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let model = std::fs::read(model).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let mut old = model.clone();
    old[1000..].fill(7);
    let shop = Shop::open(old, "old");
    cut_download(&program, &shop, cache.path());
    let new = Shop::open(model.clone(), "new");
    new.is_slow.store(false, Ordering::SeqCst);
    let got = downloaded(&mut downloading(&program, &new, cache.path()), cache.path());
    assert!(got == model, "{} bytes of {}", got.len(), model.len());
}

#[test]
fn a_model_that_has_come_whole_before_the_end_is_taken() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let model = std::fs::read(model).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let part = cache.path().join("model.gguf.downloadInProgress");
    std::fs::write(&part, &model).unwrap();
    std::fs::write(cache.path().join("model.gguf.downloadInProgress.etag"), "\"one\"").unwrap();
    let shop = Shop::open(model.clone(), "one");
    let got = downloaded(&mut downloading(&program, &shop, cache.path()), cache.path());
    assert!(got == model, "{} bytes of {}", got.len(), model.len());
    assert_eq!(shop.sent.load(Ordering::SeqCst), 0, "it was fetched once more");
}
