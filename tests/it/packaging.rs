//! What other packagers use: `make install`, and the example package for Debian, of a finished distribution and of the
//! source.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use llama_tests::needs;
use llama_tests::process::{Finished, command, finish};
use llama_tests::workspace::{one_build_at_a_time, root, scratch};

use super::build::proof::{clone_into, source_into};

/// Runs `command` to its end, and fails with what it said.
fn succeed(command: &mut std::process::Command) -> String {
    let Finished { status, output } = finish(command);
    assert!(status.success(), "{status}\n{output}");
    output
}

/// `dpkg-buildpackage` and debhelper.
fn debian() -> Option<()> {
    let tools = [("dpkg-buildpackage", "dpkg-dev"), ("dh", "debhelper")];
    tools.into_iter().try_for_each(|(name, package)| needs::program_of(name, package).map(drop))
}

/// Makes the package of the source in `source` without a network, and unpacks what comes of it to `root` beside it.
fn install(unshare: &Path, source: &Path, env: &[(&str, &OsStr)]) {
    let namespaces = ["--map-root-user", "--net", "dpkg-buildpackage", "-b", "-us", "-uc", "-d"];
    let mut build = command(unshare);
    build.args(namespaces).current_dir(source).envs(env.iter().copied());
    // The default, xz, takes half a minute.
    build.env("DPKG_DEB_COMPRESSOR_TYPE", "gzip").env("DPKG_DEB_COMPRESSOR_LEVEL", "1");
    succeed(&mut build);
    let dir = source.parent().unwrap();
    let package = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    succeed(command("dpkg-deb").arg("-x").arg(package.unwrap()).arg(dir.join("root")));
}

/// The files in `installed` are those of the distribution, and its programs run through the links in `bin`.
fn is_installed(dist: &Path, installed: &Path, bin: &Path) {
    succeed(command("diff").arg("-r").arg(dist).arg(installed));
    for (name, option, due) in [
        ("llama-server", "--version", "version: "),
        ("llama-healthcheck", "--version", "llama-healthcheck "),
        ("ggml-rpc-server", "--help", "Usage: "),
    ] {
        let link = bin.join(name);
        assert!(std::fs::read_link(&link).unwrap().is_relative(), "{}", link.display());
        let said = succeed(command(&link).arg(option).env_clear().current_dir("/"));
        assert!(said.contains(due), "{said}");
    }
}

