//! Repositories of a server that is shaped like Hugging Face: large and small files, pages, cut connections,
//! wrong hashes, private repositories.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use sha1::Digest as _;

use super::*;
use crate::executor::site::{Asked, Reply, Site};
use crate::executor::testing::{Bench, add, add_with};
use crate::language::instruction::{AddSource, Instruction};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A repository `o/r`; what ends with `.gguf` is large.
#[derive(Clone)]
pub(crate) struct Served {
    files: BTreeMap<&'static str, &'static str>,
    /// Address before `o/r`.
    kind: &'static str,
    /// Bytes after which the first answer with a file breaks off.
    cut: Option<usize>,
    /// Sent instead of what was promised.
    wrong: Option<&'static str>,
    token: Option<&'static str>,
    /// Lines on a page of the tree.
    page: usize,
}

impl Served {
    pub(crate) fn new(files: &[(&'static str, &'static str)]) -> Self {
        let files = files.iter().copied().collect();
        Self { files, kind: "models", cut: None, wrong: None, token: None, page: 1000 }
    }

    pub(crate) fn start(self) -> Site {
        let sent = AtomicUsize::new(0);
        Site::new(move |asked| self.answer(asked, &sent))
    }

    fn answer(&self, asked: &Asked, sent: &AtomicUsize) -> Reply {
        let authorized =
            asked.header("authorization").and_then(|text| text.strip_prefix("Bearer "));
        if self.token.is_some() && authorized != self.token {
            return Reply::new(401, "{\"error\":\"Invalid username or password.\"}");
        }
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let api = format!("/api/{}/o/r", self.kind);
        let page =
            if self.kind == "models" { "/o/r".to_owned() } else { format!("/{}/o/r", self.kind) };
        if path == format!("{api}/revision/main") || path == format!("{api}/revision/refs%2Fpr%2F1")
        {
            return Reply::ok(format!("{{\"id\":\"o/r\",\"sha\":\"{COMMIT}\"}}"));
        }
        if let Some(folder) = path.strip_prefix(&format!("{api}/tree/{COMMIT}")) {
            assert!(query.contains("recursive=true"), "{query}");
            return self.tree(folder.trim_start_matches('/'), &asked.path, query);
        }
        let name =
            path.strip_prefix(&format!("{page}/resolve/{COMMIT}/")).map(|p| p.replace("%20", " "));
        let Some(text) = name.and_then(|name| self.files.get(name.as_str()).copied()) else {
            return Reply::new(404, "{\"error\":\"Entry not found\"}");
        };
        let reply = Reply::ok(self.wrong.unwrap_or(text)).header("ETag", "\"x\"").ranged(asked);
        match self.cut {
            Some(after) if sent.fetch_add(1, Ordering::SeqCst) == 0 => reply.cut(after),
            _ => reply,
        }
    }

    fn tree(&self, folder: &str, path: &str, query: &str) -> Reply {
        let from = query.split('&').find_map(|part| part.strip_prefix("cursor="));
        let from: usize = from.map_or(0, |text| text.parse().expect("a number"));
        let all = self.files.iter().filter(|(path, _)| path.starts_with(folder));
        let mut lines: Vec<String> = all.map(|(path, text)| listed(path, text)).collect();
        lines.push("{\"type\":\"directory\",\"oid\":\"0\",\"size\":0,\"path\":\"d\"}".to_owned());
        let end = lines.len().min(from + self.page);
        let reply = Reply::ok(format!("[{}]", lines[from..end].join(",")));
        if end == lines.len() {
            return reply;
        }
        let base = path.split('&').filter(|part| !part.starts_with("cursor=")).collect::<Vec<_>>();
        // As the real one says it: with its own name.
        let next = format!("<https://huggingface.co{}&cursor={end}>; rel=\"next\"", base.join("&"));
        reply.header("Link", &next)
    }
}

fn listed(path: &str, text: &str) -> String {
    let size = text.len();
    let git = |text: &str| {
        let mut hash = sha1::Sha1::new_with_prefix(format!("blob {}\0", text.len()));
        hash.update(text);
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    if !path.ends_with(".gguf") {
        let oid = git(text);
        return format!(r#"{{"type":"file","oid":"{oid}","size":{size},"path":"{path}"}}"#);
    }
    let (sha256, pointer) = (Digest::of(text).hex(), git("pointer"));
    format!(
        r#"{{"type":"file","oid":"{pointer}","size":{size},"path":"{path}","xetHash":"00",
            "lfs":{{"oid":"{sha256}","size":{size},"pointerSize":134}}}}"#
    )
}

