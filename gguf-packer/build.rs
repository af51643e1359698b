//! Puts llama.cpp's quantizer into `gguf-packer`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "quantize")]
    link_quantizer();
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
