//! `llb-frontend`, the steps of its containers, and `llb-dump`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use llama_src::sh::Cmd;

use super::build::{contexts, endpoint, file, folder, pairs};
use super::context::{converter, quantizer, variable};
use super::progress::Screen;
use super::{Context, args, output, remote};
use crate::Error;
use crate::build::{Request, World, with_settings};
use crate::executor::{Event, Folder};
use crate::frontend::{self, Dump, Environment, Form, Tools};
use crate::image::Platform;
use crate::language;
use crate::language::find::{self, Found};
use crate::plan;
use crate::registry::Token;

/// Our image, unless the file names another one.
const IMAGE: &str = "gpustack/gguf-packer:latest";
/// A page that draws graphs; it gets the graph after `#`, which a browser keeps to itself.
const PAGE: &str = "https://dreampuf.github.io/GraphvizOnline/#";

/// Serves one build of BuildKit's.
pub(super) fn serve() -> Result<(), Error> {
    let variables = std::env::vars_os();
    let texts = variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    frontend::serve(Environment::read(texts)?)
}

fn say(text: &str) {
    output::say(text);
}

/// Does the step that this process' container was started for.
pub(super) fn step() -> ExitCode {
    let (tool, converter) = (&quantizer, &converter);
    let tools = Tools { tool, converter, token: frontend::token(), say: &say };
    match frontend::run_step(&tools) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints the graph of a file.
pub(super) fn dump(args: &args::LlbDump, context: &Context) -> Result<(), Error> {
    let (wanted, mut place) = (&args.wanted, args.context.clone());
    let mut named = wanted.file.clone();
    if named.is_none() && place.is_file() {
        named = Some(place.clone());
        place =
            place.parent().filter(|at| !at.as_os_str().is_empty()).unwrap_or(".".as_ref()).into();
    }
    let found = file(&args::Wanted { file: named, ..wanted.clone() }, &place)?;
    let ignore = find::ignore(&place, &found.path)?;
    let script = language::parse(&found.text, &found.path.display().to_string())?;
    let build_args = pairs(&wanted.build_args, "--build-arg", variable)?;
    let request = Request {
        script: &script,
        settings: language::Settings {
            build_args: build_args.clone(),
            target: wanted.target.clone(),
            contexts: contexts(wanted)?.keys().cloned().collect(),
            ..language::Settings::default()
        },
        folder: folder(&place, ignore)?,
        contexts: contexts(wanted)?,
        platforms: wanted.platforms.iter().map(|text| text.parse()).collect::<Result<_, _>>()?,
        labels: vec![],
        names: vec![],
        no_cache: false,
        provenance: false,
        source_date: None,
        token: Token::of_environment().map(|token| token.secret),
        endpoint: endpoint(&build_args),
    };
    let form = match (args.json, args.protobuf) {
        (true, _) => Form::Json,
        (_, true) => Form::Protobuf,
        _ => Form::Dot,
    };
    let (graph, warnings) = graph(args, context, &request, &found, form)?;
    for warning in warnings {
        output::say(&format!("warning: {warning}"));
    }
    if args.browser { browse(&graph) } else { output::bytes(&graph) }
}

fn graph(
    args: &args::LlbDump,
    context: &Context,
    request: &Request<'_>,
    found: &Found,
    form: Form,
) -> Result<(Vec<u8>, Vec<String>), Error> {
    let screen = Screen::new(args.remote.progress);
    let store = context.store()?;
    let pull = |name: &crate::reference::Name, platform: &Platform| {
        remote::pull(&store, name, Some(platform), &args.remote, &screen)
    };
    let world = World {
        store: &store,
        pull: &pull,
        tool: &quantizer,
        converter: &converter,
        on_event: &|_: Event<'_>| (),
        stop: &AtomicBool::new(false),
    };
    let (options, folders) = asked(request, found)?;
    with_settings(request, &world, |settings| {
        let (tool, converter, token) = (&quantizer, &converter, request.token.clone());
        let tools = Tools { tool, converter, token, say: &say };
        frontend::dump(&Dump { settings, tools: &tools, options, folders }, form)
    })
}

type Asked = (BTreeMap<String, String>, BTreeMap<String, Folder>);

/// What BuildKit's client would ask for, and the folders that it would offer.
fn asked(request: &Request<'_>, found: &Found) -> Result<Asked, Error> {
    let mut options = BTreeMap::new();
    let mut folders = BTreeMap::from([("context".to_owned(), request.folder.clone())]);
    let whole = std::path::absolute(&found.path).map_err(|e| Error::io("read", &found.path, &e))?;
    let (dir, name) = (whole.parent(), whole.file_name().and_then(|name| name.to_str()));
    let (Some(dir), Some(name)) = (dir, name) else {
        return Err(Error::usage("llb-dump needs a file on disk")
            .hint("gguf-packer llb-dump -f GGUFPackerfile ."));
    };
    folders.insert("dockerfile".to_owned(), Folder { path: dir.into(), ..Folder::default() });
    options.insert("filename".to_owned(), name.to_owned());
    let syntax = find::syntax(&found.text).filter(|image| find::is_ours(image));
    options.insert("source".to_owned(), syntax.unwrap_or_else(|| IMAGE.to_owned()));
    for (name, value) in &request.settings.build_args {
        options.insert(format!("build-arg:{name}"), value.clone());
    }
    if let Some(endpoint) = &request.endpoint {
        options.insert("build-arg:HF_ENDPOINT".to_owned(), endpoint.clone());
    }
    if let Some(target) = &request.settings.target {
        options.insert("target".to_owned(), target.clone());
    }
    if let Some(platform) = request.platforms.first() {
        options.insert("platform".to_owned(), platform.to_string());
    }
    for (name, place) in &request.contexts {
        let said = match place {
            plan::Context::Folder(path) => {
                let folder = Folder { path: path.clone(), ..Folder::default() };
                folders.insert(name.clone(), folder);
                format!("local:{name}")
            }
            plan::Context::Layout { folder, tag } => {
                format!("oci-layout:{folder}@{}", tag.as_deref().unwrap_or_default())
            }
            plan::Context::Image(reference) => format!("docker-image://{reference}"),
            plan::Context::Git(address) | plan::Context::Url(address) => address.clone(),
        };
        options.insert(format!("context:{name}"), said);
    }
    Ok((options, folders))
}

/// Shows a graph in a browser.
fn browse(graph: &[u8]) -> Result<(), Error> {
    let mut address = String::from(PAGE);
    address
        .extend(url::form_urlencoded::byte_serialize(graph).map(|part| part.replace('+', "%20")));
    output::line(&address)?;
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    // Who has no browser here takes the address elsewhere.
    let _ = Cmd::new(opener).arg(&address).run();
    Ok(())
}
