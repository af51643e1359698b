//! Who makes what the nodes of a plan need: the store of this machine, or a BuildKit that is told what to do.
//! What an instruction means is decided once, above this line.

use crate::Error;
use crate::digest::Digest;
use crate::plan::{self, Op};
use crate::store::Layer;
use crate::tree::Entry;

use super::made::Made;
use super::output::Output;
use super::run::{Run, Teller};

/// A build, and who makes what its nodes need.
#[derive(Clone, Copy)]
pub(super) struct Build<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) backend: &'a dyn Backend,
}

/// See the module. A file's digest names its content to the backend; only the store's is that of its bytes.
pub(crate) trait Backend: Sync {
    /// What is wrong with a source before anything is done.
    fn check(&self, run: &Run<'_>, op: &Op) -> Result<(), Error>;

    /// The files of a node that has no inputs.
    fn source(&self, run: &Run<'_>, teller: &Teller<'_>, op: &Op) -> Result<Output, Error>;

    /// A small content, of at most so many bytes.
    fn text(&self, run: &Run<'_>, content: &Digest, most: u64) -> Result<Vec<u8>, Error>;

    /// What is in the file `entry` when it is an archive: paths relative to the destination.
    fn unpacked(&self, run: &Run<'_>, entry: &Entry) -> Result<Option<Unpacked>, Error>;

    /// A layer of these entries.
    fn layer(&self, run: &Run<'_>, text: &str, entries: &[Entry]) -> Result<MadeLayer, Error>;

    /// The file that the quantizer makes; tells whether it was there.
    fn quantize(
        &self,
        run: &Run<'_>,
        teller: &Teller<'_>,
        wanted: &plan::Quantize,
        files: &Files,
    ) -> Result<(Made, bool), Error>;

    /// The file that the converter makes; tells whether it was there.
    fn convert(
        &self,
        run: &Run<'_>,
        teller: &Teller<'_>,
        wanted: &plan::Convert,
        folders: (&Folder, Option<&Folder>),
    ) -> Result<(Made, bool), Error>;
}

/// Files of an archive by their paths in it.
pub(crate) type Unpacked = Vec<(String, Entry)>;

/// A layer, when it was made first, in seconds since 1970, and whether it was there.
pub(crate) struct MadeLayer {
    pub(crate) layer: Layer,
    pub(crate) created: u64,
    pub(crate) cached: bool,
}

/// A folder that is read: its name, of which a model's name is made, and its files by their paths in it.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    pub(crate) name: String,
    pub(crate) files: Vec<(String, Entry)>,
}

/// What the quantizer reads, each file under its own name.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// The model, with all of its shards, the first one first.
    pub(crate) sources: Vec<Entry>,
    pub(crate) matrix: Option<Entry>,
}
