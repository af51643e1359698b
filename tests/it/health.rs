//! Health that is true, addresses that are so, keys that nobody reads: of real servers, with the health check that
//! images have.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;

use llama_server_bin::Server;
use llama_tests::process::{Finished, KilledOnDrop, PATIENCE, command, finish, wait_for};
use llama_tests::server::{certificate, free_port, launch, start};
use llama_tests::{http, needs};
use serde_json::json;

/// Opening a pipe that nobody reads is an error then, and no wait; Linux' number for it.
const O_NONBLOCK: i32 = 0o4000;

/// What the check says of process `pid`, with these variables.
fn check(program: &Path, pid: u32, variables: &[(&str, &str)]) -> String {
    let mut check = command(program);
    check.args(["--pid", &pid.to_string(), "--timeout", "60"]);
    check.envs(variables.iter().copied());
    let Finished { status, output } = finish(&mut check);
    assert_eq!(status.success(), output.starts_with("healthy: "), "{status}: {output}");
    output.trim_end().to_owned()
}

/// The engine waits for whoever opens the other end of the pipe that it was told to restore a slot from, and HTTP
/// goes on: what a driver that hangs comes to.
#[test]
fn a_server_whose_engine_stands_still_is_unhealthy_until_it_goes_on() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let Some(healthcheck) = needs::healthcheck() else { return };
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(finish(command("/usr/bin/mkfifo").arg(&pipe)).status.success());
    let slots = format!("{}/", folder.path().display());
    let stall = ("LLAMA_HEALTHCHECK_STALL", "2");
    let with = |limit: Option<&str>| {
        let mut launch = launch(&program, &model, &["--slot-save-path", &slots]);
        launch.env.push((stall.0.into(), limit.map(Into::into)));
        launch.start().unwrap()
    };
    let (strict, plain) = (with(Some(stall.1)), with(None));
    let health = |server: &Server| http::get(&format!("{}/health", server.url()));
    let said = || check(&healthcheck, strict.pid(), &[stall]);
    assert!(said().ends_with("/health answers 200"), "{}", said());

    let hang = |server: &Server| {
        let url = format!("{}/slots/0?action=restore", server.url());
        std::thread::spawn(move || http::post(&url, &json!({"filename": "pipe"})).status)
    };
    let hanging = [hang(&strict), hang(&plain)];
    let answer = wait_for("503 of a server that hangs", || {
        Some(health(&strict)).filter(|answer| answer.status == 503)
    });
    let message = answer.body["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("no progress for "), "{message}");
    let verdict = said();
    assert!(
        verdict.starts_with("unhealthy: ") && verdict.contains(" answers 503: no progress for "),
        "{verdict}"
    );
    assert_eq!(health(&plain).status, 200, "nobody has asked for more than an answer");

    wait_for("the end of both requests", || {
        // Whoever waits for a writer has one for a moment, and reads to the end.
        let _ = File::options().write(true).custom_flags(O_NONBLOCK).open(&pipe);
        hanging.iter().all(std::thread::JoinHandle::is_finished).then_some(())
    });
    wait_for("200 of a server that goes on", || (health(&strict).status == 200).then_some(()));
    assert!(said().starts_with("healthy: "), "{}", said());
}

/// A long prompt is progress with each batch of it, an answer with each token, and rest is no standstill.
#[test]
fn a_server_that_works_or_rests_is_healthy() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let mut launch = launch(&program, &model, &["-np", "1", "-t", "1", "--context-shift"]);
    launch.env.push(("LLAMA_HEALTHCHECK_STALL".into(), Some("3".into())));
    let server = launch.start().unwrap();
    let url = format!("{}/health", server.url());
    let body = json!({"prompt": "Hello", "n_predict": 1000, "ignore_eos": true});
    let completion = format!("{}/completion", server.url());
    let works = std::thread::spawn(move || http::post(&completion, &body).status);
    let begin = std::time::Instant::now();
    // Longer than the limit, whether it works all that time or not.
    while begin.elapsed().as_secs() < 5 || !works.is_finished() {
        let answer = http::get(&url);
        assert_eq!(answer.status, 200, "{}", answer.body);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(works.join().unwrap(), 200);
}

