//! What a target of CMake's is linked with, in order.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::file_api::{CmakeTarget, Codemodel};

/// One entry of a link line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// A static library of this build, or the archive of C++'s own library.
    Static(PathBuf),
    /// A shared library of this build; on Windows its import library.
    Shared(PathBuf),
    /// A library of the system or of a vendor's toolkit: its folder, when CMake names one, and name.
    System(Option<PathBuf>, String),
    /// A framework of Apple's.
    Framework(String),
}

/// The link line of `target`, each library where it is needed last, and C++'s own library at the end.
pub(crate) fn of(
    target: &CmakeTarget,
    model: &Codemodel,
    build: &Path,
    config: &Config,
) -> Vec<Link> {
    let mut line: Vec<Link> = Vec::new();
    let mut words = target.libraries.iter();
    while let Some(word) = words.next() {
        let link = if word == "-framework" {
            words.next().map(|name| Link::Framework(name.clone()))
        } else {
            parse(word, model, build)
        };
        if let Some(link) = link {
            line.retain(|known| *known != link);
            line.push(link);
        }
    }
    if !config.target.is_msvc() {
        line.extend(model.implicit.iter().filter_map(|word| runtime(word)));
    }
    line.extend(model.runtime.as_deref().and_then(by_name));
    line
}

/// C++'s own library, if `word` is it: its name or, with `-static-libstdc++`, the path of the archive.
fn runtime(word: &str) -> Option<Link> {
    const NAMES: [&str; 5] = ["stdc++", "c++", "c++_shared", "c++_static", "c++abi"];
    if NAMES.contains(&word) {
        return Some(Link::System(None, word.to_owned()));
    }
    let path = Path::new(word);
    let file = path.file_name()?.to_string_lossy();
    let is_own = word.contains('/') && NAMES.contains(&library_name(&file).as_str());
    match path.extension() {
        Some(extension) if is_own && extension == "a" => Some(Link::Static(path.to_owned())),
        _ if is_own => by_name(path),
        _ => None,
    }
}

/// A library that a linker finds by its folder and name.
fn by_name(path: &Path) -> Option<Link> {
    let file = path.file_name()?.to_string_lossy();
    Some(Link::System(path.parent().map(Path::to_owned), library_name(&file)))
}

/// One word of a link line; flags that name no library are not ours to pass on.
fn parse(word: &str, model: &Codemodel, build: &Path) -> Option<Link> {
    if let Some(name) = word.strip_prefix("-l") {
        return Some(Link::System(None, name.to_owned()));
    }
    if word.starts_with('-') {
        return None;
    }
    let path = build.join(word);
    let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned());
    let file = path.file_name()?.to_string_lossy().into_owned();
    if file.ends_with(".framework") {
        return Some(Link::Framework(file.trim_end_matches(".framework").to_owned()));
    }
    let ours = path.starts_with(build);
    match extension.as_deref() {
        // Microsoft's import libraries come by name alone.
        Some("lib") if !word.contains(['/', '\\']) => {
            Some(Link::System(None, file.trim_end_matches(".lib").to_owned()))
        }
        // Windows links an import library for each of them.
        Some("a" | "lib") if ours && model.is_shared(&path) => Some(Link::Shared(path)),
        Some("a" | "lib") if ours => Some(Link::Static(path)),
        // Since glibc 2.34 an empty archive that is part of libc.
        Some("a") if file == "libpthread.a" || file == "libdl.a" => None,
        _ if ours && (file.contains(".so") || file.ends_with(".dylib")) => Some(Link::Shared(path)),
        _ => by_name(&path),
    }
}

/// `libssl.so.3` is `ssl` for a linker.
pub(crate) fn library_name(file: &str) -> String {
    let stem = file.split(".so").next().unwrap_or(file);
    let stem =
        [".dylib", ".tbd", ".a", ".lib"].iter().fold(stem, |stem, ext| stem.trim_end_matches(ext));
    stem.strip_prefix("lib").unwrap_or(stem).to_owned()
}

