//! Starting, healthy, unhealthy; other ports, other main processes.

use llama_tests::docker::{self, Container, image};
use llama_tests::process::wait_for;

#[test]
fn a_server_is_starting_then_healthy_and_unhealthy_when_it_stops() {
    let Some(image) = image("cpu") else { return };
    // Before its first check, which comes for this one when the test is over.
    let later = ["--health-interval", "1h", "--health-start-interval", "1h"];
    let starting = Container::serve(&image, &later, &[]);
    assert_eq!(starting.inspect("{{.State.Health.Status}}"), "starting");
    drop(starting);
    let server =
        Container::serve(&image, &["--health-retries", "1", "--health-timeout", "3s"], &[]);
    server.wait_for_health("healthy");
    server.signal("STOP");
    let said = server.wait_for_health("unhealthy");
    assert!(said.contains("does not answer") || said.contains("exceeded timeout"), "{said}");
    server.signal("CONT");
    server.wait_for_health("healthy");
}

#[test]
fn the_check_follows_the_port() {
    let Some(image) = image("cpu") else { return };
    let by_argument = Container::serve(&image, &[], &["--port", "9999"]);
    let by_variable = Container::serve(&image, &["--env", "LLAMA_ARG_PORT=9998"], &[]);
    for (server, port) in [(by_argument, 9999), (by_variable, 9998)] {
        let said = server.wait_for_health("healthy");
        let wanted = format!("healthy: http://127.0.0.1:{port}/health answers 200");
        assert!(said.starts_with(&wanted), "{said}");
    }
}

#[test]
fn a_variant_without_its_gpu_says_so_and_fails_only_on_request() {
    let Some(image) = image("vulkan") else { return };
    let said = Container::serve(&image, &[], &[]).wait_for_health("healthy");
    assert!(said.contains(", on the CPU: "), "{said}");
    let required = ["--env", "LLAMA_REQUIRE_GPU=1", "--health-start-period", "1s"];
    let required =
        Container::serve(&image, &[&required[..], &["--health-retries", "25"]].concat(), &[]);
    let said = required.wait_for_health("unhealthy");
    assert!(said.contains("but LLAMA_REQUIRE_GPU=1 and "), "{said}");
    // A name alone is no GPU, and lavapipe is none either.
    let node = ["--device", "/dev/null:/dev/dri/renderD128", "--env", "GGML_VK_VISIBLE_DEVICES=0"];
    let said = Container::serve(&image, &node, &["-ngl", "99"]).wait_for_health("healthy");
    assert!(said.ends_with(": not a GPU device"), "{said}");
}

/// The first process is not the container's.
#[test]
fn the_check_finds_its_own_server_among_the_hosts_processes() {
    let Some(image) = image("cpu") else { return };
    let server = Container::serve(&image, &["--pid", "host"], &["--port", "9997"]);
    let said = server.wait_for_health("healthy");
    assert!(said.starts_with("healthy: http://127.0.0.1:9997/health answers 200"), "{said}");
}

/// Whose main process is not `llama-server`: an image that inherits from ours, and one that starts the
/// server itself.
#[test]
fn other_main_processes_are_seen_for_what_they_are() {
    for name in ["cpu", "vulkan"] {
        let Some(image) = image(name) else { return };
        let idle =
            Container::start(&["--health-interval", "1s", "--entrypoint", "sleep", &image, "600"]);
        let said = idle.wait_for_health("healthy");
        // Every backend library opens in the final image.
        assert!(said.starts_with("healthy: llama-server can start: its "), "{said}");
        assert!(said.contains("(not queried, because the main process is `sleep`)"), "{said}");
    }
    let Some(image) = image("cpu") else { return };
    let models = docker::models();
    let script = "/app/bin/llama-server -m /models/llama-demo.gguf --port 7777 & wait";
    let own = ["--health-interval", "1s", "--volume", &models, "--entrypoint", "bash"];
    let parent = Container::start(&[&own[..], &[&image, "-c", script]].concat());
    let said = parent.wait_for_health("healthy");
    assert!(said.starts_with("healthy: http://127.0.0.1:7777/health answers 200"), "{said}");
}

/// A worker is healthy as soon as it listens, below an init system too, and ends as process 1 when it is told to.
#[test]
fn a_worker_is_healthy_and_ends_when_it_is_told_to() {
    let Some(image) = image("cpu") else { return };
    let worker = |args: &[&str]| {
        let words = [image.as_str(), "ggml-rpc-server", "-H", "0.0.0.0", "-c"];
        Container::start(&[&["--health-interval", "1s"][..], args, &words[..]].concat())
    };
    let [alone, below_init] = [worker(&[]), worker(&["--init"])];
    for worker in [&alone, &below_init] {
        let said = worker.wait_for_health("healthy");
        assert!(said.starts_with("healthy: ggml-rpc-server listens on 0.0.0.0:50052"), "{said}");
    }
    alone.signal("TERM");
    wait_for("the end of a worker", || {
        (alone.inspect("{{.State.Status}}") == "exited").then_some(())
    });
    assert_eq!(alone.inspect("{{.State.ExitCode}}"), "0");
}
