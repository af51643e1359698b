//! The rules about what comes with the code: the bill of materials and the licences.

use std::collections::BTreeSet;

use serde_json::Value;

use super::facts::{Entries, Entry};
use product::manifest::{self, File, Manifest};

/// The bill of materials.
pub(super) const SBOM: &str = "sbom.spdx.json";
/// Which advisories apply.
pub(super) const VEX: &str = "vex.openvex.json";
/// Folder of the licences.
const LICENSES: &str = "licenses";
/// The version of SPDX that the bill is written in.
const SPDX: &str = "SPDX-2.3";

/// What is wrong with `sbom`, the text of [`SBOM`] if there is one, and the licences.
pub(super) fn violations(
    manifest: &Manifest,
    entries: &Entries,
    sbom: Option<&str>,
) -> Vec<String> {
    let mut wrong = match sbom.map(serde_json::from_str::<Value>) {
        None => vec!["missing".to_owned()],
        Some(Err(error)) => vec![format!("not JSON: {error}")],
        Some(Ok(sbom)) => about_sbom(manifest, &sbom),
    };
    wrong.iter_mut().for_each(|message| message.insert_str(0, &format!("{SBOM}: ")));
    let licence =
        |path: &String| path.strip_prefix(LICENSES).is_some_and(|rest| rest.starts_with('/'));
    if !entries.iter().any(|(path, entry)| licence(path) && matches!(entry, Entry::Regular(_))) {
        wrong.push(format!("{LICENSES}: no licences found"));
    }
    if !entries.contains_key(VEX) {
        wrong.push(format!("{VEX}: missing"));
    }
    wrong
}

fn about_sbom(manifest: &Manifest, sbom: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let version = sbom["spdxVersion"].as_str().unwrap_or_default();
    if version != SPDX {
        wrong.push(format!("spdxVersion is `{version}`, but must be `{SPDX}`"));
    }
    if sbom["packages"].as_array().is_none_or(Vec::is_empty) {
        wrong.push("lists no packages".to_owned());
    }
    let mut left: BTreeSet<&str> = manifest.files.iter().filter_map(regular).collect();
    left.remove(SBOM);
    for file in sbom["files"].as_array().into_iter().flatten() {
        let name = file["fileName"].as_str().unwrap_or_default();
        let path = name.strip_prefix("./").unwrap_or(name);
        left.remove(path);
        let checksums = file["checksums"].as_array().into_iter().flatten();
        let mut hashes = checksums.filter(|checksum| checksum["algorithm"] == "SHA256");
        let hash = hashes.find_map(|checksum| checksum["checksumValue"].as_str());
        match (manifest.files.get(path), hash) {
            (Some(File::Regular { sha256, .. }), Some(hash)) if hash != sha256 => {
                wrong.push(format!(
                    "declares SHA-256 `{hash}` of {path}, but {} says `{sha256}`",
                    manifest::FILE
                ))
            }
            (Some(_), _) => {}
            (None, _) => wrong.push(format!("lists `{path}`, but {} does not", manifest::FILE)),
        }
    }
    wrong.extend(left.into_iter().map(|path| format!("does not list `{path}`")));
    wrong
}

fn regular<'a>((path, file): (&'a String, &File)) -> Option<&'a str> {
    matches!(file, File::Regular { .. }).then_some(path)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::made::Dist;

    fn violations_of(sbom: &str) -> Vec<String> {
        let dist = Dist::new();
        violations(&dist.manifest, &dist.entries(), Some(sbom))
    }

    #[test]
    fn a_bill_that_agrees_is_fine() {
        assert_eq!(violations_of(&Dist::new().sbom()), [] as [&str; 0]);
    }

    #[test]
    fn a_bill_of_nothing_is_none() {
        let wrong = violations_of(r#"{"spdxVersion": "SPDX-2.3"}"#);
        assert_eq!(wrong[0], "sbom.spdx.json: lists no packages");
        assert!(wrong.contains(&"sbom.spdx.json: does not list `llama-server`".to_owned()));
    }

    #[test]
    fn what_is_wrong_with_a_bill_is_told() {
        assert_eq!(
            violations_of("{"),
            ["sbom.spdx.json: not JSON: EOF while parsing an object at line 1 column 1"]
        );
        let dist = Dist::new();
        let mut sbom: Value = serde_json::from_str(&dist.sbom()).unwrap();
        sbom["spdxVersion"] = "SPDX-2.2".into();
        let files = sbom["files"].as_array_mut().unwrap();
        let ggml = files.iter_mut().find(|file| file["fileName"] == "./libggml.so").unwrap();
        ggml["checksums"] = json!([
            { "algorithm": "SHA1", "checksumValue": "0" }, { "algorithm": "SHA256", "checksumValue": "1" }]);
        files.push(json!({ "fileName": "./libother.so" }));
        let sha256 = dist.sha256("libggml.so");
        assert_eq!(
            violations_of(&sbom.to_string()),
            [
                "sbom.spdx.json: spdxVersion is `SPDX-2.2`, but must be `SPDX-2.3`".to_owned(),
                format!(
                    "sbom.spdx.json: declares SHA-256 `1` of libggml.so, but version.json says \
                    `{sha256}`"
                ),
                "sbom.spdx.json: lists `libother.so`, but version.json does not".to_owned(),
            ]
        );
    }

    #[test]
    fn bill_and_licences_must_be_there() {
        let dist = Dist::new();
        let mut entries = dist.entries();
        entries.remove("licenses/llama.cpp.txt");
        entries.remove(VEX);
        assert_eq!(
            violations(&dist.manifest, &entries, None),
            ["sbom.spdx.json: missing", "licenses: no licences found", "vex.openvex.json: missing"]
        );
    }
}
