//! Licences as CycloneDX wants them: by SPDX's identifier where it has one, else by name.

use serde_json::{Value, json};

/// Identifiers of SPDX that models have; Hugging Face writes them in lower case.
const KNOWN: [&str; 22] = [
    "AFL-3.0",
    "AGPL-3.0-only",
    "Apache-2.0",
    "Artistic-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSD-3-Clause-Clear",
    "BSL-1.0",
    "CC-BY-4.0",
    "CC-BY-NC-4.0",
    "CC-BY-NC-ND-4.0",
    "CC-BY-NC-SA-4.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "ECL-2.0",
    "EUPL-1.2",
    "GPL-3.0-only",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unlicense",
    "Zlib",
];

/// Names of Hugging Face that SPDX has under another one.
const RENAMED: [(&str, &str); 3] =
    [("agpl-3.0", "AGPL-3.0-only"), ("gpl-3.0", "GPL-3.0-only"), ("cc0", "CC0-1.0")];

/// The licences that a label names, commas between them.
pub(super) fn of(text: &str) -> Value {
    let each = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    each.map(|name| json!({"license": one(name)})).collect()
}

fn one(name: &str) -> Value {
    let renamed = RENAMED.iter().find(|(theirs, _)| theirs.eq_ignore_ascii_case(name));
    let wanted = renamed.map_or(name, |(_, id)| id);
    match KNOWN.iter().find(|id| id.eq_ignore_ascii_case(wanted)) {
        Some(id) => json!({"id": id}),
        None => json!({"name": name}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_have_their_identifiers_or_their_names() {
        let expected = json!([
            {"license": {"id": "Apache-2.0"}},
            {"license": {"id": "GPL-3.0-only"}},
            {"license": {"name": "llama3.1"}},
        ]);
        assert_eq!(of("apache-2.0, gpl-3.0,llama3.1"), expected);
        assert!(KNOWN.is_sorted());
    }
}
