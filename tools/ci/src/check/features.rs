//! The features of `llama-sys` and `llama-server-bin` are those of `llama-build/src/feature.rs`: names, what each
//! switches on, defaults and comments. `check --fix` writes them between two marks in each `Cargo.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, bail};
use llama_build::Feature;
use llama_build::feature::{DefaultIn, FeatureRow};

use workspace::cargo;

const START: &str = "# <features>\n";
const END: &str = "# </features>\n";
const SYS: &str = "llama-sys/Cargo.toml";
const SERVER_BIN: &str = "llama-server-bin/Cargo.toml";

/// What each feature of a `Cargo.toml` switches on.
type Lists = BTreeMap<String, BTreeSet<String>>;

/// A feature of `Cargo.toml`: its name, what it switches on, and what stands above it.
type Entry = (&'static str, Vec<String>, Option<String>);

/// The features of a crate, as the table has them.
struct Package {
    file: &'static str,
    entries: Vec<Entry>,
    /// Features that the crate has besides.
    own: &'static [&'static str],
}

/// Fails when a `Cargo.toml` has other features than the table.
pub(super) fn check() -> Result<()> {
    let mut wrong = Vec::new();
    for package in packages() {
        let text = read(package.file)?;
        let differences = package.differences(&lists(package.file, &text)?);
        if differences.is_empty() && package.write(&text)? != text {
            wrong.push(format!("{}: comments or order are not the table's", package.file));
        }
        wrong.extend(differences);
    }
    if wrong.is_empty() { Ok(()) } else { bail!(wrong.join("\n")) }
}

/// Writes the features into both files.
pub(super) fn fix() -> Result<()> {
    for package in packages() {
        let text = package.write(&read(package.file)?)?;
        fs::write(cargo::root().join(package.file), text)
            .with_context(|| format!("cannot write {}", package.file))?;
    }
    Ok(())
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

fn read(file: &str) -> Result<String> {
    let text = fs::read_to_string(cargo::root().join(file));
    // Git may have given the file Windows' line ends.
    Ok(text.with_context(|| format!("cannot read {file}"))?.replace('\r', ""))
}

fn lists(file: &str, text: &str) -> Result<Lists> {
    #[derive(serde::Deserialize)]
    struct Manifest {
        features: Lists,
    }
    let manifest: Manifest =
        toml::from_str(text).with_context(|| format!("no features in {file}"))?;
    Ok(manifest.features)
}

fn packages() -> [Package; 2] {
    [
        Package { file: SYS, entries: of_sys(), own: &[] },
        Package { file: SERVER_BIN, entries: of_server_bin(), own: &["build"] },
    ]
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

impl Package {
    /// Features that only one of both has, and those that switch on something else.
    fn differences(&self, found: &Lists) -> Vec<String> {
        let file = self.file;
        let known = |name: &str| self.entries.iter().any(|entry| entry.0 == name);
        let mut wrong = Vec::new();
        for (name, list, _) in &self.entries {
            let expected: BTreeSet<String> = list.iter().cloned().collect();
            match found.get(*name) {
                None => wrong.push(format!("{file} has no feature `{name}`")),
                Some(is) if *is != expected => wrong.push(format!(
                    "{file}: `{name}` switches on {}, in the table {}",
                    words(is),
                    words(&expected)
                )),
                Some(_) => {}
            }
        }
        let more = found.keys().filter(|name| !known(name) && !self.own.contains(&name.as_str()));
        wrong.extend(more.map(|name| {
            format!("{file} has the feature `{name}`, llama-build/src/feature.rs has not")
        }));
        wrong
    }

    /// The text of `Cargo.toml` with the table's features between the marks.
    fn write(&self, text: &str) -> Result<String> {
        let mark = |mark: &str| format!("no line `{}` in {}", mark.trim(), self.file);
        let (before, rest) = text.split_once(START).with_context(|| mark(START))?;
        let (_, after) = rest.split_once(END).with_context(|| mark(END))?;
        let lines = self.entries.iter().map(|(name, list, above)| {
            let above = above.as_deref().unwrap_or_default();
            let list: Vec<String> = list.iter().map(|name| format!("{name:?}")).collect();
            format!("{above}{name} = [{}]\n", list.join(", "))
        });
        Ok(format!("{before}{START}{}{END}{after}", lines.collect::<String>()))
    }
}

fn words(list: &BTreeSet<String>) -> String {
    if list.is_empty() {
        return "nothing".to_owned();
    }
    list.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
[package]
name = \"x\"

[features]
# <features>
default = [\"a\"]
# </features>
own = []

[lints]
";

    fn package() -> Package {
        let entry = |name, list: &[&str], above: Option<&str>| {
            (name, list.iter().map(|word| (*word).to_owned()).collect(), above.map(str::to_owned))
        };
        Package {
            file: "x/Cargo.toml",
            entries: vec![
                entry("default", &["a"], None),
                entry("a", &[], Some("\n# --- parts ---\n# First.\n")),
                entry("b", &["a", "y/z"], Some("# Second.\n")),
            ],
            own: &["own"],
        }
    }

    #[test]
    fn the_table_is_written_between_the_marks() {
        let written = package().write(TEXT).unwrap();
        let block = "default = [\"a\"]\n\n# --- parts ---\n# First.\na = []\n# Second.\nb = [\"a\", \"y/z\"]\n";
        assert_eq!(written, TEXT.replace("default = [\"a\"]\n", block));
        assert_eq!(package().write(&written).unwrap(), written);
        assert!(package().differences(&lists("", &written).unwrap()).is_empty());
        let error = package().write(&TEXT.replace("# <features>\n", "")).unwrap_err().to_string();
        assert_eq!(error, "no line `# <features>` in x/Cargo.toml");
    }

    #[test]
    fn every_difference_is_told() {
        let text = TEXT.replace("[\"a\"]", "[\"b\"]").replace("own = []", "b = []\nc = []");
        assert_eq!(
            package().differences(&lists("", &text).unwrap()),
            [
                "x/Cargo.toml: `default` switches on `b`, in the table `a`",
                "x/Cargo.toml has no feature `a`",
                "x/Cargo.toml: `b` switches on nothing, in the table `a`, `y/z`",
                "x/Cargo.toml has the feature `c`, llama-build/src/feature.rs has not",
            ]
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
