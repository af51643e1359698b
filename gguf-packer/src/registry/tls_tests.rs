//! Tests of what needs a host that is not this machine: TLS and proxies. A proxy on this machine leads to
//! `r.test`, whose certificate is in `samples`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::fake::Registry;
use super::tests::Bench;
use super::*;

/// Set in the process that has a proxy, to the folder for its files.
const CHILD: &str = "GGUF_PACKER_TEST_PROXIED";

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/registry/samples").join(name)
}

/// A proxy: what is connected to port 443 of whatever host speaks TLS with the registry at `to`, and plain
/// requests go there as they are.
fn proxy(to: &str) -> String {
    let certificates = CertificateDer::pem_file_iter(sample("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(sample("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates.map(Result::unwrap).collect(), key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let to = to.to_owned();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, to) = (Arc::clone(&config), to.clone());
            thread::spawn(move || {
                let _ = lead(stream, &to, config);
            });
        }
    });
    address
}

fn lead(mut client: TcpStream, to: &str, config: Arc<ServerConfig>) -> io::Result<()> {
    let server = TcpStream::connect(to)?;
    let head = head(&mut client)?;
    if !head.starts_with("CONNECT r.test:443 ") {
        (&server).write_all(head.as_bytes())?;
        return pump(client, server);
    }
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let mut connection = ServerConnection::new(config).unwrap();
    connection.complete_io(&mut client)?;
    pump(StreamOwned::new(connection, client), server)
}

fn head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

trait Timed {
    fn limit(&self);
}

impl Timed for TcpStream {
    fn limit(&self) {
        self.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
    }
}

impl Timed for StreamOwned<ServerConnection, TcpStream> {
    fn limit(&self) {
        self.sock.limit();
    }
}

/// Both ways, by turns.
fn pump(mut client: impl Read + Write + Timed, mut server: TcpStream) -> io::Result<()> {
    client.limit();
    server.limit();
    loop {
        if !once(&mut client, &mut server)? || !once(&mut server, &mut client)? {
            return Ok(());
        }
    }
}

/// Says whether there may be more.
fn once(from: &mut impl Read, to: &mut impl Write) -> io::Result<bool> {
    let mut bytes = [0; 1 << 14];
    match from.read(&mut bytes) {
        Ok(0) => Ok(false),
        Ok(n) => to.write_all(&bytes[..n]).and_then(|()| to.flush()).map(|()| true),
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(true),
        Err(e) => Err(e),
    }
}

#[test]
fn certificates_are_checked_and_proxies_taken() {
    if let Some(folder) = crate::store::kill::variable(CHILD) {
        return proxied(Path::new(&folder));
    }
    let (registry, bench) = (Registry::start(), Bench::new());
    let name = registry.name("q/m:1");
    bench.image(&name, &[bench.layer("models/m.gguf", &super::tests::bytes(100_000))]);
    bench.push(&name).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let proxy = format!("http://{}", proxy(&registry.address));
    let output = llama_src::sh::Cmd::new(std::env::current_exe().unwrap())
        .args(["--exact", "registry::tls_tests::certificates_are_checked_and_proxies_taken"])
        .env(CHILD, folder.path())
        .env("HTTPS_PROXY", &proxy)
        .env("HTTP_PROXY", &proxy)
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .read();
    let output = output.unwrap_or_else(|error| panic!("{error}"));
    assert!(output.contains("1 passed"), "{output}");
    assert!(registry.log().iter().filter(|line| line.contains("/blobs/")).count() > 3);
}

/// In a process with a proxy.
fn proxied(folder: &Path) {
    let name: Name = "r.test/q/m:1".parse().unwrap();
    let error = Bench::new().refused(&name);
    assert!(error.starts_with("cannot pull `r.test/q/m:1`: r.test is unreachable"), "{error}");
    for told in ["certificate", "hint: trust its certificate: SSL_CERT_FILE=", "--insecure"] {
        assert!(error.contains(told), "{told}: {error}");
    }
    let trusting = Bench::with(|settings| Settings {
        certificates: vec![sample("authority.pem")],
        ..settings
    });
    trusting.pull(&name).unwrap();
    trusting.store.check(true).unwrap();
    // As Docker has them.
    std::fs::create_dir(folder.join("r.test")).unwrap();
    std::fs::copy(sample("authority.pem"), folder.join("r.test/ca.crt")).unwrap();
    let docker = Bench::with(|settings| Settings {
        certificates_folder: Some(folder.to_owned()),
        ..settings
    });
    docker.pull(&name).unwrap();
    let insecure = Bench::with(|settings| Settings { insecure: true, ..settings });
    insecure.pull(&name).unwrap();
    let plain: Name = "plain.test/q/m:1".parse().unwrap();
    insecure.pull(&plain).unwrap();
    let named = Bench::with(|settings| Settings {
        insecure_registries: vec!["plain.test".to_owned()],
        ..settings
    });
    named.pull(&plain).unwrap();
    assert!(named.pull(&name).is_err(), "the other one is not named");
    assert!(Bench::new().pull(&plain).is_err());
}
