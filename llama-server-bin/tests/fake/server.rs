//! A stand-in for `llama-server`. `FAKE` says how it behaves: `load N` answers 503 N times first,
//! `silent` writes no log, `chatty` writes too much of it, `fail` ends at once.

use std::io::{Read, Write};
use std::net::TcpListener;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args == ["--version"] {
        return eprintln!("version: 0.6.0-dev (build 11549, commit b11549)");
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

    let port = args.iter().position(|arg| arg == "--port").map(|at| args[at + 1].clone());
    let listener = TcpListener::bind(format!("127.0.0.1:{}", port.expect("always given"))).expect("a free port");
    let address = format!("listening on http://{}", listener.local_addr().expect("it is bound"));
    // With port 0 nobody can ask before the address is told, as with the real one.
    log(if loading == 0 { address.clone() } else { format!("0.00.001 I loading, {address}") });
    if option == "chatty" {
        std::thread::spawn(|| (1..=20_000).for_each(|number| println!("line {number} {:0200}", 0)));
    }
    for stream in listener.incoming() {
        let mut stream = stream.expect("a connection");
        let _ = stream.read(&mut [0; 1024]);
        let status = if loading > 0 { "503 Service Unavailable" } else { "200 OK" };
        loading = loading.saturating_sub(1);
        log(format!("answered {status}"));
        let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    }
}
