//! How the build behaves: it does nothing twice, takes what changes, survives being killed, and says
//! what is wrong.

mod machines;
pub(crate) mod proof;
#[cfg(target_arch = "x86_64")]
mod variants;

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use llama_tests::needs;
use llama_tests::workspace::{Cargo, command, one_build_at_a_time, root, scratch};

/// The library alone: the smallest build there is.
fn library(target: &Path) -> Cargo {
    Cargo::new(&root().join("tests/downstream/app"), target, &["build", "--release"])
}

/// The folder in which most of these tests build: what is compiled for one serves the next.
fn shared_target() -> PathBuf {
    scratch("app")
}

fn cached(out: &Path, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(out.join("build/CMakeCache.txt")).unwrap();
    let line = text.lines().find(|line| line.starts_with(&format!("{name}:")))?;
    Some(line.split_once('=')?.1.to_owned())
}

fn configured_at(out: &Path) -> std::time::SystemTime {
    std::fs::metadata(out.join("configure.log")).unwrap().modified().unwrap()
}

#[test]
fn nothing_is_done_twice_and_changes_take_effect() {
    let _building = one_build_at_a_time();
    let target = shared_target();
    let out = library(&target).out_dir();
    let before = configured_at(&out);
    // A second build, and one after a change of what is no source.
    let readme = root().join("README.md");
    std::fs::File::open(&readme).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
    let said = library(&target).succeed();
    assert!(!said.contains("Compiling"), "{said}");
    assert_eq!(configured_at(&out), before, "CMake ran again");
    // A variable that was never set before, and its end.
    library(&target).env("LLAMA_SYS_CMAKE_ARGS", "-DGGML_SCHED_MAX_COPIES=2").succeed();
    assert_eq!(cached(&out, "GGML_SCHED_MAX_COPIES").as_deref(), Some("2"));
    library(&target).succeed();
    assert_eq!(cached(&out, "GGML_SCHED_MAX_COPIES").as_deref(), Some("4"));
    // A name that llama.cpp does not know.
    let error = library(&target).env("LLAMA_SYS_CMAKE_ARGS", "-DGGML_NO_SUCH=1").fail();
    assert!(error.contains("llama.cpp has no CMake option `GGML_NO_SUCH`"), "{error}");
    library(&target).succeed();
    proof::prebuilt(&out);
}

#[test]
fn a_killed_build_is_finished_by_the_next_one() {
    let _building = one_build_at_a_time();
    let target = shared_target();
    let out = library(&target).out_dir();
    for (moment, copies) in [("configure.log", "5"), ("build.log", "6")] {
        std::fs::remove_dir_all(out.join("build")).unwrap();
        // The last build left one.
        let _ = std::fs::remove_file(out.join(moment));
        let args = format!("-DGGML_SCHED_MAX_COPIES={copies}");
        kill_at(library(&target).env("LLAMA_SYS_CMAKE_ARGS", &args), &out.join(moment));
    }
    let args = "-DGGML_SCHED_MAX_COPIES=6";
    library(&target).env("LLAMA_SYS_CMAKE_ARGS", args).succeed();
    assert_eq!(cached(&out, "GGML_SCHED_MAX_COPIES").as_deref(), Some("6"));
    assert!(out.join("llama-build.json").is_file());
}

/// Kills the whole build as soon as `file` has something in it.
fn kill_at(mut cargo: Cargo, file: &Path) {
    let quiet = cargo.command().stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = quiet.process_group(0).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(600);
    let has_begun = || std::fs::metadata(file).is_ok_and(|meta| meta.len() > 40);
    while !has_begun() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the build ended before {} came",
            file.display()
        );
        assert!(Instant::now() < deadline, "{} did not come", file.display());
        std::thread::sleep(Duration::from_millis(50));
    }
    let group = format!("-{}", child.id());
    assert!(command("kill").args(["-KILL", "--", &group]).status().unwrap().success());
    assert!(!child.wait().unwrap().success());
}