fn bench(site: &Site) -> Bench {
    let mut bench = Bench::new();
    bench.outside.hugging_face = Some(site.url.clone());
    bench
}

fn repository(site: &Site, rest: &str) -> Instruction {
    add(AddSource::Git(format!("{}/o/r.git{rest}", site.url)), "/m/")
}

fn built(bench: &Bench, step: &Instruction) -> Result<Vec<String>, String> {
    bench.build(std::slice::from_ref(step)).map(|stage| bench.shown(&stage))
}

const FILES: [(&str, &str); 4] =
    [("README.md", "read"), ("a b.txt", "space"), ("d/config.json", "{}"), ("m.gguf", "weights")];

#[test]
fn a_repository_is_read_file_by_file() {
    let site = Served::new(&FILES).start();
    let bench = bench(&site);
    let expected = [
        "m/",
        "m/README.md = read",
        "m/a b.txt = space",
        "m/d/",
        "m/d/config.json = {}",
        "m/m.gguf = weights",
    ];
    let step = repository(&site, "");
    assert_eq!(built(&bench, &step).expect("it builds"), expected);
    let mut asked = site.asked();
    asked.sort();
    assert_eq!(
        asked,
        [
            "/api/models/o/r/revision/main",
            &format!("/api/models/o/r/tree/{COMMIT}?recursive=true&expand=false"),
            &format!("/o/r/resolve/{COMMIT}/README.md"),
            &format!("/o/r/resolve/{COMMIT}/a%20b.txt"),
            &format!("/o/r/resolve/{COMMIT}/d/config.json"),
            &format!("/o/r/resolve/{COMMIT}/m.gguf"),
        ]
    );
    assert_eq!(built(&bench, &step).expect("it builds"), expected);
    assert!(bench.was_cached(&step));
    assert_eq!(site.asked(), ["/api/models/o/r/revision/main"]);
    let pinned = repository(&site, &format!("#{COMMIT}"));
    assert_eq!(built(&bench, &pinned).expect("it builds"), expected);
    assert_eq!(site.asked(), [""; 0], "a commit does not change");
    assert_eq!(bench.leftovers(), [""; 0]);
}

#[test]
fn a_page_of_a_repository_is_one_too() {
    let site = Served::new(&FILES[3..]).start();
    let bench = bench(&site);
    let step = add(AddSource::Url("https://huggingface.co/o/r#refs/pr/1".to_owned()), "/");
    assert_eq!(built(&bench, &step).expect("it builds"), ["m.gguf = weights"]);
    let mut data = Served::new(&FILES[3..]);
    data.kind = "datasets";
    let site = data.start();
    let bench = self::bench(&site);
    let step = add(AddSource::Url(format!("{}/datasets/o/r", site.url)), "/");
    assert_eq!(built(&bench, &step).expect("it builds"), ["m.gguf = weights"]);
}

#[test]
fn what_is_excluded_is_not_downloaded() {
    let site = Served::new(&FILES).start();
    let bench = bench(&site);
    let step = add_with(AddSource::Git(format!("{}/o/r.git", site.url)), "/", |add| {
        add.placing.exclude = vec!["*.gguf".to_owned(), "d".to_owned(), "a*".to_owned()];
    });
    assert_eq!(built(&bench, &step).expect("it builds"), ["README.md = read"]);
    let downloads = site.asked().into_iter().filter(|path| path.contains("/resolve/")).count();
    assert_eq!(downloads, 1);
}

#[test]
fn a_folder_of_a_repository_is_its_root() {
    let site = Served::new(&FILES).start();
    let bench = bench(&site);
    let step = repository(&site, "#main:d");
    assert_eq!(built(&bench, &step).expect("it builds"), ["m/", "m/config.json = {}"]);
    let error = built(&bench, &repository(&site, "#main:no")).expect_err("no folder");
    assert!(error.contains(&format!("/o/r has no folder `no` at {COMMIT}")), "{error}");
}

#[test]
fn all_pages_of_a_tree_are_read() {
    let mut served = Served::new(&FILES);
    served.page = 2;
    let site = served.start();
    let bench = bench(&site);
    assert_eq!(built(&bench, &repository(&site, "")).expect("it builds").len(), 6);
    let pages = site.asked().into_iter().filter(|path| path.contains("/tree/")).count();
    assert_eq!(pages, 3);
}

