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
use crate::executor::parallel;
use crate::executor::place::excludes;
use crate::executor::run::{Run, Teller, key};
use crate::plan::{HuggingFace, Repository};
use crate::tree::Entry;

use super::download::{Got, Wanted, download};
use super::proof::Proof;
use super::web::{Ask, Patience};
use super::{file_entry, tree};

/// Files of a repository at the same time.
const FILES: usize = 4;
/// Most pages of a tree; each has up to a thousand files.
const PAGES: usize = 1000;

#[derive(Debug, Deserialize)]
struct Revision {
    sha: String,
}

/// A line of the tree.
#[derive(Debug, Deserialize)]
struct Listed {
    #[serde(rename = "type")]
    kind: String,
    oid: String,
    #[serde(default)]
    size: u64,
    path: String,
    lfs: Option<Lfs>,
}

#[derive(Debug, Deserialize)]
struct Lfs {
    oid: String,
    size: u64,
}

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
    let hub = Hub { run, teller, repository: &wanted.repository };
    let commit = hub.commit(wanted.revision.as_deref().unwrap_or("main"))?;
    let key = key("hugging-face", &(&wanted.repository, &commit, &wanted.folder, &wanted.exclude));
    if let Some(entries) = run.remembered::<Vec<Entry>>(&key) {
        if entries.iter().all(|entry| super::has_content(run, entry)) {
            return Ok(output(&entries, true));
        }
    }
    let folder = wanted.folder.as_deref().unwrap_or_default();
    let mut files = hub.list(&commit, folder)?;
    let exclude = excludes(&wanted.exclude)?;
    let inside = |file: &Listed| {
        let rest = file.path.strip_prefix(folder)?;
        path::clean(rest).filter(|rest| !rest.is_empty())
    };
    files.retain(|file| inside(file).is_some_and(|rest| !exclude.excludes(&rest)));
    if files.is_empty() {
        let what =
            if folder.is_empty() { "no files".to_owned() } else { format!("no folder `{folder}`") };
        return Err(Error::new(format!("{} has {what} at {commit}", hub.page())));
    }
    let entries = parallel::map(&files, FILES, |file| {
        let known = hub.file(&commit, file)?;
        let path = inside(file).expect("others were left out");
        Ok(file_entry(&path, known.digest, known.size))
    })?;
    run.remember(&key, &entries)?;
    Ok(output(&entries, false))
}

fn output(entries: &[Entry], cached: bool) -> Output {
    let mut all: Vec<Entry> = Vec::new();
    for entry in entries {
        all.extend(path::folders(&entry.path).map(folder_entry));
        all.push(entry.clone());
    }
    Output { workdir: String::new(), ..Output::files(tree(&all), cached) }
}

/// A repository on its server.
struct Hub<'a> {
    run: &'a Run<'a>,
    teller: &'a Teller<'a>,
    repository: &'a Repository,
}

