//! Tells Cargo how to link a build, and dependents where everything is.

use std::path::{Path, PathBuf};

use llama_src::sh::Cmd;

use crate::link_line::{Link, library_name};
use crate::manifest::{FILE, Manifest};
use crate::program::Program;
use crate::{Artifacts, Error, cargo};

/// Directives for the crate itself.
pub fn emit(manifest: &Manifest) {
    let artifacts = &manifest.artifacts;
    folders(artifacts).into_iter().for_each(|folder| cargo::link_search("native", folder));
    for link in &artifacts.link {
        let (kind, name) = library(link);
        cargo::link_lib(kind, &name);
    }
    metadata(manifest);
}

/// Where libraries are, each folder once; `cargo run` and `cargo test` look there for those that are loaded.
fn folders(artifacts: &Artifacts) -> Vec<&Path> {
    let mut all = vec![artifacts.lib.as_path()];
    for link in &artifacts.link {
        let folder = match link {
            Link::Static(path) => path.parent(),
            Link::Shared(_) => Some(artifacts.bin.as_path()),
            Link::System(folder, _) => folder.as_deref(),
            Link::Framework(_) => None,
        };
        all.extend(folder.filter(|folder| !all.contains(folder)));
    }
    all
}

/// Kind and name for rustc. A library of the system has no kind: rustc then takes the archive for a program that is
/// static, as those for musl are, and the shared library for any other.
fn library(link: &Link) -> (Option<&'static str>, String) {
    match link {
        Link::Static(path) => (Some("static"), name(path)),
        Link::Shared(path) => (Some("dylib"), name(path)),
        Link::System(_, name) => (None, name.clone()),
        Link::Framework(name) => (Some("framework"), name.clone()),
    }
}

/// For the build script of a package that depends on `llama-sys`: what it built, by `DEP_LLAMA_MANIFEST`. `None`
/// where there is nothing to link: `DOCS_RS`, the feature `system`.
///
/// # Errors
/// When the manifest cannot be read.
pub fn built() -> Result<Option<Artifacts>, Error> {
    println!("cargo::rerun-if-env-changed=DEP_LLAMA_MANIFEST");
    let Some(path) = cargo::dep_manifest() else { return Ok(None) };
    cargo::rerun_if_changed(&path);
    Ok(Some(Manifest::read(&path)?.artifacts))
}

/// Makes the executable `bin` of a package one that has upstream's `program` in it: compiles `shim`, a file of C++
/// that calls it, and links both as upstream's CMake links the program.
pub fn program(bin: &str, shim: &str, program: &Program) {
    cargo::rerun_if_changed(Path::new(shim));
    let mut compiler = cc::Build::new();
    compiler.cpp(true).file(shim);
    // As llama.cpp itself is compiled (llama-build/cmake/inject.cmake).
    for guard in ["-fstack-protector-strong", "-fcf-protection", "-mbranch-protection=standard"] {
        compiler.flag_if_supported(guard);
    }
    let objects = match objects(&compiler, shim) {
        Ok(objects) => objects,
        Err(error) => return cargo::error(&error),
    };
    objects.iter().for_each(|object| cargo::link_arg_bin(bin, &object.display().to_string()));
    program.link_args.iter().for_each(|argument| cargo::link_arg_bin(bin, argument));
    if cfg!(unix) {
        let folders = program.run_path.iter();
        folders.for_each(|folder| cargo::link_arg_bin(bin, &format!("-Wl,-rpath,{folder}")));
    }
}

/// What `compiler` makes of `shim`. Objects, not an archive: an archive would go into the package's library instead.
fn objects(compiler: &cc::Build, shim: &str) -> Result<Vec<PathBuf>, Error> {
    let tool = compiler.get_compiler();
    if !tool.args().iter().any(|flag| flag.to_string_lossy().starts_with("-flto")) {
        return Ok(compiler.compile_intermediates());
    }
    // The user's flags are the last that `cc` names, and Rust's linker reads no object that they put off (`compiler.rs`).
    let object = cargo::out_dir()?.join("shim.o");
    let compile = Cmd::new(tool.path()).args(tool.args()).args(["-fno-lto", "-c", shim, "-o"]);
    compile.arg(&object).read()?;
    Ok(vec![object])
}

/// `DEP_LLAMA_*` for dependents.
fn metadata(manifest: &Manifest) {
    let artifacts = &manifest.artifacts;
    let paths = [
        ("root", &artifacts.root),
        ("include", &artifacts.include),
        ("libdir", &artifacts.lib),
        ("bindir", &artifacts.bin),
        ("manifest", &artifacts.root.join(FILE)),
    ];
    for (key, path) in paths {
        cargo::metadata(key, path.display());
    }
    if let Some(server) = &artifacts.server {
        cargo::metadata("server", server.path.display());
    }
    if !artifacts.backends.is_empty() {
        cargo::metadata("backend_dir", artifacts.bin.display());
    }
    if !artifacts.cpu_needs.is_empty() {
        cargo::metadata("cpu_needs", artifacts.cpu_needs.join(" "));
    }
    // A path with the separator in it cannot be in a list.
    let run_path = std::env::join_paths(&artifacts.run_path).unwrap_or_default();
    if !run_path.is_empty() {
        cargo::metadata("run_path", Path::new(&run_path).display());
    }
    cargo::metadata("version", &manifest.version);
    cargo::metadata("build_number", manifest.build_number);
}

/// `libllama.so.1.2.3` and `libllama.a` are `llama` for rustc.
fn name(path: &Path) -> String {
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // `libllama.1.2.3.dylib`
    library_name(&file).split('.').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_become_library_names() {
        for (file, expected) in [
            ("/b/libllama.a", "llama"),
            ("/b/libggml-base.so.4.5.6", "ggml-base"),
            ("/b/libggml-cpu.4.5.6.dylib", "ggml-cpu"),
            ("/b/llama.lib", "llama"),
            ("/b/libllama.dll.a", "llama"),
        ] {
            assert_eq!(name(Path::new(file)), expected);
        }
    }

    #[test]
    fn rustc_chooses_the_kind_of_a_library_of_the_system() {
        let links = [
            (Link::Static("/o/lib/libllama.a".into()), Some("static"), "llama"),
            (Link::Shared("/o/lib/llama.lib".into()), Some("dylib"), "llama"),
            (Link::System(Some("/cuda/lib".into()), "cudart".into()), None, "cudart"),
            (Link::System(None, "stdc++".into()), None, "stdc++"),
            (Link::Framework("Metal".into()), Some("framework"), "Metal"),
        ];
        for (link, kind, name) in &links {
            assert_eq!(library(link), (*kind, (*name).to_owned()));
        }
        let artifacts = Artifacts {
            root: "/o".into(),
            include: "/o/include".into(),
            lib: "/o/lib".into(),
            bin: "/o/build/bin".into(),
            server: None,
            quantize: None,
            backends: vec![],
            cpu_variants: vec![],
            cpu_needs: vec![],
            link: links.map(|(link, ..)| link).into(),
            run_path: vec![],
        };
        assert_eq!(folders(&artifacts), ["/o/lib", "/o/build/bin", "/cuda/lib"].map(Path::new));
    }
}
