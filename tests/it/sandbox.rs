//! `LLAMA_SERVER_SANDBOX`: what a server that is locked in goes on doing, and what it can no longer do.

mod burglar;
mod options;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;

use demo_model::gguf::{File, Kind, Tensor, Value as Meta};
use llama_server_bin::{Launch, Server};
use llama_tests::process::{Finished, KilledOnDrop, command, finish, wait_for};
use llama_tests::server::{greedy_tokens, launch, start};
use llama_tests::{http, needs, tiny};
use serde_json::{Value, json};

/// Ends where this system cannot lock the server in: none of these tests passes without a sandbox.
const SANDBOX: (&str, &str) = ("LLAMA_SERVER_SANDBOX", "require");

fn locked(mut launch: Launch) -> Server {
    launch.env.push((SANDBOX.0.into(), Some(SANDBOX.1.into())));
    let server = launch.start().unwrap_or_else(|error| panic!("{error}"));
    let threads = std::fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    for thread in threads.map(|thread| thread.unwrap().path()) {
        // Some are gone before they are asked.
        let status = std::fs::read_to_string(thread.join("status")).unwrap_or_default();
        let is_locked = status.is_empty() || status.contains("Seccomp:\t2\n");
        assert!(is_locked, "{status}\n{:#?}", server.log());
    }
    server
}

fn text(path: &Path) -> &str {
    path.to_str().expect("names of temporary folders are text")
}

#[test]
fn a_locked_server_gives_the_same_tokens_saves_slots_and_writes_its_log() {
    let (Some(programs), Some(model)) = (needs::both_servers(), needs::demo_model()) else {
        return;
    };
    let free = start(&programs[0].1, &model, &[]);
    for (name, program) in programs {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let slots = folder.path().join("slots");
        std::fs::create_dir(&slots).unwrap();
        let more = ["--slot-save-path", text(&slots), "--log-file", text(&log), "--metrics"];
        let server = locked(launch(&program, &model, &more));
        for prompt in ["Hello", "The ship"] {
            let tokens = greedy_tokens(&free, prompt, 24);
            assert_eq!(greedy_tokens(&server, prompt, 24), tokens, "{name}, after `{prompt}`");
        }
        let slot = |action: &str, file: &str| {
            let url = format!("{}/slots/0?action={action}", server.url());
            http::post(&url, &json!({ "filename": file }))
        };
        slot("save", "a.bin").ok();
        assert!(slot("restore", "a.bin").ok()["n_restored"].as_u64().is_some());
        // A link that leads out of the folder leads nowhere.
        std::fs::rename(slots.join("a.bin"), folder.path().join("outside")).unwrap();
        std::os::unix::fs::symlink("../outside", slots.join("a.bin")).unwrap();
        assert_eq!(slot("restore", "a.bin").status, 400, "{name}");
        assert_eq!(http::get(&format!("{}/metrics", server.url())).status, 200, "{name}");
        assert!(server.stop().unwrap().success(), "{name}");
        assert!(std::fs::metadata(&log).unwrap().len() > 0, "{name} wrote no log");
    }
}

#[test]
fn a_locked_server_listens_on_its_socket_after_one_that_was_killed() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("llama.sock");
    for _ in 0..2 {
        let mut server = command(&program);
        server.args(["--offline", "--host", text(&socket), "-m"]).arg(&model);
        server.env(SANDBOX.0, SANDBOX.1).stdout(Stdio::null()).stderr(Stdio::null());
        let _server = KilledOnDrop(server.spawn().unwrap());
        wait_for("an answer on the socket", || {
            let mut stream = UnixStream::connect(&socket).ok()?;
            stream
                .write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                .ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).ok()?;
            answer.starts_with("HTTP/1.1 200 ").then_some(())
        });
    }
}

#[test]
fn a_locked_server_reads_its_adapter_and_its_keys() {
    let Some(program) = needs::server() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    tiny::write(tiny::Arch::Llama, 1, &file("m.gguf"));
    adapter(&file("lora.gguf"));
    std::fs::write(file("keys"), "secret\n").unwrap();
    let (lora, keys) = (file("lora.gguf"), file("keys"));
    let more = ["--lora", text(&lora), "--api-key-file", text(&keys)];
    let server = locked(launch(&program, &file("m.gguf"), &more));
    let url = format!("{}/lora-adapters", server.url());
    assert_eq!(http::get(&url).status, 401);
    let adapters = http::try_get(&url, Some("secret")).unwrap().ok();
    assert_eq!(adapters.as_array().map(Vec::len), Some(1), "{adapters}");
}

/// A LoRA of rank 1 for [`tiny`]'s llama.
fn adapter(path: &Path) {
    let mut file = File::default();
    for (key, value) in [("type", "adapter"), ("architecture", "llama")] {
        file.set(format!("general.{key}"), value);
    }
    file.set("adapter.type", "lora");
    file.set("adapter.lora.alpha", Meta::F32(1.0));
    for (end, shape) in [("a", [64, 1]), ("b", [1, 64])] {
        let name = format!("blk.0.attn_q.weight.lora_{end}");
        file.tensors.push(Tensor::new(name, &shape, Kind::F32, &[0.1; 64]));
    }
    file.write(path).unwrap();
}

