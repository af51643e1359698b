//! Builds llama.cpp with CMake and tells Cargo how to link it.

use std::process::ExitCode;

use llama_build::cmake;
use llama_build::layout::Layout;
use llama_build::progress::Progress;
use llama_build::source::Source;
use llama_build::{
    Config, Error, Feature, FlagSet, Manifest, Pin, cargo, declared, link, refusal, system,
    toolchain,
};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cargo::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Error> {
    if cargo::is_docs_rs() {
        return declare_checked_in();
    }
    let pin = Pin::load();
    let asked = cargo::read_config()?;
    let (config, settled) = asked.clone().settle();
    settled.iter().for_each(|text| cargo::warning(text));
    refusal::lost_libraries(&config, &cargo::out_dir()?)?;
    refusal::unasked_libraries(&asked.features, &config, &settled, cargo::shows_warnings())?;
    check_declarations()?;
    if config.features.has(Feature::System) {
        let include = system::link(&pin, checked_in(), cfg!(feature = "mtmd"))?;
        return declare(&include, &cargo::out_dir()?);
    }
    let flags = FlagSet::new(&config, &pin);
    if let Some(dir) = &config.overrides.prebuilt_dir {
        let manifest = Manifest::prebuilt(dir, &pin, &flags)?;
        manifest.watch();
        link::emit(&manifest);
        return declare(&[manifest.artifacts.include], &cargo::out_dir()?);
    }
    check_build(&config)?;
    let toolchain = toolchain::check(&config)?;
    let layout = Layout::new(&cargo::out_dir()?);
    let progress = Progress::new(cargo::progress_file());
    let source = Source::prepare(&layout, &config, &pin, &progress, || {
        let targets = [cmake::BEFORE_PAGE];
        cmake::build_targets(&layout, &flags, &toolchain, &config, &targets, &progress).map(drop)
    })?;
    let artifacts = cmake::build(&layout, &flags, &toolchain, &config, &progress)?;
    let include = artifacts.include.clone();
    let manifest = source.manifest(artifacts, flags, toolchain.cmake_version, &config, &pin)?;
    manifest.write()?;
    link::emit(&manifest);
    declare(&[include], &layout.root)
}

/// Ends what would end badly after minutes, or when it runs.
fn check_build(config: &Config) -> Result<(), Error> {
    if let Some(declarations) = checked_in() {
        declared::check_tree(config, declarations)?;
    }
    refusal::unnamed_sdk(config)?;
    refusal::compiler_for_arm(config)
}

/// The checked-in declarations, which the crate has unless the feature `bindgen` writes others.
fn checked_in() -> Option<&'static [&'static str]> {
    const ALL: &[&str] = &[include_str!("src/bindings.rs"), include_str!("src/bindings_mtmd.rs")];
    let compiled = if cfg!(feature = "mtmd") { ALL } else { &ALL[..1] };
    (!cfg!(feature = "bindgen")).then_some(compiled)
}

/// With the feature `bindgen`, looks for what writes the declarations.
#[cfg(feature = "bindgen")]
fn check_declarations() -> Result<(), Error> {
    cargo::rerun_if_variable_changed("LIBCLANG_PATH");
    cargo::rerun_if_variable_changed("BINDGEN_EXTRA_CLANG_ARGS");
    llama_build::bindings::check()
}

/// With the feature `bindgen`, writes the declarations from the headers of what is linked.
#[cfg(feature = "bindgen")]
fn declare(include: &[std::path::PathBuf], out: &std::path::Path) -> Result<(), Error> {
    let include: Vec<&std::path::Path> = include.iter().map(AsRef::as_ref).collect();
    llama_build::bindings::UNITS.iter().try_for_each(|unit| {
        unit.headers(&include).for_each(|header| cargo::rerun_if_changed(&header));
        let path = out.join(format!("{}.rs", unit.name));
        std::fs::write(&path, unit.generate(&include, None)?)
            .map_err(|e| Error::io("write", &path, &e))
    })
}

/// With the feature `bindgen`, takes the checked-in declarations: there are no headers to read.
#[cfg(feature = "bindgen")]
fn declare_checked_in() -> Result<(), Error> {
    let out = cargo::out_dir()?;
    llama_build::bindings::UNITS.iter().try_for_each(|unit| {
        let name = format!("{}.rs", unit.name);
        let (from, path) = (std::path::Path::new("src").join(&name), out.join(name));
        cargo::rerun_if_changed(&from);
        std::fs::copy(from, &path).map(drop).map_err(|e| Error::io("write", &path, &e))
    })
}

#[cfg(not(feature = "bindgen"))]
fn check_declarations() -> Result<(), Error> {
    Ok(())
}

#[cfg(not(feature = "bindgen"))]
fn declare_checked_in() -> Result<(), Error> {
    Ok(())
}

#[cfg(not(feature = "bindgen"))]
fn declare(_include: &[std::path::PathBuf], _out: &std::path::Path) -> Result<(), Error> {
    Ok(())
}
