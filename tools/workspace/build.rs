//! Tells `cargo xtask` for which machine it is compiled: the one that it runs on.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[expect(clippy::disallowed_methods, reason = "Cargo tells a build script in no other way")]
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=XTASK_HOST={target}");
}
