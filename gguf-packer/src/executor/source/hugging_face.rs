//! Repositories of Hugging Face, file by file through its tree interface: each file proved by the hash that
//! the tree tells, large ones too, so no Git and no LFS is needed.

use reqwest::StatusCode;
use reqwest::header::LINK;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::digest::Digest;
use crate::executor::copy::files::folder_entry;
use crate::executor::copy::path;
use crate::executor::output::Output;
use crate::executor::place::excludes;
use crate::executor::run::{Run, Teller, key};
use crate::hub::{self, Answer, Hub, Listed};
use crate::parallel;
use crate::plan::{HuggingFace, Repository};
use crate::tree::Entry;

use super::download::{Got, Wanted, download};
use super::proof::Proof;
use super::{file_entry, tree};
use crate::executor::web::{Ask, Patience};

/// Files of a repository at the same time.
const FILES: usize = 4;

/// A content as it is remembered by its name in Git.
#[derive(Debug, Serialize, Deserialize)]
struct Known {
    digest: Digest,
    size: u64,
}

pub(in crate::executor) fn load(
    run: &Run<'_>,
    teller: &Teller<'_>,
    wanted: &HuggingFace,
) -> Result<Output, Error> {
    asked(run, teller, wanted, |asker, hub, commit| at(asker, hub, commit, wanted))
}

/// Calls `then` with a repository, and the commit that it is at.
fn asked<T>(
    run: &Run<'_>,
    teller: &Teller<'_>,
    wanted: &HuggingFace,
    then: impl FnOnce(Asker<'_>, &Hub<'_>, String) -> Result<T, Error>,
) -> Result<T, Error> {
    let revision = wanted.revision.as_deref().unwrap_or("main");
    let asker = Asker { run, teller, repository: &wanted.repository, revision };
    let get = |url: &str| asker.ask(url);
    let Repository { endpoint, kind, repository } = &wanted.repository;
    let hub = Hub { endpoint, kind, repository, get: &get };
    let commit = commit(&hub, revision)?;
    then(asker, &hub, commit)
}

fn at(
    asker: Asker<'_>,
    hub: &Hub<'_>,
    commit: String,
    wanted: &HuggingFace,
) -> Result<Output, Error> {
    let Asker { run, teller, .. } = asker;
    teller.took(&commit);
    let key = key("hugging-face", &(&wanted.repository, &commit, &wanted.folder, &wanted.exclude));
    if let Some(entries) = run.remembered::<Vec<Entry>>(&key) {
        if entries.iter().all(|entry| run.has_content(entry)) {
            return Ok(output(&entries, true));
        }
    }
    let files = listed(hub, wanted, &commit)?;
    let entries = parallel::map(&files, FILES, |(path, url, file)| {
        let known = asker.file(url, file)?;
        Ok(file_entry(path, known.digest, known.size))
    })?;
    run.remember(&key, &entries)?;
    Ok(output(&entries, false))
}

/// The files that are wanted: paths in the folder that is, addresses, and what the tree says of them.
fn listed(
    hub: &Hub<'_>,
    wanted: &HuggingFace,
    commit: &str,
) -> Result<Vec<(String, String, Listed)>, Error> {
    let folder = wanted.folder.as_deref().unwrap_or_default();
    let exclude = excludes(&wanted.exclude)?;
    let inside = |file: Listed| {
        let rest = file.path.strip_prefix(folder)?;
        let path = path::clean(rest).filter(|rest| !rest.is_empty())?;
        (!exclude.excludes(&path)).then(|| (path, hub.file(commit, &file.path), file))
    };
    let files: Vec<_> = hub.files(commit, folder)?.into_iter().filter_map(inside).collect();
    if files.is_empty() {
        let what =
            if folder.is_empty() { "no files".to_owned() } else { format!("no folder `{folder}`") };
        return Err(Error::new(format!("{} has {what} at {commit}", hub.page())));
    }
    Ok(files)
}

