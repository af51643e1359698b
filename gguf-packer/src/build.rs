//! From a file's text to an image of the store, for one platform or several.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use serde_json::Value;

use crate::Error;
use crate::digest::Digest;
use crate::executor::{self, BaseImage, BuiltStage, Converter, Event, Folder, Images, Tool};
use crate::image::{self, ConfigInput, Described, History, Platform};
use crate::language::instruction::{Instruction, Origin, Step};
use crate::language::{self, Script, Warning};
use crate::plan::{Context, Outside, Plan};
use crate::reference::Name;
use crate::store::{Store, StoredImage};

mod documents;

/// What is to be built.
pub struct Request<'a> {
    /// The file.
    pub script: &'a Script,
    /// Build arguments, target and named contexts; platforms are added.
    pub settings: language::Settings,
    /// The folder that is built.
    pub folder: Folder,
    /// Named contexts.
    pub contexts: BTreeMap<String, Context>,
    /// Platforms; none: those of the base image, else [`Platform::defaults`].
    pub platforms: Vec<Platform>,
    /// Labels besides the file's; they win.
    pub labels: Vec<(String, String)>,
    /// Names of the image.
    pub names: Vec<Name>,
    /// Do everything again.
    pub no_cache: bool,
    /// Say what it was made of.
    pub provenance: bool,
    /// `SOURCE_DATE_EPOCH`.
    pub source_date: Option<u64>,
    /// Token for Hugging Face.
    pub token: Option<String>,
    /// Where Hugging Face is, other than at its own address.
    pub endpoint: Option<String>,
}

/// What a build needs from outside.
pub struct World<'a> {
    /// Where everything is kept.
    pub store: &'a Store,
    /// Brings an image that the store lacks, for a platform.
    pub pull: &'a Pull<'a>,
    /// Runs llama.cpp's quantizer.
    pub tool: &'a Tool<'a>,
    /// Converts a checkpoint.
    pub converter: &'a Converter<'a>,
    /// Receives what happens.
    pub on_event: &'a (dyn Fn(Event<'_>) + Sync),
    /// Ends the build when it becomes true.
    pub stop: &'a AtomicBool,
}

/// See [`World::pull`].
pub type Pull<'a> = dyn Fn(&Name, &Platform) -> Result<Digest, Error> + Sync + 'a;

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The image of this machine's platform, or of the first one that was asked for.
    pub id: Digest,
    /// Its platforms.
    pub platforms: Vec<Platform>,
    /// What a person should know.
    pub warnings: Vec<Warning>,
}

/// Builds and stores an image.
///
/// # Errors
/// Everything that is wrong with the file, or the first steps that failed.
pub fn build(request: &Request<'_>, world: &World<'_>) -> Result<Built, Error> {
    request.names.iter().try_for_each(Name::check_given)?;
    let first = request.platforms.first().cloned().unwrap_or_else(Platform::here);
    let stage = Job::new(request, world, &first)?;
    let built = stage.run()?;
    let platforms = match (&request.platforms[..], &built.base) {
        ([], None) => Platform::defaults(),
        ([], Some(base)) => platforms_of(world.store, base, &first)?,
        (asked, _) => asked.to_vec(),
    };
    let mut images = Vec::new();
    for platform in &platforms {
        let job = Job::new(request, world, platform)?;
        // The same plan without a base gives the same files.
        let files = if *platform == first || (job.plan == stage.plan && built.base.is_none()) {
            built.clone()
        } else {
            job.run()?
        };
        let described = describe(request, world, &files)
            .map_err(|e| at_command(request.script, &job.resolved, &e))?;
        images.push((platform.clone(), described, files));
    }
    let id = store(request, world, &images)?;
    let warnings = stage.warnings.into_inner().unwrap_or_default();
    Ok(Built { id, platforms, warnings })
}

/// Calls `then` with what a build of the first platform needs besides its plan.
///
/// # Errors
/// Everything that is wrong with the file, and those of `then`.
pub fn with_settings<T>(
    request: &Request<'_>,
    world: &World<'_>,
    then: impl FnOnce(&executor::Settings<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let platform = request.platforms.first().cloned().unwrap_or_else(Platform::here);
    Job::new(request, world, &platform)?.with_settings(then)
}

/// A build for one platform.
struct Job<'a> {
    request: &'a Request<'a>,
    world: &'a World<'a>,
    platform: Platform,
    resolved: language::Resolved,
    plan: Plan,
    warnings: Mutex<Vec<Warning>>,
}

