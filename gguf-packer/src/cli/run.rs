//! `run`: a model and a server become one program.

use std::io::IsTerminal;
use std::path::Path;

use super::estimate_args::{FOOTPRINT, footprint};
use super::progress::Screen;
use super::{Context, args, output, remote};
use crate::Error;
use crate::estimate::planner::Fit;
use crate::estimate::{Cards, Package, Question};
use crate::image::command::PromptCache;
use crate::run::print::{Gpus, Manifest, Planned};
use crate::run::{By, Host, Target, plan, print};
use crate::store::{Store, StoredImage};

/// The image of the server in manifests, unless `--by` names another one: that of a build here.
const SERVER: &str = "llama-cpp-cpu:local";

pub(super) fn run(args: &args::Run, context: &Context) -> Result<(), Error> {
    let file = Path::new(&args.model);
    if is_path(&args.model) && file.is_file() {
        return start(args, &Target::file(file)?);
    }
    // Held until the server ends, so that nobody removes what it reads.
    let (_store, image, name) = image(args, context)?;
    start(args, &target(&image, &name)?)
}

/// An image of the store, ready to run.
pub(super) fn target(image: &StoredImage, name: &str) -> Result<Target, Error> {
    let config = serde_json::from_slice(&image.config)
        .map_err(|e| Error::new(format!("cannot read the config of {name}: {e}")))?;
    Target::image(&image.folder, &image.id, name, &config)
}

/// The model's image, pulled where the store has none of that name, and how a registry calls it.
fn image(args: &args::Run, context: &Context) -> Result<(Store, StoredImage, String), Error> {
    let store = context.store_to_read()?;
    let (store, image) = match store.find(&args.model) {
        Ok(image) => (store, image),
        Err(error) => {
            if is_path(&args.model) {
                return Err(Error::new(format!("file not found: `{}`", args.model)));
            }
            let Some(name) = remote::pullable(&args.model) else { return Err(error) };
            let screen = Screen::new(args.remote.progress);
            drop(store);
            let store = context.store()?;
            let id = remote::pull(&store, &name, None, &args.remote, &screen)?;
            let image = store.find(&id.hex())?;
            (store, image)
        }
    };
    let name = name(&image, &args.model);
    Ok((store, image, name))
}

/// How a registry calls the image that was asked for as `model`.
pub(super) fn name(image: &StoredImage, model: &str) -> String {
    let named = model.parse().ok().filter(|name| image.names.contains(name));
    let name = named.or_else(|| image.names.first().cloned());
    name.map_or_else(|| model.to_owned(), |name| name.full())
}

/// Whether a person means a file, and no image.
pub(super) fn is_path(model: &str) -> bool {
    model.to_ascii_lowercase().ends_with(".gguf")
        || ["/", "./", "../"].iter().any(|start| model.starts_with(start))
}

fn start(args: &args::Run, target: &Target) -> Result<(), Error> {
    if let Some(format) = args.print {
        let format = match format {
            args::Manifest::Kube => print::Format::Kube,
            args::Manifest::Compose => print::Format::Compose,
            args::Manifest::Quadlet => print::Format::Quadlet,
        };
        let server = args.gpu.map_or(SERVER, Gpus::server);
        let server = args.by.as_deref().unwrap_or(server);
        let manifest = Manifest { format, server, gpus: args.gpu };
        let printed = print::print(target, &manifest, &args.args, &|| planned(args, target))?;
        notes(&printed.notes);
        return output::print(&printed.text);
    }
    let by = match &args.by {
        Some(by) => By::named(by),
        None => By::Server(server(args.dry_run)?),
    };
    let mut extra = args.args.clone();
    if args.fit {
        extra.extend(fitting(args, target)?);
    }
    let start = plan(target, &by, &extra, &Host::look(std::io::stdin().is_terminal()))?;
    notes(&start.notes);
    if args.dry_run { output::line(&start.to_string()) } else { start.run() }
}

/// What the server needs of a host's memory, by llama.cpp's planner. All of a model is on the GPUs that a manifest
/// asks for.
fn planned(args: &args::Run, target: &Target) -> Result<Planned, Error> {
    let question = Question {
        options: &args.args,
        cards: if args.gpu.is_some() { &Cards::Any } else { &Cards::None },
        fit: false,
        step: None,
        footprint: footprint(FOOTPRINT)?,
        metrics: &[],
    };
    let found = crate::estimate::estimate(&Package::here(target)?, &question)?;
    let bytes = found.rows.iter().map(|row| row.ram.nonuma).max().unwrap_or_default();
    Ok(Planned { bytes, checkpoints: found.checkpoints != PromptCache::UpTo(0) })
}

/// The options with which the model fits this machine.
fn fitting(args: &args::Run, target: &Target) -> Result<Vec<String>, Error> {
    let question = Question {
        options: &args.args,
        cards: &Cards::Here,
        fit: true,
        step: None,
        footprint: (0, 0),
        metrics: &[],
    };
    let found = crate::estimate::estimate(&Package::here(target)?, &question)?;
    let Some(fit) = found.fit() else { return Ok(Vec::new()) };
    let options = checked(fit)?.arguments.clone();
    if !options.is_empty() {
        output::say(&format!("note: so that the model fits, it runs with {}", options.join(" ")));
    }
    Ok(options)
}

/// What fits; when nothing does, an error.
pub(super) fn checked(fit: &Fit) -> Result<&Fit, Error> {
    match fit.status.as_str() {
        "fits" => Ok(fit),
        "cannot" => Err(Error::new(
            "the model does not fit, and llama.cpp cannot reduce anything further",
        )
        .hint(
            "llama.cpp does not change options with a value: leave out --ctx-size, \
            --gpu-layers, --tensor-split",
        )
        .hint(
            "or use a smaller quantization: gguf-packer quantize --type Q4_K_M IN.gguf OUT.gguf",
        )),
        _ => Err(Error::new("llama.cpp cannot compute what fits")
            .hint("set the sizes yourself: --ctx-size N --gpu-layers N")),
    }
}

/// Our own server. A line that is printed only may name one that is not there yet.
fn server(dry_run: bool) -> Result<std::path::PathBuf, Error> {
    match llama_server_bin::find(None) {
        Ok(server) => Ok(server),
        Err(_) if dry_run => Ok("llama-server".into()),
        Err(error) => {
            Err(Error::new(error.to_string())
                .hint("use another server: --by IMAGE or --by PROGRAM"))
        }
    }
}

fn notes(notes: &[String]) {
    for note in notes {
        output::say(&format!("note: {note}"));
    }
}
