//! The rules about what comes with the code: the bill of materials and the licences.

use serde_json::Value;

use super::facts::{Entries, Entry};
use product::manifest::{self, File, Manifest};

/// The bill of materials.
pub(super) const SBOM: &str = "sbom.spdx.json";
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
    wrong
}

fn about_sbom(manifest: &Manifest, sbom: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let version = sbom["spdxVersion"].as_str().unwrap_or_default();
    if version != SPDX {
        wrong.push(format!("spdxVersion is `{version}`, but must be `{SPDX}`"));
    }
    for file in sbom["files"].as_array().into_iter().flatten() {
        let name = file["fileName"].as_str().unwrap_or_default();
        let path = name.strip_prefix("./").unwrap_or(name);
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
    wrong
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::made::Dist;

    fn violations_of(sbom: &str) -> Vec<String> {
        let dist = Dist::new();
        violations(&dist.manifest, &dist.entries(), Some(sbom))
    }

    #[test]
    fn a_bill_that_agrees_is_fine() {
        assert_eq!(violations_of(&Dist::new().sbom()), [] as [&str; 0]);
        assert_eq!(violations_of(r#"{"spdxVersion": "SPDX-2.3"}"#), [] as [&str; 0]);
    }

    #[test]
    fn what_is_wrong_with_a_bill_is_told() {
        assert_eq!(
            violations_of("{"),
            ["sbom.spdx.json: not JSON: EOF while parsing an object at line 1 column 1"]
        );
        let sbom = r#"{"spdxVersion": "SPDX-2.2", "files": [
            {"fileName": "./libggml.so", "checksums": [
                {"algorithm": "SHA1", "checksumValue": "0"}, {"algorithm": "SHA256", "checksumValue": "1"}]},
            {"fileName": "./libother.so"}]}"#;
        let sha256 = Dist::new().sha256("libggml.so").to_owned();
        assert_eq!(
            violations_of(sbom),
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
        assert_eq!(
            violations(&dist.manifest, &entries, None),
            ["sbom.spdx.json: missing", "licenses: no licences found"]
        );
    }
}
