//! `cargo xtask dist`: turns builds into folders and archives that run anywhere.

mod answer;
pub mod archive;
mod args;
mod assemble;
mod backend;
mod built;
mod inside;
mod pack;
pub mod packer;
mod payload;
pub mod plan;
mod recorded;
mod report;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use llama_build::Pin;
use llama_build::config::Overrides;
use llama_src::Error;
use llama_src::place::{Lock, Staging};

use crate::advisories;
use crate::component;
use crate::licenses;
use crate::sbom;
use crate::toolkit::{self, Toolkit};
use built::Built;
use payload::Payload;
use plan::Plan;
use product::arch::Arch;
use product::identity::Identity;
use product::manifest::{self, Manifest};
use product::requirements;
use product::variant::{self, Variant};
use recorded::by_name;
use report::Row;
use workspace::cargo;
use workspace::install;
use workspace::screen::{self, Screen};
use workspace::source::{self, WithoutPage};

pub(crate) use answer::run as run_backend;
pub(crate) use args::Args;
pub(crate) use inside::WORD as BACKEND_WORD;
pub use pack::{pack, stem};

/// The name of the folder of `row`'s distribution.
pub fn folder_of(row: &variant::Row) -> String {
    plan::name(&plan::Choice::from(row))
}

/// Whether there is one file for every kind of processor of `target`.
pub fn has_one_file(target: &str) -> bool {
    llama_build::target::Target::parse(target).embeds_cpu_variants()
}

/// The name of the folder of the one-file distribution for `target`.
pub fn one_file_folder(target: &str) -> String {
    plan::name(&plan::Choice {
        variant: Variant::Cpu,
        target: target.to_owned(),
        toolkit: None,
        architectures: None,
        one_file: true,
    })
}

/// `words` are those of which `args` were made, for the same command in a Debian root.
pub(crate) fn run(args: &Args, words: &[OsString]) -> Result<()> {
    let host = cargo::host();
    let target = args.target();
    args.check(&target)?;
    if args.plan {
        return show(args, &target, &host);
    }
    let identity = Identity::find()?;
    let mut screen = Screen::new();
    if args.packer {
        return packer::dist(args, &identity, &host, &mut screen);
    }
    let toolkits = toolkits(args, &target, &mut screen)?;
    let mut config = plan::payload_config(&target, &host, args.one_file)?;
    refuse_other_sources(&config.overrides)?;
    let named = toolkits.iter().find_map(|toolkit| toolkit.compilers.clone());
    config.compilers = named.unwrap_or(config.compilers);
    let root = toolkits.iter().find_map(|toolkit| toolkit.root.as_ref());
    let root = root.filter(|_| target != host);
    // What compiles is in the root then; what fetches the source and builds its web UI is not.
    let config = if root.is_some() { install::config(&[])? } else { config };
    install::ensure(&config, &[], args.setup)?;
    let source = source::with_page(&mut screen, args.setup, WithoutPage::Fail)?.dir;
    if let (Some(root), Some(arch)) = (root, Arch::of(&target)) {
        return inside::dist(root, arch, words, &args.out, &identity);
    }
    let lock = Lock::acquire(&args.out, &mut |news| screen.news(news))
        .with_context(|| format!("cannot write {}", args.out.display()))?;
    let dist = Dist { args, identity, target, host, source, lock };
    dist.build(&mut screen, toolkits)
}

/// Whether `dist` takes these words, for the tests of those who type them.
pub fn takes(words: &[&str]) -> Result<()> {
    let args = args::parsed(words)?;
    args.check(args.target.as_deref().unwrap_or(variant::X86_64))
}

/// A distribution is of the pinned llama.cpp, compiled here. (Compilers and flags of the user's are in its manifest.)
fn refuse_other_sources(overrides: &Overrides) -> Result<()> {
    let named = [("SOURCE_DIR", &overrides.source_dir), ("PREBUILT_DIR", &overrides.prebuilt_dir)];
    let named: Vec<String> = named
        .iter()
        .filter(|(_, value)| value.is_some())
        .map(|(name, _)| format!("LLAMA_SYS_{name}"))
        .collect();
    if named.is_empty() {
        return Ok(());
    }
    let named = named.join(" ");
    bail!(
        Error::usage(format!(
            "a distribution contains the pinned llama.cpp, but {named} names another one"
        ))
        .hint(format!("unset {named}"))
        .hint("to build your own tree: cargo build --release -p llama-server-bin")
    )
}

