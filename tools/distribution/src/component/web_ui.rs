//! The npm packages in the server's page. Upstream names them all as build dependencies, so which ones end
//! in the page was measured (`measure.rs`) and is kept in `web-ui-packages.txt`; versions and licences
//! are those of upstream's lock file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};
use llama_src::Error;
use serde::Deserialize;

use super::{Component, Group, Text};

/// The measured list: a package's path in `node_modules` with its licence where the lock file states none,
/// then its copyright lines, indented.
pub(super) const LIST: &str = include_str!("web-ui-packages.txt");

/// Licences whose text is the same for every owner.
const TEXTS: &[(&str, &str)] = &[
    ("MIT", include_str!("texts/MIT.txt")),
    ("ISC", include_str!("texts/ISC.txt")),
    ("BSD-3-Clause", include_str!("texts/BSD-3-Clause.txt")),
    ("Apache-2.0", include_str!("texts/Apache-2.0.txt")),
];

const INTRODUCTION: &str = "\
The page of llama-server contains code of the npm packages below, each under its own licence. The
texts of the licences follow the list.
";

/// The parts of `package-lock.json` that are used.
#[derive(Debug, Deserialize)]
struct Lock {
    packages: BTreeMap<String, Locked>,
}

#[derive(Debug, Deserialize)]
struct Locked {
    #[serde(default)]
    version: String,
    license: Option<String>,
}

/// One package of the list.
#[derive(Debug, PartialEq, Eq)]
struct Package {
    name: String,
    version: String,
    license: String,
    copyright: Vec<String>,
}

/// The page of the llama.cpp `tag` in `source`, and the packages in it.
///
/// # Errors
/// When the lock file does not have a package of the list, or its licence's text is not known.
pub(super) fn read(source: &Path, tag: &str) -> Result<Vec<Component>> {
    let path = source.join("tools/ui/package-lock.json");
    let lock =
        std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    components(LIST, &lock, tag)
}

fn components(list: &str, lock: &str, tag: &str) -> Result<Vec<Component>> {
    let packages = packages(list, lock)?;
    let page = Component {
        version: Some(tag.to_owned()),
        supplier: Some("ggml-org".to_owned()),
        texts: vec![Text { path: "web-ui.txt".to_owned(), content: text(&packages) }],
        ..Component::new(Group::WebUi, "llama-ui", "MIT")
    };
    let part = |package: Package| Component {
        purl: Some(format!("pkg:npm/{}@{}", package.name.replace('@', "%40"), package.version)),
        version: Some(package.version),
        ..Component::new(Group::Page, &package.name, &package.license)
    };
    Ok(std::iter::once(page).chain(packages.into_iter().map(part)).collect())
}

/// The packages of the list as the lock file has them, by name and version.
fn packages(list: &str, lock: &str) -> Result<Vec<Package>> {
    let lock: Lock = serde_json::from_str(lock).context("package-lock.json has another form")?;
    let mut packages: Vec<Package> = Vec::new();
    let mut wrong = Vec::new();
    for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(copyright) = line.strip_prefix("  ") {
            packages.last_mut().into_iter().for_each(|p| p.copyright.push(copyright.to_owned()));
            continue;
        }
        match package(line, &lock) {
            Ok(package) => packages.push(package),
            Err(error) => wrong.push(format!("{error}")),
        }
    }
    if !wrong.is_empty() {
        bail!(
            Error::new(wrong.join("\n"))
                .hint("measure again what is in the page: cargo xtask vendor --web-ui-packages")
        );
    }
    packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    packages.dedup_by(|a, b| (&a.name, &a.version) == (&b.name, &b.version));
    Ok(packages)
}

