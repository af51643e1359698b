//! Declarations of llama.cpp's C API, and llama.cpp itself.
//!
//! The functions and types keep their C names: `llama.h`, `ggml.h`, `ggml-backend.h`, `ggml-cpu.h`,
//! `ggml-alloc.h`, `gguf.h`, `ggml-opt.h` and, with the feature `mtmd`, `mtmd.h`. They are those of
//! llama.cpp [`TAG`]. Calling them is `unsafe` in the way the headers say.
//!
//! The build script compiles that llama.cpp with its own CMake. A crate that depends directly on this
//! one finds the results in its build script: `DEP_LLAMA_ROOT`, `DEP_LLAMA_INCLUDE`,
//! `DEP_LLAMA_LIBDIR`, `DEP_LLAMA_BINDIR`, `DEP_LLAMA_MANIFEST`, `DEP_LLAMA_VERSION`,
//! `DEP_LLAMA_BUILD_NUMBER`, with the feature `server` `DEP_LLAMA_SERVER`, with `backend-dl`
//! `DEP_LLAMA_BACKEND_DIR`. If they are not empty, `DEP_LLAMA_RUN_PATH` and `DEP_LLAMA_CPU_NEEDS`.
#![no_std]
#![allow(
    non_camel_case_types,
    non_upper_case_globals,
    unsafe_code,
    missing_docs,
    clippy::identity_op,
    clippy::unnecessary_operation,
    reason = "generated from C headers; which of these fire depends on the features"
)]

#[cfg(not(feature = "bindgen"))]
#[rustfmt::skip]
mod bindings;
#[cfg(feature = "bindgen")]
mod bindings {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}
pub use bindings::*;

#[cfg(all(any(feature = "mtmd", test), not(feature = "bindgen")))]
#[rustfmt::skip]
mod bindings_mtmd;
#[cfg(all(any(feature = "mtmd", test), feature = "bindgen"))]
mod bindings_mtmd {
    include!(concat!(env!("OUT_DIR"), "/bindings_mtmd.rs"));
}
#[cfg(any(feature = "mtmd", test))]
pub use bindings_mtmd::*;

/// A C enum without negative values: signed in MSVC's ABI, unsigned elsewhere.
#[cfg(target_env = "msvc")]
pub type CEnum = core::ffi::c_int;
/// A C enum without negative values: signed in MSVC's ABI, unsigned elsewhere.
#[cfg(not(target_env = "msvc"))]
pub type CEnum = core::ffi::c_uint;

/// C's `FILE`, only ever behind a pointer.
#[repr(C)]
#[derive(Debug)]
pub struct FILE {
    _opaque: [u8; 0],
}

/// The upstream release that the declarations are of.
pub const TAG: &str = after_plus(env!("CARGO_PKG_VERSION"));

/// The build number of [`TAG`].
pub const BUILD_NUMBER: u32 = number(TAG);

/// Upstream's version of what is linked, as in `1.2.3`; asked from the library.
#[must_use]
pub fn version() -> &'static str {
    // SAFETY: the function takes nothing and returns a string literal.
    let version = unsafe { core::ffi::CStr::from_ptr(llama_version()) };
    version.to_str().unwrap_or_default()
}

/// `b1` of `0.1.0+llama.cpp-b1`.
const fn after_plus(version: &'static str) -> &'static str {
    const MARK: usize = "+llama.cpp-".len();
    let bytes = version.as_bytes();
    let mut at = 0;
    while bytes[at] != b'+' {
        at += 1;
    }
    match core::str::from_utf8(bytes.split_at(at + MARK).1) {
        Ok(tag) => tag,
        Err(_) => panic!("a version is ASCII"),
    }
}

const fn number(tag: &str) -> u32 {
    let bytes = tag.as_bytes();
    let (mut at, mut number) = (1, 0);
    while at < bytes.len() {
        number = number * 10 + (bytes[at] - b'0') as u32;
        at += 1;
    }
    number
}

// Each of these is declared by a header of its own. When one is missing, the declarations are not of
// the pinned headers: `cargo xtask bindings`.
const _: () = {
    let _ = (llama_backend_init, ggml_init, ggml_backend_load_all, gguf_init_empty, ggml_opt_init);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn library_declarations_and_pin_are_of_one_release() {
        let pin = llama_src::Pin::load();
        assert_eq!(TAG, pin.tag);
        assert_eq!(BUILD_NUMBER, pin.build_number);
        assert_eq!(version(), pin.version);
        // SAFETY: takes nothing and returns a string literal.
        let commit = unsafe { core::ffi::CStr::from_ptr(ggml_commit()) };
        assert_eq!(commit.to_str(), Ok(TAG), "ggml's own commit is the pin, not ours");
        // SAFETY: takes nothing and returns a string literal.
        let ggml = unsafe { core::ffi::CStr::from_ptr(ggml_version()) };
        assert_eq!(ggml.to_str(), Ok(pin.ggml_version.as_str()));
    }
}
