//! Tests of the lines that run a model.

use std::fs;

use super::*;
use crate::gguf::write::Writer;

const CHATML: &str = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + \
                      message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ \
                      '<|im_start|>assistant\\n' }}{% endif %}";

/// The model of the document, in a folder of its own.
fn qwen(folder: &Path) -> Target {
    fs::create_dir_all(folder.join("models")).unwrap();
    fs::write(folder.join("models/Qwen2-0.5B-Instruct.Q5_K_M.gguf"), Writer::tiny_model().bytes())
        .unwrap();
    fs::write(folder.join("models/system-prompt.txt"), "Be \"kind\".\nIt's short.\n").unwrap();
    let command = [
        "-m",
        "/models/Qwen2-0.5B-Instruct.Q5_K_M.gguf",
        "-c",
        "8192",
        "--system-prompt-file",
        "/models/system-prompt.txt",
        "--chat-template",
        CHATML,
    ];
    Target {
        command: words(&command),
        folder: folder.to_owned(),
        mark: "849d4691".to_owned(),
        name: Some("example.org/qwen2:0.5b".to_owned()),
        size: 1,
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn host(gpu: &[&str]) -> Host {
    Host { engine: "docker".to_owned(), terminal: true, gpu: words(gpu), labels: false }
}

fn line(target: &Target, by: &str, extra: &[&str]) -> String {
    let start = plan(target, &By::named(by), &words(extra), &host(&[])).unwrap();
    start.to_string().replace(&target.folder.display().to_string(), "STORE")
}

#[test]
fn the_line_of_the_document_is_the_line_of_today() {
    let folder = tempfile::tempdir().unwrap();
    let target = qwen(folder.path());
    let expected = concat!(
        "docker run --rm --interactive --tty --publish 127.0.0.1:8080:8080 --volume STORE:/gp-849d4691:ro ",
        "ghcr.io/ggml-org/llama.cpp:server -m /gp-849d4691/models/Qwen2-0.5B-Instruct.Q5_K_M.gguf -c 8192 ",
        "--alias qwen2 --flash-attn on --chat-template '{%- set messages = messages if messages and ",
        r"messages[0]['\''role'\''] in ['\''system'\'', '\''developer'\''] else [{'\''role'\'': ",
        r"'\''system'\'', '\''content'\'': '\''Be ",
        r#""kind".\nIt\'\''s short.'\''}] + messages -%}"#,
        "\n",
        r"{% for message in messages %}{{'\''<|im_start|>'\'' + message['\''role'\''] + '\''\n'\'' + ",
        r"message['\''content'\''] + '\''<|im_end|>'\'' + '\''\n'\''}}{% endfor %}",
        r"{% if add_generation_prompt %}{{ '\''<|im_start|>assistant\n'\'' }}{% endif %}' --host 0.0.0.0",
    );
    assert_eq!(line(&target, "ghcr.io/ggml-org/llama.cpp:server", &["--flash-attn"]), expected);
}

#[test]
fn an_image_of_2024_gets_the_command_of_2024() {
    let folder = tempfile::tempdir().unwrap();
    let target = qwen(folder.path());
    let line = line(&target, "ghcr.io/ggerganov/llama.cpp:server", &["--flash-attn"]);
    assert!(line.contains("--system-prompt-file /gp-849d4691/models/system-prompt.txt"), "{line}");
    assert!(line.ends_with("{% endif %}' --flash-attn --host 0.0.0.0"), "{line}");
}

#[cfg(unix)]
#[test]
fn a_line_can_be_pasted_into_a_shell() {
    let folder = tempfile::tempdir().unwrap();
    let target = qwen(folder.path());
    let start = plan(&target, &By::Program("./llama-server".to_owned()), &[], &host(&[])).unwrap();
    let script = format!("printf '%s\\0' {start}");
    let read = Cmd::new("sh").args(["-c", &script]).read().unwrap();
    let seen: Vec<_> = read.trim_end_matches('\0').split('\0').collect();
    assert_eq!((seen[0], seen.len()), ("./llama-server", 9));
    let template =
        super::super::template::with_system_prompt(Some(CHATML), "Be \"kind\".\nIt's short.\n");
    assert_eq!(seen[8], template);
}

#[test]
fn a_port_is_published_to_this_machine_unless_a_host_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let target = Target { command: words(&["-hf", "org/repo"]), ..qwen(folder.path()) };
    let image = "llama-cpp-cpu:local";
    let expected = "docker run --rm --interactive --tty --publish 127.0.0.1:8888:8080 --volume STORE:/gp-849d4691:ro \
                    llama-cpp-cpu:local -hf org/repo --alias qwen2 -np 4 --host 0.0.0.0";
    assert_eq!(line(&target, image, &["--port", "8888", "-np", "4"]), expected);
    for (host, publish, inside) in [
        ("0.0.0.0", "0.0.0.0:8080:8080", "0.0.0.0"),
        ("::", "'[::]:8080:8080'", "0.0.0.0"),
        ("localhost", "127.0.0.1:8080:8080", "0.0.0.0"),
        ("/run/llama.sock", "127.0.0.1:8080:8080", "/run/llama.sock"),
    ] {
        let line = line(&target, image, &["--host", host]);
        assert!(line.contains(&format!(" --publish {publish} ")), "{line}");
        assert!(line.ends_with(&format!("-hf org/repo --alias qwen2 --host {inside}")), "{line}");
    }
    for (hosts, publish, inside) in [
        (["0.0.0.0", "127.0.0.1"], "127.0.0.1", "0.0.0.0"),
        (["127.0.0.1", "0.0.0.0"], "0.0.0.0", "0.0.0.0"),
        (["/run/llama.sock", "0.0.0.0"], "0.0.0.0", "0.0.0.0"),
        (["0.0.0.0", "/run/llama.sock"], "127.0.0.1", "/run/llama.sock"),
    ] {
        let line = line(&target, image, &["--host", hosts[0], "-np", "4", "--host", hosts[1]]);
        assert!(line.contains(&format!(" --publish {publish}:8080:8080 ")), "{line}");
        assert!(
            line.ends_with(&format!("-hf org/repo --alias qwen2 -np 4 --host {inside}")),
            "{line}"
        );
    }
    let error = plan(&target, &By::named(image), &words(&["--host"]), &host(&[])).unwrap_err();
    assert_eq!(error.to_string(), "the option `--host` needs a value\n  hint: -- --host 0.0.0.0");
    // A program listens where it is told.
    let file = Target { command: words(&["-m", "/models/none.gguf"]), ..target.clone() };
    let expected = "llama-server -m /models/none.gguf --alias qwen2 --port 8888";
    assert_eq!(line(&file, "llama-server", &["--port", "8888"]), expected);
    let error =
        plan(&target, &By::named(image), &words(&["--port"]), &host(&[])).unwrap_err().to_string();
    assert_eq!(error, "the option `--port` needs a value\n  hint: -- --port 8888");
    let error = plan(&target, &By::named(image), &words(&["--port", "x"]), &host(&[])).unwrap_err();
    assert_eq!(error.to_string(), "invalid port `x`\n  hint: -- --port 8888");
}

#[test]
fn paths_are_those_of_the_store_without_a_container() {
    let folder = tempfile::tempdir().unwrap();
    let target = qwen(folder.path());
    let by = By::Server("/app/llama-server".into());
    let start = plan(&target, &by, &words(&["-c", "1"]), &host(&[])).unwrap();
    let line = start.to_string().replace(&target.folder.display().to_string(), "STORE");
    let expected = "/app/llama-server -m STORE/models/Qwen2-0.5B-Instruct.Q5_K_M.gguf -c 8192 --alias qwen2 -c 1 --chat-template ";
    assert!(line.starts_with(expected), "{line}");
    assert_eq!(start.notes.len(), 1);
    let box_of_2024 = self::line(&target, "llama-box", &["-fa"]);
    assert!(
        box_of_2024.contains("--system-prompt-file STORE/models/system-prompt.txt"),
        "{box_of_2024}"
    );
    assert!(box_of_2024.ends_with(" -fa"), "{box_of_2024}");
}

#[test]
fn without_a_terminal_a_container_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let target = Target { command: words(&["-hf", "x"]), ..qwen(folder.path()) };
    let host = Host { terminal: false, ..host(&["--gpus", "all"]) };
    let start = plan(&target, &By::named("a:b"), &[], &host).unwrap().to_string();
    assert!(start.starts_with("docker run --rm --interactive --gpus all --publish"), "{start}");
}

