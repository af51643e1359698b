//! A stand-in for `llama-server`, which knows `--port` and `--api-prefix`. `FAKE` says how it behaves:
//! `load N` answers 503 N times first, `silent` writes no log, `chatty` writes too much of it, `deceived` writes
//! what others say, `fail` ends at once.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args == ["--version"] {
        return eprintln!("version: 1.2.3 (build 1, commit b1)");
    }
    let behaviour = std::env::var("FAKE").expect("set by the test");
    if behaviour == "fail" {
        eprintln!("error: no such model");
        std::process::exit(7);
    }
    let mut words = behaviour.split(' ');
    let mut loading: u32 = words.nth(1).expect("load N").parse().expect("a number");
    let option = words.next().unwrap_or_default();
    let log = |line: String| if option != "silent" { eprintln!("{line}") };
    log(format!("arguments {args:?}"));
    log(format!("LLAMA_SERVER_LEASH={}", std::env::var("LLAMA_SERVER_LEASH").unwrap_or_default()));
    if option == "leash" {
        std::thread::spawn(|| {
            while matches!(std::io::stdin().read(&mut [0; 8]), Ok(1..)) {}
            eprintln!("end of input");
        });
    }

    let value =
        |name: &str| args.iter().position(|arg| arg == name).map(|at| args[at + 1].clone());
    let (port, prefix) = (value("--port"), value("--api-prefix").unwrap_or_default());
    let listener = TcpListener::bind(format!("127.0.0.1:{}", port.expect("always given"))).expect("a free port");
    let own = "0.00.000.001 I srv  llama_server: listening on ";
    if option == "deceived" {
        log("general.description str = listening on http://example.test:80".into());
        log(format!("{own}http://example.test:80"));
        log(format!("{own}unix:///no/such.sock"));
    }
    // With port 0 nobody can ask before the address is told, as with the real one.
    log(format!("{own}http://{}", listener.local_addr().expect("it is bound")));
    if option == "chatty" {
        std::thread::spawn(|| (1..=20_000).for_each(|number| println!("line {number} {:0200}", 0)));
    }
    for stream in listener.incoming() {
        let status = answer(stream.expect("a connection"), loading > 0, &prefix);
        loading = loading.saturating_sub(1);
        log(format!("answered {status}"));
    }
}

/// Answers one question: with which status.
fn answer(mut stream: TcpStream, is_loading: bool, prefix: &str) -> &'static str {
    let mut asked = [0; 1024];
    let count = stream.read(&mut asked).unwrap_or(0);
    let asked = String::from_utf8_lossy(&asked[..count]);
    let (status, message) = match is_loading {
        true => ("503 Service Unavailable", "Loading model"),
        false if asked.starts_with(&format!("GET {prefix}/health ")) => ("200 OK", ""),
        false => ("404 Not Found", "File Not Found"),
    };
    let body = format!(r#"{{"error":{{"message":"{message}"}}}}"#);
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}", body.len());
    let _ = stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes());
    status
}
