//! What a build hands on to those who make an image of it.

use std::sync::Arc;

use crate::Error;
use crate::tree::Tree;

use super::output::{BuiltLayer, Output};
use super::run::{Run, key};
use super::{BaseImage, Material};

/// A built stage: everything that an image's config is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltStage {
    /// All files, those of the base image among them.
    pub entries: Arc<Tree>,
    /// The layers that instructions made, the lowest first; they lie on those of the base.
    pub layers: Vec<BuiltLayer>,
    /// `CMD`, unless none was given: then the base image's holds.
    pub command: Option<Vec<String>>,
    /// `LABEL`s, in the order in which they were set.
    pub labels: Vec<(String, String)>,
    /// The image that it began with.
    pub base: Option<BaseImage>,
    /// Folder of relative paths, absolute.
    pub working_folder: String,
    /// When this very result was made first, in seconds since 1970.
    pub created: u64,
    /// What it was made of, inputs before what was made of them.
    pub materials: Vec<Material>,
}

/// The result of the plan whose last node made `output`.
pub(super) fn finish(run: &Run<'_>, output: Output) -> Result<BuiltStage, Error> {
    let mut stage = BuiltStage {
        entries: output.tree,
        layers: output.layers,
        command: run.plan.command.clone(),
        labels: run.plan.labels.clone(),
        base: output.base.as_deref().cloned(),
        working_folder: format!("/{}", output.workdir),
        created: run.now,
        materials: run
            .materials
            .lock()
            .map(|all| all.values().cloned().collect())
            .unwrap_or_default(),
    };
    stage.created = created(run, &stage)?;
    Ok(stage)
}

/// The time of a result is that of its first build, so that the same content is the same image.
fn created(run: &Run<'_>, stage: &BuiltStage) -> Result<u64, Error> {
    if let Some(date) = run.settings.source_date {
        return Ok(date);
    }
    let layers: Vec<_> = stage.layers.iter().map(|made| (&made.layer, &made.created_by)).collect();
    let base = stage.base.as_ref().map(|base| &base.digest);
    let key = key("result", &(layers, base, &stage.command, &stage.labels));
    if let Some(created) = run.remembered(&key) {
        return Ok(created);
    }
    run.remember(&key, &stage.created)?;
    Ok(stage.created)
}
