//! `list` and `inspect`: what the store has.

use std::io::IsTerminal;
use std::time::{SystemTime, UNIX_EPOCH};

use console::Term;

use super::{Context, args, output, remote, table};
use crate::Error;
use crate::artifact::Artifact;
use crate::store::StoredImage;

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