#[test]
fn a_cut_connection_is_gone_on_with() {
    let mut served = Served::new(&FILES[3..]);
    served.cut = Some(3);
    let site = served.start();
    let bench = bench(&site);
    let step = repository(&site, "");
    assert_eq!(built(&bench, &step).expect("it builds"), ["m/", "m/m.gguf = weights"]);
    let asked = site.asked();
    assert_eq!(
        asked.last().map(String::as_str),
        Some(&*format!("/o/r/resolve/{COMMIT}/m.gguf bytes=3-"))
    );
}

#[test]
fn a_wrong_file_is_not_stored() {
    for (name, text) in [("m.gguf", "weights"), ("small.txt", "small")] {
        let mut served = Served::new(&[(name, text)]);
        served.wrong = Some("another");
        let site = served.start();
        let bench = bench(&site);
        let error = built(&bench, &repository(&site, "")).expect_err("it is another file");
        let expected = format!("/o/r/resolve/{COMMIT}/{name}: it is ");
        assert!(error.starts_with("GGUFPackerfile:2:1: ") && error.contains(&expected), "{error}");
        assert_eq!(bench.store.blob_size(&Digest::of("another")), None);
        assert_eq!(bench.leftovers(), [""; 0]);
    }
}

#[test]
fn what_the_store_has_is_not_downloaded() {
    let site = Served::new(&FILES).start();
    let bench = bench(&site);
    bench.store.add_bytes(b"weights").expect("a content");
    built(&bench, &repository(&site, "")).expect("it builds");
    let downloads = site.asked();
    assert!(!downloads.iter().any(|path| path.ends_with("m.gguf")), "{downloads:?}");
    // Small files are known by their name in Git.
    built(&bench, &repository(&site, "#main:d")).expect("it builds");
    assert!(!site.asked().iter().any(|path| path.contains("/resolve/")));
}

#[test]
fn two_builds_at_once_download_a_file_once() {
    let large = "weights ".repeat(100_000);
    let served = Served::new(&[("m.gguf", Box::leak(large.into_boxed_str()))]);
    let site = served.start();
    let bench = bench(&site);
    let step = repository(&site, "");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| bench.build(std::slice::from_ref(&step)).expect("it builds"));
        }
    });
    let downloads = site.asked().into_iter().filter(|path| path.contains("/resolve/")).count();
    assert_eq!(downloads, 1);
    assert_eq!(bench.leftovers(), [""; 0]);
}

#[test]
fn private_repositories_need_a_token() {
    let mut served = Served::new(&FILES[3..]);
    served.token = Some("secret");
    let site = served.start();
    let mut bench = bench(&site);
    let step = repository(&site, "");
    let error = built(&bench, &step).expect_err("no token");
    assert!(error.contains("/o/r at `main`: the server answered 401 Unauthorized"), "{error}");
    assert!(error.contains("hint: it is private, gated or does not exist"), "{error}");
    bench.token = Some("other".to_owned());
    let error = built(&bench, &step).expect_err("a wrong token");
    assert!(
        error.contains(
            "hint: check that the token (HF_TOKEN, or that of `hf auth login`) has not expired"
        ),
        "{error}"
    );
    assert!(!error.contains("other"), "{error}");
    bench.token = Some("secret".to_owned());
    assert_eq!(built(&bench, &step).expect("it builds"), ["m/", "m/m.gguf = weights"]);
}

#[test]
fn what_is_not_there_is_told() {
    let site = Served::new(&FILES).start();
    let bench = bench(&site);
    let error = built(&bench, &repository(&site, "#v9")).expect_err("no tag");
    let url = &site.url;
    let expected = format!(
        "GGUFPackerfile:2:1: cannot read {url}/o/r at `v9`: the server answered 404 Not Found\n  \
         | ADD {url}/o/r.git#v9 /m/\n  hint: check that {url}/o/r has `v9`"
    );
    assert_eq!(error, expected);
    let strange = Site::new(|_| Reply::ok("<html>"));
    let bench = self::bench(&strange);
    let error = built(&bench, &repository(&strange, "")).expect_err("no answer of it");
    assert!(error.contains("unexpected answer from "), "{error}");
    assert!(error.contains("hint: check HF_ENDPOINT"), "{error}");
}

#[test]
fn a_list_with_a_path_that_is_too_deep_is_refused() {
    let deep: &str = format!("{}f", "d/".repeat(2000)).leak();
    let site = Served::new(&[("a", "a"), (deep, "f")]).start();
    let error = built(&bench(&site), &repository(&site, "")).expect_err("it is too deep");
    let page = format!("{}/o/r", site.url);
    let start = "d/".repeat(20);
    let expected =
        format!("cannot take the files of {page}: `{start}…` is more than 256 folders deep\n");
    assert!(error.contains(&expected), "{error}");
}
