//! Lays out what is built: the needed part of the tree with our patches and the web UI, in a folder of the
//! build. A file is written only when its content differs, so its time says when it last changed and Ninja
//! rebuilds no more than it must, whatever times an archive or a checkout gave the source.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::patch::Patch;
use crate::{Error, SourceTree, Ui, place, stamp, subset, tree};

/// What [`SourceTree::copy_patched`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// Names of the patches that are in the copy.
    pub applied: Vec<String>,
    /// Names and reasons of patches that do not fit an unverified tree.
    pub skipped: Vec<(String, String)>,
    /// Files that were written because they were missing or different.
    pub written: usize,
    /// Files and folders that were removed because the tree has them no more.
    pub removed: usize,
}

impl SourceTree {
    /// Makes `to` the needed part of this tree, patched, with `ui` in `tools/ui/dist`. The tree itself is
    /// never touched; everything else in `to` is removed. What is read of a verified tree is compared with the pin: its
    /// stamp knows sizes and times, and both can be made.
    ///
    /// # Errors
    /// When something cannot be read or written, a verified tree is another one by now, or a patch does not apply to it.
    pub fn copy_patched(&self, to: &Path, ui: Option<&Ui>) -> Result<Copied, Error> {
        let (copied, part) = self.copy(to, ui, &subset::keeps)?;
        if self.verified && part != self.packaged_tree {
            return Err(self.changed(&part));
        }
        Ok(copied)
    }

    /// The same with the part of this tree that `keeps` wants, which is asked as [`subset::keeps`] is.
    ///
    /// # Errors
    /// As [`Self::copy_patched`].
    pub fn copy_part(
        &self,
        to: &Path,
        ui: Option<&Ui>,
        keeps: &dyn Fn(&str) -> bool,
    ) -> Result<Copied, Error> {
        self.copy(to, ui, keeps).map(|(copied, _)| copied)
    }

    /// The same; tells the git tree id of the part, without patches.
    fn copy(
        &self,
        to: &Path,
        ui: Option<&Ui>,
        keeps: &dyn Fn(&str) -> bool,
    ) -> Result<(Copied, String), Error> {
        let mut copied = Copied::default();
        let patched = self.patched(&mut copied)?;
        let (mut wanted, mut ids) = (BTreeSet::new(), BTreeMap::new());
        let entries = tree::walk(&self.dir, keeps)?;
        for entry in &entries {
            let original = read(&self.dir.join(&entry.path))?;
            ids.insert(entry.path.as_str(), tree::blob_of(&original));
            let new = patched.get(&entry.path).map_or(&original[..], |text| text.as_bytes());
            copied.written += usize::from(place::write_if_different(&to.join(&entry.path), new)?);
            wanted.insert(entry.path.clone());
        }
        if let Some(ui) = ui {
            wanted.retain(|path: &String| !path.starts_with("tools/ui/dist/"));
            for entry in tree::walk(&ui.dir, &|_| true)? {
                let path = format!("tools/ui/dist/{}", entry.path);
                let new = read(&ui.dir.join(&entry.path))?;
                copied.written += usize::from(place::write_if_different(&to.join(&path), &new)?);
                wanted.insert(path);
            }
        }
        copied.removed = remove_others(to, "", &wanted)?;
        let executables = stamp::executables(&self.dir, &self.executables);
        let part =
            tree::id_of(&entries, executables.as_ref(), &|entry| Ok(ids[entry.path.as_str()]))?;
        Ok((copied, part))
    }

    /// The git tree id of the part that is built.
    fn part(&self) -> Result<String, Error> {
        let executables = stamp::executables(&self.dir, &self.executables);
        tree::id(&self.dir, &tree::walk(&self.dir, &subset::keeps)?, executables.as_ref())
    }

    /// Content of the files that patches change.
    fn patched(&self, copied: &mut Copied) -> Result<BTreeMap<String, String>, Error> {
        let mut files = BTreeMap::new();
        for patch in Patch::read_all(&self.patches)? {
            match patch.apply(&self.dir, &mut files) {
                Ok(()) => copied.applied.push(patch.name),
                Err(error) if self.verified => {
                    let part = self.part()?;
                    let error = error.hint("repair the patch: see vendor/README.md");
                    return Err(if part == self.packaged_tree {
                        error
                    } else {
                        self.changed(&part)
                    });
                }
                Err(error) => copied.skipped.push((patch.name, error.to_string())),
            }
        }
        Ok(files)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|e| Error::io("read", path, &e))
}

/// Removes what is below `to` and not `wanted`.
fn remove_others(to: &Path, prefix: &str, wanted: &BTreeSet<String>) -> Result<usize, Error> {
    let mut removed = 0;
    let dir = to.join(prefix);
    let failed = |e| Error::io("read the folder", &dir, &e);
    for item in fs::read_dir(&dir).map_err(failed)? {
        let item = item.map_err(failed)?;
        let at = item.path();
        let path = format!("{prefix}{}", item.file_name().to_string_lossy());
        let is_dir = item.file_type().map_err(failed)?.is_dir();
        let inside = format!("{path}/");
        let wants = |path: &String| path.starts_with(&inside);
        if is_dir && wanted.range(inside.clone()..).next().is_some_and(wants) {
            removed += remove_others(to, &inside, wanted)?;
        } else if is_dir || !wanted.contains(&path) {
            let gone = if is_dir { fs::remove_dir_all(&at) } else { fs::remove_file(&at) };
            gone.map_err(|e| Error::io("remove", &at, &e))?;
            removed += 1;
        }
    }
    Ok(removed)
}
