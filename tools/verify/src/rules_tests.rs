//! A broken distribution for every rule, with what is said about it.

use std::fs;
use std::os::unix::fs::symlink;

use super::super::made::{Dist, NOTHING, after, listed};
use elf::made::Made;
use product::manifest::File;
use product::variant::AARCH64;

#[test]
fn a_good_distribution_is_fine() {
    assert_eq!(after(|_| ()), NOTHING);
}

#[test]
fn a_manifest_must_say_everything() {
    assert_eq!(
        after(|dist| {
            dist.manifest.branch.clear();
            dist.manifest.timestamp = "20251121".into();
            dist.manifest.target = AARCH64.into();
        }),
        [
            "libcudart.so.13: is for x86_64, but version.json says aarch64-unknown-linux-gnu",
            "libggml-cuda.so: is for x86_64, but version.json says aarch64-unknown-linux-gnu",
            "libggml.so: is for x86_64, but version.json says aarch64-unknown-linux-gnu",
            "libllama.so: is for x86_64, but version.json says aarch64-unknown-linux-gnu",
            "llama-healthcheck: is for x86_64, but version.json says aarch64-unknown-linux-gnu",
            "llama-server: is for x86_64, but version.json says aarch64-unknown-linux-gnu",
            "version.json: `branch` is empty",
            "version.json: no cuda distribution exists for target `aarch64-unknown-linux-gnu`",
            "version.json: timestamp `20251121` is not yymmddhhmm",
            "version.json: version `2511211326-0123456` is not timestamp `20251121`, `-`, and 7 or more \
             digits of commit `0123456789abcdef0123456789abcdef01234567`",
        ]
    );
    assert_eq!(
        after(|dist| dist.manifest.variant = "cudda".into()),
        ["version.json: variant `cudda` is unknown"]
    );
}

#[test]
fn a_version_is_time_and_commit() {
    let of = |version: &str, commit: &str| {
        after(|dist| {
            dist.manifest.version = version.into();
            dist.manifest.commit = commit.into();
        })
        .is_empty()
    };
    assert!(of("2511211326-0123456", "0123456789ab"));
    assert!(of("2511211326-0123456789ab", "0123456789ab"));
    assert!(of("2511211326-0123456", "0123456789ab-dirty"));
    assert!(of("2511211326-0123456-dirty", "0123456789ab-dirty"));
    for version in ["2511211326-012345", "2511211326-1234567", "2511211327-0123456", "0123456"] {
        assert!(!of(version, "0123456789ab"), "{version}");
    }
    assert!(!of("2511211326-0123456-dirty", "0123456789ab"));
    assert!(of("2511211326-unknown", "unknown"));
    assert!(!of("2511211326-unknowm", "unknowm"));
}

#[test]
fn files_are_those_of_the_manifest() {
    let sha256 = Dist::new().sha256("libggml.so").to_owned();
    assert_eq!(
        after(|dist| {
            fs::remove_file(dist.dir().join("libllama.so")).unwrap();
            fs::remove_file(dist.dir().join("bin/llama-server")).unwrap();
            symlink("../libggml.so", dist.dir().join("bin/llama-server")).unwrap();
            dist.write("licenses/llama.cpp.txt", b"GPL v3", 0o644);
            let File::Regular { sha256, .. } = dist.manifest.files.get_mut("libggml.so").unwrap()
            else {
                panic!("a file")
            };
            *sha256 = "0".into();
            dist.write("notes.txt", b"", 0o644);
            fs::create_dir(dist.dir().join("empty")).unwrap();
            dist.mode("empty", 0o755);
        }),
        [
            "bin/llama-server: points to `../libggml.so`, but version.json says `../llama-server`",
            "bin/llama-server: points to `../libggml.so`: only links from bin/NAME to ../NAME are allowed",
            "empty: a folder that contains no file listed in version.json",
            &format!("libggml.so: has SHA-256 `{sha256}`, but version.json says `0`"),
            "libllama.so: listed in version.json, but missing",
            "licenses/llama.cpp.txt: has size `6`, but version.json says `3`",
            "llama-server: needs `libllama.so`, which is neither in the distribution nor allowed for cuda",
            "notes.txt: not listed in version.json",
            &format!(
                "sbom.spdx.json: declares SHA-256 `{sha256}` of libggml.so, but version.json says \
                `0`"
            ),
        ]
    );
}

#[test]
fn links_and_files_are_no_substitute_for_each_other() {
    assert_eq!(
        after(|dist| {
            fs::remove_file(dist.dir().join("bin/llama-server")).unwrap();
            dist.write("bin/llama-server", b"#!/bin/sh", 0o755);
            fs::remove_file(dist.dir().join("licenses/llama.cpp.txt")).unwrap();
            symlink("/etc/passwd", dist.dir().join("licenses/llama.cpp.txt")).unwrap();
            fs::remove_file(dist.dir().join("libggml-cuda.so")).unwrap();
            std::os::unix::net::UnixListener::bind(dist.dir().join("libggml-cuda.so")).unwrap();
        }),
        [
            "bin/llama-server: must be a link, according to version.json",
            "libggml-cuda.so: must be a file, according to version.json",
            "libggml-cuda.so: neither a file, nor a folder, nor a link",
            "licenses/llama.cpp.txt: must be a file, according to version.json",
            "licenses/llama.cpp.txt: points to `/etc/passwd`: only links from bin/NAME to ../NAME are \
             allowed",
            "licenses: no licences found",
        ]
    );
}

#[test]
fn modes_let_anybody_read_and_nobody_else_write() {
    assert_eq!(
        after(|dist| {
            dist.mode("", 0o700);
            dist.mode("bin", 0o777);
            dist.mode("llama-server", 0o4755);
            dist.mode("libggml.so", 0o600);
            // As Debian has them.
            dist.mode("libllama.so", 0o644);
            dist.mode("licenses/llama.cpp.txt", 0o600);
            dist.mode("sbom.spdx.json", 0o666);
        }),
        [
            ".: has mode 0700, must be 0755",
            "bin: has mode 0777, must be 0755",
            "libggml.so: has mode 0600, must be 0755",
            "licenses/llama.cpp.txt: has mode 0600, must be 0644",
            "llama-server: has mode 4755, must be 0755",
            "sbom.spdx.json: has mode 0666, must be 0644",
        ]
    );
}

#[test]
fn no_file_tells_where_it_was_built() {
    assert_eq!(
        listed(|dist| {
            let payload = "/opt/tree/a.c\0/opt/tree/b.c\0/opt/tree/c.c\0/opt/tree/d.c";
            dist.elf("libggml.so", &Made { payload, ..Made::default() });
            dist.manifest.tools.insert("c++".into(), "/opt/tree/c++".into());
        }),
        [
            "libggml.so: has build paths: `/opt/tree/a.c`, `/opt/tree/b.c`, `/opt/tree/c.c` and 1 more",
            "version.json: has build paths: `\"c++\": \"/opt/tree/c++\"`",
        ]
    );
}
