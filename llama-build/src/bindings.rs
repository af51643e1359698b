//! Turns the public C headers into Rust declarations, once per upstream version.
//!
//! The text is checked in, so nobody who builds the crate needs libclang; this module writes it for
//! `cargo xtask bindings` and for the feature `bindgen`.

use std::path::{Path, PathBuf};

use crate::Error;
use crate::declared;

/// The target of the checked-in text, which [`portable`] makes right for every 64-bit one.
pub const CHECKED_IN: &str = "x86_64-unknown-linux-gnu";

/// One generated file: its name under `llama-sys/src`, the headers it covers, whose names it takes.
pub struct Unit {
    /// File name without `.rs`.
    pub name: &'static str,
    headers: &'static [&'static str],
    names: &'static str,
    prelude: &'static [&'static str],
}

/// Every generated file.
pub const UNITS: &[Unit] = &[
    Unit {
        name: "bindings",
        headers: &[
            "llama.h",
            "ggml.h",
            "ggml-backend.h",
            "ggml-cpu.h",
            "ggml-alloc.h",
            "gguf.h",
            "ggml-opt.h",
        ],
        names: "(llama|ggml|gguf)_.*",
        prelude: &["use super::{CEnum, FILE};"],
    },
    Unit {
        name: "bindings_mtmd",
        headers: &["mtmd.h", "mtmd-helper.h"],
        names: "mtmd_.*",
        prelude: &["use super::CEnum;", "use super::*;"],
    },
];

/// Loads libclang, for which nobody should wait until llama.cpp is built.
///
/// # Errors
/// When it is missing.
pub fn check() -> Result<(), Error> {
    clang_sys::load().map_err(|why| {
        Error::missing("libclang not found (feature `bindgen` needs it)")
            .looked_in("$LIBCLANG_PATH")
            .log(why.lines().map(str::to_owned))
            .hint("install it: apt-get install libclang-dev | dnf install clang-devel | brew install llvm | pacman -S clang")
            .hint("or name its folder: LIBCLANG_PATH=/path/to/lib")
            .hint("or build without the feature `bindgen`: the checked-in declarations are of the pinned llama.cpp")
    })
}

impl Unit {
    /// The headers of this unit that are in `include` directories.
    pub fn headers<'a>(&self, include: &'a [&Path]) -> impl Iterator<Item = PathBuf> + 'a {
        let names = self.headers;
        let all = include.iter().flat_map(|dir| names.iter().map(|name| dir.join(name)));
        all.filter(|path| path.is_file())
    }

    /// Declarations for this unit's headers, which lie in `include` directories, for `target`; in a build script
    /// bindgen knows that itself.
    ///
    /// # Errors
    /// When libclang is missing ([`check`] tells first) or does not accept a header.
    pub fn generate(&self, include: &[&Path], target: Option<&str>) -> Result<String, Error> {
        let wrapper: String = self.headers.iter().map(|h| format!("#include \"{h}\"\n")).collect();
        let mut builder = bindgen::Builder::default()
            .header_contents("llama-sys.h", &wrapper)
            .clang_args(["-xc", "-std=c11"])
            .clang_args(target.map(|target| format!("--target={target}")))
            .clang_args(include.iter().map(|dir| format!("-I{}", dir.display())))
            .allowlist_item(self.names)
            .allowlist_item(self.names.to_uppercase())
            .blocklist_type("FILE|_IO_.*|__.*")
            .blocklist_file(".*/stdio.h")
            // Declared, but defined nowhere (ggml-cpu.h of b11549).
            .blocklist_function("ggml_threadpool_get_n_threads")
            .default_enum_style(bindgen::EnumVariation::Consts)
            .prepend_enum_name(false)
            .use_core()
            .ctypes_prefix("::core::ffi")
            .merge_extern_blocks(true)
            .derive_default(false)
            .layout_tests(true)
            .sort_semantically(false)
            .disable_header_comment()
            .formatter(bindgen::Formatter::Prettyplease);
        if self.name != "bindings" {
            builder = builder.blocklist_item("(llama|ggml|gguf)_.*");
        }
        let text = builder
            .generate()
            .map_err(|e| Error::refused(format!("bindgen does not accept the headers: {e}")))?
            .to_string();
        let ids = declared::lines(self.headers(include))?;
        Ok(portable(&text, &ids, self.prelude))
    }
}

/// Makes one text right for every 64-bit target: C enums without negative values are unsigned
/// everywhere but in MSVC's ABI, and layouts are asserted where they were measured.
fn portable(text: &str, ids: &str, prelude: &[&str]) -> String {
    let mut out = String::from(
        "// Written by `cargo xtask bindings` from the pinned headers; do not edit.\n",
    );
    out.push_str(ids);
    out.push('\n');
    for line in prelude {
        out.push_str(line);
        out.push('\n');
    }
    out.push('\n');
    let has_constants = |name: &str| text.contains(&format!(": {name} = "));
    for line in text.lines() {
        if let Some(name) = line
            .strip_prefix("pub type ")
            .and_then(|rest| rest.strip_suffix(" = ::core::ffi::c_uint;"))
            .filter(|name| has_constants(name))
        {
            out.push_str(&format!("pub type {name} = CEnum;\n"));
            continue;
        }
        // The crate says it once for all of them.
        if line.starts_with(concat!("#", "[allow(")) {
            continue;
        }
        if line.starts_with("const _: () = {") {
            out.push_str("#[cfg(all(test, target_pointer_width = \"64\"))]\n");
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}
