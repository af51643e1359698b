//! A frontend of BuildKit: `docker build` of a file of ours. It speaks the gateway protocol over standard input and
//! output, plans as a build without Docker plans, and has BuildKit do what the plan says in containers of this very
//! program. Linux containers are all that BuildKit runs it in.

mod backend;
mod buildkit;
mod contexts;
mod daemon;
mod dump;
mod folders;
mod grpc;
mod listing;
mod llb;
mod local;
mod location;
mod options;
pub mod pb;
mod requests;
mod result;
mod sources;
mod step;
#[cfg(test)]
#[path = "frontend/frontend_tests.rs"]
mod tests;
mod vertices;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use prost::Message;

use crate::Error;
use crate::build::variables;
use crate::executor::{self, Folder, Images, Settings};
use crate::image::Platform;
use crate::language::{self, Script, Warning};
use crate::plan::{Outside, Plan};
use crate::store::Store;

use buildkit::BuildKit;
use contexts::Source;
use daemon::Daemon;
use grpc::{Connection, Transport};
use llb::Output;
use local::Local;
use options::Options;
use pb::{BuildResult, Definition};
use vertices::Program;

pub use dump::Form;

/// What a frontend finds in its environment.
#[derive(Debug, Default)]
pub struct Environment {
    /// Options of the build, by their names.
    pub options: BTreeMap<String, String>,
    /// The session of the client.
    pub session: String,
    /// The graph of the frontend's own image.
    pub own: Option<Definition>,
    /// Where the image has this program.
    pub program: String,
    /// The platforms of the daemon, its own first.
    pub platforms: Vec<Platform>,
}

/// Where BuildKit lays the graph of the frontend's image.
const OWN: &str = "/run/config/buildkit/metadata/frontend.bin";

impl Environment {
    /// Reads it from variables.
    ///
    /// # Errors
    /// When this program's own place is not known.
    pub fn read(variables: impl Iterator<Item = (String, String)>) -> Result<Self, Error> {
        let mut read = Self::default();
        for (name, value) in variables {
            match name.as_str() {
                "BUILDKIT_SESSION_ID" => read.session = value,
                "BUILDKIT_WORKERS" => read.platforms = workers(&value),
                _ if name.starts_with("BUILDKIT_FRONTEND_OPT_") => {
                    if let Some((key, value)) = value.split_once('=') {
                        read.options.insert(key.to_owned(), value.to_owned());
                    }
                }
                _ => {}
            }
        }
        let own = std::fs::read(OWN).ok();
        read.own = own.and_then(|bytes| Definition::decode(&bytes[..]).ok());
        let program = std::env::current_exe()
            .map_err(|e| Error::new(format!("cannot find this program's own file: {e}")))?;
        read.program = program.display().to_string();
        Ok(read)
    }
}

/// The platforms of a list of workers.
fn workers(json: &str) -> Vec<Platform> {
    let workers: Vec<serde_json::Value> = serde_json::from_str(json).unwrap_or_default();
    let first = workers.first();
    let of = |name: &str| first.and_then(|worker| worker[name].as_array());
    let platforms = of("Platforms").or_else(|| of("platforms")).cloned().unwrap_or_default();
    platforms.into_iter().filter_map(|one| serde_json::from_value(one).ok()).collect()
}

/// Serves one build over standard input and output.
///
/// # Errors
/// When nobody speaks to us, or the build failed: the client was told then.
pub fn serve(environment: Environment) -> Result<(), Error> {
    if environment.session.is_empty() {
        return Err(Error::new("only BuildKit can start this command").hint(
            "docker build --build-arg BUILDKIT_SYNTAX=REGISTRY/gguf-packer -f GGUFPackerfile .",
        ));
    }
    let pipe = tokio::io::join(tokio::io::stdin(), tokio::io::stdout());
    answer(&Connection::over(pipe)?, environment)
}

/// Does the step that a container was started for.
///
/// # Errors
/// What the step failed of.
pub(crate) fn run_step(tools: &Tools<'_>) -> Result<(), Error> {
    step::run(Path::new("/"), tools).map_err(|error| {
        // What a build without Docker takes from the environment.
        let asks = tools.token.is_none() && error.to_string().contains(step::TOKEN);
        if asks { error.hint("docker build --secret id=HF_TOKEN,env=HF_TOKEN …") } else { error }
    })
}

pub use step::Tools;

