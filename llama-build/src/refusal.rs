//! Builds that would go to their end and give something that does not run.

use std::ffi::OsStr;
use std::path::Path;

use crate::Error;
use crate::config::Config;
use crate::feature::Feature;
use crate::target::{Os, Target};

/// The C++, OpenMP and TLS libraries of a system with glibc are shared ones; a program that has them beside a static
/// glibc links, and crashes when it starts.
pub(crate) fn static_glibc(target: &Target) -> Result<(), Error> {
    if target.os != Os::Linux || target.is_musl() {
        return Ok(());
    }
    Err(Error::usage(format!(
        "{target} has no static C library that llama.cpp runs with (`+crt-static`)"
    ))
    .hint("take `-C target-feature=+crt-static` out of RUSTFLAGS")
    .hint(format!("or build for musl: cargo build --target {}-unknown-linux-musl", target.arch)))
}

/// Refuses libraries beside a program of which Cargo keeps the program alone: `cargo install --git`, or of a registry's
/// crate, builds in a folder that it removes.
///
/// # Errors
/// Names what to type instead.
pub fn lost_libraries(config: &Config, out: &Path) -> Result<(), Error> {
    let is_temporary = |name: &OsStr| name.to_string_lossy().starts_with("cargo-install");
    let lost = out.iter().any(is_temporary) && config.features.has(Feature::BackendDl);
    if !lost || config.overrides.relocatable {
        return Ok(());
    }
    Err(Error::usage("`cargo install` keeps the program, and removes the libraries that `backend-dl` puts beside it")
        .hint("one file with every CPU's code: cargo install … --features cpu-all-variants")
        .hint("program and libraries, in a clone: cargo xtask dist")
        .hint("or keep what is built: CARGO_TARGET_DIR=/a/folder/that/stays cargo install …"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Features;

    #[test]
    fn libraries_that_nobody_keeps_are_not_built() {
        let of = |features: &str, out: &str| {
            let config = Config::plain(
                Features::parse(features.split(' ')).unwrap(),
                "x86_64-unknown-linux-gnu",
                "x86_64-unknown-linux-gnu",
            );
            lost_libraries(&config, Path::new(out)).is_ok()
        };
        let temporary = "/var/cargo-installa1B2c3/release/build/llama-sys-0/out";
        assert!(!of("server backend-dl", temporary));
        assert!(of("server cpu-all-variants", temporary));
        assert!(of("server backend-dl", "/srv/target/release/build/llama-sys-0/out"));
    }

    #[test]
    fn a_static_glibc_is_refused() {
        let refused =
            |triple: &str| static_glibc(&Target::parse(triple)).err().map(|e| e.to_string());
        assert_eq!(
            refused("x86_64-unknown-linux-gnu").as_deref(),
            Some(
                "x86_64-unknown-linux-gnu has no static C library that llama.cpp runs with (`+crt-static`)\n  \
                 hint: take `-C target-feature=+crt-static` out of RUSTFLAGS\n  \
                 hint: or build for musl: cargo build --target x86_64-unknown-linux-musl"
            )
        );
        for triple in
            ["x86_64-unknown-linux-musl", "x86_64-pc-windows-msvc", "aarch64-apple-darwin"]
        {
            assert_eq!(refused(triple), None, "{triple}");
        }
    }
}