impl<'a> Job<'a> {
    fn new(
        request: &'a Request<'a>,
        world: &'a World<'a>,
        platform: &Platform,
    ) -> Result<Self, Error> {
        let mut settings = request.settings.clone();
        settings.platform = variables(platform);
        let resolved = language::resolve(request.script, &settings)?;
        let outside = Outside {
            contexts: request.contexts.clone(),
            platform: None,
            hugging_face: request.endpoint.clone(),
        };
        let plan = Plan::of(&resolved.stages, resolved.target, &outside)?;
        let mut warnings = resolved.warnings.clone();
        warnings.extend(language::lint::lint(
            request.script,
            &settings,
            Some(&request.folder.ignore),
        ));
        let (platform, warnings) = (platform.clone(), Mutex::new(warnings));
        Ok(Self { request, world, platform, resolved, plan, warnings })
    }

    fn run(&self) -> Result<BuiltStage, Error> {
        self.with_settings(|settings| executor::build(&self.plan, settings))
    }

    fn with_settings<T>(
        &self,
        then: impl FnOnce(&executor::Settings<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let find = |reference: &str, platform: Option<&str>| self.image(reference, platform);
        let of_layout = |folder: &str, tag: Option<&str>, platform: Option<&str>| {
            let platform = self.wanted(platform)?;
            let id = layout(self.world.store, folder, tag)?;
            self.base(&self.world.store.find(&id.hex())?, folder, &platform)
        };
        then(&executor::Settings {
            store: self.world.store,
            file: (self.request.script.file(), self.request.script.text()),
            folder: self.request.folder.clone(),
            contexts: &self.request.contexts,
            images: Images { find: &find, layout: &of_layout },
            tool: self.world.tool,
            converter: self.world.converter,
            no_cache: self.request.no_cache,
            source_date: self.request.source_date,
            token: self.request.token.clone(),
            endpoint: self.request.endpoint.clone(),
            on_event: self.world.on_event,
            stop: self.world.stop,
        })
    }

    fn wanted(&self, platform: Option<&str>) -> Result<Platform, Error> {
        platform.map_or_else(|| Ok(self.platform.clone()), str::parse)
    }

    /// An image of the store, or of a registry.
    fn image(&self, reference: &str, platform: Option<&str>) -> Result<BaseImage, Error> {
        let platform = self.wanted(platform)?;
        let name: Name = reference.parse()?;
        let known = self.world.store.find(reference).ok();
        let known = known.filter(|image| config_for(image, &platform).is_some());
        let image = match known {
            Some(image) => image,
            None => self.world.store.find(&(self.world.pull)(&name, &platform)?.hex())?,
        };
        self.base(&image, reference, &platform)
    }

    fn base(
        &self,
        image: &StoredImage,
        name: &str,
        platform: &Platform,
    ) -> Result<BaseImage, Error> {
        let (config, manifest) = config_for(image, platform)
            .unwrap_or_else(|| (json(&image.config), image.manifest.clone()));
        if let Some(actual) = Platform::of(&config).filter(|actual| actual != platform) {
            self.warn_of(name, platform, &actual);
        }
        Ok(BaseImage {
            config,
            layers: image.layers.clone(),
            digest: Digest::of(&manifest).to_string(),
            name: name.to_owned(),
        })
    }

    fn warn_of(&self, image: &str, expected: &Platform, actual: &Platform) {
        let Some(stage) = self.resolved.stages.get(self.resolved.target) else { return };
        let warning = language::lint::base_platform(
            self.request.script,
            stage,
            image,
            &expected.to_string(),
            &actual.to_string(),
        );
        if let Ok(mut warnings) = self.warnings.lock() {
            warnings.extend(warning);
        }
    }
}

/// The image of an OCI layout: the one with this tag, else the only one.
fn layout(store: &Store, folder: &str, tag: Option<&str>) -> Result<Digest, Error> {
    let images = crate::layout::load(store, folder.as_ref())?;
    let has = |image: &&crate::layout::Loaded| {
        tag.is_none() || image.names.iter().any(|name| name.tag() == tag)
    };
    match images.iter().filter(has).collect::<Vec<_>>()[..] {
        [one] => Ok(one.id),
        [] => Err(Error::new(format!("no image {} in {folder}", tag.unwrap_or_default()))),
        _ => Err(Error::new(format!("{folder} has several images"))
            .hint(format!("choose one: oci-layout://{folder}:TAG"))),
    }
}

/// `error` with the place of the `CMD` that it is about, if the file has one.
pub(crate) fn at_command(script: &Script, resolved: &language::Resolved, error: &Error) -> Error {
    let stages = &resolved.stages;
    let mut index = Some(resolved.target);
    while let Some(stage) = index.and_then(|index| stages.get(index)) {
        let is_command = |step: &&Step| matches!(step.instruction, Instruction::Cmd(_));
        if let Some(step) = stage.steps.iter().rev().find(is_command) {
            return executor::located((script.file(), script.text()), step.at, &step.text, error);
        }
        index = if let Origin::Stage(below) = stage.from { Some(below) } else { None };
    }
    error.clone()
}

/// `TARGETPLATFORM` and its kin.
#[must_use]
pub fn variables(target: &Platform) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for (prefix, platform) in [("TARGET", target), ("BUILD", &Platform::here())] {
        let variant = platform.variant.clone().unwrap_or_default();
        for (name, value) in [
            ("PLATFORM", platform.to_string()),
            ("OS", platform.os.clone()),
            ("ARCH", platform.architecture.clone()),
            ("VARIANT", variant),
        ] {
            variables.insert(format!("{prefix}{name}"), value);
        }
    }
    variables
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}

