//! The one library that a GPU variant adds, built from the payload's own source beside its build, and
//! what it brings of its vendor's.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use llama_build::cmake;
use llama_build::layout::Layout;
use llama_build::progress::Progress;
use llama_build::toolchain::{self, Toolchain};
use llama_build::{Config, FlagSet, Pin};

use super::built::Built;
use super::inside;
use super::plan::{self, Plan};
use crate::toolkit::{self, Toolkit, VendorLibrary};
use product::variant::GpuCode;
use workspace::cargo;
use workspace::screen::Screen;

/// Builds the backend of `plan`, where it has one; `root` is the folder of the payload's build, `own`
/// are the payload's libraries.
///
/// # Errors
/// Missing tools, all at once; what CMake says; a library of the vendor's that may not be shipped.
pub(crate) fn build(
    screen: &mut Screen,
    plan: &Plan,
    root: &Path,
    own: &[String],
    toolkit: &Toolkit,
) -> Result<Option<Built>> {
    let Some(backend) = plan.variant.backend() else { return Ok(None) };
    if let Some(debian) = &toolkit.root {
        return inside::backend(screen, debian, plan, root, own).map(Some);
    }
    let Prepared { config, flags, tools, layout } = Prepared::new(plan, root, toolkit)?;
    let files = screen.watch(|file| {
        let progress = Progress::quiet(file.to_owned());
        let targets = [backend.library()];
        Ok(cmake::build_targets(&layout, &flags, &tools, &config, &targets, &progress)?)
    })?;
    let library = files.into_iter().next();
    let library =
        library.with_context(|| format!("CMake reports no file for {}", backend.library()))?;
    let vendor = vendor(plan, toolkit, &library, own)?;
    Ok(Some(Built { library, flags, vendor }))
}

/// Configures the backend of `plan` as [`build`] does, and compiles one of its kernels.
///
/// # Errors
/// As [`build`]; when the object has no code for a GPU in it.
pub(crate) fn probe(
    screen: &mut Screen,
    plan: &Plan,
    root: &Path,
    toolkit: &Toolkit,
) -> Result<()> {
    if let Some(debian) = &toolkit.root {
        return inside::probe(screen, debian, plan, root);
    }
    let GpuCode { kernel, section, .. } = plan
        .variant
        .row()
        .gpu_code
        .with_context(|| format!("the variant `{}` has no kernel to probe", plan.variant))?;
    let Prepared { config, flags, tools, layout } = Prepared::new(plan, root, toolkit)?;
    let object = screen.watch(|file| {
        let progress = Progress::quiet(file.to_owned());
        Ok(cmake::build_object(&layout, &flags, &tools, &config, kernel, &progress)?)
    })?;
    let sections = elf::sections(&object)?;
    ensure!(
        sections.iter().any(|name| name == section),
        "{} has no section {section}",
        object.display()
    );
    Ok(())
}

/// What CMake is called with for a backend.
struct Prepared {
    config: Config,
    flags: FlagSet,
    tools: Toolchain,
    layout: Layout,
}

impl Prepared {
    fn new(plan: &Plan, root: &Path, toolkit: &Toolkit) -> Result<Self> {
        let config = config(plan, toolkit)?;
        let flags = FlagSet::new(&config, &Pin::load());
        let tools = toolchain::check(&config)?;
        Ok(Self { config, flags, tools, layout: Layout::new(root).beside(&plan.label()) })
    }
}

fn config(plan: &Plan, toolkit: &Toolkit) -> Result<Config> {
    let host = cargo::host();
    let mut config =
        plan::backend_config(plan, &host)?.context("the CPU variant has no backend")?;
    let here = llama_build::cargo::config_for(config.features.clone(), &plan.target, &host)?;
    config.overrides.jobs = here.overrides.jobs;
    config.overrides.compiler_launcher = here.overrides.compiler_launcher;
    config.overrides.cmake_args = toolkit.cmake_args.clone();
    config.cargo_jobs = here.cargo_jobs;
    config.compilers = toolkit.compilers.clone().unwrap_or(here.compilers);
    config.toolkits = toolkit.toolkits.clone();
    Ok(config)
}

fn vendor(
    plan: &Plan,
    toolkit: &Toolkit,
    library: &Path,
    own: &[String],
) -> Result<Vec<VendorLibrary>> {
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let architectures = plan.gpu_architectures.join(";");
    let needed = |file: &Path| Ok(elf::read(file)?.map(|elf| elf.needed).unwrap_or_default());
    toolkit::libraries(plan.variant, toolkit, library, &own, &architectures, &needed)
}