#[test]
fn make_installs_a_distribution_and_takes_it_away() {
    let Some(dist) = needs::dist() else { return };
    let dir = tempfile::tempdir().unwrap();
    let stage = dir.path().join("a stage");
    let make = |target: &str, dist: &Path| {
        let mut make = command("sh");
        make.args(["-c", "umask 077 && exec make \"$@\"", "make"]);
        let word = |name: &str, value: &Path| format!("{name}={}", value.display());
        make.args(["--directory", root().to_str().unwrap(), target, "PREFIX=/usr"]);
        make.args(["LIBDIR=/usr/lib64", &word("DIST", dist), &word("DESTDIR", &stage)]);
        finish(&mut make)
    };
    // A second time takes the place of the first.
    for _ in 0..2 {
        let Finished { status, output } = make("install", &dist);
        assert!(status.success(), "{output}");
        let (installed, bin) = (stage.join("usr/lib64/llama-server"), stage.join("usr/bin"));
        is_installed(&dist, &installed, &bin);
        std::fs::write(installed.join("of-another-release.so"), "").unwrap();
    }
    let installed = stage.join("usr/lib64/llama-server");
    make("install", &installed)
        .assert_refused("make", "DIST is the folder that it would be installed into");
    let mode =
        |path: &str| std::fs::metadata(stage.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(["usr", "usr/bin", "usr/lib64"].map(mode), [0o755; 3], "whatever the umask");
    let no_dist = dir.path().join("no/dist");
    make("install", &no_dist)
        .assert_refused("make", "no/dist is not a distribution: version.json not found");
    assert!(make("uninstall", &dist).status.success());
    let left = succeed(command("find").arg(&stage).args(["!", "-type", "d"]));
    assert_eq!(left, "");
    // Somebody else's.
    std::fs::create_dir_all(&installed).unwrap();
    std::fs::write(installed.join("notes"), "").unwrap();
    for target in ["install", "uninstall"] {
        make(target, &dist).assert_refused("make", "is not empty, and is no distribution");
    }
    assert!(installed.join("notes").is_file());
}

#[test]
fn a_debian_package_has_the_files_of_the_distribution_and_runs() {
    let (Some(_), Some(dist), Some(unshare)) = (debian(), needs::dist(), needs::unshare()) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("llama-server");
    std::fs::create_dir(&source).unwrap();
    succeed(command("cp").arg("-r").arg(root().join("packaging/debian")).arg(&source));
    succeed(command("cp").arg(root().join("Makefile")).arg(&source));
    install(&unshare, &source, &[("DIST", dist.as_os_str())]);
    let root = dir.path().join("root/usr");
    is_installed(&dist, &root.join("lib/llama-server"), &root.join("bin"));
}

/// Stands for `cargo xtask dist --out DIR`, where that would compile for minutes: builds the library with the real Cargo,
/// whose compilers fail, and lays a finished distribution.
const CARGO: &str = r#"#!/bin/sh -e
test "$1 $2 $3" = "xtask dist --out"
if "$CARGO" build --release --package llama-sys --no-default-features; then exit 1; fi
mkdir -p "$4"
cp -a "$FINISHED" "$4/cpu-$(uname -m)-unknown-linux-gnu"
"#;

/// A compiler launcher that fails; CMake has configured by then.
const LAUNCHER: &str = "#!/bin/sh\necho \"$*\" >> \"$0.said\"\nexit 1\n";

/// Crates of `cargo vendor`, no network, and Debian's flags, as they reach CMake and a compiler.
#[test]
fn a_debian_package_is_built_of_the_source_offline_with_debians_flags() {
    let (Some(_), Some(dist), Some(unshare)) = (debian(), needs::dist(), needs::unshare()) else {
        return;
    };
    let _building = one_build_at_a_time();
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("llama-server");
    std::fs::create_dir(&source).unwrap();
    clone_into(&source);
    source_into(&source);
    succeed(command("cp").arg("-r").arg(root().join("packaging/debian")).arg(&source));
    let crates = scratch("crates");
    let words = ["vendor", "--quiet", "--locked", "--versioned-dirs"];
    succeed(command("cargo").args(words).arg(&crates).current_dir(root()));
    std::os::unix::fs::symlink(&crates, source.join("crates")).unwrap();
    let bin = dir.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let [cargo, launcher] = [("cargo", CARGO), ("launcher", LAUNCHER)].map(|(name, text)| {
        let path = bin.join(name);
        std::fs::write(&path, text).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, executable).unwrap();
        path
    });
    let env = [
        ("CARGO", real_cargo().into_os_string()),
        ("FINISHED", dist.clone().into_os_string()),
        ("LLAMA_SYS_COMPILER_LAUNCHER", launcher.clone().into_os_string()),
        ("PATH", path_from(&[&bin, real_cargo().parent().unwrap()])),
    ];
    assert!(cargo.is_file());
    install(&unshare, &source, &env.each_ref().map(|(name, value)| (*name, value.as_os_str())));
    let root = dir.path().join("root/usr");
    is_installed(&dist, &root.join("lib/llama-server"), &root.join("bin"));
    has_flags(&source, &launcher.with_extension("said"));
}

/// Debian's flags are in CMake's cache, and the compilers got those that they were to get.
fn has_flags(source: &Path, said: &Path) {
    let said = std::fs::read_to_string(said).unwrap();
    let find = ["debian/build/target", "-name", "CMakeCache.txt"];
    let cache = succeed(command("find").args(find).current_dir(source));
    let cache = std::fs::read_to_string(source.join(cache.trim())).unwrap();
    for (flags, names) in [
        ("CFLAGS", &["C_FLAGS"][..]),
        ("CXXFLAGS", &["CXX_FLAGS"]),
        ("CPPFLAGS", &["C_FLAGS", "CXX_FLAGS"]),
        ("LDFLAGS", &["SHARED_LINKER_FLAGS", "EXE_LINKER_FLAGS", "MODULE_LINKER_FLAGS"]),
    ] {
        let mut ask = command("dpkg-buildflags");
        ask.args(["--get", flags]).env("DEB_BUILD_MAINT_OPTIONS", "hardening=+all");
        let wanted = succeed(ask.current_dir(source));
        for word in wanted.split_whitespace().filter(|word| *word != "-g") {
            for name in names {
                let line = cache.lines().find(|line| line.starts_with(&format!("CMAKE_{name}:")));
                assert!(line.unwrap().contains(word), "{name} has no {word}: {line:?}");
            }
            assert!(flags == "LDFLAGS" || said.contains(word), "no {word} in {said}");
        }
    }
    assert!(!said.split_whitespace().any(|word| word == "-g"), "{said}");
}

/// The Cargo behind rustup's, which looks for it in the home that debhelper takes away.
fn real_cargo() -> PathBuf {
    let sysroot = succeed(command("rustc").args(["--print", "sysroot"]));
    PathBuf::from(sysroot.trim()).join("bin/cargo")
}

/// A `PATH` in which these folders are first.
fn path_from(first: &[&Path]) -> std::ffi::OsString {
    #[expect(clippy::disallowed_methods, reason = "the programs of this machine come after ours")]
    let path = std::env::var_os("PATH").unwrap();
    let first = first.iter().map(|path| path.to_path_buf());
    std::env::join_paths(first.chain(std::env::split_paths(&path))).unwrap()
}
