//! Compiles the shim and hands the linker what CMake would use for `llama-server`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "build")]
    link_server();
}

#[cfg(feature = "build")]
fn link_server() {
    println!("cargo::rerun-if-env-changed=DEP_LLAMA_MANIFEST");
    println!("cargo::rerun-if-changed=src/shim.cpp");
    #[expect(clippy::disallowed_methods, reason = "Cargo tells a build script in no other way")]
    let path = std::env::var_os("DEP_LLAMA_MANIFEST").map(std::path::PathBuf::from);
    // llama-sys writes no manifest where there is nothing to link: `DOCS_RS`, `system`.
    let Some(path) = path else { return };
    println!("cargo::rerun-if-changed={}", path.display());
    let artifacts = match llama_build::Manifest::read(&path) {
        Ok(manifest) => manifest.artifacts,
        Err(error) => {
            error.to_string().lines().for_each(|line| println!("cargo::error={line}"));
            return;
        }
    };
    println!("cargo::rustc-env=LLAMA_SERVER_CPU_NEEDS={}", artifacts.cpu_needs.join(" "));
    let server = artifacts.server.expect("feature `build` switches on llama-sys/server");
    // A server that is made to be moved knows nothing of this machine.
    if server.run_path != ["$ORIGIN"] {
        println!("cargo::rustc-env=LLAMA_SERVER_BUILT={}", server.path.display());
    }
    // An object, not an archive: an archive would go into this package's library instead.
    let mut shim = cc::Build::new();
    shim.cpp(true).file("src/shim.cpp");
    // As llama.cpp itself is compiled (llama-sys/build/cmake/inject.cmake).
    for guard in ["-fstack-protector-strong", "-fcf-protection", "-mbranch-protection=standard"] {
        shim.flag_if_supported(guard);
    }
    let shim = shim.compile_intermediates();
    let objects = shim.iter().map(|object| object.display().to_string());
    for argument in objects.chain(server.link_args) {
        println!("cargo::rustc-link-arg-bin=llama-server={argument}");
    }
    #[cfg(unix)]
    for folder in server.run_path {
        println!("cargo::rustc-link-arg-bin=llama-server=-Wl,-rpath,{}", folder);
    }
}
