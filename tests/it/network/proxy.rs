//! A proxy that is all that the server can reach: no name of these tests means anything without it.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine;
use llama_server_bin::Launch;
use llama_tests::needs;
use llama_tests::process::{Finished, PATIENCE, command, finish};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What the proxy was asked: first lines and what they were authorized with.
type Asked = Arc<Mutex<Vec<String>>>;

/// How it answers.
#[derive(Clone)]
enum Proxy {
    /// With the demo model, through TLS after CONNECT.
    Serves(Arc<rustls::ServerConfig>),
    Refuses,
}

impl Proxy {
    /// Starts it: its port, and what it hears.
    fn start(self) -> (u16, Asked) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, asked) = (listener.local_addr().unwrap().port(), Asked::default());
        let heard = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (proxy, heard) = (self.clone(), Arc::clone(&heard));
                std::thread::spawn(move || proxy.answer(stream, &heard));
            }
        });
        (port, asked)
    }

    fn answer(&self, stream: TcpStream, asked: &Asked) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut stream = stream;
        loop {
            let first = head(&mut reader, asked)?;
            match self {
                Self::Refuses => {
                    let _ = stream.write_all(
                        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                    );
                    return None;
                }
                Self::Serves(tls) if first.starts_with("CONNECT ") => {
                    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
                    let connection = rustls::ServerConnection::new(Arc::clone(tls)).ok()?;
                    let inside = rustls::StreamOwned::new(connection, stream);
                    let mut reader = BufReader::new(inside);
                    while let Some(first) = head(&mut reader, asked) {
                        serve(reader.get_mut(), &first)?;
                    }
                    return None;
                }
                Self::Serves(_) => serve(&mut stream, &first)?,
            }
        }
    }
}

/// Reads a header; its first line.
fn head(reader: &mut impl BufRead, asked: &Asked) -> Option<String> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let first = lines.first()?.clone();
    let mut asked = asked.lock().unwrap();
    asked.push(first.clone());
    asked.extend(lines.into_iter().filter(|line| line.starts_with("Proxy-Authorization")));
    Some(first)
}

/// The demo model, whatever is asked for.
fn serve(stream: &mut impl Write, first: &str) -> Option<()> {
    let model = std::fs::read(needs::demo_model()?).ok()?;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", model.len());
    stream.write_all(head.as_bytes()).ok()?;
    if !first.starts_with("HEAD ") {
        stream.write_all(&model).ok()?;
    }
    stream.flush().ok()
}

/// A certificate for `models.test` that nobody knows, made in `folder`.
fn certificate(folder: &Path) -> Option<Arc<rustls::ServerConfig>> {
    let openssl = needs::program_of("openssl", "openssl")?;
    let made = finish(command(openssl).current_dir(folder).args([
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=models.test",
        "-addext",
        "subjectAltName=DNS:models.test",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
    ]));
    assert!(made.status.success(), "{}", made.output);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let chain = vec![CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    Some(Arc::new(config.with_single_cert(chain, key).unwrap()))
}

/// A server that downloads its model from `url` into `folder`.
fn download(folder: &Path, url: &str, env: &[(&str, &str)]) -> Option<Launch> {
    let mut launch = Launch::new(["-mu", url]);
    launch.program = Some(needs::server()?);
    launch.ready_within = PATIENCE;
    // Nothing of this machine's own settings.
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        launch.env.extend([(name.into(), None), (name.to_uppercase().into(), None)]);
    }
    launch.env.push(("LLAMA_CACHE".into(), Some(folder.join("cache").into())));
    launch.env.extend(env.iter().map(|(name, value)| ((*name).into(), Some(value.into()))));
    Some(launch)
}

#[test]
fn a_model_is_downloaded_through_the_proxy_that_the_environment_names() {
    let folder = tempfile::tempdir().unwrap();
    let Some(tls) = certificate(folder.path()) else { return };
    let cert = folder.path().join("cert.pem");
    let cert = cert.to_str().unwrap();
    let (port, asked) = Proxy::Serves(tls).start();
    let user = base64::engine::general_purpose::STANDARD.encode("user:p@ss word");
    let with_user = format!("http://user:p%40ss%20word@127.0.0.1:{port}");
    let plain = format!("127.0.0.1:{port}");
    for (url, variable, proxy) in [
        ("https://models.test/a.gguf", "HTTPS_PROXY", &with_user),
        ("https://models.test/b.gguf", "all_proxy", &plain),
        ("http://models.test/c.gguf", "http_proxy", &with_user),
        ("http://models.test/d.gguf", "HTTP_PROXY", &plain),
    ] {
        asked.lock().unwrap().clear();
        let env = [(variable, proxy.as_str()), ("SSL_CERT_FILE", cert), ("NO_PROXY", "other.test")];
        let Some(launch) = download(folder.path(), url, &env) else { return };
        launch.start().unwrap_or_else(|error| panic!("{variable}: {error}"));
        let asked = asked.lock().unwrap();
        let first = if url.starts_with("https") { "CONNECT models.test:443 " } else { url };
        assert!(asked[0].contains(first), "{variable}: {asked:?}");
        let named = asked.contains(&format!("Proxy-Authorization: Basic {user}"));
        assert_eq!(named, *proxy == with_user, "{variable}: {asked:?}");
    }
}

