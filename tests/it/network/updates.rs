//! A model in the cache, and a newer one that cannot be had: the server goes on with what is there.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use llama_server_bin::{Error, Launch, Server};
use llama_tests::hub::{COMMIT, Hub};
use llama_tests::needs;

const NEW: &str = "abcdefabcdefabcdefabcdefabcdefabcdefabcd";
/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:1";

/// A server of a model of the hub at `endpoint`.
fn serve(cache: &Path, endpoint: &str, args: &[&str]) -> Option<Result<Server, Error>> {
    let mut launch = Launch::new([&["-hf", "someone/demo:Q8_0"], args].concat());
    launch.program = Some(needs::server()?);
    // The system itself gives up after more than two minutes.
    launch.ready_within = Duration::from_secs(60);
    launch.env = vec![
        ("LLAMA_CACHE".into(), Some(cache.into())),
        ("MODEL_ENDPOINT".into(), Some(endpoint.into())),
        ("no_proxy".into(), Some("127.0.0.1".into())),
    ];
    Some(launch.start())
}

/// A hub with the demo model in the folder `files`.
fn hub(files: &Path) -> Option<Hub> {
    std::fs::copy(needs::demo_model()?, files.join("demo-Q8_0.gguf")).unwrap();
    Some(Hub::start(files.to_owned()))
}

/// The next commit has another file of that name.
fn publish(hub: &Hub, files: &Path) {
    let path = files.join("demo-Q8_0.gguf");
    let mut model = std::fs::read(&path).unwrap();
    model.extend([0; 32]);
    std::fs::write(path, model).unwrap();
    hub.commit(NEW);
}

/// The line of the server's log that has this.
fn said(server: &Server, what: &str) -> String {
    let log = server.log();
    let line = log.iter().find(|line| line.contains(what));
    line.unwrap_or_else(|| panic!("no `{what}` in {log:#?}")).clone()
}

#[test]
fn an_update_that_fails_leaves_the_model_that_is_cached() {
    let (files, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let Some(hub) = hub(files.path()) else { return };
    let endpoint = hub.endpoint("127.0.0.1");
    let serve = |endpoint: &str, args: &[&str]| serve(cache.path(), endpoint, args);
    let Some(first) = serve(&endpoint, &[]) else { return };
    let asks = said(&first.unwrap(), "for the newest commit of someone/demo");
    assert!(asks.contains("http://127.0.0.1"), "{asks}");

    publish(&hub, files.path());
    hub.refuse(&["HEAD", "GET"]);
    let warning = said(&serve(&endpoint, &[]).unwrap().unwrap(), &format!("commit {NEW}"));
    assert!(
        warning.contains(&format!("using commit {COMMIT}")) && warning.contains("503"),
        "{warning}"
    );
    said(&serve(NOBODY, &[]).unwrap().unwrap(), &format!("using commit {COMMIT} of the cache"));
    serve(NOBODY, &["--offline"]).unwrap().unwrap();

    // As upstream leaves it.
    let name = cache.path().join("models--someone--demo/refs/main");
    assert_eq!(std::fs::read_to_string(&name).unwrap(), COMMIT);
    std::fs::write(&name, NEW).unwrap();
    serve(NOBODY, &["--offline"]).unwrap().unwrap();
    serve(NOBODY, &[]).unwrap().unwrap();

    hub.refuse(&[]);
    serve(&endpoint, &[]).unwrap().unwrap();
    assert_eq!((std::fs::read_to_string(&name).unwrap().as_str(), hub.downloads()), (NEW, 2));
    serve(NOBODY, &["--offline"]).unwrap().unwrap();
}

/// As in a cache of others: the newer commit cannot be written down, and has the same model.
#[test]
fn a_cache_that_takes_nothing_leaves_the_model_that_it_has() {
    let (files, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let Some(hub) = hub(files.path()) else { return };
    let endpoint = hub.endpoint("127.0.0.1");
    let Some(first) = serve(cache.path(), &endpoint, &[]) else { return };
    drop(first.unwrap());
    hub.commit(NEW);
    let snapshots = cache.path().join("models--someone--demo/snapshots");
    std::fs::write(snapshots.join(NEW), "no folder").unwrap();
    let server = serve(cache.path(), &endpoint, &[]).unwrap().unwrap();
    let warning = said(&server, &format!("using commit {COMMIT}"));
    assert!(warning.contains("cannot write "), "{warning}");
}

#[test]
fn an_update_that_fails_leaves_the_file_of_a_url() {
    let (files, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let Some(hub) = hub(files.path()) else { return };
    let url = format!("{}/a/b/resolve/main/demo-Q8_0.gguf", hub.endpoint("127.0.0.1"));
    let path = cache.path().join("model.gguf");
    let start = || {
        let mut launch = Launch::new(["-mu", &url, "-m", path.to_str().unwrap()]);
        launch.program = needs::server();
        launch.env = vec![("no_proxy".into(), Some("127.0.0.1".into()))];
        launch.start()
    };
    if needs::server().is_none() {
        return;
    }
    start().unwrap();
    let before = std::fs::read(&path).unwrap();
    publish(&hub, files.path());
    hub.refuse(&["GET"]);
    said(&start().unwrap(), "did not give it");
    assert!(std::fs::read(&path).unwrap() == before);
    hub.refuse(&[]);
    start().unwrap();
    assert_eq!(std::fs::read(&path).unwrap().len(), before.len() + 32);
}

/// As a network that lets nothing out: it answers nothing.
#[test]
fn a_hub_that_is_silent_does_not_hold_up_a_cached_model() {
    let (files, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let Some(hub) = hub(files.path()) else { return };
    let Some(first) = serve(cache.path(), &hub.endpoint("127.0.0.1"), &[]) else { return };
    drop(first.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    // Where nobody is let in and no more can wait, the system drops who knocks.
    let knock = || TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
    let waiting: Vec<_> = std::iter::from_fn(knock).collect();
    let server = serve(cache.path(), &format!("http://{address}"), &[]).unwrap().unwrap();
    said(&server, &format!("using commit {COMMIT} of the cache"));
    drop(waiting);
}
