//! BuildKit, for one platform, and what is known of it so far.
//!
//! A content's digest says where it is, not what it is: which file of which output, or what is made of which.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::daemon::{Daemon, Held};
use super::folders::Contexts;
use super::llb::Output as Vertex;
use super::options::Options;
use super::pb::SourceInfo;
use super::vertices::{Container, Program};
use crate::Error;
use crate::digest::Digest;
use crate::executor::BuiltStage;
use crate::executor::backend::{Files, Folder};
use crate::image::Platform;
use crate::language::instruction::QuantizeOptions;
use crate::tree::Tree;

/// BuildKit, for one platform.
pub(super) struct BuildKit<'a> {
    pub(super) daemon: &'a Daemon<'a>,
    pub(super) options: &'a Options,
    pub(super) contexts: &'a Contexts,
    pub(super) program: &'a Program,
    pub(super) platform: Platform,
    /// The file that is built.
    pub(super) file: &'a SourceInfo,
    pub(super) known: Known,
    /// Says that the base with this name is of another platform than the first one.
    pub(super) other_platform: &'a (dyn Fn(&str, &Platform, &Platform) + Sync),
}

/// What is known so far.
#[derive(Default)]
pub(super) struct Known {
    pub(super) contents: Mutex<HashMap<Digest, Content>>,
    pub(super) layers: Mutex<HashMap<Digest, Vertex>>,
    /// Base images by the digests of their manifests.
    bases: Mutex<HashMap<String, Vertex>>,
    held: Mutex<HashMap<(String, i64), Held>>,
    pub(super) trees: Mutex<HashMap<String, Arc<Tree>>>,
}

/// Where a content is. What is not known here is a text of the file, which the store has.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// A file of an output.
    File(Vertex, String),
    /// What the quantizer is to make.
    Quantized(QuantizeOptions, Arc<Files>),
    /// What the converter is to make.
    Converted(String, Arc<Folder>, Option<Arc<Folder>>),
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The digest that stands for something.
pub(super) fn named(kind: &str, of: &impl Serialize) -> Digest {
    Digest::of(serde_json::to_vec(&(kind, of)).expect("data without maps that can fail"))
}

impl BuildKit<'_> {
    /// The output, made, and held by the daemon.
    pub(super) fn held(&self, vertex: &Vertex) -> Result<Held, Error> {
        if let Some(held) = locked(&self.known.held).get(&vertex.key()) {
            return Ok(held.clone());
        }
        let held = self.daemon.solve(vertex.definition(Some(self.file)), true)?;
        locked(&self.known.held).insert(vertex.key(), held.clone());
        Ok(held)
    }

    /// The content that is a file of an output.
    pub(super) fn content(&self, vertex: &Vertex, path: &str) -> Digest {
        let name = named("file", &(vertex.key(), path));
        let content = Content::File(vertex.clone(), path.to_owned());
        locked(&self.known.contents).insert(name, content);
        name
    }

    /// The output of a layer.
    pub(super) fn layer_of(&self, layer: &Digest) -> Option<Vertex> {
        locked(&self.known.layers).get(layer).cloned()
    }

    pub(super) fn keep_base(&self, digest: &str, vertex: &Vertex) {
        locked(&self.known.bases).insert(digest.to_owned(), vertex.clone());
    }

    /// The outputs of a stage: its base and the layers of its instructions, the lowest first.
    pub(super) fn outputs(&self, stage: &BuiltStage) -> Vec<Vertex> {
        let base = stage.base.as_ref().map(|base| &base.digest);
        let base = base.and_then(|digest| locked(&self.known.bases).get(digest).cloned());
        let layers = locked(&self.known.layers);
        let made = stage.layers.iter().filter_map(|made| layers.get(&made.layer.diff_id).cloned());
        base.into_iter().chain(made).collect()
    }

    /// Where a file is that can be read.
    pub(super) fn place_of(&self, content: &Digest) -> Option<(Vertex, String)> {
        match locked(&self.known.contents).get(content) {
            Some(Content::File(vertex, path)) => Some((vertex.clone(), path.clone())),
            _ => None,
        }
    }

    pub(super) fn container(&self, name: &str) -> Container {
        Container::new(self.program, &self.options.container, self.options.no_cache, name)
    }
}