#[test]
fn hosts_of_no_proxy_are_asked_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let Some(tls) = certificate(folder.path()) else { return };
    let (port, asked) = Proxy::Serves(tls).start();
    let url = format!("http://localhost:{port}/a.gguf");
    // Nobody listens there.
    let env = [("http_proxy", "http://127.0.0.1:1"), ("no_proxy", "example.org, localhost")];
    let Some(launch) = download(folder.path(), &url, &env) else { return };
    launch.start().unwrap();
    assert_eq!(asked.lock().unwrap()[0], "HEAD /a.gguf HTTP/1.1");
}

#[test]
fn a_proxy_that_refuses_is_named_without_its_password() {
    let Some(program) = needs::server() else { return };
    let (port, _) = Proxy::Refuses.start();
    let folder = tempfile::tempdir().unwrap();
    let named = format!("****:****@127.0.0.1:{port}");
    for (args, proxy, message) in [
        (
            ["-mu", "https://models.test/a.gguf"],
            format!("http://user:secret@127.0.0.1:{port}"),
            named.as_str(),
        ),
        (["-hf", "owner/model"], format!("http://user:secret@127.0.0.1:{port}"), &named),
        (
            ["-mu", "https://models.test/a.gguf"],
            "http://127.0.0.1:1".into(),
            "https_proxy=http://127.0.0.1:1",
        ),
        (
            ["-mu", "https://models.test/a.gguf"],
            "socks5://127.0.0.1:1".into(),
            "cannot use the proxy in https_proxy",
        ),
    ] {
        let mut server = command(&program);
        server.args(["--port", "0"]).args(args).env("https_proxy", &proxy);
        let finished = finish(
            server.env("LLAMA_CACHE", folder.path()).env_remove("no_proxy").env_remove("NO_PROXY"),
        );
        finished.assert_refused(&proxy, message);
        assert_eq!(finished.status.code(), Some(1));
        assert!(!finished.output.contains("secret"), "{}", finished.output);
    }
}

/// Before anybody is asked for anything.
#[test]
fn a_folder_that_cannot_be_written_is_named_before_a_download() {
    let (Some(program), Some(setpriv)) = (needs::server(), needs::setpriv()) else { return };
    let (_dir, program) = needs::open_copy(&program);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();
    let url = format!("{endpoint}/a.gguf");
    for (cache, args) in [
        (folder.path().to_owned(), ["-hf", "owner/model"]),
        (folder.path().to_owned(), ["-mu", &url]),
        (folder.path().join("new"), ["-mu", &url]),
    ] {
        let mut server = command(&setpriv);
        server.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
        server.args(["--port", "0"]).args(args).env("LLAMA_CACHE", &cache);
        server
            .current_dir("/")
            .env("MODEL_ENDPOINT", &endpoint)
            .env_remove("http_proxy")
            .env_remove("HTTP_PROXY");
        let finished = finish(&mut server);
        let folder = cache.display();
        let message =
            format!("cannot write to the folder of downloads {folder}: Permission denied");
        finished.assert_refused("it", &message);
        let Finished { status, output } = finished;
        assert_eq!(status.code(), Some(1), "{output}");
        assert!(output.contains(&format!("hint: give it to this user: chown -R 65534 {folder}")));
    }
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "somebody was asked");
}

/// A cache that is full needs not be written.
#[test]
fn what_is_in_a_cache_is_served_from_a_folder_that_cannot_be_written() {
    let (Some(program), Some(setpriv)) = (needs::server(), needs::setpriv()) else { return };
    let (_dir, program) = needs::open_copy(&program);
    let Some(model) = needs::demo_model() else { return };
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();
    std::fs::copy(model, folder.path().join("a.gguf")).unwrap();
    // Nobody is there who could say that there is a newer one.
    let Some(mut launch) = download(folder.path(), "http://127.0.0.1:1/a.gguf", &[]) else {
        return;
    };
    let args = std::mem::take(&mut launch.args);
    launch.program = Some(setpriv);
    launch.args = vec!["--reuid=65534".into(), "--regid=65534".into(), "--clear-groups".into()];
    launch.args.push(program.into());
    launch.args.extend(args);
    launch.env.push(("LLAMA_CACHE".into(), Some(folder.path().into())));
    launch.start().unwrap();
}
