//! Files of the web: what is asked for, how often, and what happens when a server misbehaves.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::digest::Digest;
use crate::executor::site::{Reply, Site};
use crate::executor::testing::{Bench, add, add_with};
use crate::language::instruction::{AddSource, Instruction};

fn url(site: &Site, path: &str) -> AddSource {
    AddSource::Url(format!("{}{path}", site.url))
}

fn add_url(site: &Site, path: &str, dest: &str) -> Instruction {
    add(url(site, path), dest)
}

fn built(bench: &Bench, step: &Instruction) -> Result<Vec<String>, String> {
    bench.build(std::slice::from_ref(step)).map(|stage| bench.shown(&stage))
}

#[test]
fn a_file_has_the_name_that_its_server_or_its_address_says() {
    let site = Site::new(|asked| match asked.path.as_str() {
        "/said" => Reply::ok("1").header("Content-Disposition", "attachment; filename=\"m.gguf\""),
        "/star" => {
            let value = "attachment; filename=x; filename*=UTF-8''m%C3%A4.gguf";
            Reply::ok("2").header("Content-Disposition", value)
        }
        "/out" => Reply::ok("4").header("Content-Disposition", "attachment; filename=\"../../e\""),
        "/semi" => Reply::ok("5").header("Content-Disposition", "attachment; filename=\"a;b\""),
        _ => Reply::ok("3"),
    });
    let bench = Bench::new();
    let shown =
        |path: &str, dest: &str| built(&bench, &add_url(&site, path, dest)).expect("it builds");
    assert_eq!(shown("/said", "/"), ["m.gguf = 1"]);
    assert_eq!(shown("/star", "/"), ["mä.gguf = 2"]);
    assert_eq!(shown("/out", "/"), ["e = 4"]);
    assert_eq!(shown("/semi", "/"), ["a;b = 5"]);
    assert_eq!(shown("/a/b%20c.gguf?download=true", "/"), ["b c.gguf = 3"]);
    assert_eq!(shown("/a/b.gguf", "/n.gguf"), ["n.gguf = 3"]);
    assert_eq!(shown("", "/"), ["__unnamed__ = 3"]);
    assert_eq!(bench.leftovers(), [""; 0]);
}

#[test]
fn a_second_build_asks_whether_it_has_changed() {
    let site = Site::new(|asked| match asked.header("if-none-match") {
        Some("\"v1\"") => Reply::new(304, ""),
        _ => Reply::ok("one").header("ETag", "\"v1\""),
    });
    let mut bench = Bench::new();
    let step = add_url(&site, "/m", "/");
    assert_eq!(built(&bench, &step).expect("it builds"), ["m = one"]);
    assert!(!bench.was_cached(&step));
    assert_eq!(built(&bench, &step).expect("it builds"), ["m = one"]);
    assert!(bench.was_cached(&step));
    assert_eq!(site.asked().len(), 2);
    bench.no_cache = true;
    assert_eq!(built(&bench, &step).expect("it builds"), ["m = one"]);
    assert!(!bench.was_cached(&step));
}

#[test]
fn a_changed_file_is_taken_again() {
    let count = AtomicUsize::new(0);
    let site = Site::new(move |_| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        Reply::ok(format!("text {n}")).header("Last-Modified", "Thu, 01 Jan 1970 00:00:00 GMT")
    });
    let bench = Bench::new();
    let step = add_url(&site, "/m", "/");
    assert_eq!(built(&bench, &step).expect("it builds"), ["m = text 0"]);
    assert_eq!(built(&bench, &step).expect("it builds"), ["m = text 1"]);
}

#[test]
fn a_checksum_is_checked_and_then_trusted() {
    let site = Site::new(|_| Reply::ok("abc"));
    let bench = Bench::new();
    let with = |checksum: &'static str| {
        add_with(url(&site, "/m"), "/", |add| add.checksum = Some(checksum.to_owned()))
    };
    let right = with("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(built(&bench, &right).expect("it builds"), ["m = abc"]);
    site.asked();
    assert_eq!(built(&bench, &right).expect("it builds"), ["m = abc"]);
    assert_eq!(site.asked(), [""; 0], "what has a checksum does not change");
    let wrong = with("sha256:0000000000000000000000000000000000000000000000000000000000000000");
    let error = built(&bench, &wrong).expect_err("it is another file");
    let expected = format!(
        "GGUFPackerfile:2:1: checksum mismatch for {}/m: it is \
        sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad, not \
        sha256:0000000000000000000000000000000000000000000000000000000000000000\n  | ADD {}/m /\n  \
        hint: check the checksum: the server may have a new file, or the download is damaged",
        site.url, site.url
    );
    assert_eq!(error, expected);
    let error = built(&bench, &with("md5:00")).expect_err("no checksum");
    assert!(error.contains("invalid checksum `md5:00`"), "{error}");
}

