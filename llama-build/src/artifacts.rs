//! What a build gave: files and how to link them. Paths are learnt here and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::config::Config;
use crate::cpu;
use crate::feature::Feature;
use crate::file_api::Codemodel;
use crate::layout::Layout;
use crate::link_line::{self, Link};
use crate::program::Program;

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
        let mut link = link_line::of(probe, model, &layout.build, config);
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
