//! Which npm packages end in the server's page: what the source map of a build names, and what no source
//! map names. Run when the pin moves; the result is `web-ui-packages.txt`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use llama_src::sh::Cmd;
use llama_src::walk;
use serde::Deserialize;

use super::license_files;
use super::web_ui::LIST;
use workspace::cargo;

/// Packages whose code comes in without a source map: the style sheet's, the service worker's
/// (`self["workbox:…"]` in `sw.js` and `workbox-*.js`), and what registers that.
const UNMAPPED: &[&str] = &[
    "@tailwindcss/forms",
    "@tailwindcss/typography",
    "idb",
    "tailwindcss",
    "tw-animate-css",
    "vite-plugin-pwa",
    "workbox-core",
    "workbox-expiration",
    "workbox-precaching",
    "workbox-routing",
    "workbox-strategies",
];

#[derive(Deserialize)]
struct SourceMap {
    sources: Vec<String>,
}

/// Builds the page of the llama.cpp in `source` in a copy, with a source map, and writes the list anew.
/// Needs npm and a network.
///
/// # Errors
/// When the build fails or has no source map.
pub fn run(source: &Path, ui_tree: &str) -> Result<()> {
    let work = tempfile::tempdir()?;
    Cmd::new("cp").arg("-R").args([source.join("tools/ui"), work.path().join("ui")]).run()?;
    let npm = |program: &str, words: &[&str]| {
        Cmd::new(program).args(words).dir(work.path().join("ui")).run()
    };
    npm("npm", &["ci", "--no-audit", "--no-fund"])?;
    npm("npx", &["vite", "build", "--sourcemap"])?;
    let file = cargo::root().join("tools/distribution/src/component/web-ui-packages.txt");
    fs::write(&file, list(&work.path().join("ui"), ui_tree)?)
        .with_context(|| format!("write {}", file.display()))?;
    println!("written: {}", file.display());
    Ok(())
}

fn list(folder: &Path, tree: &str) -> Result<String> {
    let dist = folder.join("dist");
    let mut maps = walk::all(&dist)?;
    maps.retain(|found| found.kind.is_file() && found.path.ends_with(".map"));
    ensure!(!maps.is_empty(), "no source map in {}", dist.display());
    let mut places: BTreeSet<String> = UNMAPPED.iter().map(|name| (*name).to_owned()).collect();
    for map in maps.into_iter().map(|found| dist.join(found.path)) {
        let text = fs::read_to_string(&map).with_context(|| format!("read {}", map.display()))?;
        let map: SourceMap = serde_json::from_str(&text)?;
        places.extend(map.sources.iter().filter_map(|source| place(source)));
    }
    let mut list = format!("# tools/ui {tree}\n");
    for place in places {
        let stated = LIST.lines().find(|line| line.split(' ').next() == Some(&place));
        list += stated.unwrap_or(&place);
        list += "\n";
        for line in copyright_lines(&folder.join("node_modules").join(&place))? {
            list += &format!("  {line}\n");
        }
    }
    Ok(list)
}

/// The package's path in `node_modules` of a source such as `../node_modules/a/node_modules/@s/b/x.js`.
fn place(source: &str) -> Option<String> {
    let packages: Vec<String> = source
        .split("node_modules/")
        .skip(1)
        .filter_map(|rest| {
            let scoped = usize::from(rest.starts_with('@'));
            let words: Vec<&str> = rest.split('/').take(1 + scoped).collect();
            (!words.concat().is_empty()).then(|| words.join("/"))
        })
        .collect();
    (!packages.is_empty()).then(|| packages.join("/node_modules/"))
}

fn copyright_lines(package: &Path) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for file in license_files(package)? {
        let text = String::from_utf8_lossy(&fs::read(&file)?).into_owned();
        for line in text.lines().map(str::trim).filter(|line| is_owner(line)) {
            if !lines.iter().any(|known| known == line) {
                lines.push(line.to_owned());
            }
        }
    }
    if lines.is_empty() {
        lines.extend(author(package));
    }
    Ok(lines)
}

/// Whom `package.json` names, for a package without a licence file.
fn author(package: &Path) -> Option<String> {
    let text = fs::read_to_string(package.join("package.json")).ok()?;
    let json: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(format!("by {}", json["author"].as_str()?))
}

/// Whether a line of a licence says whose it is, and does not speak of copyright in general.
fn is_owner(line: &str) -> bool {
    let general = ["notice", "holder", "holders", "owner", "and", "license", "[yyyy]", "{yyyy}"];
    line.strip_prefix("Copyright ")
        .or(line.strip_prefix("(c) "))
        .and_then(|rest| rest.split([' ', ',']).next())
        .is_some_and(|word| !general.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_told_from_its_source() {
        let of = |source: &str| place(source).unwrap_or_default();
        assert_eq!(of("../../node_modules/d3-array/src/a.js"), "d3-array");
        assert_eq!(of("../node_modules/@s/b/x.js"), "@s/b");
        assert_eq!(of("../node_modules/a/node_modules/@s/b/x.js"), "a/node_modules/@s/b");
        assert_eq!(of("../src/app.js"), "");
    }

    #[test]
    fn an_owner_is_told_from_the_licence_s_own_words() {
        assert!(is_owner("Copyright (c) 2015-2021 Evgeny Poberezkin"));
        assert!(is_owner("Copyright OpenJS Foundation and other contributors"));
        for line in ["Copyright notice", "Copyright [yyyy] [name]", "copyright 2015", "COPYRIGHT X"]
        {
            assert!(!is_owner(line), "{line}");
        }
    }

    #[test]
    fn the_list_has_each_package_with_its_owners() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("node_modules/x/package.json", r#"{"author": "X"}"#);
        for name in UNMAPPED.iter().chain(&["@s/b"]) {
            write(&format!("node_modules/{name}/LICENSE"), "MIT\nCopyright (c) 1 A\nx\n");
        }
        write("dist/index.html", "");
        let none = list(dir.path(), "40c9").unwrap_err().to_string();
        assert!(none.starts_with("no source map in "), "{none}");
        write(
            "dist/_app/x.js.map",
            r#"{"sources": ["../node_modules/@s/b/x.js", "../node_modules/x/x.js", "../src/y.ts"]}"#,
        );
        let list = list(dir.path(), "40c9").unwrap();
        assert!(list.starts_with("# tools/ui 40c9\n@s/b\n  Copyright (c) 1 A\n@tail"), "{list}");
        assert!(list.ends_with("workbox-strategies\n  Copyright (c) 1 A\nx\n  by X\n"), "{list}");
        assert_eq!(list.lines().count(), 1 + 2 * (UNMAPPED.len() + 2));
    }
}
