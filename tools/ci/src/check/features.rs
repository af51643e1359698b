//! The features of `llama-sys` and `llama-server-bin` are those of `llama-build/src/feature.rs`: names, what each
//! switches on, defaults and comments. `check --fix` writes them between two marks in each `Cargo.toml`.

use anyhow::{Context, Result, bail};
use llama_build::Feature;
use llama_build::feature::{DefaultIn, FeatureRow};

use super::written::{self, Written};

const SYS: &str = "llama-sys/Cargo.toml";
const SERVER_BIN: &str = "llama-server-bin/Cargo.toml";

/// A feature of `Cargo.toml`: its name, what it switches on, and what stands above it.
type Entry = (&'static str, Vec<String>, Option<String>);

/// Fails when a `Cargo.toml` has other features than the table.
pub(super) fn check() -> Result<()> {
    written::check(&files()?)?;
    let mut wrong = strays(SYS, &written::read(SYS)?, &of_sys(), &[])?;
    wrong.extend(strays(SERVER_BIN, &written::read(SERVER_BIN)?, &of_server_bin(), &["build"])?);
    if wrong.is_empty() { Ok(()) } else { bail!(wrong.join("\n")) }
}

/// Both files, with the features of the table between their marks.
pub(super) fn files() -> Result<Vec<Written>> {
    let of = |file: &str, entries: &[Entry]| {
        written::between(file, ["# <features>", "# </features>"], &lines(entries))
    };
    [of(SYS, &of_sys()), of(SERVER_BIN, &of_server_bin())].into_iter().collect()
}

/// Features that stand beside the marks in `text`, but those that are the crate's `own`.
fn strays(file: &str, text: &str, entries: &[Entry], own: &[&str]) -> Result<Vec<String>> {
    let manifest: toml::Table = text.parse().with_context(|| format!("{file} is not TOML"))?;
    let features = manifest.get("features").and_then(toml::Value::as_table);
    let features = features.with_context(|| format!("no features in {file}"))?;
    let known = |name: &str| entries.iter().any(|entry| entry.0 == name) || own.contains(&name);
    let more = features.keys().filter(|name| !known(name));
    let told = |name: &String| {
        format!("{file} has the feature `{name}`, llama-build/src/feature.rs has not")
    };
    Ok(more.map(told).collect())
}

/// The table of features in the documentation.
pub(super) fn table() -> String {
    let rows = Feature::rows().map(|row| {
        let default = if row.default == DefaultIn::Both { " (default)" } else { "" };
        let implied: Vec<String> =
            row.implies.iter().map(|feature| format!("`{}`", feature.name())).collect();
        let implies = match implied.as_slice() {
            [] => String::new(),
            names => format!(" Implies {}.", names.join(", ")),
        };
        format!("| `{}`{default} | {}{implies} |\n", row.name, row.help)
    });
    format!("| feature | means |\n|---|---|\n{}", rows.collect::<String>())
}

fn of_sys() -> Vec<Entry> {
    let default = Feature::rows().filter(|row| row.default == DefaultIn::Both);
    let mut entries = vec![("default", default.map(|row| row.name.to_owned()).collect(), None)];
    let mut section = None;
    for row in Feature::rows() {
        let heading = format!("\n# --- {} ---\n", row.section.heading());
        let heading = if section == Some(row.section) { String::new() } else { heading };
        section = Some(row.section);
        let implied = row.implies.iter().map(|feature| feature.name());
        let list = implied.chain(row.enables.iter().copied()).map(str::to_owned).collect();
        entries.push((row.name, list, Some(format!("{heading}# {}\n", row.help))));
    }
    entries
}

fn of_server_bin() -> Vec<Entry> {
    let forwarded: Vec<FeatureRow> = Feature::rows().filter(|row| row.forwarded).collect();
    let on = forwarded.iter().filter(|row| row.default != DefaultIn::Neither);
    let on = on.map(|row| row.name);
    let default = ["build"].into_iter().chain(on).chain(["llama-sys?/default"]);
    let mut entries = vec![("default", default.map(str::to_owned).collect(), None)];
    let mut comment = Some("# As in llama-sys.\n".to_owned());
    entries.extend(
        forwarded
            .iter()
            .map(|row| (row.name, vec![format!("llama-sys?/{}", row.name)], comment.take())),
    );
    entries
}

fn lines(entries: &[Entry]) -> String {
    let line = |(name, list, above): &Entry| {
        let above = above.as_deref().unwrap_or_default();
        let list: Vec<String> = list.iter().map(|name| format!("{name:?}")).collect();
        format!("{above}{name} = [{}]\n", list.join(", "))
    };
    entries.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_has_its_list_and_what_stands_above_it() {
        let entry = |name, list: &[&str], above: Option<&str>| {
            (name, list.iter().map(|word| (*word).to_owned()).collect(), above.map(str::to_owned))
        };
        let entries = [
            entry("default", &["a"], None),
            entry("a", &[], Some("\n# --- parts ---\n# First.\n")),
            entry("b", &["a", "y/z"], Some("# Second.\n")),
        ];
        assert_eq!(
            lines(&entries),
            "default = [\"a\"]\n\n# --- parts ---\n# First.\na = []\n# Second.\nb = [\"a\", \"y/z\"]\n"
        );
    }

    #[test]
    fn a_feature_beside_the_marks_is_told() {
        let text = "[features]\ndefault = []\nown = []\nc = []\n";
        let entries = [("default", Vec::new(), None)];
        assert_eq!(
            strays("x/Cargo.toml", text, &entries, &["own"]).unwrap(),
            ["x/Cargo.toml has the feature `c`, llama-build/src/feature.rs has not"]
        );
    }

    #[test]
    fn documents_say_what_is_on_and_what_is_implied() {
        let table = table();
        assert!(table.contains("\n| `server` (default) | `llama-server`. |\n"), "{table}");
        let ui = "\n| `ui` (default) | Its web UI, embedded. Implies `server`. |\n";
        assert!(table.contains(ui), "{table}");
        assert!(table.contains("\n| `cuda` | NVIDIA GPUs. |\n"), "{table}");
    }
}
