//! Our patches: read from `patches/`, applied to text in memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use diffy::patch_set::{FileOperation, ParseOptions, PatchSet};

use crate::Error;

/// A patch file: a header that says why, then a unified diff of one or more files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The file's name.
    pub name: String,
    text: String,
}

impl Patch {
    /// All `*.patch` files in `dir`, in the order of their names.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn read_all(dir: &Path) -> Result<Vec<Self>, Error> {
        let mut patches = Vec::new();
        if !dir.is_dir() {
            return Ok(patches);
        }
        let failed = |e| Error::io("read the folder", dir, &e);
        for item in fs::read_dir(dir).map_err(failed)? {
            let path = item.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "patch") {
                let text = fs::read_to_string(&path).map_err(|e| Error::io("read", &path, &e))?;
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                patches.push(Self { name, text });
            }
        }
        patches.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(patches)
    }

    /// Applies it to files below `dir`; `files` holds what earlier patches made of them, by path, and gets
    /// the result. On an error `files` is as it was.
    ///
    /// # Errors
    /// When a file is missing or differs from what the patch expects.
    pub fn apply(&self, dir: &Path, files: &mut BTreeMap<String, String>) -> Result<(), Error> {
        let mut result = files.clone();
        let mut count = 0;
        for file in PatchSet::parse(&self.text, ParseOptions::unidiff()) {
            let file = file.map_err(|e| self.failed(&format!("it is no unified diff: {e}")))?;
            let operation = file.operation().strip_prefix(1);
            let (FileOperation::Modify { modified, .. }, Some(patch)) =
                (operation, file.patch().as_text())
            else {
                return Err(self.failed("it does more than change files"));
            };
            let path = modified.into_owned();
            let old = match result.remove(&path) {
                Some(text) => text,
                None => fs::read_to_string(dir.join(&path))
                    .map_err(|e| self.failed(&format!("{path}: {e}")))?,
            };
            let new =
                diffy::apply(&old, patch).map_err(|e| self.failed(&format!("{path}: {e}")))?;
            result.insert(path, new);
            count += 1;
        }
        if count == 0 {
            return Err(self.failed("it changes nothing"));
        }
        *files = result;
        Ok(())
    }

    fn failed(&self, why: &str) -> Error {
        Error::mismatch(format!("patch {} does not apply: {why}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str =
        "Why: for a test.\n\n--- a/sub/f\n+++ b/sub/f\n@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n";

    fn patch(text: &str) -> Patch {
        Patch { name: "0001-x.patch".into(), text: text.into() }
    }

    #[test]
    fn a_patch_changes_text_and_stacks() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        fs::write(dir.path().join("sub/f"), "one\ntwo\nthree\n").unwrap();
        let mut files = BTreeMap::new();
        patch(PATCH).apply(dir.path(), &mut files).unwrap();
        assert_eq!(files["sub/f"], "one\nTWO\nthree\n");
        patch(&PATCH.replace("-two", "-TWO").replace("+TWO", "+2"))
            .apply(dir.path(), &mut files)
            .unwrap();
        assert_eq!(files["sub/f"], "one\n2\nthree\n");
        let error = patch(PATCH).apply(dir.path(), &mut files).unwrap_err();
        assert_eq!(
            error.to_string(),
            "patch 0001-x.patch does not apply: sub/f: error applying hunk #1"
        );
        assert_eq!(files["sub/f"], "one\n2\nthree\n");
    }

    #[test]
    fn what_is_no_change_of_a_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let apply = |text: &str| {
            patch(text).apply(dir.path(), &mut BTreeMap::new()).unwrap_err().to_string()
        };
        assert_eq!(
            apply(PATCH),
            "patch 0001-x.patch does not apply: sub/f: No such file or directory (os error 2)"
        );
        assert_eq!(
            apply("--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+x\n"),
            "patch 0001-x.patch does not apply: it does more than change files"
        );
        assert!(apply("only words\n").starts_with("patch 0001-x.patch does not apply: it "));
    }
}
