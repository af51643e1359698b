//! The store of this machine as a backend: it makes what the nodes of a plan need itself.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::digest::Digest;
use crate::plan::{self, Op};
use crate::store::Layer;
use crate::tree::Entry;

use super::backend::{Backend, Files, Folder, MadeLayer, Unpacked};
use super::made::Made;
use super::output::Output;
use super::run::{Run, Teller, key};
use super::{convert, node, quantize, source, unpack};

/// The store of this machine.
pub(super) struct Native;

/// A layer as it is remembered.
#[derive(Debug, Serialize, Deserialize)]
struct KnownLayer {
    layer: Layer,
    created: u64,
}

impl Backend for Native {
    fn check(&self, run: &Run<'_>, op: &Op) -> Result<(), Error> {
        if let Op::Local(local) = op { source::local::check(run, local) } else { Ok(()) }
    }

    fn source(&self, run: &Run<'_>, teller: &Teller<'_>, op: &Op) -> Result<Output, Error> {
        match op {
            Op::Image(image) => {
                (run.settings.images.find)(&image.reference, image.platform.as_deref())
                    .and_then(|image| node::base(run, image))
            }
            Op::Layout(layout) => {
                let (tag, platform) = (layout.tag.as_deref(), layout.platform.as_deref());
                (run.settings.images.layout)(&layout.folder, tag, platform)
                    .and_then(|image| node::base(run, image))
            }
            Op::Local(local) => source::local::load(run, teller, local),
            Op::Http(http) => source::http::load(run, teller, http),
            Op::HuggingFace(wanted) => source::hugging_face::load(run, teller, wanted),
            Op::Git(git) => source::git::load(run, teller, git),
            Op::Scratch | Op::Inline(_) | Op::Place(_) | Op::Quantize(_) | Op::Convert(_) => {
                unreachable!("the executor itself does these")
            }
        }
    }

    fn text(&self, run: &Run<'_>, content: &Digest, most: u64) -> Result<Vec<u8>, Error> {
        run.store().read_blob(content, most)
    }

    fn unpacked(&self, run: &Run<'_>, entry: &Entry) -> Result<Option<Unpacked>, Error> {
        unpack::unpacked(run, entry)
    }

    fn layer(&self, run: &Run<'_>, _: &str, entries: &[Entry]) -> Result<MadeLayer, Error> {
        let key = key("layer", &entries);
        let known = run.remembered::<KnownLayer>(&key).filter(|made| {
            run.store().layer(&made.layer.diff_id).is_ok_and(|layer| layer == Some(made.layer))
        });
        if let Some(KnownLayer { layer, created }) = known {
            return Ok(MadeLayer { layer, created, cached: true });
        }
        let made = KnownLayer { layer: run.store().build_layer(entries)?, created: run.now };
        run.remember(&key, &made)?;
        Ok(MadeLayer { layer: made.layer, created: made.created, cached: false })
    }

    fn quantize(
        &self,
        run: &Run<'_>,
        teller: &Teller<'_>,
        wanted: &plan::Quantize,
        files: &Files,
    ) -> Result<(Made, bool), Error> {
        let key = quantize::key_of(&wanted.options, files);
        Made::of(run, &key, || quantize::quantize(run, teller, wanted, files))
    }

    fn convert(
        &self,
        run: &Run<'_>,
        teller: &Teller<'_>,
        wanted: &plan::Convert,
        (source, base): (&Folder, Option<&Folder>),
    ) -> Result<(Made, bool), Error> {
        let key = convert::key_of(wanted, source, base);
        Made::of(run, &key, || convert::convert(run, teller, wanted, source, base))
    }
}
