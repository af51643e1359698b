//! The server and the network that it is given: who may ask it, whom it asks, which addresses it has.

/// Who asked for what, in the log.
mod access_log;
/// Connections that wait for their next request.
mod keep_alive;
/// Clients that never finish what they begin.
mod patience;
/// Downloads through a proxy.
mod proxy;
/// A cached model, and a newer one that cannot be had.
mod updates;

use std::io::{Read, Write};
use std::net::TcpStream;

use llama_server_bin::Server;
use llama_tests::process::{PATIENCE, command, finish};
use llama_tests::server::{certificate, free_port, launch, start};
use llama_tests::{http, needs};
use serde_json::json;

/// The answer to one request with these lines of a header; the connection is closed.
fn ask(server: &Server, first: &str, lines: &[&str], body: &str) -> String {
    let mut stream = connect(server);
    let mut request = format!("{first} HTTP/1.1\r\nConnection: close\r\n");
    lines.iter().for_each(|line| request.extend([line, "\r\n"]));
    request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    stream.write_all(request.as_bytes()).unwrap();
    answer(&mut stream)
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(authority(server)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn authority(server: &Server) -> &str {
    server.url().strip_prefix("http://").unwrap()
}

/// All that comes until the server closes the connection.
fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A connection that is reset has said what it says.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn status(answer: &str) -> u16 {
    answer.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// A page's request that browsers send without asking first.
fn post_of(server: &Server, lines: &[&str]) -> String {
    let host = format!("Host: {}", authority(server));
    let lines = [&[host.as_str(), "Content-Type: text/plain"], lines].concat();
    ask(server, "POST /tokenize", &lines, r#"{"content":"Hello"}"#)
}

#[test]
fn pages_of_other_origins_get_nothing() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let server = start(&program, &model, &[]);
    let evil = "Origin: https://evil.test";
    for first in ["GET /v1/models", "OPTIONS /v1/chat/completions"] {
        let answer = ask(&server, first, &["Host: localhost", evil], "");
        assert!(status(&answer) == 200 && !answer.contains("Allow-Origin"), "{first}: {answer}");
    }
    let refused = post_of(&server, &[evil]);
    assert_eq!(status(&refused), 403, "{refused}");
    assert!(refused.contains("--cors-origins"), "{refused}");
    for site in ["cross-site", "same-site"] {
        let site = format!("Sec-Fetch-Site: {site}");
        assert_eq!(status(&post_of(&server, &[evil, &site])), 403, "{site}");
    }
    assert_eq!(status(&post_of(&server, &["Origin: null"])), 403);
    // The server's own page, also behind a proxy that gives the server another name; programs; this machine.
    let own = format!("Origin: {}", server.url());
    let proxied = ["Origin: https://chat.test", "Sec-Fetch-Site: same-origin"];
    let local = ["Origin: http://localhost:3000", "Sec-Fetch-Site: cross-site"];
    for lines in [&[own.as_str()][..], &proxied, &[], &local] {
        assert_eq!(status(&post_of(&server, lines)), 200, "{lines:?}");
    }
    assert!(post_of(&server, &local).contains("Allow-Origin: http://localhost:3000\r\n"));
}

#[test]
fn pages_of_origins_that_are_named_get_answers() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    for origins in ["https://a.test, https://b.test", "*"] {
        let server = start(&program, &model, &["--cors-origins", origins]);
        let answer = post_of(&server, &["Origin: https://b.test", "Sec-Fetch-Site: cross-site"]);
        assert_eq!(status(&answer), 200, "{origins}: {answer}");
        assert!(answer.contains("Allow-Origin: https://b.test\r\n"), "{origins}: {answer}");
        let other = status(&post_of(&server, &["Origin: https://c.test"]));
        assert_eq!(other, if origins == "*" { 200 } else { 403 }, "{origins}");
    }
}

#[test]
fn keys_of_any_text_file_count_and_are_never_shown() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "\u{feff}first-key\r\n# ours\r\n\r\n second-key \nabc").unwrap();
    let path = file.path().to_str().unwrap();
    let server = start(&program, &model, &["--api-key-file", path, "--verbose"]);
    let with = |key: &str| {
        let key = format!("Authorization: Bearer {key}");
        status(&ask(&server, "GET /props", &["Host: x", &key], ""))
    };
    assert_eq!(["first-key", "second-key", "abc"].map(with), [200; 3]);
    let lower = ask(&server, "GET /props", &["Host: x", "authorization: bearer abc"], "");
    assert_eq!(status(&lower), 200, "{lower}");
    assert_eq!(["first-ke", "first-key2", "# ours", ""].map(with), [401; 4]);
    let log = server.log().join("\n");
    assert!(!log.contains("-key\n") && !log.contains("****"), "{log}");
    drop(server);
    std::fs::write(file.path(), "# nothing yet\n").unwrap();
    let mut server = command(&program);
    let server = server.args(["--port", "0", "--offline", "--api-key-file", path, "-m"]);
    finish(server.arg(&model)).assert_refused("a file without a key", "no API key in file");
}

