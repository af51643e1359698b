//! `build`: words become a request.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use super::context::{converter, quantizer, variable};
use super::formats::Formats;
use super::progress::Screen;
use super::{Context, args, output, remote, save, signing};
use crate::Error;
use crate::build::{Request, World, build, variables};
use crate::executor::Folder;
use crate::image::Platform;
use crate::language::find::{self, Found};
use crate::language::{self, Warning};
use crate::plan;
use crate::reference::Name;
use crate::registry::Token;

pub(super) fn run(args: &args::Build, context: &Context) -> Result<ExitCode, Error> {
    let found = file(&args.wanted, &args.context)?;
    let shown = found.path.display().to_string();
    let script = language::parse(&found.text, &shown)?;
    let ignore = find::ignore(&args.context, &found.path)?;
    let build_args = pairs(&args.wanted.build_args, "--build-arg", variable)?;
    let settings = language::Settings {
        build_args: build_args.clone(),
        target: args.wanted.target.clone(),
        contexts: contexts(&args.wanted)?.keys().cloned().collect(),
        ..language::Settings::default()
    };
    if args.check {
        return check(&script, settings, ignore.as_ref().map(|(_, ignore)| ignore));
    }
    let labels = pairs(&args.labels, "--label", |_| Some(String::new()))?;
    let request = Request {
        script: &script,
        settings,
        folder: folder(&args.context, ignore)?,
        contexts: contexts(&args.wanted)?,
        platforms: args
            .wanted
            .platforms
            .iter()
            .map(|text| text.parse())
            .collect::<Result<_, _>>()?,
        labels: labels.into_iter().collect(),
        names: args.tags.iter().map(|text| Name::given(text)).collect::<Result<_, _>>()?,
        no_cache: args.no_cache,
        provenance: !args.no_provenance,
        source_date: source_date(&build_args)?,
        token: Token::of_environment().map(|token| token.secret),
        endpoint: endpoint(&build_args),
    };
    let outputs =
        args.outputs.iter().map(|text| save::target(text)).collect::<Result<Vec<_>, _>>()?;
    let formats = Formats::of(&args.formats)?;
    shippable(args, &request, &formats, &outputs)?;
    make(args, context, &request, (&formats, &outputs))
}

/// Refuses what could not be pushed or written when it is built.
fn shippable(
    args: &args::Build,
    request: &Request<'_>,
    formats: &Formats,
    outputs: &[save::Target],
) -> Result<(), Error> {
    if args.push && request.names.is_empty() && !formats.are_named() {
        return Err(Error::usage("a tag is needed when pushing to a registry")
            .hint("gguf-packer build --tag REGISTRY/NAME --push ."));
    }
    if formats.has_artifact() && !args.push && outputs.is_empty() {
        return Err(Error::usage("`--format` needs `--push` or `--output`")
            .hint("add --push, or --output oci-archive=PATH")
            .hint("or push the built model later: gguf-packer push --format modelpack NAME"));
    }
    formats.names(&request.names)?;
    let to_stdout = outputs.iter().filter(|target| target.is_stdout()).count();
    if to_stdout + usize::from(args.quiet) > 1 && to_stdout > 0 {
        return Err(Error::usage("standard output can take only one archive, and no ID")
            .hint("write the archive to a file: --output docker-archive=FILE"));
    }
    outputs.iter().try_for_each(|target| {
        formats.check(target.format)?;
        target.check()
    })
}

