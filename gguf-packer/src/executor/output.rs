//! What a node made.

use std::sync::Arc;

use crate::store::Layer;
use crate::tree::Tree;

use super::{BaseImage, WORKING_FOLDER};

/// Files of a source, or the state of a stage.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// What is there.
    pub(crate) tree: Arc<Tree>,
    /// Folder of relative paths.
    pub(crate) workdir: String,
    /// The layers that instructions made, the lowest first; those of the base are not among them.
    pub(crate) layers: Vec<BuiltLayer>,
    /// The image that the stage began with.
    pub(crate) base: Option<Arc<BaseImage>>,
    /// Nothing had to be done.
    pub(crate) cached: bool,
}

/// A layer and what made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltLayer {
    /// The layer.
    pub layer: Layer,
    /// Text of the instruction.
    pub created_by: String,
    /// When it was made first, in seconds since 1970.
    pub created: u64,
}

impl Output {
    /// The files of a source.
    pub(crate) fn files(tree: Tree, cached: bool) -> Self {
        let workdir = WORKING_FOLDER.to_owned();
        Self { tree: Arc::new(tree), workdir, layers: Vec::new(), base: None, cached }
    }
}
