//! Feature `system`: links an installed llama.cpp through pkg-config.

use std::path::{Path, PathBuf};

use crate::{Error, cargo, declared};

/// Links the installed llama.cpp, with `mtmd` its multimodal library too, and tells dependents where its headers are;
/// the folders of those. `declarations` are the checked-in ones, if they are used.
///
/// # Errors
/// When pkg-config finds none, or one of another version or with other headers than those of the declarations.
pub fn link(
    pin: &llama_src::Pin,
    declarations: Option<&[&str]>,
    mtmd: bool,
) -> Result<Vec<PathBuf>, Error> {
    let library = pkg_config::Config::new().cargo_metadata(false).probe("llama").map_err(|e| {
        Error::missing("installed llama.cpp not found (feature `system` needs it)")
            .looked_in("pkg-config llama")
            .log(e.to_string().lines().map(str::to_owned))
            .hint("install it: apt-get install libllama-dev")
            .hint("or build without the feature `system`")
    })?;
    if let Ok(dir) = pkg_config::get_variable("llama", "pcfiledir") {
        cargo::rerun_if_changed(&PathBuf::from(dir).join("llama.pc"));
    }
    let release =
        |version: &str| version.split(['.', '-']).take(2).map(str::to_owned).collect::<Vec<_>>();
    if declarations.is_some() && release(&library.version) != release(&pin.version) {
        return Err(Error::mismatch(format!(
            "version mismatch: the installed llama.cpp is {}, the declarations are for {}",
            library.version, pin.version
        ))
        .hint("generate the declarations from the installed headers: add the feature `bindgen`")
        .hint("or build without the feature `system`"));
    }
    if let Some(declarations) = declarations {
        check_headers(declarations, &library)?;
    }
    for dir in &library.link_paths {
        cargo::link_search("native", dir);
    }
    let mtmd = mtmd.then_some("mtmd");
    for name in mtmd.into_iter().chain(library.libs.iter().map(String::as_str)) {
        cargo::link_lib(None, name);
    }
    if let Some(dir) = library.link_paths.first() {
        cargo::metadata("libdir", dir.display());
    }
    if let Some(dir) = library.include_paths.first() {
        cargo::metadata("include", dir.display());
    }
    cargo::metadata("version", &library.version);
    Ok(library.include_paths)
}

/// Builds of one version have different headers.
fn check_headers(declarations: &[&str], library: &pkg_config::Library) -> Result<(), Error> {
    let mut include = library.include_paths.clone();
    // pkg-config does not name the system's own folder.
    include.extend(pkg_config::get_variable("llama", "includedir").map(PathBuf::from));
    let include: Vec<&Path> = include.iter().map(PathBuf::as_path).collect();
    let others = declared::others(declarations, &include)?;
    if others.is_empty() {
        return Ok(());
    }
    Err(Error::mismatch(format!(
        "the installed llama.cpp has other headers than those that the declarations are of: {}",
        others.join(", ")
    ))
    .hint("generate the declarations from the installed headers: add the feature `bindgen`")
    .hint("or build without the feature `system`"))
}
