//! What a build gave: files and how to link them. Paths are learnt here and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::cmake::Layout;
use crate::config::Config;
use crate::cpu;
use crate::feature::Feature;
use crate::file_api::{CmakeTarget, Codemodel};
use crate::program::Program;

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

/// Files of a finished build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifacts {
    /// Folder of everything below.
    pub root: PathBuf,
    /// C headers.
    pub include: PathBuf,
    /// Libraries to link.
    pub lib: PathBuf,
    /// Executables and, with `backend-dl`, all shared libraries.
    pub bin: PathBuf,
    /// `llama-server`, when it was asked for.
    pub server: Option<Program>,
    /// `llama-quantize`, when it was asked for: its library is built, its executable is not.
    #[serde(default)]
    pub quantize: Option<Program>,
    /// Libraries that are loaded at run time; empty without `backend-dl`.
    pub backends: Vec<String>,
    /// Kinds of processor that the CPU backend was compiled for, `haswell` among them; empty where there is one.
    #[serde(default)]
    pub cpu_variants: Vec<String>,
    /// What its processor must have besides what every one of its architecture has, by the names of [`cpu::NAMES`].
    ///
    /// [`cpu::NAMES`]: crate::cpu::NAMES
    #[serde(default)]
    pub cpu_needs: Vec<String>,
    /// What a program that uses the C API links, in order.
    pub link: Vec<Link>,
}

impl Artifacts {
    /// Gathers headers and libraries of a build in one place each.
    ///
    /// # Errors
    /// When a file cannot be put there or CMake has no such target.
    pub(crate) fn gather(
        layout: &Layout,
        model: &Codemodel,
        config: &Config,
    ) -> Result<Self, Error> {
        let shared = config.features.has(Feature::BackendDl);
        let bin = layout.build.join("bin");
        let include = stage_headers(layout)?;
        let probe = model.target("llama-sys-link")?;
        let mut link = link_line(probe, model, &layout.build, config);
        let lib = if shared { bin.clone() } else { layout.root.join("lib") };
        if !shared {
            stage_archives(&mut link, &lib)?;
        }
        let program = |name| Program::of(name, model, layout, config);
        let server =
            config.features.has(Feature::Server).then(|| program("llama-server")).transpose()?;
        let quantize = config
            .features
            .has(Feature::Quantize)
            .then(|| program("llama-quantize"))
            .transpose()?;
        let modules = model.targets.iter().filter(|target| target.kind == "MODULE_LIBRARY");
        let backends = modules.map(|target| target.name.clone()).collect();
        let cpu_variants = cpu_variants(model);
        let cpu_needs = cpu::needs(model, config);
        let root = layout.root.clone();
        Ok(Self {
            root,
            include,
            lib,
            bin,
            server,
            quantize,
            backends,
            cpu_variants,
            cpu_needs,
            link,
        })
    }
}

impl Artifacts {
    /// Git's ids of the files that are linked, read or run, by their paths in the root.
    pub(crate) fn files(&self) -> Result<BTreeMap<String, String>, Error> {
        let mut paths = BTreeSet::new();
        for dir in [&self.include, &self.lib, &self.bin] {
            if dir.is_dir() {
                let files = llama_src::tree::walk(dir, &|_| true)?;
                paths.extend(files.into_iter().map(|file| dir.join(file.path)));
            }
        }
        let programs = [&self.server, &self.quantize].into_iter().flatten();
        let words = programs.flat_map(|program| program.link_args.iter().map(PathBuf::from));
        paths.extend(words.filter(|word| word.starts_with(&self.root) && word.is_file()));
        let ids = paths.into_iter().map(|path| {
            let inside = path.strip_prefix(&self.root).unwrap_or(&path).to_string_lossy();
            Ok((inside.replace('\\', "/"), llama_src::tree::file_id(&path)?))
        });
        ids.collect()
    }
}

/// Libraries that are loaded, or the objects of one file that holds all.
fn cpu_variants(model: &Codemodel) -> Vec<String> {
    let compiled = model
        .targets
        .iter()
        .filter(|target| ["MODULE_LIBRARY", "OBJECT_LIBRARY"].contains(&target.kind.as_str()));
    let names = compiled.filter_map(|target| target.name.strip_prefix("ggml-cpu-"));
    let mut variants: Vec<String> =
        names.filter(|name| !name.ends_with("-feats")).map(str::to_owned).collect();
    variants.sort();
    variants
}

/// The link line of `target`, each library where it is needed last, and C++'s own library at the end.
pub(crate) fn link_line(
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
fn library_name(file: &str) -> String {
    let stem = file.split(".so").next().unwrap_or(file);
    let stem =
        [".dylib", ".tbd", ".a", ".lib"].iter().fold(stem, |stem, ext| stem.trim_end_matches(ext));
    stem.strip_prefix("lib").unwrap_or(stem).to_owned()
}

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

fn stage_headers(layout: &Layout) -> Result<PathBuf, Error> {
    let include = layout.root.join("include");
    std::fs::create_dir_all(&include).map_err(|e| Error::io("create", &include, &e))?;
    for (dir, prefix) in [("include", "llama"), ("ggml/include", "g"), ("tools/mtmd", "mtmd")] {
        let dir = layout.source.join(dir);
        for entry in std::fs::read_dir(&dir).map_err(|e| Error::io("read", &dir, &e))? {
            let path = entry.map_err(|e| Error::io("read", &dir, &e))?.path();
            let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned())
            else {
                continue;
            };
            if name.starts_with(prefix) && name.ends_with(".h") && !name.contains("-impl") {
                copy_if_changed(&path, &include.join(&name))?;
            }
        }
    }
    Ok(include)
}

/// Puts every static library of ours in one folder, under the name that rustc looks for.
fn stage_archives(link: &mut [Link], lib: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(lib).map_err(|e| Error::io("create", lib, &e))?;
    for entry in link {
        let Link::Static(path) = entry else { continue };
        let file =
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = match file.strip_suffix(".a") {
            Some(stem) if !stem.starts_with("lib") => format!("lib{file}"),
            _ => file,
        };
        let staged = lib.join(name);
        copy_if_changed(path, &staged)?;
        *entry = Link::Static(staged);
    }
    Ok(())
}

/// Copies when size or time differ; a hard link where the file system has them.
fn copy_if_changed(from: &Path, to: &Path) -> Result<(), Error> {
    let stamp = |path: &Path| {
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.len(), meta.modified().ok()?))
    };
    if stamp(to).is_some() && stamp(from) == stamp(to) {
        return Ok(());
    }
    let _ = std::fs::remove_file(to);
    std::fs::hard_link(from, to)
        .or_else(|_| std::fs::copy(from, to).map(|_| ()))
        .map_err(|e| Error::io("write", to, &e))
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
        link_line(&target, &model, Path::new("/b"), &config)
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
