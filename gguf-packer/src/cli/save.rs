//! `save` and `load`, and the `--output` of `build`.

use std::path::PathBuf;

use super::formats::Formats;
use super::{Context, args, output};
use crate::Error;
use crate::image::layout::{self, Format};
use crate::reference::Name;

/// Where an image goes, and as what.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) format: Format,
    pub(super) path: PathBuf,
}

/// What `KIND=PATH` says.
pub(super) fn target(text: &str) -> Result<Target, Error> {
    let wrong = |what: &str| {
        Error::new(format!("`{text}` {what}"))
            .hint("--output oci-dir=PATH, oci-archive=PATH or docker-archive=PATH")
    };
    let Some((kind, path)) = text.split_once('=') else {
        return Err(wrong("is not KIND=PATH"));
    };
    let format = kind.parse()?;
    if path.is_empty() {
        return Err(wrong("has no path"));
    }
    Ok(Target { format, path: path.into() })
}

pub(super) fn save(args: &args::Save, context: &Context) -> Result<(), Error> {
    let target = if args.output.contains('=') {
        target(&args.output)?
    } else {
        Target { format: Format::DockerArchive, path: (&args.output).into() }
    };
    let formats = Formats::of(&args.formats)?;
    formats.check(target.format)?;
    let store = context.store_to_read()?;
    let image = store.find(&args.image)?;
    let named: Vec<Name> =
        args.image.parse().into_iter().filter(|name| image.names.contains(name)).collect();
    let names = if named.is_empty() { image.names.clone() } else { named };
    let items = formats.items(&image, &names, &store)?;
    layout::save(&store, &items, target.format, &target.path)
}

pub(super) fn load(args: &args::Load, context: &Context) -> Result<(), Error> {
    let store = context.store()?;
    let names: Vec<Name> =
        args.tags.iter().map(|text| Name::given(text)).collect::<Result<_, _>>()?;
    let loaded = layout::load(&store, &args.path)?;
    if let ([one], [_, ..]) = (&loaded[..], &names[..]) {
        names.iter().try_for_each(|name| store.tag(&one.id.hex(), name).map(drop))?;
    } else if !names.is_empty() {
        return Err(Error::new(format!(
            "`--tag` names one image, but {} were loaded",
            loaded.len()
        )));
    }
    for image in loaded {
        let all: Vec<String> = image.names.iter().chain(&names).map(Name::to_string).collect();
        output::line(&format!("loaded {} {}", image.id.short(), all.join(" ")))?;
    }
    Ok(())
}