/// Files of the store are hard links of several images: a label of one container's would be that of all.
#[test]
fn selinux_lets_a_container_read_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let target = Target { command: words(&["-hf", "x"]), ..qwen(folder.path()) };
    let host = Host { engine: "podman".to_owned(), labels: true, ..host(&[]) };
    let start = plan(&target, &By::named("a:b"), &[], &host).unwrap().to_string();
    let options = "podman run --rm --interactive --tty --security-opt label=disable --publish";
    assert!(start.starts_with(options), "{start}");
}

#[test]
fn an_image_has_a_tag_or_a_digest() {
    let image = |text: &str| matches!(By::named(text), By::Image(_));
    for text in ["llama-cpp-cpu:local", "ghcr.io/ggml-org/llama.cpp:server", "localhost:5000/x:1"] {
        assert!(image(text), "{text}");
    }
    assert!(image(&format!("x@{}", Digest::of(""))));
    for text in ["llama-box", "/usr/bin/llama-server", "./a:b", "C:\\llama-server.exe"] {
        assert!(!image(text), "{text}");
    }
}

use crate::digest::Digest;

#[test]
fn an_image_decides_nothing_about_the_machine_that_runs_it() {
    let folder = tempfile::tempdir().unwrap();
    let asked =
        "--host 0.0.0.0 --log-file /etc/x --path / --port 1 --tools all --lora_init-without-apply";
    let command = format!("-m /models/Qwen2-0.5B-Instruct.Q5_K_M.gguf {asked} -c 1");
    let command = command.split(' ').map(str::to_owned).collect();
    let target = Target { command, ..qwen(folder.path()) };
    let expected = "-m STORE/models/Qwen2-0.5B-Instruct.Q5_K_M.gguf --lora-init-without-apply -c 1";
    for program in ["llama-server", "./other", "llama-box"] {
        let line = line(&target, program, &[]);
        // Only a server that is known to be of today gets an option of today's.
        let alias = if program == "llama-server" { " --alias qwen2" } else { "" };
        assert_eq!(line, format!("{program} {expected}{alias}"));
    }
    let start = plan(&target, &By::named("llama-server"), &[], &host(&[])).unwrap();
    let note = &start.notes[0];
    assert!(note.ends_with("-- --host … --log-file … --path … --port … --tools …"), "{note}");
    // The user may.
    let line = line(&target, "llama-server", &["--log-file", "x", "--port", "2"]);
    assert!(line.ends_with(" -c 1 --alias qwen2 --log-file x --port 2"), "{line}");
}

#[test]
fn a_container_listens_where_its_port_is_published_whatever_its_image_says() {
    let folder = tempfile::tempdir().unwrap();
    let command = words(&["-hf", "org/repo", "--port", "1", "--host", "127.0.0.1", "-c", "1"]);
    let target = Target { command, ..qwen(folder.path()) };
    let line = line(&target, "llama-cpp-cpu:local", &["--port", "8888"]);
    assert!(line.contains("--publish 127.0.0.1:8888:8080 "), "{line}");
    assert!(
        line.ends_with(" llama-cpp-cpu:local -hf org/repo -c 1 --alias qwen2 --host 0.0.0.0"),
        "{line}"
    );
}

#[test]
fn a_number_that_llama_server_would_cut_off_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let target = qwen(folder.path());
    let start = |by: &By| plan(&target, by, &words(&["-c", "32k"]), &host(&[]));
    let error = start(&By::Server("llama-server".into())).unwrap_err().to_string();
    let expected = "invalid value `32k` for -c: it takes a whole number\n  hint: -c 32768";
    assert_eq!(error, expected);
    assert!(start(&By::Program("llama-box".into())).is_ok());
}
