//! A stranger's crate that depends on `llama-sys`: by path, static and shared; from the packaged
//! crates with no network; from an installed llama.cpp.

use std::path::{Path, PathBuf};
use std::process::Command;

use llama_src::Pin;
use llama_tests::needs;
use llama_tests::workspace::{Cargo, command, one_build_at_a_time, root, scratch, target};

const PROMPT: &str = "Hello";

fn app() -> PathBuf {
    root().join("tests/downstream/app")
}

/// Builds with `features`; the program, under a name that the next build leaves alone, and `OUT_DIR`.
fn build(features: &str) -> (PathBuf, PathBuf) {
    let target = scratch("app");
    let out =
        Cargo::new(&app(), &target, &["build", "--release", "--features", features]).out_dir();
    let program = target.join(format!("downstream-{features}"));
    std::fs::copy(target.join("release/downstream"), &program).unwrap();
    (program, out)
}

/// What the program says, started without Cargo, from another folder, with an empty environment.
fn run(program: &Path, model: &Path) -> String {
    let mut command = command(program);
    answer(command.env_clear().current_dir("/"), model)
}

fn answer(command: &mut Command, model: &Path) -> String {
    let output = command.args([model.as_os_str(), PROMPT.as_ref()]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let pin = Pin::load();
    assert!(stderr.contains(&format!("llama.cpp {} ({})", pin.version, pin.tag)), "{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn static_shared_and_installed_give_the_same_text() {
    let (Some(model), Some(_)) = (needs::demo_model(), needs::pkg_config()) else { return };
    let _building = one_build_at_a_time();
    let (program, _) = build("");
    let text = run(&program, &model);
    assert!(text.split_whitespace().count() > 3, "no words: {text}");
    let (program, out) = build("shared");
    assert_eq!(run(&program, &model), text);
    assert_eq!(installed(&out, &model), text);
}

/// Feature `system`, with the libraries of the shared build as what is installed.
fn installed(out: &Path, model: &Path) -> String {
    let dir = tempfile::tempdir().unwrap();
    let (include, lib) = (out.join("include"), out.join("build/bin"));
    let pc = |version: &str| {
        let text = format!(
            "Name: llama\nDescription: x\nVersion: {version}\nCflags: -I{}\nLibs: -L{} -lllama -lggml -lggml-base\n",
            include.display(),
            lib.display(),
        );
        std::fs::write(dir.path().join("llama.pc"), text).unwrap();
    };
    let target = scratch("app");
    let cargo = || {
        let cargo = Cargo::new(&app(), &target, &["build", "--release", "--features", "system"]);
        cargo.env("PKG_CONFIG_PATH", dir.path())
    };
    let pinned = Pin::load().version;
    pc("0.0.9");
    let error = cargo().fail();
    let wrong = format!(
        "version mismatch: the installed llama.cpp is 0.0.9, the declarations are for {pinned}"
    );
    assert!(error.contains(&wrong), "{error}");
    assert!(error.contains("add the feature `bindgen`"), "{error}");
    pc(pinned.trim_end_matches("-dev"));
    cargo().succeed();
    let text =
        answer(command(target.join("release/downstream")).env("LD_LIBRARY_PATH", &lib), model);
    pc("0.0.9");
    assert!(cargo().fail().contains(&wrong), "an upgrade is not noticed");
    text
}

#[test]
fn packaged_crates_build_without_a_network() {
    let Some(model) = needs::demo_model() else { return };
    let Some(unshare) = needs::unshare() else { return };
    let _building = one_build_at_a_time();
    let target = scratch("package");
    let packages = ["llama-src", "llama-build", "llama-sys", "llama-server-bin"];
    // Cargo packages crates that need each other since 1.90; before that it is asked for like this.
    let mut args = vec!["package", "--no-verify", "--allow-dirty", "-Zpackage-workspace"];
    packages.iter().for_each(|name| args.extend(["--package", name]));
    Cargo::new(&root(), &target, &args).env("RUSTC_BOOTSTRAP", "1").succeed();
    let unpacked = tempfile::tempdir().unwrap();
    let mut patches = String::from("\n[patch.crates-io]\n");
    for name in packages {
        let krate = newest_crate(&target.join("package"), name);
        let size = krate.metadata().unwrap().len();
        assert!(size < 10_000_000, "{} has {size} bytes, crates.io takes 10 MB", krate.display());
        unpack(&krate, unpacked.path());
        let dir = unpacked.path().join(krate.file_stem().unwrap());
        if name == "llama-server-bin" {
            continue;
        }
        patches.push_str(&format!("{name} = {{ path = {:?} }}\n", dir.display().to_string()));
    }
    let app = unpacked.path().join("app");
    copy(&self::app(), &app);
    let manifest = std::fs::read_to_string(app.join("Cargo.toml")).unwrap();
    let from_registry = manifest.replace(
        "path = \"../../../llama-sys\"",
        concat!("version = \"", env!("CARGO_PKG_VERSION"), "\""),
    );
    std::fs::write(app.join("Cargo.toml"), from_registry + &patches).unwrap();
    std::fs::copy(root().join("Cargo.lock"), app.join("Cargo.lock")).unwrap();
    // Read-only, as the registry's folder is meant to be, and no network.
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" && cd \"$2\" && \
                  exec cargo build --release --offline --features server";
    let source = newest_source(unpacked.path());
    let output = Cargo::new(&app, &scratch("packaged"), &[]).unshared(
        &unshare,
        &["--net", "--mount"],
        script,
        &[source.as_os_str(), app.as_os_str()],
    );
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(!stderr.contains("without its web UI"), "the package has the web UI:\n{stderr}");
    let program = scratch("packaged").join("release/downstream");
    assert!(run(&program, &model).split_whitespace().count() > 3);
}

fn newest_crate(dir: &Path, name: &str) -> PathBuf {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let is_it = |path: &PathBuf| {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        file.ends_with(".crate") && file.starts_with(&format!("{name}-0"))
    };
    entries.filter(is_it).max().unwrap()
}

fn newest_source(unpacked: &Path) -> PathBuf {
    let entries = std::fs::read_dir(unpacked).unwrap().map(|entry| entry.unwrap().path());
    let is_it =
        |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("llama-src-");
    entries.filter(is_it).max().unwrap()
}

fn unpack(krate: &Path, to: &Path) {
    let status = command("tar").arg("xzf").arg(krate).arg("-C").arg(to).status().unwrap();
    assert!(status.success());
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.join("src")).unwrap();
    for file in ["Cargo.toml", "build.rs", "src/main.rs"] {
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    }
}

#[test]
fn documentation_needs_no_cmake_no_network_and_no_writable_source() {
    let Some(unshare) = needs::unshare() else { return };
    let _building = one_build_at_a_time();
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" && cd \"$1\" && \
                  exec cargo doc --release --no-deps --offline --package llama-sys --all-features";
    let cargo = Cargo::new(&root(), &target(), &[])
        .env("DOCS_RS", "1")
        // Would be refused if the build script went on.
        .env("LLAMA_SYS_CMAKE_ARGS", "-DNO_SUCH_THING=1");
    let crate_dir = root().join("llama-sys");
    let _ = std::fs::remove_dir_all(target().join("doc/llama_sys"));
    let output = cargo.unshared(&unshare, &["--net", "--mount"], script, &[crate_dir.as_os_str()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = target().join("doc/llama_sys/fn.llama_decode.html");
    assert!(page.is_file(), "{} is missing", page.display());
    // A build after it is not left with what documentation needs.
    let words = ["doc", "--release", "--no-deps", "--offline", "--all-features"];
    let build = Cargo::new(&crate_dir, &target(), &words);
    let error = build.env("LLAMA_SYS_JOBS", "0").env("LLAMA_SYS_SOURCE_DIR", "../x").fail();
    assert!(error.contains("LLAMA_SYS_SOURCE_DIR is `../x`, but must be an absolute"), "{error}");
    assert!(error.contains("LLAMA_SYS_JOBS is `0`, but must be a number above 0"), "{error}");
}

/// What docs/troubleshooting.md says of a program with two ggmls: nobody gets a program whose calls go astray.
#[test]
fn a_second_ggml_does_not_link() {
    let Some(cc) = needs::c_compiler() else { return };
    let _building = one_build_at_a_time();
    let (_, out) = build("");
    let dir = tempfile::tempdir().unwrap();
    let second = "void *ggml_init(void *p) { return p; }\nvoid ggml_free(void *p) { (void)p; }\n\
                  void second(void) { ggml_free(ggml_init(0)); }\n";
    let main = "void llama_backend_init(void); void second(void);\n\
                int main(void) { llama_backend_init(); second(); return 0; }\n";
    std::fs::write(dir.path().join("second.c"), second).unwrap();
    std::fs::write(dir.path().join("main.c"), main).unwrap();
    let libraries = std::fs::read_dir(out.join("lib")).unwrap().map(|entry| entry.unwrap().path());
    let mut link = command(&cc);
    link.current_dir(dir.path()).args(["main.c", "second.c", "-o", "both", "-Wl,--start-group"]);
    link.args(libraries).args(["-Wl,--end-group", "-lstdc++", "-lgomp", "-lm", "-lpthread"]);
    let output = link.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "two ggmls are one program");
    assert!(said.contains("ggml_init"), "{said}");
    assert!(said.contains("multiple definition") || said.contains("duplicate symbol"), "{said}");
}