fn make(
    args: &args::Build,
    context: &Context,
    request: &Request<'_>,
    (formats, outputs): (&Formats, &[save::Target]),
) -> Result<ExitCode, Error> {
    // A wrong password is told before anything is built.
    let key = args.sign.as_deref().map(signing::private_key).transpose()?;
    let screen = Screen::new(if args.quiet { args::Progress::Quiet } else { args.remote.progress });
    let store = context.store()?;
    let pull = |name: &Name, platform: &Platform| {
        remote::pull(&store, name, Some(platform), &args.remote, &screen)
    };
    let (on_event, stop) =
        (|event: crate::executor::Event<'_>| screen.show(event), AtomicBool::new(false));
    let world = World {
        store: &store,
        pull: &pull,
        tool: &quantizer,
        converter: &converter,
        on_event: &on_event,
        stop: &stop,
    };
    let built = build(request, &world)?;
    told(&built.warnings);
    let broken: Vec<Warning> =
        built.warnings.iter().filter(|one| one.rule.is_some()).cloned().collect();
    if language::lint::fails(request.script, &broken) {
        return Err(Error::new(
            "lint violations found, and `# check=error=true` makes them errors",
        ));
    }
    let items = if args.push || !outputs.is_empty() {
        formats.items(&store.find(&built.id.hex())?, &request.names, &store)?
    } else {
        vec![]
    };
    for target in outputs {
        target.write(&store, &items)?;
        screen.say(&format!("wrote {}", target.path.display()));
    }
    if let Some(file) = &args.iidfile {
        std::fs::write(file, built.id.to_string()).map_err(|e| Error::io("write", file, &e))?;
    }
    if args.push {
        remote::push(&store, &items, key.as_ref(), &args.remote, &screen)?;
    }
    if args.quiet {
        output::line(&built.id.to_string())?;
    } else {
        let names: Vec<String> = request.names.iter().map(ToString::to_string).collect();
        let names = if names.is_empty() { String::new() } else { format!(" {}", names.join(" ")) };
        screen.say(&format!("built {}{names}", built.id.short()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The file to build.
pub(super) fn file(args: &args::Wanted, context: &Path) -> Result<Found, Error> {
    let is_url = |text: &str| text.starts_with("http://") || text.starts_with("https://");
    if context.to_str().is_some_and(is_url) {
        return Err(Error::usage("the build context must be a folder, not a URL")
            .hint("clone it first, or name it: --build-context NAME=URL"));
    }
    if args.file.as_deref() == Some(Path::new("-")) {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|e| Error::new(format!("cannot read the file from standard input: {e}")))?;
        return Ok(Found { path: "-".into(), text });
    }
    if !context.is_dir() {
        return Err(Error::usage(format!("folder not found: {}", context.display()))
            .hint("end the command with the folder to build: gguf-packer build -t NAME ."));
    }
    find::script(context, args.file.as_deref())
}

pub(super) fn folder(
    context: &Path,
    ignore: Option<(std::path::PathBuf, language::ignore::Ignore)>,
) -> Result<Folder, Error> {
    let path = std::fs::canonicalize(context).map_err(|e| Error::io("read", context, &e))?;
    let (ignore_file, ignore) = ignore.unzip();
    let ignore_file = ignore_file.map(|file| file.display().to_string());
    Ok(Folder { path, ignore: ignore.unwrap_or_default(), ignore_file })
}

pub(super) fn contexts(args: &args::Wanted) -> Result<BTreeMap<String, plan::Context>, Error> {
    let pairs = pairs(&args.build_contexts, "--build-context", |_| None)?;
    Ok(pairs.into_iter().map(|(name, value)| (name, plan::Context::parse(&value))).collect())
}

/// `KEY=VALUE`; a key alone has the value that `absent` gives, or is left out.
pub(super) fn pairs(
    words: &[String],
    option: &str,
    absent: impl Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut pairs = BTreeMap::new();
    for word in words {
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (word.as_str(), absent(word)),
        };
        if key.is_empty() || (option == "--build-context" && value.is_none()) {
            return Err(Error::usage(format!("`{option} {word}` is not KEY=VALUE")));
        }
        if let Some(value) = value {
            pairs.insert(key.to_owned(), value);
        }
    }
    Ok(pairs)
}

/// Where Hugging Face is: a build argument, as through Docker, or a variable of the environment.
pub(super) fn endpoint(build_args: &BTreeMap<String, String>) -> Option<String> {
    build_args.get("HF_ENDPOINT").cloned().or_else(|| variable("HF_ENDPOINT"))
}

/// The time of everything that is made: a build argument, as through Docker, or a variable of the environment.
fn source_date(build_args: &BTreeMap<String, String>) -> Result<Option<u64>, Error> {
    let name = "SOURCE_DATE_EPOCH";
    let parsed = |text: String| {
        text.parse().map_err(|_| {
            Error::usage(format!("{name} is `{text}`, not a number of seconds"))
                .hint(format!("{name}=$(git log -1 --format=%ct)"))
        })
    };
    build_args.get(name).cloned().or_else(|| variable(name)).map(parsed).transpose()
}

/// `--check`: what is wrong and what breaks rules.
fn check(
    script: &language::Script,
    mut settings: language::Settings,
    ignore: Option<&language::ignore::Ignore>,
) -> Result<ExitCode, Error> {
    settings.platform = variables(&Platform::here());
    let mut warnings = language::resolve(script, &settings)?.warnings;
    warnings.extend(language::lint::lint(script, &settings, ignore));
    if warnings.is_empty() {
        output::line("Check complete, no warnings found.")?;
        return Ok(ExitCode::SUCCESS);
    }
    let count = warnings.len();
    for warning in &warnings {
        output::line(&warning.to_string())?;
    }
    output::line(&format!(
        "Check complete, {count} warning{} found.",
        if count == 1 { "" } else { "s" }
    ))?;
    Ok(ExitCode::FAILURE)
}

pub(super) fn told(warnings: &[Warning]) {
    for warning in warnings {
        output::say(&format!("warning: {warning}"));
    }
}