#[test]
fn a_broken_download_goes_on_where_it_was() {
    let site = Site::new(|asked| {
        let reply = Reply::ok("0123456789").header("ETag", "\"v1\"");
        let whole = asked.header("range").is_none();
        let reply = reply.ranged(asked);
        if whole { reply.cut(4) } else { reply }
    });
    let bench = Bench::new();
    assert_eq!(built(&bench, &add_url(&site, "/m", "/")).expect("it builds"), ["m = 0123456789"]);
    assert_eq!(site.asked(), ["/m", "/m bytes=4-"]);
    let note = "the download of m stopped after 4 bytes (";
    assert!(bench.notes().iter().any(|text| text.starts_with(note)), "{:?}", bench.notes());
    assert_eq!(bench.leftovers(), [""; 0]);
}

#[test]
fn the_time_of_a_file_tells_that_it_is_the_same() {
    let site = Site::new(|asked| {
        let reply =
            Reply::ok("0123456789").header("Last-Modified", "Thu, 01 Jan 1970 00:00:00 GMT");
        if asked.header("if-range").is_some() { reply.ranged(asked) } else { reply.cut(4) }
    });
    let bench = Bench::new();
    assert_eq!(built(&bench, &add_url(&site, "/m", "/")).expect("it builds"), ["m = 0123456789"]);
    assert_eq!(site.asked(), ["/m", "/m bytes=4-"]);
}

#[test]
fn the_next_build_goes_on_with_what_is_left() {
    let tries = AtomicUsize::new(0);
    let site = Site::new(move |asked| {
        let reply = Reply::ok("0123456789").header("ETag", "\"v1\"").ranged(asked);
        match tries.fetch_add(1, Ordering::SeqCst) {
            0 => reply.cut(4),
            1..6 => Reply::new(200, "0123456789").header("ETag", "\"v1\"").ranged(asked).cut(0),
            _ => reply,
        }
    });
    let bench = Bench::new();
    let step = add_url(&site, "/m", "/");
    let error = built(&bench, &step).expect_err("it breaks off");
    assert!(error.contains(": the download of m stopped after 4 bytes ("), "{error}");
    assert!(
        error.contains("\n  hint: run the same command again: it resumes where it stopped"),
        "{error}"
    );
    assert_eq!(bench.leftovers(), ["partial content", "partial tag"]);
    site.asked();
    assert_eq!(built(&bench, &step).expect("it builds"), ["m = 0123456789"]);
    assert_eq!(site.asked(), ["/m bytes=4-"]);
    assert_eq!(bench.leftovers(), [""; 0]);
}

/// Such as after a broken download of root's.
#[test]
fn a_lock_that_cannot_be_opened_ends_the_build() {
    let site = Site::new(|_| Reply::ok("0123456789").header("ETag", "\"v1\"").cut(4));
    let bench = Bench::new();
    let step = add_url(&site, "/m", "/");
    built(&bench, &step).expect_err("it breaks off");
    let partial = fs::read_dir(bench.store.root().join("partial")).unwrap().next().unwrap();
    let lock = partial.unwrap().path().join("lock");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    let error = built(&bench, &step).expect_err("nobody can have it");
    assert!(error.contains("cannot open "), "{error}");
}

/// A process that is killed while it publishes a download leaves a link to the published file, which is read-only.
#[test]
fn what_is_published_stays_as_it_is() {
    let tries = AtomicUsize::new(0);
    let site = Site::new(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
        0..6 => Reply::ok("0123456789").header("ETag", "\"v1\"").cut(4),
        _ => Reply::ok("abcdefghij").header("ETag", "\"v2\""),
    });
    let bench = Bench::new();
    let step = add_url(&site, "/m", "/");
    built(&bench, &step).expect_err("it breaks off");
    let partial = fs::read_dir(bench.store.root().join("partial")).unwrap().next().unwrap();
    let content = partial.unwrap().path().join("content");
    fs::write(&content, "0123456789").unwrap();
    let published = bench.store.blob_path(&Digest::of("0123456789"));
    fs::hard_link(&content, &published).unwrap();
    fs::set_permissions(&content, PermissionsExt::from_mode(0o444)).unwrap();
    assert_eq!(built(&bench, &step).expect("it builds"), ["m = abcdefghij"]);
    assert_eq!(fs::read_to_string(published).unwrap(), "0123456789");
    assert_eq!(bench.leftovers(), [""; 0]);
}

#[test]
fn what_cannot_be_gone_on_with_begins_anew() {
    for (name, tag) in
        [("no tag", None), ("no ranges", Some("\"v1\"")), ("weak tag", Some("W/\"v1\""))]
    {
        let tries = AtomicUsize::new(0);
        let site = Site::new(move |_| {
            let reply = Reply::ok("0123456789");
            let reply = if let Some(tag) = tag { reply.header("ETag", tag) } else { reply };
            if tries.fetch_add(1, Ordering::SeqCst) == 0 { reply.cut(4) } else { reply }
        });
        let bench = Bench::new();
        let shown = built(&bench, &add_url(&site, "/m", "/")).expect(name);
        assert_eq!(shown, ["m = 0123456789"], "{name}");
    }
}

