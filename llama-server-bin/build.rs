//! Compiles the shim and hands the linker what CMake would use for `llama-server`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "build")]
    link_server();
}

#[cfg(feature = "build")]
fn link_server() {
    use llama_build::{cargo, link};
    let artifacts = match link::built() {
        Ok(Some(artifacts)) => artifacts,
        Ok(None) => return,
        Err(error) => return cargo::error(&error),
    };
    cargo::rustc_env("LLAMA_SERVER_CPU_NEEDS", artifacts.cpu_needs.join(" "));
    let server = artifacts.server.expect("feature `build` switches on llama-sys/server");
    // A server that is made to be moved knows nothing of this machine.
    if server.run_path != ["$ORIGIN"] {
        cargo::rustc_env("LLAMA_SERVER_BUILT", server.path.display());
    }
    link::program("llama-server", "src/shim.cpp", &server);
}
