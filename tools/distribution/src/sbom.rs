//! `sbom.spdx.json`: what a distribution is made of, as an SPDX 2.3 document. The same distribution gives
//! the same bytes. What it takes from the system at run time is not in it and not listed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::component::{Component, Group, Program};
use product::manifest::{self, Manifest};

mod files;
mod relations;
mod spdx;

use files::Hashed;
use spdx::{
    Checksum, CreationInfo, DOCUMENT, Document, ExternalRef, ExtractedLicense, File, NOTHING,
    Package, VerificationCode,
};

/// Name of the file in a distribution.
pub const FILE: &str = "sbom.spdx.json";
/// The distribution's own id.
const DISTRIBUTION: &str = "SPDXRef-Distribution";

/// Writes the document of the distribution in `dir`, whose files are all there except itself and the
/// manifest, which names its hash. Gives every file and link as the manifest lists them, so each file is read once.
///
/// # Errors
/// When a file cannot be read or written, or a component's files are not there.
pub fn write(
    dir: &Path,
    manifest: &Manifest,
    components: &[Component],
) -> Result<BTreeMap<String, manifest::File>> {
    let (mut files, mut listed) = files::all(dir, &[FILE, manifest::FILE])?;
    let document = document(manifest, components, &files)?;
    let text = serde_json::to_string_pretty(&document).expect("strings and lists") + "\n";
    let path = dir.join(FILE);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    files.push(Hashed::read(dir, FILE.to_owned())?);
    listed.extend(files.into_iter().map(Hashed::listed));
    Ok(listed)
}

fn document(manifest: &Manifest, components: &[Component], files: &[Hashed]) -> Result<Document> {
    check_files(components, files)?;
    let version = &manifest.version;
    let list: String = files.iter().map(|f| format!("{}  {}\n", f.sha256, f.path)).collect();
    let mut packages = vec![distribution(manifest, components, files)];
    packages.extend(components.iter().map(package));
    Ok(Document {
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        id: DOCUMENT,
        name: manifest.title(" "),
        document_namespace: format!(
            "https://spdx.org/spdxdocs/{}-{}",
            manifest.title("-"),
            files::sha256(&list)
        ),
        creation_info: CreationInfo {
            created: product::time::rfc3339(manifest.source_date_epoch),
            creators: vec![format!("Tool: cargo-xtask-dist-{version}")],
        },
        packages,
        files: files.iter().enumerate().map(|(at, hashed)| file(at, hashed)).collect(),
        relationships: relations::all(Program::of(manifest), components, files),
        has_extracted_licensing_infos: extracted_licenses(components),
    })
}

/// All that a component says is in the distribution must be there.
fn check_files(components: &[Component], files: &[Hashed]) -> Result<()> {
    let names = components.iter().flat_map(|part| part.files.iter().map(move |f| (f, &part.name)));
    let missing: Vec<String> = names
        .filter(|(name, _)| !files.iter().any(|file| is_in(&file.path, name)))
        .map(|(name, part)| format!("{name} of {part} is not in the distribution"))
        .collect();
    if missing.is_empty() { Ok(()) } else { bail!("{}", missing.join("\n")) }
}

/// Whether `path` is `name` or in the folder `name`.
fn is_in(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn distribution(manifest: &Manifest, components: &[Component], files: &[Hashed]) -> Package {
    let mut hashes: Vec<&str> = files.iter().map(|file| file.sha1.as_str()).collect();
    hashes.sort_unstable();
    let Manifest { version, target, commit, .. } = manifest;
    Package {
        id: DISTRIBUTION.to_owned(),
        name: format!("{}-{target}", manifest.product()),
        version_info: Some(version.clone()),
        supplier: NOTHING.to_owned(),
        download_location: NOTHING.to_owned(),
        files_analyzed: true,
        package_verification_code: Some(VerificationCode {
            value: files::sha1(&hashes.concat()),
            excluded: [FILE, manifest::FILE].map(|name| format!("./{name}")).to_vec(),
        }),
        license_concluded: NOTHING,
        license_declared: all_licenses(components),
        copyright_text: NOTHING,
        source_info: Some(format!("built by cargo xtask dist at commit {commit}")),
        external_refs: Vec::new(),
    }
}

/// The licences of all parts, which hold together.
fn all_licenses(components: &[Component]) -> String {
    let licenses: BTreeSet<&str> = components.iter().map(|part| part.license.as_str()).collect();
    let closed = |id: &str| if id.contains(' ') { format!("({id})") } else { id.to_owned() };
    licenses.into_iter().map(closed).collect::<Vec<_>>().join(" AND ")
}

fn package(part: &Component) -> Package {
    let or_nothing = |text: &Option<String>| text.clone().unwrap_or_else(|| NOTHING.to_owned());
    let supplier = part.supplier.as_ref().map(|name| format!("Organization: {name}"));
    let purl = part.purl.iter().map(|purl| ExternalRef {
        reference_category: "PACKAGE-MANAGER",
        reference_type: "purl",
        reference_locator: purl.clone(),
    });
    Package {
        id: package_id(part),
        name: part.name.clone(),
        version_info: part.version.clone(),
        supplier: or_nothing(&supplier),
        download_location: or_nothing(&part.download),
        files_analyzed: false,
        package_verification_code: None,
        license_concluded: NOTHING,
        license_declared: part.license.clone(),
        copyright_text: NOTHING,
        source_info: part.origin.clone(),
        external_refs: purl.collect(),
    }
}

fn package_id(part: &Component) -> String {
    let group = match part.group {
        Group::Own => "own",
        Group::Crate => "crate",
        Group::Upstream => "upstream",
        Group::Carried => "carried",
        Group::WebUi => "web-ui",
        Group::Page => "page",
        Group::Vendor => "vendor",
    };
    let name = format!("{group}-{} {}", part.name, part.version.as_deref().unwrap_or_default());
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    format!("SPDXRef-{}", name.trim_end().chars().map(plain).collect::<String>())
}

/// By number: two names may differ in a character that an id cannot have.
fn file_id(at: usize) -> String {
    format!("SPDXRef-File-{}", at + 1)
}

fn file(at: usize, hashed: &Hashed) -> File {
    let checksum =
        |algorithm, value: &str| Checksum { algorithm, checksum_value: value.to_owned() };
    File {
        id: file_id(at),
        file_name: format!("./{}", hashed.path),
        checksums: vec![checksum("SHA1", &hashed.sha1), checksum("SHA256", &hashed.sha256)],
    }
}

/// Licences that SPDX does not list, with their texts.
fn extracted_licenses(components: &[Component]) -> Vec<ExtractedLicense> {
    let mut texts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for part in components {
        let words = part.license.split([' ', '(', ')']);
        for id in words.filter(|word| word.starts_with("LicenseRef-")) {
            let known = texts.entry(id).or_default();
            for text in &part.texts {
                if !known.contains(&text.content.as_str()) {
                    known.push(&text.content);
                }
            }
        }
    }
    let license = |(id, texts): (&str, Vec<&str>)| ExtractedLicense {
        license_id: id.to_owned(),
        extracted_text: texts.join("\n"),
    };
    texts.into_iter().map(license).collect()
}

#[cfg(test)]
pub mod tests;