#[test]
fn paths_with_spaces_and_umlauts_and_two_builds_at_once() {
    let _building = one_build_at_a_time();
    let dir = scratch("sp ace ü");
    let source = dir.join("llama ö");
    if !source.exists() {
        let from = root().join("vendor/llama.cpp");
        assert!(command("cp").arg("-r").arg(from).arg(&source).status().unwrap().success());
    }
    let own = |target: &Path| library(target).env("LLAMA_SYS_SOURCE_DIR", &source);
    let mut other = own(&shared_target());
    let other = other.command().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let out = own(&dir.join("ä")).out_dir();
    let output = other.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let manifest = std::fs::read_to_string(out.join("llama-build.json")).unwrap();
    assert!(manifest.contains("\"verified\": false"), "a tree of the user's is not verified");
    let unity = cached(&out, "CMAKE_UNITY_BUILD");
    assert_eq!(unity.as_deref(), Some("OFF"), "and is compiled as upstream compiles it");
}

/// Each error as a person sees it: build script's first lines.
fn error_with(set: impl Fn(Cargo) -> Cargo) -> String {
    let error = set(library(&shared_target())).fail();
    let lines =
        error.lines().filter_map(|line| line.split_once("error: llama-sys@").map(|(_, rest)| rest));
    let lines: Vec<&str> = lines.filter_map(|rest| Some(rest.split_once(": ")?.1)).collect();
    assert!(!lines.is_empty(), "{error}");
    lines.join("\n")
}

/// A `PATH` with what Cargo itself needs and nothing else.
fn bare_path() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for tool in ["cc", "ld", "as", "cargo", "rustc", "git", "id", "sh"] {
        let found = command("sh").args(["-c", &format!("command -v {tool}")]).output().unwrap();
        let path = String::from_utf8(found.stdout).unwrap();
        if !path.trim().is_empty() {
            std::os::unix::fs::symlink(path.trim(), dir.path().join(tool)).unwrap();
        }
    }
    dir
}

#[test]
fn what_is_missing_is_said_at_once() {
    let _building = one_build_at_a_time();
    let bare = bare_path();
    let error = error_with(|cargo| cargo.env("PATH", bare.path()));
    assert!(
        error.starts_with(
            "cmake not found (every build needs it)\n  looked in: PATH\n  hint: install it: "
        ),
        "{error}"
    );
    assert!(error.contains("C++ compiler not found (every build needs it)"), "{error}");
    // The compiler that is named is the one that is told, whatever else there is.
    let error = error_with(|cargo| cargo.env("CC", "/no/such/cc"));
    let told = "C compiler not found (every build needs it)\n  looked in: $CC (/no/such/cc), \
        PATH\n  hint: set CC to an installed compiler, or unset it";
    assert_eq!(error, told);
    let app = root().join("tests/downstream/app");
    let cuda =
        Cargo::new(&app, &shared_target(), &["build", "--release", "--features", "llama-sys/cuda"]);
    let error = cuda.env("CUDA_PATH", "/no/cuda").fail();
    if command("nvcc").arg("--version").output().is_err() {
        assert!(
            error.contains("CUDA compiler (nvcc) not found (feature `cuda` needs it)"),
            "{error}"
        );
        assert!(
            error
                .contains("$CUDACXX (unset), $CUDA_PATH (/no/cuda/bin), /usr/local/cuda/bin, PATH"),
            "{error}"
        );
        assert!(error.contains("hint: or build without the feature `cuda`"), "{error}");
    }
}