#[test]
fn a_locked_router_starts_locked_servers() {
    let (Some(programs), Some(model)) = (needs::both_servers(), needs::demo_model()) else {
        return;
    };
    for (name, program) in programs {
        let models = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(&model, models.path().join("demo.gguf")).unwrap();
        let mut router = Launch::new(["--models-dir", text(models.path())]);
        router.program = Some(program);
        router.env.push(("LLAMA_CACHE".into(), Some(models.path().into())));
        let router = locked(router);
        let url = format!("{}/v1/completions", router.url());
        let answer =
            http::post(&url, &json!({ "model": "demo", "prompt": "Hello", "max_tokens": 4 }));
        let text = answer.ok()["choices"][0]["text"].as_str().map(str::len);
        assert!(text > Some(0), "{name}: {:#?}", router.log());
        let child =
            |line: &String| line.contains("starts no program") && line.contains("demo.gguf");
        assert!(router.log().iter().any(child), "{name}: {:#?}", router.log());
    }
}

#[test]
fn a_locked_server_downloads_into_its_cache() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub::start(std::fs::read(model).unwrap());
    let mut launch = Launch::new(["-hf", "some/demo:Q8_0"]);
    launch.program = Some(program);
    launch.env.push(("LLAMA_CACHE".into(), Some(cache.path().join("new").into())));
    launch.env.push(("HF_ENDPOINT".into(), Some(hub.url.into())));
    let server = locked(launch);
    assert!(!greedy_tokens(&server, "Hello", 4).is_empty());
}

/// As much of Hugging Face as one model needs.
struct Hub {
    url: String,
}

impl Hub {
    fn start(model: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is none of our business.
                let _ = Self::answer(stream, &model);
            }
        });
        Self { url }
    }

    fn answer(mut stream: std::net::TcpStream, model: &[u8]) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        let commit = "1".repeat(40);
        let body = match &request {
            at if at.contains("/refs ") => {
                json!({ "branches": [{ "name": "main", "targetCommit": commit }] }).to_string()
            }
            at if at.contains("/tree/") => {
                json!([{ "type": "file", "path": "demo-Q8_0.gguf", "size": model.len(), "oid": commit }])
                    .to_string()
            }
            _ => String::new(),
        };
        let body = if body.is_empty() { model } else { body.as_bytes() };
        let length = body.len();
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
        if request.starts_with("HEAD") { Ok(()) } else { stream.write_all(body) }
    }
}

#[test]
fn tools_of_a_locked_server_see_the_current_folder_and_no_other() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (work, secret) = (folder.path().join("work"), folder.path().join("secret"));
    std::fs::create_dir(&work).unwrap();
    std::fs::write(work.join("note"), "a note").unwrap();
    std::fs::write(&secret, "the secret").unwrap();
    let tools = |is_locked: bool| {
        let mut launch = launch(&program, &model, &["--tools", "all"]);
        launch.dir = Some(work.clone());
        if is_locked { locked(launch) } else { launch.start().unwrap() }
    };
    let ask = |server: &Server, tool: &str, params: Value| {
        let body = json!({ "tool": tool, "params": params });
        http::post(&format!("{}/tools", server.url()), &body).body.to_string()
    };
    let shell =
        |server: &Server, line: &str| ask(server, "exec_shell_command", json!({ "command": line }));
    for is_locked in [false, true] {
        let server = tools(is_locked);
        let note = ask(&server, "read_file", json!({ "path": "note" }));
        assert!(note.contains("a note"), "{note}");
        let copied = shell(&server, "cat note > copy && cat copy");
        assert!(copied.contains("a note"), "{copied}");
        for answer in [
            ask(&server, "read_file", json!({ "path": text(&secret) })),
            shell(&server, "cat ../secret"),
            shell(&server, &format!("head -c 99 {}", secret.display())),
        ] {
            assert_eq!(answer.contains("the secret"), !is_locked, "{is_locked}: {answer}");
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_locked_server_computes_on_its_gpu() {
    let (Some(dist), Some(_)) = (needs::vulkan_dist(), needs::lavapipe()) else { return };
    let Some(model) = needs::demo_model() else { return };
    let program = dist.join("llama-server");
    let mut launch = launch(&program, &model, &["-ngl", "99", "-v"]);
    launch.env.push(("GGML_VK_VISIBLE_DEVICES".into(), Some("0".into())));
    let (sender, lines) = std::sync::mpsc::channel();
    launch.on_line = Some(Box::new(move |line| drop(sender.send(line.to_owned()))));
    let server = locked(launch);
    let tokens = greedy_tokens(&start(&program, &model, &["--device", "none"]), "Hello", 24);
    assert_eq!(greedy_tokens(&server, "Hello", 24), tokens);
    assert!(lines.try_iter().any(|line| line.contains("assigned to device Vulkan0,")));
}

#[test]
fn without_landlock_there_is_a_warning_or_with_require_an_end() {
    let (Some(program), Some(compiler)) = (needs::server(), needs::c_compiler()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (source, old_kernel) = (folder.path().join("old.c"), folder.path().join("old"));
    std::fs::write(&source, include_str!("sandbox/old_kernel.c")).unwrap();
    let compiled = finish(command(compiler).arg("-o").arg(&old_kernel).arg(&source));
    assert!(compiled.status.success(), "{}", compiled.output);
    let list = |mode: &str| {
        let mut server = command(&old_kernel);
        finish(server.arg(&program).arg("--list-devices").env("LLAMA_SERVER_SANDBOX", mode))
    };
    let missing = "this kernel or container engine has no Landlock: access to files and ports \
        stays open";
    let Finished { status, output } = list("1");
    assert!(status.success(), "{status}\n{output}");
    assert!(output.contains(&format!("warning: sandbox: {missing}\n")), "{output}");
    assert!(output.contains("sandbox: seccomp: starts no program\n"), "{output}");
    list("require").assert_refused(
        "it",
        &format!("error: sandbox: {missing}, and LLAMA_SERVER_SANDBOX=require"),
    );
    list("yes").assert_refused("it", "LLAMA_SERVER_SANDBOX is `yes`, but must be 0, 1 or require");
}