#[test]
fn tls_is_spoken_with_a_server_that_speaks_it() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let (Some(healthcheck), Some(openssl)) =
        (needs::healthcheck(), needs::program_of("openssl", "openssl"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = certificate(&openssl, folder.path());
    let (key, certificate) = (key.to_str().unwrap(), certificate.to_str().unwrap());
    let args = ["--ssl-key-file", key, "--ssl-cert-file", certificate];
    let server = start(&program, &model, &args);
    let url = format!("{}/health", server.url());
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    assert_eq!(check(&healthcheck, server.pid(), &[]), format!("healthy: {url} answers 200"));
    let prefixed = [("LLAMA_HEALTHCHECK_URL", url.replace("127.0.0.1", "localhost"))];
    let [(name, localhost)] = &prefixed;
    assert_eq!(
        check(&healthcheck, server.pid(), &[(name, localhost)]),
        format!("healthy: {localhost} answers 200")
    );
    // It accepts connections as before, and answers nobody.
    let pid = rustix::process::Pid::from_raw(i32::try_from(server.pid()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    let mut short = command(&healthcheck);
    short.args(["--pid", &server.pid().to_string(), "--timeout", "1"]);
    let said = finish(&mut short).output;
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    assert_eq!(said.trim_end(), format!("unhealthy: {url} timed out"));
}

#[test]
fn a_server_without_a_gpu_does_not_claim_one() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let server = start(&program, &model, &[]);
    let authority = server.url().trim_start_matches("http://");
    let stream = std::net::TcpStream::connect(authority).unwrap();
    let answer = llama_server_bin::health::request(stream, authority, "/health").unwrap();
    assert_eq!(answer.header("llama-devices"), Some("none"), "{answer:?}");
    assert_eq!(answer.body, r#"{"status":"ok"}"#);
    let Some(healthcheck) = needs::healthcheck() else { return };
    let verdict = check(&healthcheck, server.pid(), &[("LLAMA_REQUIRE_GPU", "1")]);
    assert!(
        verdict.starts_with("unhealthy: ") && verdict.contains("LLAMA_REQUIRE_GPU=1"),
        "{verdict}"
    );
}

/// With `-v` the loader prints what a model says of itself.
#[test]
fn a_models_description_is_not_taken_for_the_servers_address() {
    let Some(program) = needs::server() else { return };
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("m.gguf");
    let own = "0.00.000.001 I srv  llama_server: listening on http://example.test:80";
    let text = format!("listening on http://example.test:80\n{own}\n");
    llama_tests::tiny::write_described(llama_tests::tiny::Arch::Llama, 1, &text, &model);
    let server = start(&program, &model, &["-v"]);
    let url = server.url();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    assert_eq!(http::get(&format!("{url}/health")).status, 200);
}

/// What happens when somebody types Ctrl-C while a program that handles it waits for its server's answer.
#[test]
fn ctrl_c_in_a_terminal_is_for_the_program_that_started_the_server() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    if let Some(file) = parent() {
        let server = start(&program, &model, &["--context-shift", "-np", "1", "-t", "1"]);
        std::fs::write(&file, server.url()).unwrap();
        let body = json!({"prompt": "Hello", "n_predict": 1000, "ignore_eos": true});
        let answer = http::post(&format!("{}/completion", server.url()), &body).ok();
        assert_eq!(answer["tokens_predicted"], 1000, "{answer}");
        assert_eq!(server.stop().unwrap().code(), Some(0));
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    // A shell's way to say that the program knows about Ctrl-C; a server has a handler of its own.
    let mut parent = command("/bin/sh");
    parent.args(["-c", "trap '' INT; exec \"$@\"", "sh"]).arg(std::env::current_exe().unwrap());
    parent.args([
        "--exact",
        "health::ctrl_c_in_a_terminal_is_for_the_program_that_started_the_server",
    ]);
    parent.env(PARENT, file.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    std::os::unix::process::CommandExt::process_group(&mut parent, 0);
    let mut parent = KilledOnDrop(parent.spawn().unwrap());
    let url = wait_for("a server that works", || {
        let url = std::fs::read_to_string(file.path()).unwrap();
        let slots = http::try_get(&format!("{url}/slots"), None)?.ok();
        (slots[0]["is_processing"] == true).then_some(url)
    });
    let group = rustix::process::Pid::from_raw(i32::try_from(parent.0.id()).unwrap()).unwrap();
    rustix::process::kill_process_group(group, rustix::process::Signal::INT).unwrap();
    let status = wait_for("the end of its answer", || parent.0.try_wait().unwrap());
    assert!(
        status.success(),
        "{status}: {:?}",
        std::io::read_to_string(parent.0.stdout.take().unwrap())
    );
    assert!(
        http::try_get(&format!("{url}/health"), None).is_none(),
        "the server outlives its parent"
    );
}

const PARENT: &str = "LLAMA_TEST_PARENT";

/// The file to write the server's address into, in the test's own child.
fn parent() -> Option<std::ffi::OsString> {
    #[expect(clippy::disallowed_methods, reason = "a message of this test to itself")]
    std::env::var_os(PARENT)
}

/// `--hf-token` was an argument of each model's server, and so in the log and in the list of models.
#[test]
fn a_router_shows_nobody_its_token() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(&model, folder.path().join("demo.gguf")).unwrap();
    let token = "hf_0123456789secret";
    let (port, models) = (free_port().to_string(), folder.path().to_str().unwrap());
    let mut router =
        llama_server_bin::Launch::new(["--models-dir", models, "--hf-token", token, "-v"]);
    router.args.extend(["--port".into(), port.into(), "--offline".into()]);
    router.program = Some(program);
    router.ready_within = PATIENCE;
    let router = router.start().unwrap();
    let body = json!({"model": "demo", "prompt": "Hello", "n_predict": 2});
    http::post(&format!("{}/v1/completions", router.url()), &body).ok();
    let shown = http::get(&format!("{}/models", router.url())).ok().to_string();
    assert!(shown.contains("demo"), "{shown}");
    let log = router.log().join("\n");
    assert!(!shown.contains("secret"), "{shown}");
    assert!(!log.contains("secret"), "{log}");
    // It has the token all the same.
    let children = llama_server_bin::sockets::parents(Path::new("/proc"));
    let child = children.iter().find(|(_, parent)| **parent == router.pid()).unwrap().0;
    let of = |file: &str| std::fs::read_to_string(format!("/proc/{child}/{file}")).unwrap();
    assert!(of("environ").contains(token) && !of("cmdline").contains(token));
}