/// A router starts a server for each model.
#[test]
fn a_key_is_not_in_the_command_line_of_a_routers_servers() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let mut launch = launch(&program, &model, &[]);
    let models = model.parent().unwrap().as_os_str().to_owned();
    launch.args = vec!["--models-dir".into(), models, "--offline".into()];
    launch.env = vec![("LLAMA_API_KEY".into(), Some("the-secret".into()))];
    let server = launch.start().unwrap();
    let key = ["Host: localhost", "Authorization: Bearer the-secret"];
    let body = r#"{"model":"llama-demo","content":"Hello"}"#;
    assert_eq!(status(&ask(&server, "POST /tokenize", &key, body)), 200);
    assert_eq!(status(&ask(&server, "POST /tokenize", &key[..1], body)), 401);
    // The page of the router's own origin, whose request the router hands on.
    let own = ["Host: chat.test", "Origin: http://chat.test", key[1]];
    assert_eq!(status(&ask(&server, "POST /tokenize", &own, body)), 200);
    let mut children = 0;
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let read = |name: &str| std::fs::read_to_string(process.path().join(name)).ok();
        let parent = || read("stat")?.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok();
        if parent() == Some(server.pid()) {
            children += 1;
            assert!(!read("cmdline").unwrap().contains("the-secret"));
        }
    }
    assert_eq!(children, 1);
}

/// It asks its servers by plain HTTP.
#[test]
fn a_routers_servers_speak_no_tls() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let Some(openssl) = needs::program_of("openssl", "openssl") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = certificate(&openssl, folder.path());
    let mut launch = launch(&program, &model, &[]);
    let models = model.parent().unwrap().as_os_str().to_owned();
    launch.args = vec!["--models-dir".into(), models, "--offline".into()];
    launch.env = vec![
        ("LLAMA_ARG_SSL_KEY_FILE".into(), Some(key.into())),
        ("LLAMA_ARG_SSL_CERT_FILE".into(), Some(certificate.into())),
    ];
    let server = launch.start().unwrap();
    assert!(server.url().starts_with("https://"), "{}", server.url());
    let body = json!({ "model": "llama-demo", "content": "Hello" });
    let answer = http::post_to_anybody(&format!("{}/tokenize", server.url()), &body);
    assert!(!answer.ok()["tokens"].as_array().unwrap().is_empty());
}

#[test]
fn metrics_need_no_key_where_the_owner_says_so_and_nothing_else_opens() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    for (open, prefix) in [("0", ""), ("1", ""), ("1", "/llm")] {
        let args = ["--api-key", "secret", "--metrics", "--slots", "--api-prefix", prefix];
        let mut launch = launch(&program, &model, &args);
        launch.env = vec![("LLAMA_SERVER_OPEN_METRICS".into(), Some(open.into()))];
        let server = launch.start().unwrap();
        let asked = |first: &str| status(&ask(&server, first, &["Host: localhost"], ""));
        let metrics = asked(&format!("GET {prefix}/metrics"));
        assert_eq!(metrics, if open == "1" { 200 } else { 401 }, "{open} {prefix}");
        assert_eq!(asked(&format!("GET {prefix}/health")), 200);
        for other in [
            "GET /slots",
            "GET /props",
            "GET /metrics/",
            "GET /metrics?model=x",
            "GET //metrics",
            "GET /x/metrics",
            "GET /metrics/../slots",
            "GET /%73lots",
            "POST /metrics",
        ] {
            let (method, path) = other.split_once(' ').unwrap();
            assert_eq!(asked(&format!("{method} {prefix}{path}")), 401, "{other}, {open} {prefix}");
        }
    }
}