/// The words for a linker that mean one entry.
pub(crate) fn arguments(link: &Link, msvc: bool) -> Vec<String> {
    let path = |path: &Path| path.display().to_string();
    match link {
        Link::Static(file) | Link::Shared(file) => vec![path(file)],
        Link::System(_, name) if msvc => vec![format!("{name}.lib")],
        Link::System(Some(dir), name) => vec![format!("-L{}", path(dir)), format!("-l{name}")],
        Link::System(None, name) => vec![format!("-l{name}")],
        Link::Framework(name) => vec!["-framework".to_owned(), name.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(kind: &str, words: &[&str], artifacts: &[&str]) -> CmakeTarget {
        CmakeTarget {
            name: "x".into(),
            kind: kind.into(),
            artifacts: artifacts.iter().map(PathBuf::from).collect(),
            libraries: words.iter().map(|word| (*word).to_owned()).collect(),
            cxx_flags: vec![],
        }
    }

    fn links(words: &[&str], triple: &str, implicit: &[&str]) -> Vec<Link> {
        let shared = ["/b/bin/ggml.dll", "/b/ggml/src/ggml.lib", "/b/src/libllama.dll.a"];
        let model = Codemodel {
            targets: vec![target("SHARED_LIBRARY", &[], &shared)],
            cxx: "c++".into(),
            implicit: implicit.iter().map(|word| (*word).to_owned()).collect(),
            implicit_folders: vec![],
            runtime: triple.contains("apple").then(|| "/X/lib/libclang_rt.osx.a".into()),
        };
        let config = crate::tests::config(triple, "");
        of(&target("EXECUTABLE", words, &[]), &model, Path::new("/b"), &config)
    }

    fn line(words: &[&str], triple: &str, implicit: &[&str]) -> Vec<String> {
        let msvc = triple.ends_with("msvc");
        links(words, triple, implicit).iter().flat_map(|link| arguments(link, msvc)).collect()
    }

    #[test]
    fn an_import_library_is_a_shared_one() {
        let shared = |path: &str| Link::Shared(path.into());
        assert_eq!(
            links(&["ggml/src/ggml.lib", "common/common.lib"], "x86_64-pc-windows-msvc", &[]),
            [shared("/b/ggml/src/ggml.lib"), Link::Static("/b/common/common.lib".into())]
        );
        assert_eq!(
            links(&["src/libllama.dll.a"], "x86_64-pc-windows-gnu", &[]),
            [shared("/b/src/libllama.dll.a")]
        );
    }

    #[test]
    fn the_runtime_of_cpp_is_linked_by_name_or_by_path() {
        let of = |implicit: &[&str]| links(&[], "x86_64-unknown-linux-gnu", implicit);
        let named = |name: &str| Link::System(None, name.into());
        assert_eq!(of(&["stdc++", "m", "gcc_s"]), [named("stdc++")]);
        assert_eq!(of(&["c++_static", "c++abi"]), [named("c++_static"), named("c++abi")]);
        let archive = "/usr/lib/gcc/x86_64-linux-gnu/12/libstdc++.a";
        assert_eq!(of(&["m", archive, "c"]), [Link::Static(archive.into())]);
        let shared = Link::System(Some("/llvm/lib".into()), "c++".into());
        assert_eq!(of(&["/llvm/lib/libc++.so.1", "/llvm/lib/libm.a"]), [shared]);
    }

    #[test]
    fn link_lines_keep_order_and_last_place() {
        let words = [
            "src/libllama.a",
            "ggml/libggml.a",
            "ggml/libggml-base.a",
            "ggml/libggml.a",
            "-pthread",
            "-ldl",
            "/usr/lib/gcc/x/libgomp.so",
            "/usr/lib/x86_64-linux-gnu/libpthread.a",
            "/usr/lib/libssl.so.3",
        ];
        assert_eq!(
            line(&words, "x86_64-unknown-linux-gnu", &["stdc++", "m", "gcc_s", "c"]),
            [
                "/b/src/libllama.a",
                "/b/ggml/libggml-base.a",
                "/b/ggml/libggml.a",
                "-ldl",
                "-L/usr/lib/gcc/x",
                "-lgomp",
                "-L/usr/lib",
                "-lssl",
                "-lstdc++"
            ]
        );
        let words = [
            "bin/libllama.so",
            "bin/libggml.so.4.5.6",
            "-framework",
            "Metal",
            "/S/Accelerate.framework",
        ];
        assert_eq!(
            line(&words, "aarch64-apple-darwin", &["c++"]),
            [
                "/b/bin/libllama.so",
                "/b/bin/libggml.so.4.5.6",
                "-framework",
                "Metal",
                "-framework",
                "Accelerate",
                "-lc++",
                "-L/X/lib",
                "-lclang_rt.osx"
            ]
        );
        assert_eq!(
            line(&["src/llama.lib", "kernel32.lib"], "x86_64-pc-windows-msvc", &[]),
            ["/b/src/llama.lib", "kernel32.lib"]
        );
    }
}