fn package(line: &str, lock: &Lock) -> Result<Package> {
    let (place, stated) =
        line.split_once(' ').map_or((line, None), |(place, id)| (place, Some(id)));
    let name = place.rsplit("node_modules/").next().unwrap_or(place);
    let Some(locked) = lock.packages.get(&format!("node_modules/{place}")) else {
        bail!("the npm package {place} is in the web UI and not in its package-lock.json");
    };
    let version = locked.version.clone();
    let Some(license) = stated.or(locked.license.as_deref()) else {
        bail!("the npm package {name} {version} states no licence");
    };
    // SPDX wants no brackets around the whole of it.
    let license = license.trim_start_matches('(').trim_end_matches(')').to_owned();
    if known(&license).is_none() {
        bail!("the text of the licence {license} of the npm package {name} {version} is not known");
    }
    Ok(Package { name: name.to_owned(), version, license, copyright: Vec::new() })
}

/// The first licence of a choice that has a text here.
fn known(license: &str) -> Option<&(&str, &str)> {
    license.split(" OR ").find_map(|id| TEXTS.iter().find(|(known, _)| *known == id))
}

fn text(packages: &[Package]) -> String {
    let mut text = INTRODUCTION.to_owned();
    let mut used = BTreeSet::new();
    for Package { name, version, license, copyright } in packages {
        text += &format!("\n{name} {version}: {license}\n");
        copyright.iter().for_each(|line| text += &format!("  {line}\n"));
        used.extend(known(license));
    }
    for (id, license) in used {
        text += &format!("\n==== {id} ====\n\n{license}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"{"packages": {
        "": {"version": "1.0.0"},
        "node_modules/b": {"version": "2.0.0", "license": "(MPL-2.0 OR Apache-2.0)", "dev": true},
        "node_modules/@s/a": {"version": "1.0.0", "license": "MIT"},
        "node_modules/b/node_modules/@s/a": {"version": "0.9.0"},
        "node_modules/tool": {"version": "9.0.0", "license": "MIT"}}}"#;

    #[test]
    fn the_list_was_measured_from_the_pinned_page() {
        let pin = llama_src::Pin::load();
        let first = LIST.lines().next().unwrap_or_default();
        assert_eq!(
            first,
            format!("# tools/ui {}", pin.ui_tree),
            "measure again what is in the page: cargo xtask vendor --web-ui-packages"
        );
    }

    #[test]
    fn packages_of_the_list_have_the_lock_file_s_version_and_licence() {
        let list = "# tools/ui\nb\n  Copyright B\n@s/a\nb/node_modules/@s/a MIT\n  Copyright A\n";
        let components = components(list, LOCK, "b1").unwrap();
        let of = |c: &Component| format!("{} {}", c.purl.clone().unwrap_or_default(), c.license);
        assert_eq!(
            components.iter().map(of).collect::<Vec<_>>(),
            [
                " MIT",
                "pkg:npm/%40s/a@0.9.0 MIT",
                "pkg:npm/%40s/a@1.0.0 MIT",
                "pkg:npm/b@2.0.0 MPL-2.0 OR Apache-2.0",
            ]
        );
        let text = &components[0].texts[0];
        assert_eq!(text.path, "web-ui.txt");
        let packages = "\n@s/a 0.9.0: MIT\n  Copyright A\n\n@s/a 1.0.0: MIT\n\nb 2.0.0: MPL-2.0 OR \
                        Apache-2.0\n  Copyright B\n\n==== Apache-2.0 ====\n";
        assert!(text.content.contains(packages), "{}", text.content);
        assert!(text.content.contains("\n==== MIT ====\n\nThe MIT License\n"));
        assert!(!text.content.contains("==== ISC"));
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let lock = r#"{"packages": {"node_modules/a": {"version": "1.0.0"},
            "node_modules/b": {"version": "2.0.0", "license": "GPL-3.0"}}}"#;
        assert_eq!(
            packages("a\nb\nc\n", lock).unwrap_err().to_string(),
            "the npm package a 1.0.0 states no licence\n\
             the text of the licence GPL-3.0 of the npm package b 2.0.0 is not known\n\
             the npm package c is in the web UI and not in its package-lock.json\n  \
             hint: measure again what is in the page: cargo xtask vendor --web-ui-packages"
        );
    }
}