/// The secret with a token for Hugging Face, where a step has it.
pub(crate) fn token() -> Option<String> {
    let text = std::fs::read_to_string(format!("/run/secrets/{}", step::TOKEN)).ok()?;
    Some(text.trim().to_owned()).filter(|token| !token.is_empty())
}

fn answer(transport: &dyn Transport, environment: Environment) -> Result<(), Error> {
    let Environment { options, session, own, program, platforms } = environment;
    let daemon = Daemon::meet(transport, options, session, own)?;
    let mut file = None;
    let done = build(&daemon, &program, &platforms, &mut file);
    let end = match &done {
        Ok(result) => Ok(result.clone()),
        Err(error) => Err(result::failure(&daemon, file.as_ref().map(Source::info), error)),
    };
    daemon.end(end)?;
    done.map(|_| ())
}

fn build(
    daemon: &Daemon<'_>,
    program: &str,
    platforms: &[Platform],
    file: &mut Option<Source>,
) -> Result<BuildResult, Error> {
    with_job(daemon, file, |job| {
        if let Some(answer) = requests::answer(&job)? {
            return Ok(answer);
        }
        let program = Program { image: own_image(daemon)?, path: program.to_owned() };
        let wanted = &job.options.platforms;
        let own = || platforms.first().cloned().unwrap_or_else(Platform::here);
        let wanted = if wanted.is_empty() { vec![own()] } else { wanted.clone() };
        let mut built = Vec::new();
        for platform in wanted {
            built.push(job.build(&program, platform)?);
        }
        if let Some(broken) = job.broken() {
            return Err(broken);
        }
        Ok(result::result(daemon, built, job.options.several))
    })
}

/// Calls `then` with what the daemon's client wants to build.
fn with_job<T>(
    daemon: &Daemon<'_>,
    file: &mut Option<Source>,
    then: impl FnOnce(Job<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let options = Options::read(daemon)?;
    let contexts = contexts::read(daemon, &options)?;
    let source = file.insert(contexts::script(daemon, &options, &contexts)?);
    let mut script = language::parse(source.text(), source.name())?;
    if let Some(check) = &options.check {
        script.set_check(check.clone());
    }
    let contexts = contexts.with_ignore_file(daemon, source)?;
    then(Job { daemon, options: &options, contexts: &contexts, script: &script, source })
}

/// Where our image has this program.
const PROGRAM: &str = "/app/bin/gguf-packer";

/// A graph that somebody wants to see.
pub struct Dump<'a> {
    /// The store, and where images come from.
    pub settings: &'a Settings<'a>,
    /// What steps need that have to be done to know the graph.
    pub tools: &'a Tools<'a>,
    /// Options as BuildKit's client gives them; `source` is our image.
    pub options: BTreeMap<String, String>,
    /// Folders by their names in the client's session: `context`, `dockerfile`, and named ones.
    pub folders: BTreeMap<String, Folder>,
}

/// The graph that a file is for BuildKit, and what a person should know. Weights are not needed for it.
///
/// # Errors
/// Everything that is wrong with the file.
pub fn dump(wanted: &Dump<'_>, form: Form) -> Result<(Vec<u8>, Vec<String>), Error> {
    let local = Local::new(wanted.settings, wanted.tools, wanted.folders.clone())?;
    let daemon = Daemon::meet(&local, wanted.options.clone(), String::new(), None)?;
    let graph = with_job(&daemon, &mut None, |job| {
        let program = Program { image: own_image(&daemon)?, path: PROGRAM.to_owned() };
        let platform = job.options.platforms.first().cloned().unwrap_or_else(Platform::here);
        job.graph(&program, platform)
    })?;
    Ok((dump::write(&graph, form)?, local.warnings()))
}

/// The image that this program is in.
fn own_image(daemon: &Daemon<'_>) -> Result<Output, Error> {
    if let Some(own) = daemon.own.clone().map(Output::foreign).transpose()?.flatten() {
        return Ok(own);
    }
    // Daemons that do not lay it down say its name.
    let named = daemon.option("source").ok_or_else(|| {
        Error::new("BuildKit did not name the image of the frontend")
            .hint("docker build --build-arg BUILDKIT_SYNTAX=REGISTRY/gguf-packer …")
    })?;
    let name: crate::reference::Name = named.parse()?;
    let (identifier, shown) = (format!("docker-image://{}", name.full()), name.to_string());
    Ok(vertices::source(identifier, &[], None, shown, false))
}

/// A target whose operations are known.
struct Planned<'a> {
    backend: &'a BuildKit<'a>,
    store: &'a Store,
    built: executor::BuiltStage,
    /// Gives an error about the command its place in the file.
    at_command: &'a dyn Fn(&Error) -> Error,
}

