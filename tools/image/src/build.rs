//! `cargo xtask image build`: reads the world, plans each image, runs `docker buildx build`.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use llama_build::Pin;

use super::args;
use super::base;
use super::dist::{self, Dist};
use super::engine::{self, Engine, Wish};
use super::images::Scheme;
use super::labels::Facts;
use super::packer;
use super::plan::{self, Cache, Manner, Output, Plan};
use super::subject::{Platforms, Subject};
use super::tags::Naming;
use product::identity::Identity;
use workspace::cargo;
use workspace::screen::{self, Screen};

pub(super) fn run(args: &args::Build) -> Result<()> {
    if let Some(packer::Build::Packer(args)) = &args.packer {
        return packer::build(args);
    }
    args.check()?;
    let architectures = args.architectures.as_deref();
    let mut subjects = Subject::all(&args.images, architectures, Platforms::Own)?;
    let dist = args.from_dist.as_deref().map(Dist::read).transpose()?;
    if let Some(dist) = &dist {
        subjects = vec![dist.subject(subjects.remove(0), !args.images.platforms.is_empty())?];
    }
    let mut world = World::read(args, dist)?;
    if !args.plan {
        world.ready(&subjects)?;
    }
    world.base = base::instead(args.base_image.as_deref(), args.plan)?;
    let plans = subjects.iter().map(|subject| world.plan(subject)).collect::<Result<Vec<_>>>()?;
    if args.plan {
        plans.iter().for_each(|(plan, _)| screen::print(plan));
        return Ok(());
    }
    let mut screen = Screen::new();
    for (subject, (plan, epoch)) in subjects.iter().zip(&plans) {
        screen.step(&format!("building the image of {}", subject.variant));
        let started = Instant::now();
        if let Some(dir) = &args.from_dist {
            dist::renew(dir, *epoch)?;
        }
        let tags = world.tags(subject);
        engine::build(&plan.cmd().dir(cargo::root()), tags.first().map(String::as_str))?;
        eprintln!("==> {}", world.built(subject, started.elapsed().as_secs()));
    }
    Ok(())
}

/// What does not depend on the image.
struct World<'a> {
    args: &'a args::Build,
    identity: Identity,
    dist: Option<Dist>,
    output: Output,
    cache: Option<Cache>,
    /// Page of this repository.
    source: Option<String>,
    engine: Engine,
    /// In place of the Dockerfile's.
    base: Option<String>,
}

impl<'a> World<'a> {
    fn read(args: &'a args::Build, dist: Option<Dist>) -> Result<Self> {
        // The image says what the distribution in it says.
        let identity = match &dist {
            Some(dist) => dist.identity(),
            None => Identity::find()?,
        };
        let output = match &args.output {
            Some(output) => output.clone(),
            None if args.push => Output::Push,
            None => Output::Load,
        };
        let source = super::source();
        Ok(Self {
            args,
            identity,
            dist,
            output,
            cache: args.cache()?,
            source,
            engine: Engine::find(),
            base: None,
        })
    }

    /// With the time of the image's base.
    fn plan(&self, subject: &Subject) -> Result<(Plan, u64)> {
        let file = plan::dockerfile(subject);
        let text = fs::read_to_string(cargo::root().join(&file))
            .with_context(|| format!("cannot read {file}"))?;
        let base = self.base.as_deref().or(product::base::argument(&text, "BASE_IMAGE"));
        let Some(base) = base else { bail!("line `ARG BASE_IMAGE=…` not found in {file}") };
        // With the commit's time, every commit would give the layers of Debian's packages other bytes.
        let epoch = base::made(base).unwrap_or(self.identity.epoch);
        let pin = Pin::load();
        let facts = Facts {
            identity: &self.identity,
            llama_cpp: self.dist.as_ref().map_or(&pin.tag, |dist| &dist.manifest.llama_cpp.tag),
            source: self.source.as_deref(),
            base,
            cpu_variants: self.dist.as_ref().map_or(&[][..], |dist| &dist.manifest.cpu_variants),
        };
        let manner = Manner {
            base_image: self.base.as_deref(),
            rust_image: self.args.rust_image.as_deref(),
            epoch,
            build_args: &self.args.build_args,
            ca: self.args.ca.as_deref(),
            from_dist: self.args.from_dist.as_deref(),
            tags: self.tags(subject),
            output: self.output.clone(),
            cache: self.cache.clone(),
            rewrites: self.engine.rewrites(),
            attest: self.args.attest,
            no_cache: self.args.no_cache,
        };
        Ok((Plan::new(subject, &facts, &manner), epoch))
    }

    fn tags(&self, subject: &Subject) -> Vec<String> {
        let (args, images) = (self.args, &self.args.images);
        let naming = Naming::of(images, &self.identity);
        if !args.tags.is_empty() {
            args.tags.clone()
        } else if args.dev {
            naming.dev_tags(subject)
        } else if images.registry.is_none() {
            vec![naming.local_tag(subject)]
        } else {
            let tags = naming.tags(subject, images.scheme(Some(Scheme::Repository))).into_iter();
            tags.map(|tag| tag.reference).collect()
        }
    }

    /// Whether Docker can do all of it, before any of it is begun.
    fn ready(&self, subjects: &[Subject]) -> Result<()> {
        for subject in subjects {
            self.engine.builds(&Wish {
                platforms: &subject.platforms,
                output: Some(&self.output),
                cache: self.cache.as_ref(),
                attest: self.args.attest,
            })?;
        }
        let platforms: Vec<&str> =
            subjects.iter().flat_map(|subject| subject.platforms.iter().copied()).collect();
        if let Some(doubt) = self.engine.doubt(&platforms) {
            eprintln!("{doubt}");
        }
        Ok(())
    }

    /// One line: what there is now, and where.
    fn built(&self, subject: &Subject, seconds: u64) -> String {
        let names = self.tags(subject).join(" ");
        let what = match &self.output {
            Output::Load => names,
            Output::Push => format!("pushed {names}"),
            Output::Archive(path) | Output::Folder(path) => path.display().to_string(),
        };
        format!("{what} ({seconds} s)")
    }
}
