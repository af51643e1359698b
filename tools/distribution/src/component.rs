//! What is inside a distribution besides our own code: each part's name, version, licence and licence
//! text. Gathered once; `licenses.rs` and `sbom.rs` write it down.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::toolkit::VendorLibrary;
use product::manifest::Manifest;

mod carried;
mod crates;
pub mod measure;
mod web_ui;

pub use crates::{PACKER, Program, SERVER};

/// How a part comes into a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// A crate of this workspace.
    Own,
    /// A crate of somebody else's, or Rust's own library, in our programs.
    Crate,
    /// llama.cpp itself.
    Upstream,
    /// Somebody else's code in llama.cpp's tree.
    Carried,
    /// The page that the server has inside.
    WebUi,
    /// Somebody else's code in the page.
    Page,
    /// What the GPU's vendor provides.
    Vendor,
}

/// One part of a distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    pub group: Group,
    pub name: String,
    /// As its owner states it; some state none.
    pub version: Option<String>,
    /// SPDX expression.
    pub license: String,
    /// Who provides it.
    pub supplier: Option<String>,
    /// Where this version of it can be downloaded.
    pub download: Option<String>,
    /// [Package URL](https://github.com/package-url/purl-spec).
    pub purl: Option<String>,
    /// What else is known about where it is from.
    pub origin: Option<String>,
    /// Its licence; none where the text of another part covers it.
    pub texts: Vec<Text>,
    /// Its files and folders in the distribution, where they are its own.
    pub files: Vec<String>,
}

/// A file in `licenses/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Path in that folder.
    pub path: String,
    pub content: String,
}

impl Component {
    /// A part of which no more is known.
    pub fn new(group: Group, name: &str, license: &str) -> Self {
        Self {
            group,
            name: name.to_owned(),
            version: None,
            license: license.to_owned(),
            supplier: None,
            download: None,
            purl: None,
            origin: None,
            texts: Vec::new(),
            files: Vec::new(),
        }
    }
}

/// Every part of the distribution that `manifest` describes, built from the llama.cpp in `source`.
///
/// # Errors
/// When a part's version or licence text is not where it should be; all such parts are named.
pub fn all(source: &Path, manifest: &Manifest, vendor: &[VendorLibrary]) -> Result<Vec<Component>> {
    let rustc = manifest.tools.get("rustc").map(String::as_str).unwrap_or_default();
    let program = Program::of(manifest);
    let page = || web_ui::read(source, &manifest.llama_cpp.tag);
    let gathered = [
        crates::read(program, &manifest.target, rustc),
        carried::read(source, &manifest.llama_cpp),
        if program.has_page { page() } else { Ok(Vec::new()) },
        vendor.iter().map(vendor_component).collect(),
    ];
    let (mut components, mut wrong) = (Vec::new(), Vec::new());
    for part in gathered {
        match part {
            Ok(part) => components.extend(part),
            Err(error) => wrong.push(format!("{error:#}")),
        }
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    components.retain(|part| is_in(program, part));
    let key = |c: &Component| (c.group, c.name.clone(), c.version.clone(), c.purl.clone());
    components.sort_by_key(key);
    components.dedup_by_key(|c| key(c));
    Ok(components)
}

/// Parts of the page are carried in llama.cpp's tree too.
fn is_in(program: &Program, part: &Component) -> bool {
    program.has_page || !matches!(part.group, Group::WebUi | Group::Page)
}

fn vendor_component(library: &VendorLibrary) -> Result<Component> {
    ensure!(
        !library.license_files.is_empty(),
        "no licence text found for the vendor's library {}",
        library.name
    );
    // The vendors' licences are texts of their own, which SPDX does not list.
    let license = format!("LicenseRef-{}", library.name);
    Ok(Component {
        version: Some(library.version.clone()),
        supplier: Some(library.supplier.clone()),
        texts: vec![Text {
            path: format!("vendor/{}.txt", library.name),
            content: joined(&library.license_files)?,
        }],
        files: library.files.iter().map(|file| file.to.clone()).collect(),
        ..Component::new(Group::Vendor, &library.name, &license)
    })
}

/// Files of a package's folder that hold its licence, by name.
fn license_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        if is_license_name(&entry.file_name().to_string_lossy()) && entry.path().is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn is_license_name(name: &str) -> bool {
    let name = name.to_uppercase();
    let starts = ["COPYING", "COPYRIGHT", "LICENCE", "LICENSE", "NOTICE", "UNLICENSE"];
    let program = [".JS", ".MJS", ".RS"].iter().any(|ending| name.ends_with(ending));
    !program && starts.iter().any(|start| name.starts_with(start))
}

/// One text of several files, each under its name where there are more than one.
fn joined(files: &[PathBuf]) -> Result<String> {
    let mut text = String::new();
    for file in files {
        if files.len() > 1 {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let gap = if text.is_empty() { "" } else { "\n" };
            text += &format!("{gap}==== {name} ====\n\n");
        }
        text += &read_text(file)?;
    }
    Ok(text)
}

/// A file as text that ends with a line.
fn read_text(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned() + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_files_are_told_by_their_names() {
        for name in ["LICENSE", "license.md", "LICENCE", "COPYING", "NOTICE.txt", "LICENSE-MIT"] {
            assert!(is_license_name(name), "{name}");
        }
        for name in ["license-update.mjs", "license.rs", "README.md", "src"] {
            assert!(!is_license_name(name), "{name}");
        }
    }

    #[test]
    fn only_the_server_has_a_page() {
        let part = |group| Component::new(group, "x", "MIT");
        for group in [Group::WebUi, Group::Page] {
            assert!(is_in(&SERVER, &part(group)) && !is_in(&PACKER, &part(group)), "{group:?}");
        }
        assert!(is_in(&PACKER, &part(Group::Carried)));
    }

    #[test]
    fn several_licence_files_become_one_text_with_their_names() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("LICENSE-MIT"), "MIT\n\n").unwrap();
        fs::create_dir(dir.path().join("LICENSES")).unwrap();
        assert_eq!(joined(&license_files(dir.path()).unwrap()).unwrap(), "MIT\n");
        fs::write(dir.path().join("COPYRIGHT"), b"J\xf6rg").unwrap();
        assert_eq!(
            joined(&license_files(dir.path()).unwrap()).unwrap(),
            "==== COPYRIGHT ====\n\nJ\u{fffd}rg\n\n==== LICENSE-MIT ====\n\nMIT\n"
        );
    }

    #[test]
    fn a_vendor_library_has_a_licence() {
        let library = VendorLibrary {
            name: "cublas".into(),
            version: "13.0.2".into(),
            supplier: "NVIDIA Corporation".into(),
            license_files: Vec::new(),
            files: Vec::new(),
        };
        assert_eq!(
            vendor_component(&library).unwrap_err().to_string(),
            "no licence text found for the vendor's library cublas"
        );
    }
}
