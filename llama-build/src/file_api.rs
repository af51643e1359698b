//! Reads what CMake knows about its targets: file names on disk and complete link lines, through its
//! [File API](https://cmake.org/cmake/help/latest/manual/cmake-file-api.7.html).

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// A target of the CMake project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CmakeTarget {
    /// Name in CMake.
    pub(crate) name: String,
    /// `EXECUTABLE`, `STATIC_LIBRARY`, `SHARED_LIBRARY`, `MODULE_LIBRARY`, …
    pub(crate) kind: String,
    /// Files that it makes, absolute.
    pub(crate) artifacts: Vec<PathBuf>,
    /// Libraries and their flags in link order, shell words as CMake passes them.
    pub(crate) libraries: Vec<String>,
    /// Flags of its C++ sources, shell words too.
    pub(crate) cxx_flags: Vec<String>,
}

/// The project after configuring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Codemodel {
    /// Every target.
    pub(crate) targets: Vec<CmakeTarget>,
    /// The C++ compiler.
    pub(crate) cxx: PathBuf,
    /// Libraries that the C++ compiler links by itself: `stdc++` or `c++` among them.
    pub(crate) implicit: Vec<String>,
    /// Folders in which it looks for libraries by itself.
    pub(crate) implicit_folders: Vec<PathBuf>,
    /// A library of the compiler's that rustc does not link (`apple.rs`).
    pub(crate) runtime: Option<PathBuf>,
}

impl Codemodel {
    /// The target `name`.
    ///
    /// # Errors
    /// When upstream has no such target any more.
    pub(crate) fn target(&self, name: &str) -> Result<&CmakeTarget, Error> {
        let found = self.targets.iter().find(|target| target.name == name);
        found.ok_or_else(|| Error::missing(format!("llama.cpp's CMake has no target `{name}`")))
    }

    /// Whether `path` is a shared library, or what is linked for one on Windows.
    pub(crate) fn is_shared(&self, path: &Path) -> bool {
        let text = |path: &Path| path.to_string_lossy().replace('\\', "/");
        let shared = self.targets.iter().filter(|target| target.kind == "SHARED_LIBRARY");
        shared.flat_map(|target| &target.artifacts).any(|file| text(file) == text(path))
    }
}

/// Asks CMake, before it configures `build`, to write down what [`read`] needs.
///
/// # Errors
/// When the query cannot be written.
pub(crate) fn ask(build: &Path) -> Result<(), Error> {
    let query = build.join(".cmake/api/v1/query/client-llama-build");
    std::fs::create_dir_all(&query).map_err(|e| Error::io("create", &query, &e))?;
    for name in ["codemodel-v2", "toolchains-v1"] {
        let file = query.join(name);
        std::fs::write(&file, "").map_err(|e| Error::io("write", &file, &e))?;
    }
    Ok(())
}

/// Reads CMake's answer for `build`.
///
/// # Errors
/// When there is no answer or it cannot be read.
pub(crate) fn read(build: &Path) -> Result<Codemodel, Error> {
    let reply = build.join(".cmake/api/v1/reply");
    let index: Index = json(&newest_index(&reply)?)?;
    let object = |kind: &str| {
        let found = index.objects.iter().find(|object| object.kind == kind);
        let found = found.ok_or_else(|| {
            Error::missing(format!("CMake's File API did not answer the query `{kind}`"))
        })?;
        Ok(reply.join(&found.json_file))
    };
    let model: Model = json(&object("codemodel")?)?;
    let configuration = model
        .configurations
        .iter()
        .find(|configuration| configuration.name == "Release")
        .or(model.configurations.first())
        .ok_or_else(|| Error::missing("CMake's File API returned no configuration"))?;
    let targets = configuration
        .targets
        .iter()
        .map(|target| Ok(cmake_target(json(&reply.join(&target.json_file))?, build)))
        .collect::<Result<_, Error>>()?;
    let toolchains: Toolchains = json(&object("toolchains")?)?;
    let cxx = toolchains.toolchains.into_iter().find(|toolchain| toolchain.language == "CXX");
    let Compiler { path: cxx, implicit } = cxx.map(|cxx| cxx.compiler).unwrap_or_default();
    Ok(Codemodel {
        targets,
        cxx,
        implicit: implicit.link_libraries,
        implicit_folders: implicit.link_directories,
        runtime: None,
    })
}

fn cmake_target(target: TargetFile, build: &Path) -> CmakeTarget {
    let fragments = target.link.map(|link| link.command_fragments).unwrap_or_default();
    CmakeTarget {
        name: target.name,
        kind: target.kind,
        artifacts: target.artifacts.into_iter().map(|artifact| build.join(artifact.path)).collect(),
        libraries: fragments
            .into_iter()
            .filter(|fragment| fragment.role == "libraries")
            .flat_map(|fragment| words(&fragment.fragment))
            .collect(),
        cxx_flags: target
            .compile_groups
            .into_iter()
            .find(|group| group.language == "CXX")
            .into_iter()
            .flat_map(|group| group.compile_command_fragments)
            .flat_map(|flags| words(&flags.fragment))
            .collect(),
    }
}

/// A fragment's words: a fragment is a piece of a command line, quoted where it must be.
fn words(fragment: &str) -> Vec<String> {
    if fragment.contains('\\') {
        // Windows' separators, which a shell would eat.
        return vec![fragment.trim_matches('"').to_owned()];
    }
    shlex::split(fragment).unwrap_or_else(|| vec![fragment.to_owned()])
}

fn newest_index(reply: &Path) -> Result<PathBuf, Error> {
    let entries =
        std::fs::read_dir(reply).map_err(|e| Error::io("read CMake's answer in", reply, &e))?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("index-"))
        })
        .max()
        .ok_or_else(|| Error::missing(format!("CMake left no answer in {}", reply.display())))
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = std::fs::read(path).map_err(|e| Error::io("read", path, &e))?;
    serde_json::from_slice(&text)
        .map_err(|e| Error::refused(format!("cannot understand {}: {e}", path.display())))
}

#[derive(Deserialize)]
struct Index {
    objects: Vec<IndexObject>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IndexObject {
    kind: String,
    json_file: String,
}

#[derive(Deserialize)]
struct Model {
    configurations: Vec<Configuration>,
}

#[derive(Deserialize)]
struct Configuration {
    name: String,
    targets: Vec<TargetReference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TargetReference {
    json_file: String,
}

#[derive(Deserialize)]
struct TargetFile {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    artifacts: Vec<Artifact>,
    #[serde(default, rename = "compileGroups")]
    compile_groups: Vec<CompileGroup>,
    link: Option<Link>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CompileGroup {
    language: String,
    #[serde(default)]
    compile_command_fragments: Vec<Flags>,
}

#[derive(Deserialize)]
struct Flags {
    fragment: String,
}

#[derive(Deserialize)]
struct Artifact {
    path: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Link {
    #[serde(default)]
    command_fragments: Vec<Fragment>,
}

#[derive(Deserialize)]
struct Fragment {
    fragment: String,
    role: String,
}

#[derive(Deserialize)]
struct Toolchains {
    toolchains: Vec<CompilerOf>,
}

#[derive(Deserialize)]
struct CompilerOf {
    language: String,
    compiler: Compiler,
}

#[derive(Deserialize, Default)]
struct Compiler {
    #[serde(default)]
    path: PathBuf,
    implicit: Implicit,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Implicit {
    #[serde(default)]
    link_directories: Vec<PathBuf>,
    #[serde(default)]
    link_libraries: Vec<String>,
}
