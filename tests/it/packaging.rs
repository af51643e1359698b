//! The example package for Debian: `dpkg-buildpackage` makes it of a finished distribution, and what it
//! installs runs and is what the distribution had.

use std::path::Path;

use llama_tests::needs;
use llama_tests::process::{Finished, command, finish};
use llama_tests::workspace::root;

/// Runs `command` to its end, and fails with what it said.
fn succeed(command: &mut std::process::Command) -> String {
    let Finished { status, output } = finish(command);
    assert!(status.success(), "{status}\n{output}");
    output
}

/// Makes the package in `dir` of the distribution `dist`, and unpacks it to `dir/root`.
fn install(dir: &Path, dist: &Path) {
    let source = dir.join("llama-server");
    std::fs::create_dir(&source).unwrap();
    succeed(command("cp").arg("-r").arg(root().join("packaging/debian")).arg(&source));
    let mut build = command("dpkg-buildpackage");
    build.args(["-b", "-us", "-uc", "-d"]).env("DIST", dist).current_dir(&source);
    // The default, xz, takes half a minute.
    build.env("DPKG_DEB_COMPRESSOR_TYPE", "gzip").env("DPKG_DEB_COMPRESSOR_LEVEL", "1");
    succeed(&mut build);
    let package = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    succeed(command("dpkg-deb").arg("-x").arg(package.unwrap()).arg(dir.join("root")));
}

#[test]
fn a_debian_package_has_the_files_of_the_distribution_and_runs() {
    let tools = (
        needs::program_of("dpkg-buildpackage", "dpkg-dev"),
        needs::program_of("dh", "debhelper"),
        needs::dist(),
    );
    let (Some(_), Some(_), Some(dist)) = tools else { return };
    let dir = tempfile::tempdir().unwrap();
    install(dir.path(), &dist);
    let installed = dir.path().join("root/usr/lib/llama-server");
    succeed(command("diff").arg("-r").arg(&dist).arg(&installed));
    for name in ["llama-server", "llama-healthcheck"] {
        let program = dir.path().join("root/usr/bin").join(name);
        let said = succeed(command(&program).arg("--version").env_clear().current_dir("/"));
        assert!(said.to_lowercase().contains("version") || said.contains(name), "{said}");
    }
}
