//! What a target of CMake's is linked with, in order.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::file_api::{CmakeTarget, Codemodel};

/// One entry of a link line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// A static library of this build.
    Static(PathBuf),
    /// A shared library of this build.
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
            parse(word, build)
        };
        if let Some(link) = link {
            line.retain(|known| *known != link);
            line.push(link);
        }
    }
    if !config.target.is_msvc() {
        let runtimes = ["stdc++", "c++", "c++_shared", "c++_static", "c++abi"];
        let own = model.implicit.iter().filter(|name| runtimes.contains(&name.as_str()));
        line.extend(own.map(|name| Link::System(None, name.clone())));
    }
    line
}

/// One word of a link line; flags that name no library are not ours to pass on.
fn parse(word: &str, build: &Path) -> Option<Link> {
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
        Some("a" | "lib") if ours => Some(Link::Static(path)),
        // Since glibc 2.34 an empty archive that is part of libc.
        Some("a") if file == "libpthread.a" || file == "libdl.a" => None,
        _ if ours && (file.contains(".so") || file.ends_with(".dylib")) => Some(Link::Shared(path)),
        _ => Some(Link::System(path.parent().map(Path::to_owned), library_name(&file))),
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

    fn line(words: &[&str], triple: &str, implicit: &[&str]) -> Vec<String> {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let target = CmakeTarget {
            name: "x".into(),
            kind: "EXECUTABLE".into(),
            artifacts: vec![],
            libraries: owned(words),
            cxx_flags: vec![],
        };
        let model = Codemodel {
            targets: vec![],
            cxx: "c++".into(),
            implicit: owned(implicit),
            implicit_folders: vec![],
        };
        let config = crate::tests::config(triple, "");
        of(&target, &model, Path::new("/b"), &config)
            .iter()
            .flat_map(|link| arguments(link, config.target.is_msvc()))
            .collect()
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
                "-lc++"
            ]
        );
        assert_eq!(
            line(&["src/llama.lib", "kernel32.lib"], "x86_64-pc-windows-msvc", &[]),
            ["/b/src/llama.lib", "kernel32.lib"]
        );
    }
}
