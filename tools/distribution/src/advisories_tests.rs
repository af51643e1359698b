//! Tests of the list of advisories, its rules and what is made of it.

use super::*;

const TEXT: &str = r#"
reviewed = "b100"
[[advisory]]
id = "CVE-2025-9"
about = "a"
state = "fixed"
fixed_in = "b99"
[[advisory]]
id = "CVE-2025-10"
aliases = ["GHSA-aaaa-bbbb-cccc"]
about = "b"
state = "patched"
patch = "0001-close"
[[advisory]]
id = "GHSA-1111-2222-3333"
about = "c"
state = "not-affected"
justification = "component_not_present"
reason = "It is not built."
[[advisory]]
id = "GHSA-2222-2222-3333"
about = "d"
state = "affected"
reason = "Do not use it."
"#;

fn parsed(text: &str) -> Advisories {
    toml::from_str(text).unwrap()
}

fn pin() -> Pin {
    Pin { tag: "b100".to_owned(), build_number: 100, ..Pin::example() }
}

fn patch(text: &str) -> Vec<PatchText> {
    vec![("0001-close".to_owned(), text.to_owned())]
}

fn violations(old: &str, new: &str) -> Vec<String> {
    assert!(TEXT.contains(old), "{old}");
    parsed(&TEXT.replace(old, new)).violations(&pin(), &patch("Closes CVE-2025-10, at last."))
}

#[test]
fn a_good_list_is_good() {
    assert_eq!(violations("b99", "b100"), [] as [&str; 0]);
}

/// Whether it was reviewed for the pin is what `cargo xtask check advisories` asks.
#[test]
fn the_list_of_this_workspace_agrees_with_its_patches() {
    let list = Advisories::load().unwrap();
    let build_number = list.reviewed.trim_start_matches('b').parse().unwrap();
    let pin = Pin { tag: list.reviewed.clone(), build_number, ..Pin::example() };
    assert_eq!(list.violations(&pin, &patches().unwrap()), [] as [&str; 0]);
}

#[test]
fn every_rule_finds_what_breaks_it() {
    for (old, new, expected) in [
        (
            "b100",
            "b98",
            "the advisories were reviewed for b98, but the pin is b100: review them, then set \
            `reviewed`",
        ),
        ("b99", "b101", "CVE-2025-9: fixed_in `b101` is not a release up to b100"),
        ("b99", "soon", "CVE-2025-9: fixed_in `soon` is not a release up to b100"),
        ("CVE-2025-9", "CVE-2025-11", "CVE-2025-10 must come before CVE-2025-11"),
        (
            "not built.",
            "not built",
            "GHSA-1111-2222-3333: the reason must be a sentence that ends with a full stop",
        ),
    ] {
        assert_eq!(violations(old, new), [expected]);
    }
    assert_eq!(
        violations("0001-close", "0002-other"),
        [
            "CVE-2025-10: vendor/patches/0002-other.patch does not exist",
            "vendor/patches/0001-close.patch names CVE-2025-10: add it with `patch = \"0001-close\"`",
        ]
    );
    assert_eq!(
        parsed(TEXT).violations(&pin(), &patch("Closes something.")),
        ["vendor/patches/0001-close.patch does not name CVE-2025-10"]
    );
}

#[test]
fn a_row_without_what_its_state_needs_is_refused() {
    for word in ["fixed_in", "patch =", "justification", "reason"] {
        let text: Vec<&str> = TEXT.lines().filter(|line| !line.starts_with(word)).collect();
        assert!(toml::from_str::<Advisories>(&text.join("\n")).is_err(), "{word}");
    }
}

#[test]
fn the_table_says_what_each_one_means_here() {
    let table = parsed(TEXT).table();
    let rows: Vec<&str> = table.lines().skip(2).collect();
    assert_eq!(
        rows,
        [
            "| CVE-2025-9 | a | fixed upstream (b99) |",
            "| CVE-2025-10, GHSA-aaaa-bbbb-cccc | b | closed by our patch `0001-close` |",
            "| GHSA-1111-2222-3333 | c | not affected: It is not built. |",
            "| GHSA-2222-2222-3333 | d | **open**: Do not use it. |",
        ]
    );
}

#[test]
fn a_scanner_gets_the_same_list() {
    let document = vex::document(&parsed(TEXT), &pin(), 86_400);
    assert_eq!(document["timestamp"], "1970-01-02T00:00:00Z");
    let statements = document["statements"].as_array().unwrap();
    let words = |name: &str| -> Vec<&str> {
        statements.iter().map(|row| row[name].as_str().unwrap_or_default()).collect()
    };
    assert_eq!(words("status"), ["fixed", "fixed", "not_affected", "affected"]);
    assert_eq!(words("justification"), ["", "", "component_not_present", ""]);
    assert_eq!(words("action_statement")[3], "Do not use it.");
    assert_eq!(statements[1]["vulnerability"]["aliases"][0], "GHSA-aaaa-bbbb-cccc");
    assert_eq!(statements[0]["products"][0]["@id"], "pkg:github/ggml-org/llama.cpp@b100");
}
