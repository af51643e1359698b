//! The Vulkan distribution on lavapipe, which is a GPU made of software: the device is listed, the
//! tokens are the CPU's, and the CPU payload is that of the CPU distribution.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc;

use llama_tests::needs;
use llama_tests::process::{Finished, command, finish};
use llama_tests::server::{greedy_tokens, launch, start};

/// ggml leaves software devices out unless they are named.
const NAMED: (&str, &str) = ("GGML_VK_VISIBLE_DEVICES", "0");

#[test]
fn the_device_is_listed() {
    let (Some(dist), Some(_)) = (needs::vulkan_dist(), needs::lavapipe()) else { return };
    let mut command = command(dist.join("llama-server"));
    command.arg("--list-devices").env_clear().env(NAMED.0, NAMED.1).current_dir("/");
    let Finished { status, output } = finish(&mut command);
    assert!(status.success(), "{status}\n{output}");
    assert!(output.contains("Vulkan0: llvmpipe"), "{output}");
}

#[test]
fn its_tokens_are_those_of_the_cpu() {
    let (Some(cpu), Some(vulkan)) = (needs::dist(), needs::vulkan_dist()) else { return };
    let (Some(model), Some(_)) = (needs::demo_model(), needs::lavapipe()) else { return };
    let on_cpu = start(&cpu.join("llama-server"), &model, &[]);
    let mut on_gpu = launch(&vulkan.join("llama-server"), &model, &["-ngl", "99", "-v"]);
    on_gpu.env.push((NAMED.0.into(), Some(NAMED.1.into())));
    let (sender, lines) = mpsc::channel();
    // Nobody listens any more once the test has heard enough.
    on_gpu.on_line = Some(Box::new(move |line| drop(sender.send(line.to_owned()))));
    let on_gpu = on_gpu.start().unwrap();
    for prompt in ["Hello", "The ship", "Why is the sky blue?"] {
        let tokens = greedy_tokens(&on_cpu, prompt, 24);
        assert_eq!(greedy_tokens(&on_gpu, prompt, 24), tokens, "after `{prompt}`");
    }
    // Upstream's own sum, `offloaded 4/4 layers to GPU`, is the same with `--device none`.
    let device = |line: String| Some(line.split_once("assigned to device ")?.1.to_owned());
    let devices: Vec<String> = lines.try_iter().filter_map(device).collect();
    let all = devices.iter().all(|device| device.starts_with("Vulkan0,"));
    assert!(all && devices.len() >= 4, "{devices:?}");
}

#[test]
fn the_cpu_payload_is_the_same_in_both() {
    let (Some(cpu), Some(vulkan)) = (needs::dist(), needs::vulkan_dist()) else { return };
    let (cpu, vulkan) = (payload(&cpu), payload(&vulkan));
    assert!(cpu.len() > 10, "{cpu:?}");
    assert_eq!(cpu, vulkan);
}

/// Programs and libraries by name, without the backend that a variant adds.
fn payload(dist: &Path) -> BTreeMap<String, serde_json::Value> {
    let text = std::fs::read_to_string(dist.join("version.json")).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let files = manifest["files"].as_object_mut().unwrap();
    files.retain(|name, _| name == "llama-server" || name.ends_with(".so"));
    files.remove("libggml-vulkan.so");
    files.clone().into_iter().collect()
}
