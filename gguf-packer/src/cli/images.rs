//! Commands that ask the store alone: `tag`, `remove`, `prune`, `store`.

use serde_json::json;

use super::{Context, args, output};
use crate::Error;
use crate::reference::Name;
use crate::store::Removed;

pub(super) fn tag(args: &args::Tag, context: &Context) -> Result<(), Error> {
    let name = Name::given(&args.name)?;
    context.store()?.tag(&args.image, &name).map(drop)
}

/// Goes on after an image that is not there, and tells all of them.
pub(super) fn remove(args: &args::Remove, context: &Context) -> Result<(), Error> {
    let mut store = context.store()?;
    let (mut removed, mut errors) = (Vec::new(), Vec::new());
    for image in &args.images {
        match store.remove(image) {
            Ok(what) if args.json => removed.push(as_json(&what)),
            Ok(what) => said(image, &what)?,
            Err(error) => errors.push(error),
        }
    }
    if args.json {
        output::json(&removed)?;
    }
    if errors.is_empty() { Ok(()) } else { Err(Error::all(errors)) }
}

/// As the original says it; a name that was not the last one leaves the model where it is.
fn said(image: &str, removed: &Removed) -> Result<(), Error> {
    for name in &removed.names {
        output::line(&format!("untagged {name}"))?;
    }
    match removed.image {
        Some(_) => output::line(&format!("removed model {image}")),
        None => Ok(()),
    }
}

fn as_json(removed: &Removed) -> serde_json::Value {
    let names: Vec<String> = removed.names.iter().map(ToString::to_string).collect();
    json!({ "names": names, "id": removed.image, "freed": removed.freed })
}

pub(super) fn prune(args: &args::Prune, context: &Context) -> Result<(), Error> {
    let pruned = context.store()?.prune()?;
    if args.json {
        return output::json(&json!({
            "images": pruned.images,
            "steps": pruned.cached,
            "downloads": pruned.partial,
            "layers": pruned.layers,
            "files": pruned.blobs,
            "freed": pruned.freed,
        }));
    }
    for id in &pruned.images {
        output::line(&format!("removed model {}", id.short()))?;
    }
    output::line(&format!(
        "freed {}: {} build steps, {} partial downloads, {} layers, {} files",
        crate::gguf::bytes(pruned.freed),
        pruned.cached,
        pruned.partial,
        pruned.layers,
        pruned.blobs
    ))
}

pub(super) fn store(args: &args::Store, context: &Context) -> Result<(), Error> {
    match args {
        args::Store::Path => output::line(&context.root()?.display().to_string()),
        args::Store::Check { deep } => {
            let checked = context.store_to_read()?.check(*deep)?;
            output::line(&format!(
                "the store is intact: {} images, {} names, {} layers, {} files",
                checked.images, checked.names, checked.layers, checked.blobs
            ))
        }
    }
}