#[test]
fn wrong_variables_are_refused() {
    let _building = one_build_at_a_time();
    let error =
        error_with(|cargo| cargo.env("LLAMA_SYS_JOBS", "many").env("LLAMA_SYS_OFFLINE", "yes"));
    assert!(error.contains("LLAMA_SYS_JOBS is `many`, but must be a number"), "{error}");
    assert!(
        error.contains(
            "LLAMA_SYS_OFFLINE is `yes`, but must be 0 or 1\n  hint: set LLAMA_SYS_OFFLINE to 0 or 1"
        ),
        "{error}"
    );
    let error = error_with(|cargo| cargo.env("LLAMA_SYS_COMPILER_LAUNCHER", "no-such-cache"));
    assert!(
        error.starts_with(
            "compiler launcher not found: `no-such-cache`\n  looked in: PATH\n  \
            hint: set"
        ),
        "{error}"
    );
    let error = error_with(|cargo| cargo.env("LLAMA_SYS_SOURCE_DIR", "/no/such/tree"));
    assert!(error.contains("/no/such/tree"), "{error}");
    let error = error_with(|cargo| cargo.env("LLAMA_SYS_PREBUILT_DIR", "/no/such/build"));
    assert!(
        error.contains("hint: set LLAMA_SYS_PREBUILT_DIR to the folder of a llama-build.json"),
        "{error}"
    );
}

#[test]
fn archives_that_are_not_the_pinned_tree_are_refused() {
    let _building = one_build_at_a_time();
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("a.tar.gz");
    let tar = |from: &str| {
        let done = command("tar")
            .arg("czf")
            .arg(&archive)
            .arg("-C")
            .arg(root())
            .arg(from)
            .status()
            .unwrap();
        assert!(done.success());
    };
    tar("tests/downstream/app/src");
    let other = error_with(|cargo| cargo.env("LLAMA_SYS_SOURCE_ARCHIVE", &archive));
    assert!(other.contains("a.tar.gz"), "{other}");
    tar("vendor/llama.cpp/include");
    let bytes = std::fs::read(&archive).unwrap();
    std::fs::write(&archive, &bytes[..bytes.len() / 2]).unwrap();
    let truncated = error_with(|cargo| cargo.env("LLAMA_SYS_SOURCE_ARCHIVE", &archive));
    assert!(truncated.contains("a.tar.gz"), "{truncated}");
}

/// Git for Windows writes other line ends into a checkout by default; no patch applies to those.
#[test]
fn a_checkout_has_the_committed_line_ends_whatever_git_is_told() {
    let clone = tempfile::tempdir().unwrap();
    let git = |dir: &Path, args: &[&str]| {
        let output = command("git").args(args).current_dir(dir).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let to = clone.path().join("clone");
    let to_text = to.to_str().unwrap();
    let options = ["-c", "core.autocrlf=true", "-c", "core.eol=crlf"];
    git(&root(), &[&["clone", "--quiet", "--no-checkout"], &options[..], &[".", to_text]].concat());
    git(&to, &["checkout", "--quiet", "HEAD"]);
    let ends = git(&to, &["ls-files", "--eol"]);
    assert!(ends.lines().any(|line| line.ends_with("vendor/llama.cpp.toml")), "{ends}");
    let changed: Vec<&str> = ends.lines().filter(|line| line.contains("w/crlf")).collect();
    assert!(changed.is_empty(), "{changed:#?}");
}

#[test]
fn a_full_disk_is_named() {
    let Some(unshare) = needs::unshare() else { return };
    let _building = one_build_at_a_time();
    let disk = scratch("full");
    // Room for the build script (110 MB at most), not for llama.cpp's objects (190 MB with them).
    let script = "mount -t tmpfs -o size=150m tmpfs \"$1\" && exec cargo build --release";
    let cargo = library(&disk.join("target"));
    let output = cargo.unshared(&unshare, &["--mount"], script, &[disk.as_os_str()]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{stderr}");
    assert!(stderr.contains("hint: free some disk space"), "{stderr}");
}

/// Where the tests' own servers are; a check that both kinds are what they are named.
#[test]
fn a_static_server_is_one_file_and_a_shared_one_is_not() {
    let Some(servers) = needs::both_servers() else { return };
    let needed = |server: &PathBuf| {
        let output = command("readelf").arg("-d").arg(server).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let [(_, own), (_, shared)] = servers;
    let own = needed(&own);
    for library in ["libllama", "libggml", "libmtmd"] {
        assert!(!own.contains(library), "{own}");
    }
    assert!(!own.contains("RUNPATH") && !own.contains("RPATH"), "{own}");
    assert!(needed(&shared).contains("libllama-server-impl.so"));
}
