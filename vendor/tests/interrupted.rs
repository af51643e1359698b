//! Fetches that are killed, meet each other, or have nowhere to write.
#![cfg(feature = "fetch")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[expect(dead_code, reason = "each test file uses its part")]
mod support;

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use llama_src::Origin;
use llama_src::sh::Cmd;
use support::{Manner, archive, folder, names, prepare, request, serve};

/// Run by the next tests in a process of its own; in itself it does nothing.
#[test]
fn child() {
    #[expect(clippy::disallowed_methods, reason = "how the parent test speaks to its child")]
    let (root, url) = (std::env::var_os("CHILD_ROOT"), std::env::var("CHILD_URL"));
    if let (Some(root), Ok(url)) = (root, url) {
        let mut request = request(Path::new(&root), &url);
        request.limits.stall = Duration::from_secs(5);
        let (said, tree) = prepare(&request);
        println!("SAID {said:?}");
        println!("TREE {}", tree.map_or_else(|error| error, |tree| tree.origin.to_string()));
    }
}

fn child_command(root: &Path, url: &str) -> Cmd {
    Cmd::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env("CHILD_ROOT", root)
        .env("CHILD_URL", url)
}

#[test]
fn a_killed_fetch_leaves_nothing_that_is_trusted() {
    let (_temp, root) = folder();
    let server = serve(Manner::Slow, archive("two", 400_000));
    let mut child = child_command(&root, &server.url).command().spawn().unwrap();
    let partial = root.join(".llama.cpp.new/archive.tar.gz");
    let start = Instant::now();
    while fs::metadata(&partial).map_or(0, |meta| meta.len()) < 10_000 {
        assert!(start.elapsed() < Duration::from_secs(20), "the fetch never began");
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(names(&root), [".llama.cpp.new", ".lock"]);
    let good = serve(Manner::Good, archive("two", 0));
    prepare(&request(&root, &good.url)).1.unwrap();
    assert_eq!(names(&root), [".llama.cpp.verified", ".lock", "llama.cpp"]);
}

#[test]
fn two_at_once_fetch_once() {
    let (_temp, root) = folder();
    let server = serve(Manner::Slow, archive("two", 0));
    let mut first = child_command(&root, &server.url).command().spawn().unwrap();
    let start = Instant::now();
    while server.requests.load(Ordering::SeqCst) == 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "the fetch never began");
        std::thread::sleep(Duration::from_millis(10));
    }
    let (said, tree) = prepare(&request(&root, &server.url));
    assert_eq!(tree.unwrap().origin, Origin::Present);
    let waiting = format!("waiting for another process that is filling {}", root.display());
    assert_eq!(said, [waiting]);
    assert!(first.wait().unwrap().success());
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);
}

/// Mounts need namespaces; where there are none the test says so, and in CI that is a failure.
#[cfg(unix)]
fn mounted(mount: &str, root: &Path, url: &str) -> Option<String> {
    let script = format!("{mount} && \"$0\" \"$@\"; echo LEFT $(ls -A \"$CHILD_ROOT\")");
    let child = child_command(root, url);
    let inner = child.command();
    let words = std::iter::once(inner.get_program()).chain(inner.get_args());
    let outer =
        Cmd::new("unshare").args(["--map-root-user", "--mount", "sh", "-c", &script]).args(words);
    let outer = outer.env("CHILD_ROOT", root).env("CHILD_URL", url);
    match outer.read() {
        Ok(text) => Some(text),
        Err(error) => {
            #[expect(clippy::disallowed_methods, reason = "CI must not pass by skipping")]
            let ci = std::env::var_os("CI").is_some();
            assert!(!ci, "needs unshare: {error}");
            println!("skipped, needs unshare: {error}");
            None
        }
    }
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_named_and_left_clean() {
    let (_temp, root) = folder();
    // Small enough to arrive, too large to unpack; and one that does not even arrive.
    for extra in [700_000, 3_000_000] {
        let server = serve(Manner::Good, archive("two", extra));
        let mount = "mount -t tmpfs -o size=1M none \"$CHILD_ROOT\"";
        let Some(text) = mounted(mount, &root, &server.url) else { return };
        let start = format!("TREE no space left in {}\n  | ", root.display());
        assert!(text.contains(&start), "{text}");
        assert!(text.contains("No space left on device (os error 28)"), "{text}");
        assert!(
            text.contains("  hint: make room for it: the archive is 40 MB, the tree 180 MB\n"),
            "{text}"
        );
        assert!(text.ends_with("LEFT .lock\n"), "{text}");
    }
}

#[cfg(unix)]
#[test]
fn a_vendor_folder_that_cannot_be_written_needs_a_cache() {
    let (_temp, root) = folder();
    let server = serve(Manner::Good, archive("two", 0));
    let mount = "mount -t tmpfs -o ro none \"$CHILD_ROOT\"";
    let Some(text) = mounted(mount, &root, &server.url) else { return };
    let expected = format!(
        "TREE no folder to put llama.cpp in can be written\n  | {}: Read-only file system (os error 30)\n  \
         hint: name a folder for it: LLAMA_SYS_CACHE_DIR=/path/to/cache\n",
        root.display()
    );
    assert!(text.contains(&expected), "{text}");
}
