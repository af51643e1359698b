//! A worker goes on, whatever others send to it, and ends when it is told to.

use std::io::{Read, Write};
use std::net::TcpStream;

use llama_tests::needs;
use llama_tests::process::{PATIENCE, wait_for};
use llama_tests::server::free_port;
use rustix::process::{Pid, Signal, kill_process};

use super::{Head, TOKENS, Worker};

/// Numbers of commands, <https://github.com/ggml-org/llama.cpp/blob/b11549/ggml/src/ggml-rpc/ggml-rpc.cpp#L63-L90>.
const GET_ALLOC_SIZE: u8 = 13;
const SET_TENSOR: u8 = 6;
const GRAPH_COMPUTE: u8 = 10;
const HELLO: u8 = 14;

/// The number of an operation, as the bindings have it.
fn operation(name: &str) -> u32 {
    let bindings = include_str!("../../../llama-sys/src/bindings.rs");
    let (_, rest) = bindings.split_once(&format!("pub const {name}: ggml_op = ")).unwrap();
    rest.split_once(';').unwrap().0.parse().unwrap()
}

/// A tensor as messages have it: no sources, no buffer, no data.
fn tensor(kind: u32, elements: [u32; 4], strides: [u32; 4], operation: u32) -> Vec<u8> {
    let mut bytes = 7_u64.to_le_bytes().to_vec();
    bytes.extend(kind.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    elements.iter().chain(&strides).for_each(|number| bytes.extend(number.to_le_bytes()));
    bytes.extend(operation.to_le_bytes());
    // Parameters, flags, ten sources, a view, data, name, uses.
    bytes.resize(bytes.len() + 64 + 4 + 80 + 16 + 8 + 64 + 4, 0);
    bytes
}

/// A graph of so many nodes, all of them this tensor.
fn graph(nodes: u32, tensor: &[u8]) -> Vec<u8> {
    let mut bytes = [0_u32.to_le_bytes(), 0_u32.to_le_bytes(), 0_u32.to_le_bytes()].concat();
    bytes.extend(nodes.to_le_bytes());
    (0..nodes).for_each(|_| bytes.extend(7_u64.to_le_bytes()));
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(tensor);
    bytes
}

fn message(command: u8, content: &[u8]) -> Vec<u8> {
    [&[command][..], &(content.len() as u64).to_le_bytes(), content].concat()
}

/// Sends it after a greeting; waits until the worker has closed the connection.
fn refused(worker: &Worker, what: &str, message: &[u8]) {
    let mut stream = TcpStream::connect(worker.at()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&self::message(HELLO, &[0; 24])).unwrap();
    let mut hello = [0; 36];
    stream.read_exact(&mut hello).unwrap();
    stream.write_all(message).unwrap();
    let mut rest = Vec::new();
    // Closed, or reset where it had not read all.
    let read = stream.read_to_end(&mut rest);
    assert!(rest.is_empty(), "{what}: it answered {rest:?}");
    if let Err(error) = read {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{what}");
    }
}

#[test]
fn a_worker_serves_its_server_whatever_strangers_do() {
    let (Some(dist), Some(model)) = (needs::dist(), needs::demo_model()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut worker = Worker::start(&dist, free_port(), &dir.path().join("a"));
    // One that says nothing, for as long as this test runs.
    let _silent = TcpStream::connect(worker.at()).unwrap();
    TcpStream::connect(worker.at()).unwrap().write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let plain = tensor(0, [4, 1, 1, 1], [4, 16, 16, 16], 0);
    let custom = tensor(0, [4, 1, 1, 1], [4, 16, 16, 16], operation("GGML_OP_CUSTOM"));
    let unknown = tensor(0, [4, 1, 1, 1], [4, 16, 16, 16], operation("GGML_OP_COUNT"));
    let huge = tensor(0, [u32::MAX; 4], [u32::MAX; 4], 0);
    // Blocks of 32.
    let half = tensor(2, [7, 1, 1, 1], [18, 18, 18, 18], 0);
    let sized = |tensor: &[u8]| {
        let mut content = 0_u32.to_le_bytes().to_vec();
        content.extend(tensor);
        content.resize(4 + 11 * tensor.len(), 0);
        message(GET_ALLOC_SIZE, &content)
    };
    for (what, sent) in [
        ("a function's address", message(GRAPH_COMPUTE, &graph(1, &custom))),
        ("an unknown operation", message(GRAPH_COMPUTE, &graph(1, &unknown))),
        ("a node that comes twice", message(GRAPH_COMPUTE, &graph(2, &plain))),
        ("sizes that overflow", sized(&huge)),
        ("half a block", sized(&half)),
        ("no command", message(200, &[])),
        ("a tensor of nobody", message(SET_TENSOR, &[plain, vec![0; 32]].concat())),
    ] {
        refused(&worker, what, &sent);
        assert!(worker.child.0.try_wait().unwrap().is_none(), "{what}:\n{}", worker.log());
    }
    let mut head = Head::start(&dist, &model, &[worker.at()], dir.path());
    assert_eq!(head.tokens().len(), TOKENS as usize);
    // As many probes as any queue would bear, while the server uses the worker.
    for _ in 0..20 {
        TcpStream::connect_timeout(&worker.at().parse().unwrap(), PATIENCE).unwrap();
    }
    assert_eq!(head.tokens().len(), TOKENS as usize);
    let pid = Pid::from_raw(worker.child.0.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let status = wait_for("the end of a worker", || worker.child.0.try_wait().unwrap());
    assert_eq!(status.code(), Some(0), "{}", worker.log());
}

#[test]
fn a_worker_that_cannot_listen_says_why() {
    let Some(dist) = needs::dist() else { return };
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(&dist, free_port(), &dir.path().join("a"));
    let mut second = llama_tests::process::command(dist.join("bin/ggml-rpc-server"));
    let finished = llama_tests::process::finish(second.args(["-p", &worker.port.to_string()]));
    let due = format!("error: cannot listen on {}: Address already in use", worker.at());
    finished.assert_refused("the worker", &due);
}
