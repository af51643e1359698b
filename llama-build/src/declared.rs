//! The headers that the checked-in declarations are of, by git's ids in their first lines. A library with other headers
//! may have other layouts under the same names, and a program that is linked with it computes nonsense.

use std::path::{Path, PathBuf};

use crate::{Config, Error, Feature, cargo};

/// What a line with a header's name and id begins with.
const LINE: &str = "// header: ";

/// Where a source tree has them.
const FOLDERS: [&str; 3] = ["include", "ggml/include", "tools/mtmd"];

/// The lines for `headers`.
#[cfg(feature = "bindgen")]
pub(crate) fn lines(headers: impl Iterator<Item = PathBuf>) -> Result<String, Error> {
    let line = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(format!("{LINE}{name} {}\n", id(&path)?))
    };
    headers.map(line).collect()
}

fn id(path: &Path) -> Result<String, Error> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, &e))?;
    Ok(llama_src::tree::text_id(&text))
}

/// Names of headers in the folders `include` that are others than those that `declarations` are of. What is installed
/// in part only has those that are there.
///
/// # Errors
/// When a header cannot be read.
pub fn others(declarations: &[&str], include: &[&Path]) -> Result<Vec<String>, Error> {
    let lines = declarations.iter().flat_map(|text| text.lines());
    let ids = lines.filter_map(|line| line.strip_prefix(LINE)?.split_once(' '));
    let mut others = Vec::new();
    for (name, expected) in ids {
        let mut found = include.iter().map(|folder| folder.join(name));
        let Some(path) = found.find(|path| path.is_file()) else { continue };
        if id(&path)? != expected {
            others.push(name.to_owned());
        }
    }
    Ok(others)
}

/// Looks at a tree of the user's before it is built. A library is built for its C API. A program of upstream's own does
/// not use the declarations.
///
/// # Errors
/// When its headers are others than those of `declarations`.
pub fn check_tree(config: &Config, declarations: &[&str]) -> Result<(), Error> {
    let Some(tree) = &config.overrides.source_dir else { return Ok(()) };
    let folders = FOLDERS.map(|folder| tree.join(folder));
    let others = others(declarations, &folders.each_ref().map(PathBuf::as_path))?;
    if others.is_empty() {
        return Ok(());
    }
    let error = Error::mismatch(format!(
        "LLAMA_SYS_SOURCE_DIR: the tree has other headers than those that the declarations are of: {}",
        others.join(", ")
    ))
    .hint("generate the declarations from its headers: add the feature `bindgen`");
    if config.features.has(Feature::Server) || config.features.has(Feature::Quantize) {
        cargo::warning(&error.to_string());
        return Ok(());
    }
    Err(error.hint("or unset LLAMA_SYS_SOURCE_DIR to build the pinned release"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PINNED: &str = "int llama;\n";

    /// Declarations of two headers, of which the second is of no interest to the tests.
    fn declarations() -> String {
        let id = llama_src::tree::text_id(PINNED);
        format!("// Written\n{LINE}llama.h {id}\n{LINE}gguf.h {}\n\nuse x;\n", "0".repeat(40))
    }

    #[test]
    fn a_header_is_another_one_when_its_text_is() {
        let dir = tempfile::tempdir().unwrap();
        let others = || others(&[&declarations()], &[Path::new("/none"), dir.path()]).unwrap();
        assert!(others().is_empty(), "of what is not installed nothing is said");
        for (text, other) in [(PINNED, false), ("int llama;\r\n", false), ("long llama;\n", true)] {
            std::fs::write(dir.path().join("llama.h"), text).unwrap();
            assert_eq!(others(), if other { vec!["llama.h"] } else { vec![] }, "{text:?}");
        }
    }

    #[test]
    fn a_library_of_another_tree_is_refused_without_its_own_declarations() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir(tree.path().join("include")).unwrap();
        let header = tree.path().join("include/llama.h");
        let check = |features: &str| {
            let mut config = crate::tests::config("x86_64-unknown-linux-gnu", features);
            config.overrides.source_dir = Some(tree.path().to_owned());
            check_tree(&config, &[&declarations()]).err().map(|error| error.to_string())
        };
        std::fs::write(&header, PINNED).unwrap();
        assert_eq!(check(""), None);
        std::fs::write(&header, "long llama;\n").unwrap();
        assert_eq!(
            check("mtmd").as_deref(),
            Some(
                "LLAMA_SYS_SOURCE_DIR: the tree has other headers than those that the declarations \
                are of: llama.h\n  hint: generate the declarations from its headers: add the \
                feature `bindgen`\n  hint: or unset LLAMA_SYS_SOURCE_DIR to build the pinned release"
            )
        );
        assert_eq!([check("server"), check("quantize")], [None, None]);
    }

    #[test]
    fn the_checked_in_declarations_name_their_headers() {
        let units = [
            (include_str!("../../llama-sys/src/bindings.rs"), 7),
            (include_str!("../../llama-sys/src/bindings_mtmd.rs"), 2),
        ];
        for (text, headers) in units {
            assert_eq!(text.lines().filter(|line| line.starts_with(LINE)).count(), headers);
        }
    }
}