/// What the variants take from outside, before anything long is begun.
fn toolkits(args: &Args, target: &str, screen: &mut Screen) -> Result<Vec<Toolkit>> {
    let mut toolkits = Vec::new();
    for variant in &args.variants() {
        let found = toolkit::find(*variant, args.toolkit.as_deref(), target, args.setup, screen)?;
        if variant.row().sets_run_path && !args.probe {
            install::ensure_only(&[requirements::patchelf()], args.setup)?;
        }
        if let Some(architectures) = &args.architectures {
            toolkit::check_architectures(*variant, &found, architectures)?;
        }
        toolkits.push(found);
    }
    Ok(toolkits)
}

fn show(args: &Args, target: &str, host: &str) -> Result<()> {
    if args.packer {
        screen::print(format!("{}\n", packer::command(target, "$PWD", "$CARGO_HOME")));
        return Ok(());
    }
    let pin = Pin::load();
    let variants = args.variants();
    let plans = variants.iter().map(|variant| {
        let default = variant.toolkits().first().map(|version| (*version).to_owned());
        let toolkit = args.toolkit.clone().or(default);
        Plan::new(&args.choice(*variant, target, toolkit), host, &pin)
    });
    let plans = plans.collect::<Result<Vec<_>>>()?;
    if args.json {
        screen::print(serde_json::to_string_pretty(&plans)? + "\n");
    } else {
        plans.iter().for_each(screen::print);
    }
    Ok(())
}

/// Times of steps, one after the other.
struct Clock {
    started: Instant,
    seconds: BTreeMap<&'static str, f64>,
}

impl Clock {
    fn new() -> Self {
        Self { started: Instant::now(), seconds: BTreeMap::new() }
    }

    fn lap(&mut self, step: &'static str) {
        self.seconds.insert(step, self.started.elapsed().as_secs_f64());
        self.started = Instant::now();
    }
}

/// One run for one target.
struct Dist<'a> {
    args: &'a Args,
    identity: Identity,
    target: String,
    host: String,
    /// llama.cpp's own tree.
    source: PathBuf,
    lock: Lock,
}

