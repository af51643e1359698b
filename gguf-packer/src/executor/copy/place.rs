//! Where the files of a `COPY` land, and what their entries are.

use std::collections::BTreeMap;

use crate::Error;
use crate::language::mode::Mode;
use crate::tree::{Entry, Kind, Tree};

use super::files::{Files, folder_entry, follow};
use super::path;

/// One match with what is in it, or an unpacked archive.
#[derive(Debug, Clone, Default)]
pub(crate) struct Item {
    /// Its name in a folder; with `--parents` with the folders above it.
    pub(crate) name: String,
    /// The destination itself becomes it: a folder's content, an archive's, a tree of `--parents`.
    pub(crate) spread: bool,
    /// Paths relative to it, its own is empty.
    pub(crate) entries: Vec<(String, Entry)>,
}

/// A destination and how things are put there.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    /// What the stage has so far.
    pub(crate) below: &'a Tree,
    /// Folder of relative destinations.
    pub(crate) workdir: &'a str,
    /// As it was said.
    pub(crate) dest: &'a str,
    /// Several sources: the destination is a folder.
    pub(crate) several: bool,
    /// Nothing of what is below counts.
    pub(crate) link: bool,
    pub(crate) owner: Option<(u64, u64)>,
    pub(crate) mode: Option<&'a Mode>,
    pub(crate) mtime: u64,
}

impl Place<'_> {
    /// The entries that a layer of `items` has, folders before what is in them.
    pub(crate) fn put(&self, items: Vec<Item>) -> Result<Vec<Entry>, Error> {
        let real = self.real()?;
        let existing = if self.link { None } else { self.below.look(&real)? };
        let there = existing.as_ref().is_some_and(|entry| entry.kind == Kind::Folder);
        let folder = path::says_folder(self.dest)
            || self.several
            || items.len() > 1
            || there
            || items.iter().any(|item| item.spread);
        if folder && existing.is_some() && !there {
            return Err(Error::new(format!(
                "cannot copy into `/{real}`: it is a file, not a folder"
            ))
            .hint("choose another destination"));
        }
        let mut new = BTreeMap::new();
        for item in items {
            let base = match (item.spread, folder) {
                (false, true) => path::join(&real, &item.name),
                _ => real.clone(),
            };
            if base.is_empty() && !item.spread {
                return Err(Error::new(format!(
                    "the destination `{}` has no file name",
                    self.dest
                )));
            }
            for (relative, entry) in item.entries {
                self.put_one(&path::join(&base, &relative), relative.is_empty(), entry, &mut new)?;
            }
        }
        self.add_folders(&mut new)?;
        let mut entries: Vec<Entry> = new.into_values().collect();
        // As one walks through folders: what is in `a` stands before `a-b`.
        entries.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
        Ok(entries)
    }

    /// The destination with its links followed.
    fn real(&self) -> Result<String, Error> {
        let dest = path::absolute(self.workdir, self.dest).ok_or_else(|| {
            Error::new(format!("the destination `{}` is outside the image", self.dest))
                .hint("use a destination that begins with `/` or is relative to the working folder")
        })?;
        if self.link { Ok(dest) } else { follow(self.below, &dest) }
    }

    fn put_one(
        &self,
        at: &str,
        top: bool,
        entry: Entry,
        new: &mut BTreeMap<String, Entry>,
    ) -> Result<(), Error> {
        if at.is_empty() {
            return Ok(());
        }
        let folder = entry.kind == Kind::Folder;
        if let Some(known) = self.known(at, new)? {
            match (known.kind == Kind::Folder, folder) {
                // The folder that is copied into keeps what it is.
                (true, true) if top => return Ok(()),
                (true, false) => {
                    return Err(Error::new(format!(
                        "cannot replace the folder `/{at}` with a file"
                    )));
                }
                (false, true) => {
                    return Err(Error::new(format!(
                        "cannot replace the file `/{at}` with a folder"
                    )));
                }
                _ => {}
            }
        }
        new.insert(at.to_owned(), self.dressed(at, entry));
        Ok(())
    }

    /// What lies at `path` so far.
    fn known(&self, path: &str, new: &BTreeMap<String, Entry>) -> Result<Option<Entry>, Error> {
        match new.get(path) {
            Some(entry) => Ok(Some(entry.clone())),
            None if self.link => Ok(None),
            None => self.below.look(path),
        }
    }

    fn dressed(&self, at: &str, entry: Entry) -> Entry {
        let (uid, gid) = self.owner.unwrap_or((0, 0));
        let mode = match (&entry.kind, self.mode) {
            (Kind::Link { .. }, _) | (_, None) => entry.mode,
            (kind, Some(mode)) => mode.apply(entry.mode, *kind == Kind::Folder),
        };
        Entry { path: at.to_owned(), kind: entry.kind, mode, uid, gid, mtime: self.mtime }
    }

    /// Adds the folders above everything new: as they are below, or new ones.
    fn add_folders(&self, new: &mut BTreeMap<String, Entry>) -> Result<(), Error> {
        let paths: Vec<String> = new.keys().cloned().collect();
        for folder in paths.iter().flat_map(|path| path::folders(path)) {
            match self.known(folder, new)? {
                Some(Entry { kind: Kind::Folder, .. }) if new.contains_key(folder) => {}
                Some(entry) if entry.kind == Kind::Folder => {
                    new.insert(folder.to_owned(), entry);
                }
                Some(_) => {
                    return Err(Error::new(format!(
                        "cannot create the folder `/{folder}`: it is a file"
                    ))
                    .hint("choose another destination"));
                }
                None => {
                    let (uid, gid) = self.owner.unwrap_or((0, 0));
                    let entry = Entry { uid, gid, mtime: self.mtime, ..folder_entry(folder) };
                    new.insert(folder.to_owned(), entry);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
