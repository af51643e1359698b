//! Whoever runs an image: as any user, with a cache anywhere, and with its programs by their names.

use std::os::unix::fs::PermissionsExt;

use llama_tests::docker::{self, Container, docker, image};
use llama_tests::hub::Hub;
use llama_tests::needs;
use llama_tests::process::finish;
use llama_tests::server::build_number;

/// Those of a person, of OpenShift, of the image itself, and of the machine's administrator.
const USERS: [&str; 4] = ["1000:1000", "1000650000:0", "10001:10001", "0:0"];

/// A server that downloads its model; healthy.
fn downloads(image: &str, hub: &Hub, options: &[&str]) -> Container {
    let endpoint = format!("HF_ENDPOINT={}", hub.endpoint(&docker::gateway()));
    let own = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--health-interval", "1s"];
    let words = [&own[..], &["--env", &endpoint], options, &[image, "-hf", "owner/model"]].concat();
    let server = Container::start(&words);
    let said = server.wait_for_health("healthy");
    assert!(said.starts_with("healthy: http://127.0.0.1:8080/health answers 200"), "{said}");
    server
}

#[test]
fn any_user_can_keep_downloads_in_the_cache() {
    let hub = Hub::start(needs::demo_model().unwrap());
    for name in ["cpu", "cpu-minimal"] {
        let Some(image) = image(name) else { return };
        for user in USERS {
            // Read-only: what is kept is in a volume of the engine's own.
            let server = downloads(&image, &hub, &["--user", user, "--volume", "/data/cache"]);
            let files = finish(&mut docker(&["cp", &format!("{}:/data/cache", server.id), "-"]));
            assert!(files.output.contains("/llama-demo.gguf"), "{name} as {user}");
        }
    }
}

/// A folder of this machine's keeps whose it is: whoever owns it must be the user.
#[test]
fn a_cache_of_the_hosts_works_for_who_owns_it() {
    let Some(image) = image("cpu") else { return };
    let hub = Hub::start(needs::demo_model().unwrap());
    let cache = tempfile::tempdir().unwrap();
    // Nobody else can look into it.
    std::fs::set_permissions(cache.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let mount = format!("{}:/data/cache", cache.path().display());
    let hand_over = ["run", "--rm", "--user", "0", "--entrypoint", "chown", "--volume", &mount];
    docker::read(&[&hand_over[..], &[&image, "1000:1000", "/data/cache"]].concat());
    downloads(&image, &hub, &["--user", "1000:1000", "--volume", &mount]);
    // What this test's user may not remove.
    let empty = ["run", "--rm", "--user", "0", "--entrypoint", "sh", "--volume", &mount];
    docker::read(&[&empty[..], &[&image, "-c", "rm -r /data/cache/*"]].concat());
}

#[test]
fn programs_are_found_by_their_names() {
    for name in ["cpu", "cpu-minimal"] {
        let Some(image) = image(name) else { return };
        let version = ["run", "--rm", "--entrypoint", "llama-server", &image, "--version"];
        let said = finish(&mut docker(&version));
        assert!(
            said.status.success() && said.output.contains(&build_number()),
            "{name}: {}",
            said.output
        );
        let server = Container::serve(&image, &[], &[]);
        server.wait_for_health("healthy");
        let check = server.exec(&["llama-healthcheck"]);
        assert!(check.status.success(), "{name}: {}", check.output);
    }
}

/// Whoever passes an image on passes the licences of what is in it on too.
#[test]
fn every_package_in_an_image_has_its_licence_there() {
    for name in ["cpu", "cpu-minimal", "vulkan", "vulkan-minimal"] {
        let Some(image) = image(name) else { return };
        let container = docker::read(&["create", &image]);
        let list = |path: &str| {
            let tar = docker(&["cp", &format!("{container}:{path}"), "-"]).output().unwrap();
            let mut list = llama_tests::process::command("tar");
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("tar"), tar.stdout).unwrap();
            finish(list.arg("-tf").arg(dir.path().join("tar"))).output
        };
        let licences = list("/usr/share/doc");
        let common = list("/usr/share/common-licenses");
        docker::read(&["rm", &container]);
        assert!(common.contains("/GPL-3") && common.contains("/LGPL-2.1"), "{name}: {common}");
        let packages: &[&str] = if name.ends_with("-minimal") { &MINIMAL } else { &["bash"] };
        let of_mesa: &[&str] = &["mesa-vulkan-drivers", "libdrm-common"];
        let more = if name.starts_with("vulkan") { of_mesa } else { &[] };
        for package in [packages, more].concat() {
            assert!(licences.contains(&format!("doc/{package}/copyright")), "{name}: {package}");
        }
    }
}

const MINIMAL: [&str; 7] =
    ["base-files", "ca-certificates", "libc6", "libgcc-s1", "libgomp1", "libssl3t64", "libstdc++6"];
