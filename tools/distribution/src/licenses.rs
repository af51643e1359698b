//! `licenses/` of a distribution: the licence text of everything in it, ours first.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::component::Component;

/// Name of the folder in a distribution.
pub const FOLDER: &str = "licenses";

/// Writes the texts of `components` into the distribution in `dir`.
///
/// # Errors
/// When two parts claim one file for different texts, or a file cannot be written.
pub fn write(dir: &Path, components: &[Component]) -> Result<()> {
    for (path, content) in files(components)? {
        let path = dir.join(FOLDER).join(path);
        let folder = path.parent().expect("joined to a folder");
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        fs::write(&path, content).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// Path and content of each file, by path.
fn files(components: &[Component]) -> Result<Vec<(&str, &str)>> {
    let texts = components.iter().flat_map(|component| &component.texts);
    let mut files: Vec<(&str, &str)> =
        texts.map(|text| (text.path.as_str(), text.content.as_str())).collect();
    files.sort_unstable();
    files.dedup();
    let twice: Vec<&str> =
        files.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[0].0).collect();
    if twice.is_empty() {
        return Ok(files);
    }
    bail!("different licences for one file in {FOLDER}/: {}", twice.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::{Group, Text};

    fn part(name: &str, path: &str, content: &str) -> Component {
        Component {
            texts: vec![Text { path: path.into(), content: content.into() }],
            ..Component::new(Group::Vendor, name, "MIT")
        }
    }

    #[test]
    fn texts_are_written_where_they_belong() {
        let dir = tempfile::tempdir().unwrap();
        let parts = [part("b", "crates/b.txt", "B\n"), part("a", "a.txt", "A\n")];
        write(dir.path(), &parts).unwrap();
        let read = |path: &str| fs::read_to_string(dir.path().join(FOLDER).join(path)).unwrap();
        assert_eq!((read("a.txt").as_str(), read("crates/b.txt").as_str()), ("A\n", "B\n"));
    }

    #[test]
    fn one_file_has_one_text() {
        assert_eq!(files(&[part("a", "x.txt", "X"), part("b", "x.txt", "X")]).unwrap().len(), 1);
        let error = files(&[part("a", "x.txt", "X"), part("b", "x.txt", "Y")]).unwrap_err();
        assert_eq!(error.to_string(), "different licences for one file in licenses/: x.txt");
    }
}