/// A build, for any platform.
pub(super) struct Job<'a> {
    daemon: &'a Daemon<'a>,
    options: &'a Options,
    contexts: &'a contexts::All,
    script: &'a Script,
    source: &'a Source,
}

impl Job<'_> {
    fn settings(&self, platform: &Platform) -> language::Settings {
        language::Settings {
            build_args: self.options.build_args.clone(),
            target: self.options.target.clone(),
            contexts: self.contexts.names(),
            platform: variables(platform),
        }
    }

    /// What a person should know of the file: rules that it breaks.
    fn warnings(&self, platform: &Platform) -> Vec<Warning> {
        let ignore = &self.contexts.places.ignored.ignore;
        language::lint::lint(self.script, &self.settings(platform), Some(ignore))
    }

    fn build(&self, program: &Program, platform: Platform) -> Result<result::Built, Error> {
        self.planned(program, platform, |stage| result::finish(&stage, &self.options.labels))
    }

    /// The graph of the image.
    fn graph(&self, program: &Program, platform: Platform) -> Result<Definition, Error> {
        self.planned(program, platform, |stage| Ok(result::graph(stage.backend, &stage.built)))
    }

    /// Calls `then` with the target.
    fn planned<T>(
        &self,
        program: &Program,
        platform: Platform,
        then: impl FnOnce(Planned<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let settings = self.settings(&platform);
        let resolved = language::resolve(self.script, &settings)?;
        let warnings = resolved.warnings.iter().cloned().chain(self.warnings(&platform));
        for warning in warnings {
            result::warn(self.daemon, self.source.info(), self.source.digest(), &warning);
        }
        let outside = Outside {
            contexts: self.contexts.for_plan(&platform),
            platform: None,
            hugging_face: self.options.endpoint.clone(),
        };
        let plan = Plan::of(&resolved.stages, resolved.target, &outside)?;
        let scratch = tempfile::tempdir()
            .map_err(|e| Error::new(format!("cannot create a temporary folder: {e}")))?;
        let store = Store::open_at(&scratch.path().join("store"))?;
        let other_platform = |image: &str, wanted: &Platform, actual: &Platform| {
            let Some(stage) = resolved.stages.get(resolved.target) else { return };
            let (wanted, actual) = (wanted.to_string(), actual.to_string());
            let warning =
                language::lint::base_platform(self.script, stage, image, &wanted, &actual);
            if let Some(warning) = warning {
                result::warn(self.daemon, self.source.info(), self.source.digest(), &warning);
            }
        };
        let backend = BuildKit {
            daemon: self.daemon,
            options: self.options,
            contexts: &self.contexts.places,
            program,
            platform,
            file: self.source.info(),
            known: buildkit::Known::default(),
            other_platform: &other_platform,
        };
        let built = self.stage(&plan, &store, &backend)?;
        let at_command = |error: &Error| crate::build::at_command(self.script, &resolved, error);
        then(Planned { backend: &backend, store: &store, built, at_command: &at_command })
    }

    fn stage(
        &self,
        plan: &Plan,
        store: &Store,
        backend: &BuildKit<'_>,
    ) -> Result<executor::BuiltStage, Error> {
        let none = |_: &str, _: Option<&str>| Err(Error::new("BuildKit brings images"));
        let no_layout =
            |_: &str, _: Option<&str>, _: Option<&str>| Err(Error::new("BuildKit brings images"));
        let settings = Settings {
            store,
            file: (self.script.file(), self.script.text()),
            folder: Folder::default(),
            contexts: &BTreeMap::new(),
            images: Images { find: &none, layout: &no_layout },
            tool: &|_| Err(Error::new("BuildKit runs the quantizer")),
            converter: &|_, _| Err(Error::new("BuildKit runs the converter")),
            no_cache: self.options.no_cache,
            source_date: self.options.source_date,
            token: None,
            endpoint: self.options.endpoint.clone(),
            on_event: &|_| (),
            stop: &AtomicBool::new(false),
        };
        executor::build_by(plan, &settings, backend)
    }

    /// The error of a file that breaks rules and says that this is one.
    fn broken(&self) -> Option<Error> {
        let broken = self.warnings(&Platform::here());
        let fails = language::lint::fails(self.script, &broken);
        fails.then(|| {
            Error::new("lint violations found, and `# check=error=true` makes them errors")
        })
    }
}
