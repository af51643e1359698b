//! `list` and `inspect`: what the store has.

use std::io::IsTerminal;
use std::time::{SystemTime, UNIX_EPOCH};

use console::Term;

use super::{Context, args, output, remote, table};
use crate::Error;
use crate::artifact::Artifact;
use crate::attached::Kind;
use crate::store::{Store, StoredImage};

pub(super) fn list(args: &args::List, context: &Context) -> Result<(), Error> {
    let images = context.store_to_read()?.images()?;
    if args.json {
        return output::json(&images);
    }
    if args.quiet {
        let id = |id: &crate::digest::Digest| if args.full_id { id.hex() } else { id.short() };
        let mut ids: Vec<String> = images.iter().map(|image| id(&image.id)).collect();
        ids.dedup();
        return ids.iter().try_for_each(|id| output::line(id));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    output::print(&table::list(&images, now, args.full_id, width()))
}

pub(super) fn inspect(args: &args::Inspect, context: &Context) -> Result<(), Error> {
    let store = context.store_to_read()?;
    if args.provenance || args.sbom {
        return document(args, &store);
    }
    if let Some(format) = &args.format {
        let image = store.find(&args.image)?;
        return match Artifact::of(format.parse()?, &image, &store)? {
            Some(one) => artifact(&one.format.to_string(), &one.manifest, &one.config),
            None => output::line(&crate::image::inspect(&image.config)?),
        };
    }
    let known = if args.force { None } else { store.find(&args.image).ok() };
    let config = match known {
        Some(StoredImage { config, .. }) => config,
        None => match remote::pullable(&args.image) {
            Some(name) => {
                let there = remote::inspect(&name, &args.remote)?;
                if let Some(format) = there.format {
                    return artifact(format, &there.manifest, &there.config);
                }
                there.config
            }
            None => store.find(&args.image)?.config,
        },
    };
    output::line(&crate::image::inspect(&config)?)
}

/// Prints the documents of one kind, one after the other.
fn document(args: &args::Inspect, store: &Store) -> Result<(), Error> {
    let kind = if args.sbom { Kind::Sbom } else { Kind::Provenance };
    let known = if args.force { None } else { store.find(&args.image).ok() };
    let name = remote::pullable(&args.image);
    let mut found = Vec::new();
    match (&known, &name) {
        (Some(image), _) => {
            for attached in image.attached.iter().filter(|attached| attached.kind == kind) {
                found.push(store.read_blob(&attached.digest, attached.size)?);
            }
        }
        (None, Some(name)) => {
            let all = remote::documents(name, &args.remote)?;
            found.extend(all.into_iter().filter(|(one, _)| *one == kind).map(|(_, bytes)| bytes));
        }
        (None, None) => drop(store.find(&args.image)?),
    }
    if found.is_empty() {
        let (what, place) =
            (kind.words(), if known.is_some() { "the store" } else { "its registry" });
        let error = Error::new(format!("no {what} of `{}` in {place}", args.image));
        return Err(match known {
            Some(_) if name.is_some() => error.hint("look in the registry: add --force"),
            _ => error.hint("only images that `gguf-packer build` makes are sure to have one"),
        });
    }
    found.iter().try_for_each(|bytes| output::line(&crate::image::indented(bytes)?))
}

/// Prints a model that is no image: its format, its manifest, its config.
fn artifact(format: &str, manifest: &[u8], config: &[u8]) -> Result<(), Error> {
    let [manifest, config] = [manifest, config].map(String::from_utf8_lossy);
    let whole = format!("{{\"format\":\"{format}\",\"manifest\":{manifest},\"config\":{config}}}");
    output::line(&crate::image::inspect(whole.as_bytes())?)
}

/// Columns of the terminal; none where a file or another program reads.
pub(super) fn width() -> Option<usize> {
    let out = std::io::stdout();
    let size = out.is_terminal().then(|| Term::stdout().size_checked()).flatten();
    size.map(|(_, columns)| usize::from(columns))
}
