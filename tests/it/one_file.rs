//! The server that holds the CPU backend for every processor, and what a build for one kind says on an older one.

use std::path::{Path, PathBuf};
use std::process::Command;

use llama_tests::needs;
use llama_tests::process::{Finished, command, finish};
use llama_tests::server::{greedy_tokens, start};
use llama_tests::workspace::target;

/// What one executable says that it chose, and libraries.
const CHOSEN: [(&str, &str); 2] = [("this program, variant ", "\n"), ("/libggml-cpu-", ".so\n")];

fn server(dist: &Path) -> PathBuf {
    dist.join("llama-server")
}

#[test]
fn one_file_and_libraries_give_the_same_greedy_tokens() {
    let (Some(one), Some(shared), Some(model)) =
        (needs::one_file_dist(), needs::server_dl(), needs::demo_model())
    else {
        return;
    };
    let [one, shared] = [server(&one), shared].map(|program| start(&program, &model, &[]));
    for prompt in ["Hello", "The ship", "Once upon a time", "Why is the sky blue?"] {
        let tokens = greedy_tokens(&one, prompt, 48);
        assert!(!tokens.is_empty(), "no tokens after `{prompt}`");
        assert_eq!(tokens, greedy_tokens(&shared, prompt, 48), "after `{prompt}`");
    }
}

#[test]
fn one_file_chooses_what_libraries_choose() {
    let (Some(one), Some(shared)) = (needs::one_file_dist(), needs::dist()) else { return };
    let [one, shared] = [one, shared].map(|dist| chosen(&mut command(server(&dist))));
    assert_eq!(one, shared.replace(['.', '-'], "_"));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn one_file_chooses_what_an_emulated_machine_can_run() {
    let (Some(one), Some(qemu)) = (needs::one_file_dist(), emulator()) else { return };
    for (machine, variant) in [
        ("core2duo", "x64"),
        ("Nehalem", "sse42"),
        ("IvyBridge", "ivybridge"),
        ("Haswell", "haswell"),
    ] {
        let mut emulated = command(&qemu);
        emulated.args(["-cpu", machine]).arg(server(&one));
        assert_eq!(chosen(&mut emulated), variant, "on {machine}");
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn one_file_answers_on_a_processor_without_avx() {
    let (Some(one), Some(qemu), Some(model)) =
        (needs::one_file_dist(), emulator(), needs::demo_model())
    else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let old = dir.path().join("llama-server");
    let [qemu, one] = [qemu, server(&one)].map(|path| path.display().to_string());
    script(&old, &format!("exec '{qemu}' -cpu Nehalem '{one}' \"$@\""));
    let server = start(&old, &model, &["--ctx-size", "512", "--parallel", "1"]);
    assert_eq!(greedy_tokens(&server, "Hello", 4).len(), 4);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_build_for_newer_processors_says_so_and_ends_with_1() {
    let (Some(program), Some(qemu)) = (needs::server(), emulator()) else { return };
    let mut emulated = command(qemu);
    let Finished { status, output } =
        finish(emulated.args(["-cpu", "Nehalem"]).arg(program).arg("--version"));
    assert_eq!(status.code(), Some(1), "{output}");
    assert_eq!(
        output,
        "error: this llama-server was built for newer processors: this one lacks avx, avx2, fma, \
        f16c, bmi2\n  hint: build a server for all processors: cargo build --release --features \
        cpu-all-variants\n"
    );
}

/// What GNU's tools say of the objects that were linked: nothing but two entry points is everybody's.
#[test]
fn each_variant_is_an_object_with_two_symbols() {
    let Some(one) = needs::one_file_dist() else { return };
    let manifest = std::fs::read_to_string(one.join("version.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let archive = archive(manifest["target"].as_str().unwrap());
    let members = finish(command("ar").arg("t").arg(&archive)).output;
    let members: Vec<&str> = members.lines().filter(|name| name.starts_with("ggml-cpu-")).collect();
    assert_eq!(members.len(), manifest["cpu_variants"].as_array().unwrap().len(), "{members:?}");
    let dir = tempfile::tempdir().unwrap();
    let unpacked = finish(command("ar").arg("x").arg(&archive).current_dir(dir.path()));
    assert!(unpacked.status.success(), "{}", unpacked.output);
    for member in members {
        let object = dir.path().join(member);
        let read = |what: &str| finish(command("readelf").args(["-W", what]).arg(&object)).output;
        let variant = member.trim_start_matches("ggml-cpu-").trim_end_matches(".o");
        let due = ["init", "score"].map(|entry| format!("ggml_backend_cpu_{variant}_{entry}"));
        assert_eq!(definitions(&read("--symbols")), due, "of {member}");
        let groups = read("--section-groups");
        assert!(groups.contains("no section groups"), "{member}:\n{groups}");
        let sections = read("--sections");
        assert!(sections.contains(&format!(" .cpu.{variant} ")), "{member}:\n{sections}");
        for runs_unasked in [".init_array", ".ctors", ".preinit_array"] {
            assert!(!sections.contains(runs_unasked), "{member}:\n{sections}");
        }
    }
}

/// Names that an object defines for others: global, weak and unique ones.
fn definitions(symbols: &str) -> Vec<&str> {
    let mut names: Vec<&str> = symbols
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|row| row.len() == 8 && row[4] != "LOCAL" && row[6] != "UND" && row[6] != "Ndx")
        .map(|row| row[7])
        .collect();
    names.sort_unstable();
    names
}

/// The CPU backend of the last build of one file for the target `triple`.
fn archive(triple: &str) -> PathBuf {
    let builds = target().join(triple).join("release/build");
    let all = std::fs::read_dir(builds).unwrap().flatten();
    let found = all.map(|entry| entry.path().join("out/lib/libggml-cpu.a"));
    let newest = found.max_by_key(|path| path.metadata().and_then(|it| it.modified()).ok());
    newest.expect("cargo xtask dist --one-file leaves it")
}

/// The variant that `program` says it loads. Upstream's logger writes from a thread that nobody waits for at
/// the end: without its last line, it is asked again.
fn chosen(program: &mut Command) -> String {
    program.args(["-v", "--list-devices"]).env_clear().current_dir("/");
    let mut said = String::new();
    for _ in 0..10 {
        let Finished { status, output } = finish(program);
        assert!(status.success(), "{status}\n{output}");
        let between = |(from, to)| Some(output.split_once(from)?.1.split_once(to)?.0.to_owned());
        if let Some(variant) = CHOSEN.into_iter().find_map(between) {
            return variant;
        }
        said = output;
    }
    panic!("no CPU variant is named:\n{said}")
}

#[cfg(target_arch = "x86_64")]
fn emulator() -> Option<PathBuf> {
    needs::program_of("qemu-x86_64", "qemu-user")
}

#[cfg(target_arch = "x86_64")]
fn script(path: &Path, line: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, format!("#!/bin/sh\n{line}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