impl Dist<'_> {
    fn build(&self, screen: &mut Screen, toolkits: Vec<Toolkit>) -> Result<()> {
        screen.step(&format!("building the CPU payload for {}", self.target));
        let mut clock = Clock::new();
        let payload = payload::build(screen, &self.args.choice(Variant::Cpu, &self.target, None))?;
        clock.lap("payload");
        if self.args.probe {
            let mut all = self.args.variants().into_iter().zip(&toolkits);
            return all
                .try_for_each(|(variant, toolkit)| self.probe(screen, variant, toolkit, &payload));
        }
        let mut rows = Vec::new();
        for (variant, toolkit) in self.args.variants().into_iter().zip(toolkits) {
            let mut row = self.variant(screen, variant, &toolkit, &payload)?;
            // The first one pays for the payload.
            row.seconds.append(&mut clock.seconds);
            rows.push(row);
        }
        report::write(&self.args.out, &rows)
    }

    /// Builds, assembles, verifies and packs one variant.
    fn variant(
        &self,
        screen: &mut Screen,
        variant: Variant,
        toolkit: &Toolkit,
        payload: &Payload,
    ) -> Result<Row> {
        let plan = self.plan(variant, toolkit)?;
        let mut clock = Clock::new();
        if let Some(backend) = variant.backend() {
            screen.step(&format!("building {}", backend.library()));
        }
        let root = &payload.build.artifacts.root;
        let backend = backend::build(screen, &plan, root, &payload.names(), toolkit)?;
        clock.lap("backend");
        screen.step(&format!("assembling {}", plan.name));
        let staging = Staging::new(&self.lock, &plan.name)?;
        let dir = staging.dir().join(&plan.name);
        let manifest = self.assemble(&dir, &plan, toolkit, payload, backend.as_ref())?;
        assemble::set_modes(&dir)?;
        clock.lap("assemble");
        screen.step(&format!("verifying {}", plan.name));
        match &toolkit.root {
            Some(root) => inside::verify(root, &dir, &self.args.out)?,
            None => verify_here(&dir)?,
        }
        clock.lap("verify");
        screen.step(&format!("packing {}", plan.name));
        let archive = self.pack(&dir, &plan, &manifest)?;
        let out = self.args.out.join(&plan.name);
        staging.publish(&dir, &out)?;
        clock.lap("pack");
        Row::new(&plan.name, &out, &archive, &manifest, clock.seconds)
    }

    fn probe(
        &self,
        screen: &mut Screen,
        variant: Variant,
        toolkit: &Toolkit,
        payload: &Payload,
    ) -> Result<()> {
        let plan = self.plan(variant, toolkit)?;
        screen.step(&format!("probing {}", plan.name));
        backend::probe(screen, &plan, &payload.build.artifacts.root, toolkit)
    }

    fn plan(&self, variant: Variant, toolkit: &Toolkit) -> Result<Plan> {
        let toolkit = toolkit.version().filter(|_| !variant.toolkits().is_empty());
        Plan::new(&self.args.choice(variant, &self.target, toolkit), &self.host, &Pin::load())
    }

    fn pack(&self, dir: &Path, plan: &Plan, manifest: &Manifest) -> Result<PathBuf> {
        let stem = stem(&self.identity.version, &plan.name);
        pack::write(dir, manifest, &stem, &self.args.out, self.identity.epoch)
    }

    /// Fills `dir`; the manifest is written last.
    fn assemble(
        &self,
        dir: &Path,
        plan: &Plan,
        toolkit: &Toolkit,
        payload: &Payload,
        backend: Option<&Built>,
    ) -> Result<Manifest> {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let built = payload.programs.iter().chain(&payload.libraries);
        let mut ours: Vec<&Path> = built.map(PathBuf::as_path).collect();
        ours.extend(backend.map(|built| built.library.as_path()));
        assemble::copy_stripped(&ours, dir, &self.target, &self.host)?;
        for program in &payload.programs {
            assemble::link(dir, program)?;
        }
        let vendor = backend.map(|built| built.vendor.as_slice()).unwrap_or_default();
        assemble::copy_vendor(vendor, dir, plan.variant)?;
        let mut manifest = self.manifest(plan, toolkit, payload, backend)?;
        let components = component::all(&self.source, &manifest, vendor)?;
        licenses::write(dir, &components)?;
        advisories::write_vex(dir, self.identity.epoch)?;
        let ours = ours.iter().map(|file| elf::read(file)).collect::<Result<Vec<_>>>()?;
        manifest.symbol_versions = elf::highest(ours.iter().flatten());
        manifest.files = sbom::write(dir, &manifest, &components)?;
        let path = dir.join(manifest::FILE);
        fs::write(&path, manifest.text())
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(manifest)
    }

    fn manifest(
        &self,
        plan: &Plan,
        toolkit: &Toolkit,
        payload: &Payload,
        backend: Option<&Built>,
    ) -> Result<Manifest> {
        let (identity, build) = (&self.identity, &payload.build);
        let mut flags = BTreeMap::from([("llama-server".to_owned(), by_name(&build.flags))]);
        if let (Some(built), Some(backend)) = (backend, plan.variant.backend()) {
            flags.insert(backend.library().to_owned(), by_name(&built.flags));
        }
        let variant = plan.variant.name();
        Ok(Manifest {
            flags,
            toolkit: Some(toolkit.name.clone()).filter(|name| !name.is_empty()),
            gpu_architectures: plan.gpu_architectures.clone(),
            minimum_driver: plan.minimum_driver.map(str::to_owned),
            cpu_variants: build.artifacts.cpu_variants.clone(),
            ..assemble::manifest(identity, build, variant, &plan.target)?
        })
    }
}

/// Verifies the distribution in `dir`, and says what this machine cannot check.
fn verify_here(dir: &Path) -> Result<()> {
    for check in verify::verify(dir, &verify::folders())?.not_run {
        eprintln!("    not run: {} ({})", check.what, check.why);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_is_of_nothing_but_the_pin() {
        refuse_other_sources(&Overrides::default()).unwrap();
        let both = Overrides {
            source_dir: Some("/a".into()),
            prebuilt_dir: Some("/b".into()),
            ..Overrides::default()
        };
        let error = refuse_other_sources(&both).unwrap_err().to_string();
        let second = "hint: unset LLAMA_SYS_SOURCE_DIR LLAMA_SYS_PREBUILT_DIR\n";
        assert!(error.contains(second), "{error}");
    }
}