/// Config and manifest of an image for `platform`.
fn config_for(image: &StoredImage, platform: &Platform) -> Option<(Value, Vec<u8>)> {
    let own = std::iter::once((&image.config, &image.manifest));
    let others = image.others.iter().map(|(config, manifest)| (config, manifest));
    own.chain(others)
        .map(|(config, manifest)| (json(config), manifest.clone()))
        .find(|(config, _)| Platform::of(config).as_ref() == Some(platform))
}

/// The platforms of a base whose layers are the same for all of them.
fn platforms_of(store: &Store, base: &BaseImage, first: &Platform) -> Result<Vec<Platform>, Error> {
    let Ok(image) = store.find(&base.name) else { return Ok(vec![first.clone()]) };
    let configs = std::iter::once(&image.config).chain(image.others.iter().map(|(one, _)| one));
    let platforms: Vec<Platform> =
        configs.filter_map(|config| Platform::of(&json(config))).collect();
    Ok(if platforms.contains(first) { platforms } else { vec![first.clone()] })
}

fn describe(
    request: &Request<'_>,
    world: &World<'_>,
    stage: &BuiltStage,
) -> Result<Described, Error> {
    described(stage, &request.labels, &|digest| Ok(Box::new(world.store.open_blob(digest)?)))
}

/// The image of a stage, with `more` labels that win over the file's.
pub(crate) fn described(
    stage: &BuiltStage,
    more: &[(String, String)],
    open: &image::Open<'_>,
) -> Result<Described, Error> {
    let mut labels = stage.labels.clone();
    labels.extend(more.iter().cloned());
    let mut history: Vec<History> = Vec::new();
    for made in &stage.layers {
        let layer = made.layer.diff_id;
        match history.last_mut() {
            Some(last) if last.created_by == made.created_by => last.layers.push(layer),
            _ => history.push(History { created_by: made.created_by.clone(), layers: vec![layer] }),
        }
    }
    let base = stage.base.as_ref();
    let input = ConfigInput {
        command: stage.command.as_deref(),
        labels: &labels,
        base: base.map(|base| &base.config),
        base_name: base.map(|base| (base.name.as_str(), base.digest.parse().ok())),
        history: &history,
        files: &stage.entries,
        created: stage.created,
    };
    Described::new(&input, open)
}

/// Stores the image: one that is this machine's first, the others beside it.
fn store(
    request: &Request<'_>,
    world: &World<'_>,
    images: &[(Platform, Described, BuiltStage)],
) -> Result<Digest, Error> {
    let layers_of = |stage: &BuiltStage| {
        let base = stage.base.iter().flat_map(|base| base.layers.clone());
        base.chain(stage.layers.iter().map(|made| made.layer)).collect::<Vec<_>>()
    };
    let layers = layers_of(&images[0].2);
    if images.iter().any(|(.., stage)| layers_of(stage) != layers) {
        return Err(Error::new(
            "the layers of the base image differ between platforms, so the \
            store cannot keep one image for all of them",
        )
        .hint("build one platform at a time: --platform linux/amd64"));
    }
    let configs = images
        .iter()
        .map(|(platform, described, _)| (platform.clone(), described.config(platform)));
    let mut image = image::assembled(configs.collect(), layers);
    if request.provenance {
        image.attached = documents::store(request, world.store, &image, images)?;
    }
    world.store.commit(&image, &request.names)
}