/// Paths, sizes and addresses of the files of a repository.
pub(in crate::executor) fn addresses(
    run: &Run<'_>,
    teller: &Teller<'_>,
    wanted: &HuggingFace,
) -> Result<Vec<(String, u64, String)>, Error> {
    asked(run, teller, wanted, |_, hub, commit| {
        let files = listed(hub, wanted, &commit)?;
        Ok(files.into_iter().map(|(path, url, file)| (path, file.size(), url)).collect())
    })
}

fn output(entries: &[Entry], cached: bool) -> Output {
    let mut all: Vec<Entry> = Vec::new();
    for entry in entries {
        all.extend(path::folders(&entry.path).map(folder_entry));
        all.push(entry.clone());
    }
    Output { workdir: String::new(), ..Output::files(tree(&all), cached) }
}

/// The commit of a branch or tag.
fn commit(hub: &Hub<'_>, revision: &str) -> Result<String, Error> {
    if revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(revision.to_ascii_lowercase());
    }
    Ok(hub.revision(revision)?.sha)
}

/// The commit that a repository's branch or tag is at now.
pub(in crate::executor) fn commit_now(
    run: &Run<'_>,
    teller: &Teller<'_>,
    wanted: &HuggingFace,
) -> Result<String, Error> {
    asked(run, teller, wanted, |_, _, commit| Ok(commit))
}

/// Asks about a repository, and for its files.
#[derive(Clone, Copy)]
struct Asker<'a> {
    run: &'a Run<'a>,
    teller: &'a Teller<'a>,
    repository: &'a Repository,
    revision: &'a str,
}

impl Asker<'_> {
    fn token(&self) -> Option<&str> {
        super::token_for(self.run, &self.repository.endpoint)
    }

    fn ask(&self, url: &str) -> Result<Answer, Error> {
        let revision = self.revision;
        let (note, go_on) = (|text: &str| self.teller.note(text), || self.run.go_on());
        let patience = Patience { note: &note, go_on: &go_on };
        let ask = Ask { url, token: self.token(), headers: Vec::new() };
        let answer = self.run.web()?.get(&ask, &patience)?;
        let status = answer.status();
        if status.is_success() {
            let link = answer.header(LINK);
            return Ok((answer.text(url)?.into_bytes(), link));
        }
        let Repository { endpoint, kind, repository } = self.repository;
        let page = hub::page(endpoint, kind, repository);
        let error =
            Error::new(format!("cannot read {page} at `{revision}`: the server answered {status}"));
        Err(match status {
            StatusCode::NOT_FOUND => error.hint(format!("check that {page} has `{revision}`")),
            // The server hides from strangers what is private or not there.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                super::no_access(error, self.token())
            }
            _ => error,
        })
    }

    /// A file's content, from the store where it is there.
    fn file(&self, url: &str, file: &Listed) -> Result<Known, Error> {
        let store = self.run.store();
        let size = file.size();
        let proof = match file.digest() {
            Some(digest) if store.blob_size(&digest) == Some(size) => {
                return Ok(Known { digest, size });
            }
            Some(digest) => Proof::Sha256(digest),
            None if file.is_large() => {
                return Err(Error::new(format!("{url} has no checksum to verify it with")));
            }
            None => Proof::GitBlob { name: file.oid.clone(), size },
        };
        let key = key("git-blob", &(&file.oid, size));
        let known = self.run.remembered::<Known>(&key).filter(|_| !file.is_large());
        if let Some(known) =
            known.filter(|known| store.blob_size(&known.digest) == Some(known.size))
        {
            return Ok(known);
        }
        let (token, name, headers) = (self.token(), file.path.as_str(), Vec::new());
        let wanted = Wanted { url, token, name, proof, size: Some(size), headers };
        match download(self.run, self.teller, &wanted)? {
            Got::Content { digest, size, .. } => {
                let known = Known { digest, size };
                self.run.remember(&key, &known)?;
                Ok(known)
            }
            Got::Unchanged => Err(Error::new(format!("{url} sent no content"))),
        }
    }
}

#[cfg(test)]
#[path = "hugging_face_tests.rs"]
pub(crate) mod tests;
