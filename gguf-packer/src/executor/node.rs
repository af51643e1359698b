//! One node of a plan: which part of the executor does it, and what can be said to be wrong before anything
//! is done.

use std::sync::Arc;

use crate::Error;
use crate::parallel::joined;
use crate::plan::{HuggingFace, Local, Node, Op};
use crate::tree::Tree;

use super::backend::Build;
use super::output::Output;
use super::run::Run;
use super::{BaseImage, WORKING_FOLDER, convert, copy, material, place, quantize, source};
use crate::process::stopped;

/// What is wrong before anything is done: missing files, permissions that are none.
pub(super) fn check(Build { run, backend }: Build<'_>) -> Result<(), Error> {
    let mut errors = Vec::new();
    for node in &run.plan.nodes {
        let checked = match &node.op {
            Op::Place(place) => place::check(&place.placing),
            op => backend.check(run, op),
        };
        if let Err(error) = checked {
            errors.push(run.locate(node, &error));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(joined(errors)) }
}

/// Does the node `index`.
pub(super) fn run(build: Build<'_>, index: usize, inputs: Vec<Output>) -> Result<Output, Error> {
    let Build { run, backend } = build;
    run.go_on()?;
    let node = &run.plan.nodes[index];
    let teller = run.teller(index);
    teller.started(&title(node));
    let output = match &node.op {
        Op::Scratch => Ok(Output::files(Tree::default(), true)),
        Op::Inline(inline) => source::inline(run, &inline.files),
        Op::Place(place) => place::run(build, &node.text, place, inputs),
        Op::Quantize(quantize) => quantize::run(build, &teller, &node.text, quantize, inputs),
        Op::Convert(wanted) => convert::run(build, &teller, &node.text, wanted, inputs),
        op => backend.source(run, &teller, op),
    };
    match output {
        Ok(output) => {
            let pin = run.pins.lock().ok().and_then(|mut pins| pins.remove(&index));
            if let Some(material) = material::brought(&node.op, pin, &output) {
                teller.made(material);
            }
            teller.done(output.cached);
            Ok(output)
        }
        Err(error) if error == stopped() => Err(error),
        Err(error) => Err(run.locate(node, &error)),
    }
}

/// What a person calls the node.
fn title(node: &Node) -> String {
    match &node.op {
        Op::Scratch => "FROM scratch".to_owned(),
        Op::Image(image) => format!("image {}", image.reference),
        Op::Layout(layout) => format!("image of {}", layout.folder),
        Op::Local(Local { context, sources, .. }) => {
            let context = context.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
            format!("context{context} {}", sources.join(" "))
        }
        Op::Http(http) => http.url.clone(),
        Op::HuggingFace(HuggingFace { repository, .. }) => {
            format!("{}/{}", repository.endpoint, repository.repository)
        }
        Op::Git(git) => git.remote.clone(),
        Op::Inline(inline) => {
            let names: Vec<&str> = inline.files.iter().map(|(name, _)| name.as_str()).collect();
            format!("text {}", names.join(" "))
        }
        Op::Place(_) | Op::Quantize(_) | Op::Convert(_) => node.text.clone(),
    }
}

pub(super) fn base(run: &Run<'_>, image: BaseImage) -> Result<Output, Error> {
    let tree = run.store().tree(&image.layers)?;
    Ok(based(image, tree))
}

/// A stage that begins with `image`, whose files are `tree`.
pub(crate) fn based(image: BaseImage, tree: Tree) -> Output {
    let said = image.config["config"]["WorkingDir"].as_str().unwrap_or_default();
    // BuildKit writes `/` into each image, so it says nothing.
    let workdir = copy::path::clean(said).filter(|folder| !folder.is_empty());
    let workdir = workdir.unwrap_or_else(|| WORKING_FOLDER.to_owned());
    let base = Some(Arc::new(image));
    Output { tree: Arc::new(tree), workdir, layers: Vec::new(), base, cached: false }
}
