//! Puts llama.cpp's quantizer and its converter into `gguf-packer`.

use std::path::Path;
use std::process::ExitCode;

#[path = "build/pack.rs"]
mod pack;
#[path = "src/convert/parts.rs"]
mod parts;

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=src/convert/parts.rs");
    #[cfg(feature = "quantize")]
    link_quantizer();
    #[expect(clippy::disallowed_methods, reason = "a build script's own environment")]
    let out = std::env::var_os("OUT_DIR").expect("Cargo sets it for build scripts");
    match pack::converter(&Path::new(&out).join("converter.tar.gz")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.to_string().lines().for_each(|line| println!("cargo::error={line}"));
            ExitCode::FAILURE
        }
    }
}

#[cfg(feature = "quantize")]
fn link_quantizer() {
    use llama_build::{Error, cargo, link};
    match link::built() {
        Ok(None) => {}
        Ok(Some(artifacts)) => match artifacts.quantize {
            Some(quantize) => link::program("gguf-packer", "src/shim.cpp", &quantize),
            None => cargo::error(
                &Error::new("the llama.cpp of LLAMA_SYS_PREBUILT_DIR has no quantizer")
                    .hint("build it with the feature `quantize` of llama-sys")
                    .hint("or without it: `cargo build -p gguf-packer --no-default-features`"),
            ),
        },
        Err(error) => cargo::error(&error),
    }
}