/// The library for HTTP gives a status alone.
#[test]
fn what_http_refuses_has_a_reason() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let server = start(&program, &model, &[]);
    let form = "Content-Type: application/x-www-form-urlencoded";
    let large = "a".repeat(2 << 20);
    for (first, line, body, code, reason) in [
        ("POST /completion", form, large.as_str(), 413, "send JSON with the header"),
        ("POST /completion", "Content-Encoding: gzip", "a", 415, "Content-Encoding"),
        ("POST", "Host: y", "{}", 400, "not a valid HTTP request"),
        ("GET /none", "Host: y", "", 404, "File Not Found"),
    ] {
        let answer = ask(&server, first, &["Host: x", line], body);
        let json = answer.split("\r\n\r\n").nth(1).and_then(|body| serde_json::from_str(body).ok());
        let error = &json.unwrap_or_else(|| serde_json::json!({ "answer": answer }))["error"];
        assert_eq!((status(&answer), &error["code"]), (code, &code.into()), "{answer}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains(reason), "{answer}");
    }
}

/// Runs `script` in a network of its own, where `$SERVER` is an address that is asked for its health.
fn in_a_network(before: &str, address: &str, preload: &str) -> Option<String> {
    let (program, model) = (needs::server()?, needs::demo_model()?);
    let (unshare, _) = (needs::unshare()?, needs::program_of("ip", "iproute2")?);
    let port = free_port();
    let script = format!(
        r#"ip link set lo up; {before}
        LD_PRELOAD={preload} "$0" -m "$1" --offline --host :: --port {port} & server=$!
        for _ in $(seq 600); do
            answer=$(exec 3<>/dev/tcp/{address}/{port} &&
                printf 'GET /health HTTP/1.0\r\n\r\n' >&3 && head -1 <&3) 2>/dev/null
            case $answer in *200*) break;; esac; sleep 0.1
        done
        kill $server; wait $server; echo "answer: $answer""#
    );
    let mut bash = command(unshare);
    bash.args(["--map-root-user", "--net", "--mount", "bash", "-c", &script]);
    Some(finish(bash.arg(program).arg(model)).output)
}

#[test]
fn every_address_is_an_address_of_ipv6_too() {
    let Some(output) = in_a_network("ip addr del 127.0.0.1/8 dev lo", "::1", "") else { return };
    assert!(output.contains("answer: HTTP/1.1 200"), "{output}");
    assert!(output.contains("listening on http://[::]:"), "{output}");
}

#[test]
fn every_address_is_an_address_of_ipv4_where_ipv6_is_switched_off() {
    let off = "ip addr del ::1/128 dev lo";
    let Some(output) = in_a_network(off, "127.0.0.1", "") else { return };
    assert!(output.contains("answer: HTTP/1.1 200"), "{output}");
}

#[test]
fn every_address_is_an_address_of_ipv4_where_the_kernel_has_no_ipv6() {
    let Some(cc) = needs::c_compiler() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (source, library) = (folder.path().join("no_ipv6.c"), folder.path().join("no_ipv6.so"));
    std::fs::write(
        &source,
        "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <errno.h>\n#include <sys/socket.h>\n\
         int socket(int family, int type, int protocol) {\n\
             if (family == AF_INET6) { errno = EAFNOSUPPORT; return -1; }\n\
             int (*real)(int, int, int) = dlsym(RTLD_NEXT, \"socket\");\n\
             return real(family, type, protocol);\n}\n",
    )
    .unwrap();
    let built = finish(command(cc).args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source));
    assert!(built.status.success(), "{}", built.output);
    let Some(output) = in_a_network("", "127.0.0.1", library.to_str().unwrap()) else { return };
    assert!(output.contains("answer: HTTP/1.1 200"), "{output}");
    assert!(output.contains("listening on http://0.0.0.0:"), "{output}");
}
