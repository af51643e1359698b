//! What never becomes a request ends by itself, and keeps nobody waiting.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use llama_server_bin::Server;
use llama_tests::needs;
use llama_tests::process::{command, finish};
use llama_tests::server::{launch, start};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{answer, ask, connect, status};

/// More than the server has threads.
pub(super) const MANY: usize = 1_500;

/// Files that all tests together may need.
const FILES: u64 = 16_384;

/// Connections that send this and nothing more.
pub(super) fn half_open(server: &Server, count: usize, sent: &str) -> Vec<TcpStream> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = Some(maximum.map_or(FILES, |maximum| maximum.min(FILES)));
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    let open = |_| {
        let mut stream = connect(server);
        stream.write_all(sent.as_bytes()).unwrap();
        stream
    };
    (0..count).map(open).collect()
}

/// A request for a stream that does not end.
fn endless() -> String {
    let body = r#"{"prompt":"Hello","n_predict":-1,"ignore_eos":true,"stream":true}"#;
    let length = body.len();
    format!("POST /completion HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// Upstream's threads wait for an hour.
fn assert_healthy(server: &Server, beside: &str) {
    let mut stream = connect(server);
    stream.write_all(b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
    let said = answer(&mut stream);
    assert_eq!(status(&said), 200, "beside {beside}: {said}");
}

#[test]
fn health_is_answered_beside_more_half_requests_than_there_are_threads() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let server = start(&program, &model, &[]);
    for sent in [
        "",
        "POST /completion HTTP/1.1\r\nHost: x\r\n",
        "POST /completion HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
    ] {
        let streams = half_open(&server, MANY, sent);
        assert_healthy(&server, sent);
        drop(streams);
    }
}

#[test]
fn requests_beyond_the_threads_are_refused_and_health_goes_on() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let server = start(&program, &model, &[]);
    let request = endless();
    let mut streams = half_open(&server, MANY, &request);
    assert_healthy(&server, &request);
    let refused = answer(streams.last_mut().unwrap());
    assert_eq!(status(&refused), 503, "{refused}");
    assert!(refused.contains("Retry-After: 1\r\n"), "{refused}");
}

/// A limit of the processes of a user, or of a container, is one of threads.
#[test]
fn a_server_that_gets_few_threads_refuses_requests_before_it_has_none_left() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let Some(setpriv) = needs::setpriv() else { return };
    let ((_one, program), (_two, model)) = (needs::open_copy(&program), needs::open_copy(&model));
    let mut launch = launch(&setpriv, &model, &[]);
    // A user who has no other process.
    let limited = ["--reuid=64747", "--regid=64747", "--clear-groups", "prlimit", "--nproc=100"];
    let rest = std::mem::replace(&mut launch.args, limited.map(Into::into).to_vec());
    launch.args.push(program.into());
    launch.args.extend(rest);
    let server = launch.start().unwrap();
    let request = endless();
    let mut streams = half_open(&server, 300, &request);
    assert_healthy(&server, &request);
    let refused = answer(streams.last_mut().unwrap());
    assert_eq!(status(&refused), 503, "{refused}");
    assert!(refused.contains("Retry-After: 1\r\n"), "{refused}");
    assert_healthy(&server, &request);
}

#[test]
fn a_server_without_descriptors_left_answers_again() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let mut launch = launch("/bin/sh".as_ref(), &model, &[]);
    let rest = std::mem::take(&mut launch.args);
    launch.args = vec!["-c".into(), "ulimit -n 200; exec \"$@\"".into(), "sh".into()];
    launch.args.push(program.into());
    launch.args.extend(rest);
    let server = launch.start().unwrap();
    let _streams = half_open(&server, 400, "GET / HTTP/1.1\r\n");
    assert_healthy(&server, "half requests");
}

#[test]
fn a_header_that_does_not_end_is_ended() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let server = start(&program, &model, &[]);
    let mut stream = half_open(&server, 1, "GET /health HTTP/1.1\r\nHost: ").remove(0);
    // It would come to an end that the client does not wait for.
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    assert_eq!(status(&answer(&mut stream)), 400);
}

#[test]
fn a_body_may_come_slowly_but_not_without_bounds() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let server = start(&program, &model, &[]);
    let body = br#"{"content":"Hello"}"#;
    let head = format!(
        "POST /tokenize HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = half_open(&server, 1, &head).remove(0);
    for byte in body {
        stream.write_all(&[*byte]).unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(status(&answer(&mut stream)), 200);

    let mut stream =
        half_open(&server, 1, "POST /tokenize HTTP/1.1\r\nContent-Length: 100000000000\r\n\r\n{")
            .remove(0);
    assert_eq!(status(&answer(&mut stream)), 413);
    // What is packed is not unpacked: a few bytes could be gigabytes.
    let packed = ask(&server, "POST /tokenize", &["Host: x", "Content-Encoding: gzip"], "x");
    assert_eq!(status(&packed), 415, "{packed}");
}

/// The limit of a shell is not the limit of the server.
#[test]
fn a_server_takes_as_many_files_as_it_may_have() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let mut launch = launch("/bin/sh".as_ref(), &model, &[]);
    let rest = std::mem::take(&mut launch.args);
    launch.args =
        vec!["-c".into(), "ulimit -Sn 300; ulimit -Hn 5000; exec \"$@\"".into(), "sh".into()];
    launch.args.push(program.into());
    launch.args.extend(rest);
    let server = launch.start().unwrap();
    let limits = format!("/proc/{}/limits", server.pid());
    let output = finish(command("/bin/grep").args(["Max open files", &limits])).output;
    assert_eq!(output.split_whitespace().nth(3), Some("5000"), "{output}");
}