impl Hub<'_> {
    fn token(&self) -> Option<&str> {
        super::token_for(self.run, &self.repository.endpoint)
    }

    /// Its address for a person.
    fn page(&self) -> String {
        let Repository { endpoint, kind, repository } = self.repository;
        if kind == "models" {
            format!("{endpoint}/{repository}")
        } else {
            format!("{endpoint}/{kind}/{repository}")
        }
    }

    fn api(&self) -> String {
        let Repository { endpoint, kind, repository } = self.repository;
        format!("{endpoint}/api/{kind}/{repository}")
    }

    /// The commit of a branch or tag.
    fn commit(&self, revision: &str) -> Result<String, Error> {
        if revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(revision.to_ascii_lowercase());
        }
        let url = format!("{}/revision/{}", self.api(), encoded(revision, false));
        let (text, _) = self.ask(&url, revision)?;
        let found = serde_json::from_str::<Revision>(&text).map_err(|e| self.strange(&url, &e))?;
        Ok(found.sha)
    }

    /// All files of the folder.
    fn list(&self, commit: &str, folder: &str) -> Result<Vec<Listed>, Error> {
        let folder =
            if folder.is_empty() { String::new() } else { format!("/{}", encoded(folder, true)) };
        let first = format!("{}/tree/{commit}{folder}?recursive=true&expand=false", self.api());
        let (mut next, mut files) = (Some(first), Vec::new());
        for _ in 0..PAGES {
            let Some(url) = next else { return Ok(files) };
            let (text, link) = self.ask(&url, commit)?;
            let page =
                serde_json::from_str::<Vec<Listed>>(&text).map_err(|e| self.strange(&url, &e))?;
            files.extend(page.into_iter().filter(|listed| listed.kind == "file"));
            next =
                link.as_deref().and_then(next_page).map(|link| self.absolute(&link)).transpose()?;
        }
        Err(Error::new(format!("the tree of {} does not end", self.page())))
    }

    /// The address of a further page, which is one of the same server.
    fn absolute(&self, link: &str) -> Result<String, Error> {
        let endpoint = &self.repository.endpoint;
        if link.starts_with('/') {
            return Ok(format!("{endpoint}{link}"));
        }
        // A mirror may name the pages of the server that it mirrors.
        match link.find("/api/") {
            Some(at) => Ok(format!("{endpoint}{}", &link[at..])),
            None => Err(Error::new(format!("the tree of {} goes on at `{link}`", self.page()))),
        }
    }

    fn ask(&self, url: &str, revision: &str) -> Result<(String, Option<String>), Error> {
        let (note, go_on) = (|text: &str| self.teller.note(text), || self.run.go_on());
        let patience = Patience { note: &note, go_on: &go_on };
        let ask = Ask { url, token: self.token(), headers: Vec::new() };
        let answer = self.run.web()?.get(&ask, &patience)?;
        let status = answer.status();
        if status.is_success() {
            let link = answer.header(LINK);
            return Ok((answer.text(url)?, link));
        }
        let page = self.page();
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

    fn strange(&self, url: &str, error: &serde_json::Error) -> Error {
        Error::new(format!("{url} is not an answer of Hugging Face: {error}"))
            .hint("check HF_ENDPOINT")
    }

    /// A file's content, from the store where it is there.
    fn file(&self, commit: &str, file: &Listed) -> Result<Known, Error> {
        let store = self.run.store();
        let large = file.lfs.as_ref().map(|lfs| (Digest::from_hex(&lfs.oid), lfs.size));
        let (proof, size) = match large {
            Some((Some(digest), size)) if store.blob_size(&digest) == Some(size) => {
                return Ok(Known { digest, size });
            }
            Some((Some(digest), size)) => (Proof::Sha256(digest), size),
            Some((None, _)) => {
                return Err(Error::new(format!("`{}` of {} has no hash", file.path, self.page())));
            }
            None => (Proof::GitBlob { name: file.oid.clone(), size: file.size }, file.size),
        };
        let key = key("git-blob", &(&file.oid, size));
        let known = self.run.remembered::<Known>(&key).filter(|_| large.is_none());
        if let Some(known) =
            known.filter(|known| store.blob_size(&known.digest) == Some(known.size))
        {
            return Ok(known);
        }
        let url = format!("{}/resolve/{commit}/{}", self.page(), encoded(&file.path, true));
        let (token, name, headers) = (self.token(), file.path.as_str(), Vec::new());
        let wanted = Wanted { url: &url, token, name, proof, size: Some(size), headers };
        match download(self.run, self.teller, &wanted)? {
            Got::Content { digest, size, .. } => {
                let known = Known { digest, size };
                self.run.remember(&key, &known)?;
                Ok(known)
            }
            Got::Unchanged => Err(Error::new(format!("{url} sends nothing"))),
        }
    }
}

/// The address of `Link: <…>; rel="next"`.
fn next_page(header: &str) -> Option<String> {
    let next = header.split(',').find(|link| link.contains("rel=\"next\""))?;
    let (_, rest) = next.split_once('<')?;
    Some(rest.split_once('>')?.0.to_owned())
}

/// A path in an address.
fn encoded(text: &str, slashes: bool) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let one = |byte: u8| {
        if plain(byte) || (slashes && byte == b'/') {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
#[path = "hugging_face_tests.rs"]
mod tests;
