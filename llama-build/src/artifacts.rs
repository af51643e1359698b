//! What a build gave: files and how to link them. Paths are learnt here and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::config::Config;
use crate::cpu;
use crate::feature::Feature;
use crate::file_api::{CmakeTarget, Codemodel};
use crate::layout::Layout;
use crate::link_line::{self, Link};
use crate::program::{self, Program};
use crate::target::Os;

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
    /// Folders of shared libraries in which such a program does not look by itself. Windows has no run path.
    #[serde(default)]
    pub run_path: Vec<PathBuf>,
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
        let include = stage_headers(layout)?;
        let probe = model.target("llama-sys-link")?;
        let bin = executables(probe, layout);
        let mut link = link_line::of(probe, model, &layout.build, config);
        let lib = libraries(layout, config, &bin);
        if lib != bin {
            stage_libraries(&mut link, layout, &lib)?;
        }
        let run_path = run_path(&link, model, config, &lib);
        let program = |feature, name| {
            let is_on = config.features.has(feature);
            is_on.then(|| Program::of(name, model, layout, config)).transpose()
        };
        let server = program(Feature::Server, "llama-server")?;
        let quantize = program(Feature::Quantize, "llama-quantize")?;
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
            run_path,
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

/// Where programs are, and shared libraries: a generator of several configurations has a folder for each.
fn executables(probe: &CmakeTarget, layout: &Layout) -> PathBuf {
    let folder = probe.artifacts.first().and_then(|file| file.parent());
    folder.map_or_else(|| layout.build.join("bin"), Path::to_owned)
}

/// Where the libraries to link are. Windows links others than it loads, and CMake leaves those in many folders.
fn libraries(layout: &Layout, config: &Config, bin: &Path) -> PathBuf {
    let is_beside = config.features.has(Feature::BackendDl) && config.target.os != Os::Windows;
    if is_beside { bin.to_owned() } else { layout.root.join("lib") }
}

fn run_path(link: &[Link], model: &Codemodel, config: &Config, lib: &Path) -> Vec<PathBuf> {
    if config.target.os == Os::Windows {
        return Vec::new();
    }
    let own = config.features.has(Feature::BackendDl).then(|| lib.to_owned());
    own.into_iter().chain(program::foreign_folders(link, &model.implicit_folders)).collect()
}

/// Puts every library of ours that is linked in one folder, under the name that rustc looks for.
fn stage_libraries(link: &mut [Link], layout: &Layout, lib: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(lib).map_err(|e| Error::io("create", lib, &e))?;
    for entry in link {
        let (Link::Static(path) | Link::Shared(path)) = entry else { continue };
        if !path.starts_with(&layout.root) {
            continue;
        }
        let file =
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = match file.strip_suffix(".a") {
            Some(stem) if !stem.starts_with("lib") => format!("lib{file}"),
            _ => file,
        };
        let staged = lib.join(name);
        copy_if_changed(path, &staged)?;
        *path = staged;
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

    #[test]
    fn import_libraries_are_linked_from_one_folder_and_their_libraries_loaded_from_another() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let probe = |file: &str| CmakeTarget {
            name: "llama-sys-link".into(),
            kind: "EXECUTABLE".into(),
            artifacts: vec![layout.build.join(file)],
            libraries: vec![],
            cxx_flags: vec![],
        };
        let ninja = executables(&probe("bin/llama-sys-link"), &layout);
        let visual_studio = executables(&probe("bin/Release/llama-sys-link.exe"), &layout);
        assert_eq!(ninja, layout.build.join("bin"));
        assert_eq!(visual_studio, layout.build.join("bin/Release"));
        let lib = |triple: &str, features: &str| {
            libraries(&layout, &crate::tests::config(triple, features), &visual_studio)
        };
        let staged = dir.path().join("lib");
        assert_eq!(lib("x86_64-unknown-linux-gnu", ""), staged);
        assert_eq!(lib("x86_64-unknown-linux-gnu", "backend-dl"), visual_studio);
        assert_eq!(lib("x86_64-pc-windows-msvc", "backend-dl"), staged);
        let source = layout.build.join("src");
        std::fs::create_dir_all(&source).unwrap();
        std::fs::write(source.join("libllama.dll.a"), "").unwrap();
        let runtime = Link::Static("/usr/lib/libstdc++.a".into());
        let mut link = [Link::Shared(source.join("libllama.dll.a")), runtime.clone()];
        stage_libraries(&mut link, &layout, &staged).unwrap();
        assert_eq!(link, [Link::Shared(staged.join("libllama.dll.a")), runtime]);
        assert!(staged.join("libllama.dll.a").is_file() && !staged.join("libstdc++.a").exists());
    }
}
