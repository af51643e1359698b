//! Where files come from: folders, the web, repositories, the text of an instruction.

use crate::Error;
use crate::plan::remote::HUGGING_FACE;
use crate::tree::{Entry, Kind, Tree};
use crate::web::is_same_host;

use super::output::Output;
use super::run::Run;

mod download;
pub(crate) mod git;
pub(crate) mod http;
pub(crate) mod hugging_face;
pub(crate) mod local;
mod proof;

/// Texts of an instruction as files.
pub(super) fn inline(run: &Run<'_>, files: &[(String, String)]) -> Result<Output, Error> {
    let mut entries = Vec::new();
    for (name, text) in files {
        let digest = run.store().add_bytes(text.as_bytes())?;
        entries.push(file_entry(name, digest, text.len() as u64));
    }
    Ok(Output::files(tree(&entries), true))
}

/// The token for Hugging Face, when `url` is one of the server that it is for.
fn token_for<'a>(run: &'a Run<'_>, url: &str) -> Option<&'a str> {
    let settings = run.settings;
    let endpoint = settings.endpoint.as_deref().unwrap_or(HUGGING_FACE);
    settings.token.as_deref().filter(|_| is_same_host(url, endpoint))
}

/// Says what to do when a server lets nobody in.
fn no_access(error: Error, token: Option<&str>) -> Error {
    match token {
        Some(_) => error
            .hint(
                "check that the token (HF_TOKEN, or that of `hf auth login`) has not expired and \
                may read it, and that you accepted its terms",
            )
            .hint(
                "or send none, for what is public: unset HF_TOKEN; HF_HUB_DISABLE_IMPLICIT_TOKEN=1",
            ),
        None => error.hint(
            "it is private, gated or does not exist; on Hugging Face, set HF_TOKEN \
            to a token that may read it",
        ),
    }
}

/// A file that anyone may read.
fn file_entry(path: &str, digest: crate::digest::Digest, size: u64) -> Entry {
    let kind = Kind::File { digest, size };
    Entry { path: path.to_owned(), kind, mode: 0o644, uid: 0, gid: 0, mtime: 0 }
}

fn tree(entries: &[Entry]) -> Tree {
    let mut tree = Tree::default();
    tree.apply(entries);
    tree
}
