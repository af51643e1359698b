//! Programs of upstream's: where they are, and how another program is linked with what they are made of.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::config::Config;
use crate::feature::Feature;
use crate::file_api::Codemodel;
use crate::layout::Layout;
use crate::link_line::{self, Link};
use crate::target::Os;

/// A program of upstream's that a build gave, and how another one is linked with what it is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The executable that upstream's CMake linked.
    pub path: PathBuf,
    /// Arguments that link another executable the same way, in order.
    pub link_args: Vec<String>,
    /// Where such an executable finds its shared libraries; empty when there are none.
    pub run_path: Vec<String>,
}

impl Program {
    /// Upstream's program `name`.
    ///
    /// # Errors
    /// When CMake has no such target.
    pub(crate) fn of(
        name: &str,
        model: &Codemodel,
        layout: &Layout,
        config: &Config,
    ) -> Result<Self, Error> {
        let target = model.target(name)?;
        let path = target
            .artifacts
            .first()
            .ok_or_else(|| Error::missing(format!("CMake reports no file for `{name}`")))?;
        let mut line = link_line::of(target, model, &layout.build, config);
        // rustc names libc before these words, and the linker looks no further than its own words for what
        // an archive needs: on aarch64 the guard of stack protectors, which libc's script finds.
        if model.implicit.iter().any(|name| name == "c") {
            line.push(Link::System(None, "c".to_owned()));
        }
        let mut run_path = Vec::new();
        if config.target.os != Os::Windows {
            if config.features.has(Feature::BackendDl) {
                let origin = if config.target.is_apple() { "@loader_path" } else { "$ORIGIN" };
                run_path.push(origin.to_owned());
            }
            if !config.overrides.relocatable {
                let build =
                    config.features.has(Feature::BackendDl).then(|| layout.build.join("bin"));
                let folders =
                    build.into_iter().chain(foreign_folders(&line, &model.implicit_folders));
                run_path.extend(folders.map(|folder| folder.display().to_string()));
            }
        }
        // An open quote is CMake's to tell.
        let ldflags = config.compilers.ldflags.as_deref().and_then(shlex::split);
        let libraries =
            line.iter().flat_map(|link| link_line::arguments(link, config.target.is_msvc()));
        let link_args = ldflags.unwrap_or_default().into_iter().chain(libraries).collect();
        Ok(Self { path: path.clone(), link_args, run_path })
    }
}

/// Folders of shared libraries in which a program is not looking for them by itself, such as a vendor's
/// toolkit.
pub(crate) fn foreign_folders(line: &[Link], implicit: &[PathBuf]) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for link in line {
        let Link::System(Some(folder), name) = link else { continue };
        let is_shared =
            ["so", "dylib"].iter().any(|end| folder.join(format!("lib{name}.{end}")).exists());
        // What stands in for a driver while linking is of no use to a program.
        let is_stub = folder.ends_with("stubs");
        if is_shared && !is_stub && !implicit.contains(folder) && !folders.contains(folder) {
            folders.push(folder.clone());
        }
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_look_in_folders_where_the_system_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let [toolkit, stubs, system] =
            ["cuda/lib", "cuda/lib/stubs", "usr/lib"].map(|name| dir.path().join(name));
        for (folder, file) in [
            (&toolkit, "libcudart.so"),
            (&toolkit, "libcublas.so"),
            (&toolkit, "libculibos.a"),
            (&stubs, "libcuda.so"),
            (&system, "libssl.so"),
        ] {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(folder.join(file), "").unwrap();
        }
        let link = |folder: &PathBuf, name: &str| Link::System(Some(folder.clone()), name.into());
        let line = [
            link(&toolkit, "cudart"),
            link(&toolkit, "cublas"),
            link(&stubs, "cuda"),
            link(&system, "ssl"),
            Link::System(None, "m".into()),
        ];
        let implicit = [system];
        assert_eq!(foreign_folders(&line, &implicit), std::slice::from_ref(&toolkit));
        // An archive is in the program already.
        assert!(foreign_folders(&[link(&toolkit, "culibos")], &[]).is_empty());
    }
}