#[test]
fn a_busy_server_is_asked_again_after_the_wait_that_it_wants() {
    let tries = AtomicUsize::new(0);
    let site = Site::new(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::new(429, "").header("Retry-After", "0"),
        1 => Reply::new(503, ""),
        // A date, which is past.
        2 => Reply::new(429, "").header("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT"),
        _ => Reply::ok("1"),
    });
    let bench = Bench::new();
    assert_eq!(built(&bench, &add_url(&site, "/m", "/")).expect("it builds"), ["m = 1"]);
    let notes = bench.notes();
    assert_eq!(
        notes,
        [
            "127.0.0.1 answered 429 Too Many Requests; trying again in 0s",
            "127.0.0.1 answered 503 Service Unavailable; trying again in 10ms",
            "127.0.0.1 answered 429 Too Many Requests; trying again in 0s"
        ]
    );
}

#[test]
fn refusals_are_told() {
    let site = Site::new(|asked| {
        let status = asked.path.trim_start_matches('/').parse().unwrap_or(200);
        Reply::new(status, "")
    });
    let bench = Bench::new();
    let error = |path: &str| built(&bench, &add_url(&site, path, "/")).expect_err(path);
    let address = &site.url;
    let expected = format!(
        "GGUFPackerfile:2:1: cannot download {address}/404: the server answered 404 Not Found\n  \
        | ADD {address}/404 /\n  hint: check the address"
    );
    assert_eq!(error("/404"), expected);
    for (path, words) in [
        ("/401", "the server answered 401 Unauthorized"),
        ("/403", "hint: it is private, gated or does not exist; on Hugging Face, set HF_TOKEN"),
        ("/500", "the server answered 500 Internal Server Error"),
    ] {
        assert!(error(path).contains(words), "{}", error(path));
    }
    site.asked();
    assert!(error("/501").contains("the server answered 501 Not Implemented"));
    assert_eq!(site.asked(), ["/501"], "a second try would not change it");
    let nobody = add(AddSource::Url("http://127.0.0.1:1/x".to_owned()), "/");
    let error = built(&bench, &nobody).expect_err("nobody is there");
    assert!(error.contains("cannot reach http://127.0.0.1:1/x: "), "{error}");
    assert!(error.contains("hint: check the address and the network"), "{error}");
}

#[test]
fn redirects_are_followed_but_the_token_stays_at_its_host() {
    let other = Site::new(|_| Reply::ok("1"));
    // Another name of the same machine is another host.
    let target = other.url.replace("127.0.0.1", "localhost");
    let hub = Site::new(move |_| Reply::new(302, "").header("Location", &format!("{target}/file")));
    let mut bench = Bench::new();
    bench.token = Some("secret".to_owned());
    bench.outside.hugging_face = Some(hub.url.clone());
    let step = add_url(&hub, "/o/r/resolve/main/m.gguf", "/");
    assert_eq!(built(&bench, &step).expect("it builds"), ["m.gguf = 1"]);
    assert_eq!(hub.tokens(), [Some("Bearer secret".to_owned())]);
    assert_eq!(other.tokens(), [None]);
    assert_eq!(built(&bench, &add_url(&other, "/x", "/")).expect("it builds"), ["x = 1"]);
    assert_eq!(other.tokens(), [None], "another server never sees it");
}

#[test]
fn an_archive_of_the_web_stays_one_unless_it_is_a_context() {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o644);
    archive.append_data(&mut header, "d/f", &b"1"[..]).expect("an archive");
    let bytes = archive.into_inner().expect("an archive");
    let size = bytes.len();
    let site = Site::new(move |_| Reply::ok(bytes.clone()));
    let mut bench = Bench::new();
    let stage = bench.build(&[add_url(&site, "/x.tar", "/")]).expect("it builds");
    let entry = stage.entries.get("x.tar").expect("the archive");
    assert!(
        matches!(entry.kind, crate::tree::Kind::File { size: found, .. } if found == size as u64)
    );
    let context = crate::plan::Context::parse(&format!("{}/x.tar", site.url));
    bench.outside.contexts.insert("web".to_owned(), context);
    let from = crate::language::instruction::Origin::Named("web".to_owned());
    let step = crate::executor::testing::copy_with(from, "d/f", "/", |_| ());
    assert_eq!(built(&bench, &step).expect("it builds"), ["f = 1"]);
}

#[test]
fn names_with_codes_are_read() {
    assert_eq!(decoded("a%20b%2"), "a b%2");
    assert_eq!(decoded("%zz%C3%A4"), "%zzä");
    assert_eq!(decoded("%+5"), "%+5");
    assert_eq!(file_name(".."), None);
    assert_eq!(file_name("a\\b"), Some("b".to_owned()));
}
