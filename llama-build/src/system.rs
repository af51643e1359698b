//! Feature `system`: links an installed llama.cpp through pkg-config.

use std::path::PathBuf;

use crate::{Error, cargo};

/// Links the installed llama.cpp, with `mtmd` its multimodal library too, and tells dependents where its headers are;
/// the folders of those.
///
/// # Errors
/// When pkg-config finds none, or one of another version and the declarations are the checked-in
/// ones: they hold for the pinned version only.
pub fn link(
    pin: &llama_src::Pin,
    own_declarations: bool,
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
    if !own_declarations && release(&library.version) != release(&pin.version) {
        return Err(Error::mismatch(format!(
            "version mismatch: the installed llama.cpp is {}, the declarations are for {}",
            library.version, pin.version
        ))
        .hint("generate the declarations from the installed headers: add the feature `bindgen`")
        .hint("or build without the feature `system`"));
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
