//! The server fits the machine that it is given: its share of the processors, and an image that names its model
//! in variables alone.

use std::process::Command;

use llama_tests::docker::{self, Container, image};
use llama_tests::needs;
use llama_tests::process::{Finished, command, finish};
use llama_tests::server::{launch, start};
use llama_tests::workspace::root;

#[test]
fn a_server_starts_no_more_threads_than_it_has_processors() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let Some(taskset) = needs::program_of("taskset", "util-linux") else { return };
    let threads = |args: &[&str]| {
        let mut launch = launch(&taskset, &model, args);
        let rest = std::mem::take(&mut launch.args);
        launch.args = vec!["--cpu-list".into(), "0".into(), program.clone().into()];
        launch.args.extend(rest);
        threads_in(&launch.start().unwrap().log().join("\n"))
    };
    assert_eq!(threads(&[]), "1");
    assert_eq!(threads(&["--threads", "3"]), "3", "a number that somebody names holds");
}

#[test]
fn a_quota_of_docker_is_a_number_of_threads() {
    let Some(image) = image("cpu") else { return };
    for (cpus, wanted) in [("0.5", "1"), ("1", "1")] {
        let server = Container::serve(&image, &["--cpus", cpus], &[]);
        server.wait_for_health("healthy");
        let Finished { output, .. } = finish(&mut docker::docker(&["logs", &server.id]));
        assert_eq!(threads_in(&output), wanted, "--cpus {cpus}");
    }
}

/// Linux says in `smaps` which memory asks for them, also where it has none to give.
#[test]
#[cfg(target_os = "linux")]
fn large_buffers_ask_for_huge_pages() {
    let (Some(program), Some(model)) = (needs::server(), needs::demo_model()) else { return };
    let asking = |context: &str| {
        let server = start(&program, &model, &["--ctx-size", context, "-np", "1"]);
        let maps = std::fs::read_to_string(format!("/proc/{}/smaps", server.pid())).unwrap();
        let flags = maps.lines().filter_map(|line| line.strip_prefix("VmFlags:"));
        flags.filter(|flags| flags.split_whitespace().any(|flag| flag == "hg")).count()
    };
    assert_eq!(asking("256"), 0, "small ones would take more memory than they need");
    assert!(asking("524288") > 0);
}

/// What the server says it computes with.
fn threads_in(log: &str) -> String {
    let at = log.find("n_threads = ").unwrap_or_else(|| panic!("no number of threads in\n{log}"));
    let rest = &log[at + "n_threads = ".len()..];
    rest.chars().take_while(char::is_ascii_digit).collect()
}

/// A start as an image starts it.
fn in_an_image() -> Option<Command> {
    let mut server = command(needs::server()?);
    server.env("LLAMA_SERVER_NEEDS_MODEL", "1");
    // No file of the user's own names a model.
    server.env("XDG_CONFIG_HOME", "/nonexistent");
    Some(server)
}

#[test]
fn a_model_that_variables_name_alone_is_served_by_an_image() {
    for variable in llama_server_bin::MODEL_VARIABLES {
        let Some(mut server) = in_an_image() else { return };
        let Finished { status, output } =
            finish(server.env(variable, "/no/such.gguf").env("LLAMA_ARG_OFFLINE", "1"));
        assert_ne!(status.code(), Some(0), "{variable}: {output}");
        assert!(!output.contains("--port PORT"), "{variable} gives the help:\n{output}");
    }
}

#[test]
fn an_image_without_a_model_says_what_it_could_do() {
    let Some(mut server) = in_an_image() else { return };
    // Compose hands on variables that are empty.
    let Finished { status, output } = finish(server.env("LLAMA_ARG_MODEL", ""));
    assert_eq!(status.code(), Some(0), "{output}");
    assert!(output.contains("--port PORT"), "{output}");
}

#[test]
fn help_is_help_though_a_variable_names_a_model() {
    let Some(mut server) = in_an_image() else { return };
    let Finished { status, output } =
        finish(server.arg("--help").env("LLAMA_ARG_MODEL", "/no/such.gguf"));
    assert_eq!(status.code(), Some(0), "{output}");
    assert!(output.contains("--port PORT"), "{output}");
}

/// Upstream's help ends the process; ours comes behind it, on the same stream, once.
#[test]
fn the_help_ends_with_the_variables_of_production_md() {
    let Some(program) = needs::server() else { return };
    let help = |option| {
        let output = command(&program).arg(option).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    };
    let text = help("--help");
    let (upstream, ours) = text.split_once("----- of this build").unwrap();
    assert!(upstream.contains("--port PORT"), "{text}");
    let page = std::fs::read_to_string(root().join("docs/production.md")).unwrap();
    let table = page.split("## Variables").nth(1).unwrap().split("\n## ").next().unwrap();
    let named =
        |word: &&str| word.starts_with("LLAMA_SERVER_") || *word == "LLAMA_HEALTHCHECK_STALL";
    let named: Vec<_> = table.split('`').filter(named).collect();
    assert!(named.len() > 6, "{table}");
    for name in named {
        assert_eq!(ours.matches(&format!("\n{name}=")).count(), 1, "{name}: {ours}");
    }
    assert!(!help("--version").contains("of this build"));
}
