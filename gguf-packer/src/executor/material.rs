//! What a build was made of: where its files came from, each with its digest, and what was made of them here.

use serde::{Deserialize, Serialize};

use crate::convert::By;
use crate::digest::Digest;
use crate::plan::{Git, Http, HuggingFace, Image, Layout, Local, Op, Repository};
use crate::tree::{Entry, Kind, Tree};

use super::output::Output;

/// A source of a build, or a step that made a file of weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Material {
    /// An image; `digest` is its manifest's.
    Image {
        /// Its name; that of the folder's tag for an OCI layout.
        name: String,
        /// `sha256:…`
        digest: String,
    },
    /// A folder of the disk.
    Local {
        /// Name of the context; none is the folder that is built.
        context: Option<String>,
        /// What was read of it.
        files: Vec<Content>,
    },
    /// One file of the web.
    Http {
        /// Its address.
        url: String,
        /// `sha256:…` of what it sent.
        digest: String,
        /// The file, or what was in the archive.
        files: Vec<Content>,
    },
    /// A repository of Hugging Face.
    HuggingFace {
        /// Which one.
        repository: Repository,
        /// 40 digits.
        commit: String,
        /// What was read of it.
        files: Vec<Content>,
    },
    /// A Git repository.
    Git {
        /// Its address.
        remote: String,
        /// 40 digits.
        commit: String,
        /// What was read of it.
        files: Vec<Content>,
    },
    /// A checkpoint became a GGUF file.
    Converted {
        /// Type of the tensors.
        kind: String,
        /// Who converted; none when it was remembered from a build that did not keep it.
        by: Option<By>,
        /// The checkpoint's files, and those of an adapter's base.
        from: Vec<Content>,
        /// What was made.
        made: Digest,
    },
    /// A GGUF file became another one.
    Quantized {
        /// Type of the file.
        kind: String,
        /// Further options, as llama-quantize has them.
        options: Vec<String>,
        /// The model's files, and the importance matrix.
        from: Vec<Content>,
        /// What was made.
        made: Digest,
    },
}

/// A file by its content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Content {
    /// Path in its source.
    pub path: String,
    /// Digest of the content.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

impl Content {
    /// The file that `entry` is, if it is one.
    pub(crate) fn of(entry: &Entry) -> Option<Self> {
        let Kind::File { digest, size } = entry.kind else { return None };
        Some(Self { path: entry.path.clone(), digest, size })
    }

    /// All files of `tree`.
    pub(crate) fn all(tree: &Tree) -> Vec<Self> {
        tree.iter().filter_map(Self::of).collect()
    }
}

/// What the node `op` brought from outside; `pin` is the commit that a branch or tag was, or the digest of what
/// an address sent.
pub(super) fn brought(op: &Op, pin: Option<String>, output: &Output) -> Option<Material> {
    let files = || Content::all(&output.tree);
    let pin = || pin.clone().unwrap_or_default();
    Some(match op {
        Op::Image(Image { reference: name, .. }) => image(name.clone(), output)?,
        // The folder's path is this machine's.
        Op::Layout(Layout { tag, .. }) => image(tag.clone().unwrap_or_default(), output)?,
        Op::Local(Local { context, .. }) => {
            Material::Local { context: context.clone(), files: files() }
        }
        Op::Http(Http { url, .. }) => {
            Material::Http { url: url.clone(), digest: pin(), files: files() }
        }
        Op::HuggingFace(HuggingFace { repository, .. }) => {
            Material::HuggingFace { repository: repository.clone(), commit: pin(), files: files() }
        }
        Op::Git(Git { remote, .. }) => {
            Material::Git { remote: remote.clone(), commit: pin(), files: files() }
        }
        _ => return None,
    })
}

fn image(name: String, output: &Output) -> Option<Material> {
    let base = output.base.as_ref()?;
    Some(Material::Image { name, digest: base.digest.clone() })
}
