//! Checks what `llama-sys` tells crates that depend on it.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_SYSTEM").is_some() {
        return;
    }
    let var = |name: &str| env::var(format!("DEP_LLAMA_{name}")).unwrap_or_else(|_| panic!("no DEP_LLAMA_{name}"));
    let dir = |name: &str| {
        let dir = PathBuf::from(var(name));
        assert!(dir.is_dir(), "DEP_LLAMA_{name} is no folder: {}", dir.display());
        dir
    };
    let root = dir("ROOT");
    for header in ["llama.h", "ggml.h", "ggml-backend.h", "gguf.h", "ggml-opt.h", "mtmd.h"] {
        assert!(dir("INCLUDE").join(header).is_file(), "no {header}");
    }
    assert!(dir("LIBDIR").read_dir().unwrap().count() > 2);
    assert!(PathBuf::from(var("MANIFEST")).starts_with(&root));
    let manifest = std::fs::read_to_string(var("MANIFEST")).unwrap();
    assert!(manifest.contains(&format!("\"build_number\": {},", var("BUILD_NUMBER"))));
    assert!(manifest.contains(&format!("\"version\": \"{}\",", var("VERSION"))));
    let is_on = |feature: &str| env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
    assert_eq!(env::var_os("DEP_LLAMA_SERVER").is_some(), is_on("SERVER"));
    assert_eq!(env::var_os("DEP_LLAMA_BACKEND_DIR").is_some(), is_on("SHARED"));
    if is_on("SERVER") {
        assert!(PathBuf::from(var("SERVER")).is_file());
    }
    // One CPU backend needs what it was compiled for; several are chosen from. On arm64 the compiler may ask for
    // nothing.
    if cfg!(target_arch = "x86_64") && !is_on("SHARED") {
        assert!(var("CPU_NEEDS").split(' ').any(|name| name == "avx2"), "{}", var("CPU_NEEDS"));
    }
    if is_on("SHARED") {
        let is_backend = |name: &str| name.contains("ggml-cpu");
        let mut files = dir("BACKEND_DIR").read_dir().unwrap();
        assert!(files.any(|file| is_backend(&file.unwrap().file_name().to_string_lossy())));
        // As docs/crate.md says: a program that is started without Cargo finds the libraries this way.
        for folder in env::split_paths(&var("RUN_PATH")) {
            println!("cargo::rustc-link-arg-bins=-Wl,-rpath,{}", folder.display());
        }
    }
}
