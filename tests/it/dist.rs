//! The distribution that `cargo xtask dist` made: it runs from anywhere, picks its CPU library, and a
//! run that is interrupted leaves nothing that looks finished.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use llama_src::Pin;
use llama_tests::needs;
use llama_tests::process::{Finished, KilledOnDrop, command, finish, wait_for};
use llama_tests::server::{build_number, greedy_tokens, start};
use llama_tests::workspace::{
    Cargo, cargo_home, copy_compiled_crates, one_build_at_a_time, root, scratch, xtask,
};

/// Executables that Cargo makes.
const PROGRAMS: [&str; 2] = ["llama-server", "llama-healthcheck"];

/// A copy in a folder whose name has a space and an umlaut.
fn moved() -> Option<(tempfile::TempDir, PathBuf)> {
    let dist = needs::dist()?;
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("über all");
    let status = command("cp").arg("-a").arg(&dist).arg(&to).status().unwrap();
    assert!(status.success());
    // Others may look in: the test of another user needs it.
    open_to_all(dir.path());
    Some((dir, to))
}

fn open_to_all(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// What `--version` and `--list-devices` must say, started by `wrap` from `/` without environment.
fn answers(program: &Path, wrap: impl Fn(&Path) -> Command) {
    let build = format!("build {}", build_number());
    for (flag, expected) in [("--version", &*build), ("--list-devices", "Available devices")] {
        let mut command = wrap(program);
        let Finished { status, output } = finish(command.arg(flag).env_clear().current_dir("/"));
        assert!(status.success(), "{flag}: {status}\n{output}");
        assert!(output.contains(expected), "{flag}:\n{output}");
    }
}

#[test]
fn it_runs_from_any_folder_through_either_name() {
    let (Some((_dir, dist)), Some(model)) = (moved(), needs::demo_model()) else { return };
    for name in ["llama-server", "bin/llama-server"] {
        answers(&dist.join(name), |program| command(program));
    }
    let server = start(&dist.join("bin/llama-server"), &model, &[]);
    assert!(!greedy_tokens(&server, "Hello", 16).is_empty());
}

#[test]
fn it_runs_for_another_user() {
    let (Some((_dir, dist)), Some(setpriv)) = (moved(), needs::setpriv()) else { return };
    answers(&dist.join("llama-server"), |program| {
        let mut command = command(&setpriv);
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(program);
        command
    });
}

#[test]
fn it_runs_from_a_read_only_mount() {
    let (Some((_dir, dist)), Some(unshare)) = (moved(), needs::unshare()) else { return };
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" && \
                  ! touch \"$1/x\" 2>&- && exec \"$1/llama-server\" \"$2\"";
    answers(&dist, |dist| {
        let mut command = command(&unshare);
        command.args(["--map-root-user", "--mount", "/bin/sh", "-c", script, "sh"]).arg(dist);
        command
    });
}

#[cfg(target_arch = "x86_64")]
#[test]
fn emulated_machines_get_the_library_that_they_can_run() {
    let (Some(dist), Some(qemu)) = (needs::dist(), needs::program_of("qemu-x86_64", "qemu-user"))
    else {
        return;
    };
    // QEMU emulates no AVX-512: for it, a Skylake server is a Haswell.
    let machines = [
        ("core2duo", "x64"),
        ("Nehalem", "sse42"),
        ("SandyBridge", "sandybridge"),
        ("IvyBridge", "ivybridge"),
        ("Haswell", "haswell"),
        ("Skylake-Server", "haswell"),
    ];
    for (machine, library) in machines {
        let mut emulated = command(&qemu);
        emulated.args(["-cpu", machine]).arg(dist.join("llama-server"));
        let output = loaded(emulated.args(["-v", "--list-devices"]));
        let line = format!("/libggml-cpu-{library}.so\n");
        assert!(output.contains(&line), "{machine} got another library than {library}:\n{output}");
    }
}

/// What `command` says of the libraries that it loads. Upstream's logger writes from a thread that nobody
/// waits for at the end: without its last line, it is asked again.
fn loaded(command: &mut Command) -> String {
    let mut ask = || {
        let Finished { status, output } = finish(command.env_clear().current_dir("/"));
        assert!(status.success(), "{status}\n{output}");
        output
    };
    let mut answers = (0..10).map(|_| ask());
    answers.find(|output| output.contains("loaded CPU backend")).expect("a CPU library is loaded")
}

#[test]
fn folder_and_archive_keep_every_promise() {
    let Some(dist) = needs::dist() else { return };
    let _building = one_build_at_a_time();
    let stem = dist.file_name().unwrap().to_string_lossy().into_owned();
    let manifest = std::fs::read_to_string(dist.join("version.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let version = manifest["version"].as_str().unwrap();
    let archive = dist.with_file_name(format!("llama-server-{version}-{stem}.tar.gz"));
    for path in [&dist, &archive] {
        xtask(&["verify", path.to_str().unwrap()]).succeed();
    }
    let mut sums = command("sha256sum");
    let sums = sums.arg("-c").arg(archive.with_extension("gz.sha256"));
    let Finished { status, output } = finish(sums.current_dir(archive.parent().unwrap()));
    assert!(status.success(), "{output}");
    assert_eq!(manifest["variant"], "cpu");
    assert_eq!(manifest["llama_cpp"]["build_number"], Pin::load().build_number);
    assert_eq!(manifest["llama_cpp"]["verified"], true);
}

#[test]
fn a_killed_run_leaves_nothing_that_looks_finished() {
    let Some(dist) = needs::dist() else { return };
    let name = dist.file_name().unwrap();
    let _building = one_build_at_a_time();
    let out = tempfile::tempdir().unwrap();
    let mut cargo = xtask(&["dist", "--out", out.path().to_str().unwrap()]);
    let child = KilledOnDrop(cargo.command().process_group(0).spawn().unwrap());
    let working = out.path().join(format!(".{}.new", name.to_string_lossy())).join(name);
    wait_for("the folder in which the distribution is put together", || {
        working.join("licenses").is_dir().then_some(())
    });
    let pid = i32::try_from(child.0.id()).unwrap();
    rustix::process::kill_process_group(
        rustix::process::Pid::from_raw(pid).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    drop(child);
    assert!(!out.path().join(name).exists(), "a killed run gave a folder");
    let archives = std::fs::read_dir(out.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".tar.gz"));
    assert_eq!(archives.count(), 0, "a killed run gave an archive");
    let error = xtask(&["verify", working.to_str().unwrap()]).fail();
    assert!(error.contains("is no distribution: no version.json"), "{error}");
}

#[test]
fn a_full_disk_is_named_and_leaves_nothing() {
    let (Some(dist), Some(unshare)) = (needs::dist(), needs::unshare()) else { return };
    let _building = one_build_at_a_time();
    let out = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=20m tmpfs \"$1\"; cargo xtask dist --out \"$1\" && exit 9; \
                  test ! -e \"$1/$2\"";
    let args = [out.path().as_os_str(), dist.file_name().unwrap()];
    let output = xtask(&[]).unshared(&unshare, &["--mount"], script, &args);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{text}", output.status);
    assert!(text.to_lowercase().contains("no space left on device"), "{text}");
}

/// What the community's own program says of it.
#[test]
fn the_bill_of_materials_is_valid_spdx() {
    let (Some(dist), Some(packages)) = (needs::dist(), needs::from_pypi("spdx-tools", "0.8.5"))
    else {
        return;
    };
    let mut tool = command(packages.join("bin/pyspdxtools"));
    tool.arg("--infile").arg(dist.join("sbom.spdx.json")).env("PYTHONPATH", &packages);
    let Finished { status, output } = finish(&mut tool);
    assert!(status.success(), "{status}\n{output}");
}

/// The plan's own first command, in a copy of this repository at another path: the same bytes come out.
#[test]
fn another_folder_gives_the_same_bytes() {
    let Some(dist) = needs::dist() else { return };
    let _building = one_build_at_a_time();
    let copy = scratch("a second, longer folder").join("repository");
    copy_repository(&copy);
    copy_compiled_crates(&copy.join("target"));
    let plan = xtask(&["dist", "--plan", "--json"]).output();
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    let line = plan[0]["steps"][0]["command"].as_str().unwrap();
    let manifest = std::fs::read_to_string(dist.join("version.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let cargo_home = cargo_home();
    let build = Cargo::new(&copy, &copy.join("target"), &[]).env("CARGO_HOME", &cargo_home);
    let output = build.shell(line);
    assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
    let mut different = Vec::new();
    for (name, expected) in manifest["files"].as_object().unwrap() {
        let is_code = PROGRAMS.contains(&name.as_str()) || name.ends_with(".so");
        if !is_code && name != "ggml-rpc-server" {
            continue;
        }
        let built = find(&copy.join("target"), manifest["target"].as_str().unwrap(), name);
        let stripped = copy.join("target").join(name);
        let strip =
            command("strip").arg("--strip-all").arg("-o").arg(&stripped).arg(&built).status();
        assert!(strip.unwrap().success());
        let sum = finish(command("sha256sum").arg("-b").arg(&stripped)).output;
        if !sum.starts_with(expected["sha256"].as_str().unwrap()) {
            different.push(name);
        }
    }
    assert!(different.is_empty(), "other bytes in another folder: {different:?}");
}

/// What git knows, and the verified source with its stamp, whose times a hard link keeps.
fn copy_repository(to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    // What was compiled there before stays: times are kept, so Cargo knows it again.
    let script = "find \"$1\" -mindepth 1 -maxdepth 1 ! -name target -exec rm -rf {} + && \
                  git ls-files -co --exclude-standard -z | xargs -0 cp -a --parents -t \"$1\" && \
                  cp -al vendor/llama.cpp vendor/ui vendor/.llama.cpp.verified \"$1/vendor/\"";
    let mut copy = command("sh");
    copy.args(["-ec", script, "sh"]).arg(to).current_dir(root());
    let Finished { status, output } = finish(&mut copy);
    assert!(status.success(), "{output}");
}

/// A file of the payload in Cargo's target folder.
fn find(target: &Path, triple: &str, name: &str) -> PathBuf {
    let release = target.join(triple).join("release");
    if PROGRAMS.contains(&name) {
        return release.join(name);
    }
    let builds = std::fs::read_dir(release.join("build")).unwrap();
    let candidates = builds.map(|entry| entry.unwrap().path().join("out/build/bin").join(name));
    candidates.filter(|path| path.is_file()).max_by_key(|path| modified(path)).unwrap()
}

fn modified(path: &Path) -> std::time::SystemTime {
    path.metadata().unwrap().modified().unwrap()
}
