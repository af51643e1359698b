//! The pages: tables that are made from the code, and links. Tables are features in README.md, environment
//! variables in docs/build.md, commands in docs/xtask.md, advisories in SECURITY.md, results in docs/gpu.md.
//! Each stands between two markers, `<!-- name -->` and `<!-- /name -->`.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use llama_build::cargo::VARIABLES;

use distribution::advisories::Advisories;
use workspace::cargo;

use super::links;

/// A file, and its tables by name.
type Page = (&'static str, Vec<(&'static str, String)>);

/// Fails when a page has other tables than the code, or a link that leads nowhere.
pub(super) fn check() -> Result<()> {
    let mut wrong = links::broken(&cargo::root())?;
    for (file, tables) in pages()? {
        let stale = stale(file, &read(file)?, &tables)?;
        if !stale.is_empty() {
            wrong.push(format!("{file} is not up to date: {}", stale.join(", ")));
        }
    }
    if wrong.is_empty() { Ok(()) } else { bail!(wrong.join("\n")) }
}

/// Writes the tables into their pages.
pub(super) fn fix() -> Result<()> {
    for (file, tables) in pages()? {
        let mut text = read(file)?;
        for (name, table) in tables {
            text = replace(file, &text, name, &table)?;
        }
        fs::write(cargo::root().join(file), text)
            .with_context(|| format!("cannot write {file}"))?;
    }
    Ok(())
}

fn read(file: &str) -> Result<String> {
    let text = fs::read_to_string(cargo::root().join(file));
    // Git may have given the file Windows' line ends.
    Ok(text.with_context(|| format!("cannot read {file}"))?.replace('\r', ""))
}

fn pages() -> Result<Vec<Page>> {
    let manifest = cargo::root().join("llama-sys/Cargo.toml");
    let manifest = fs::read_to_string(manifest).context("cannot read llama-sys/Cargo.toml")?;
    let commands = format!("```\n{}```\n", workspace::tools::help());
    let results = gpu_test::results(&cargo::root().join("docs/gpu"))?;
    let advisories = Advisories::load()?.table();
    Ok(vec![
        ("README.md", vec![("features", features(&manifest)?)]),
        ("docs/build.md", vec![("environment", environment(VARIABLES))]),
        ("docs/xtask.md", vec![("commands", commands)]),
        ("SECURITY.md", vec![("advisories", advisories)]),
        ("docs/gpu.md", vec![("results", results)]),
    ])
}

fn stale<'a>(file: &str, text: &str, tables: &[(&'a str, String)]) -> Result<Vec<&'a str>> {
    let mut stale = Vec::new();
    for (name, table) in tables {
        if replace(file, text, name, table)? != text {
            stale.push(*name);
        }
    }
    Ok(stale)
}

/// The text with `table` between the markers of `name`.
fn replace(file: &str, text: &str, name: &str, table: &str) -> Result<String> {
    let (start, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) =
        text.split_once(&start).with_context(|| format!("no line `{}` in {file}", start.trim()))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("no line `{end}` in {file}"))?;
    Ok(format!("{before}{start}{table}{end}{after}"))
}

/// A row for each feature: its name, the comment above it, whether it is on by default, and what it
/// switches on besides.
fn features(manifest: &str) -> Result<String> {
    let lines = manifest.lines().skip_while(|line| *line != "[features]").skip(1);
    let mut table = String::from("| feature | means |\n|---|---|\n");
    let (mut comment, mut default) = (Vec::new(), Vec::new());
    for line in lines.take_while(|line| !line.starts_with('[')) {
        if let Some(words) = line.strip_prefix("# ") {
            comment.push(words);
        } else if let Some((name, implied)) = line.split_once(" = ") {
            let implied: Vec<&str> = implied.split('"').skip(1).step_by(2).collect();
            if name == "default" {
                default = implied;
            } else if comment.is_empty() {
                bail!("feature `{name}` has no comment in llama-sys/Cargo.toml");
            } else {
                table.push_str(&row(name, &comment.join(" "), default.contains(&name), &implied));
            }
            comment.clear();
        } else {
            comment.clear();
            ensure!(
                line.is_empty() || line.starts_with('#'),
                "one line for each feature: `{line}`"
            );
        }
        // `# --- heading ---` belongs to no feature.
        comment.retain(|words| !words.starts_with("---"));
    }
    Ok(table)
}

fn row(name: &str, meaning: &str, default: bool, implied: &[&str]) -> String {
    let default = if default { " (default)" } else { "" };
    let own: Vec<String> = implied
        .iter()
        .filter(|other| !other.contains(['/', ':']))
        .map(|other| format!("`{other}`"))
        .collect();
    let implies =
        if own.is_empty() { String::new() } else { format!(" Implies {}.", own.join(", ")) };
    format!("| `{name}`{default} | {meaning}{implies} |\n")
}

fn environment(variables: &[(&str, &str)]) -> String {
    let rows = variables.iter().map(|(name, meaning)| {
        // A bar inside of a cell would end it.
        format!("| `LLAMA_SYS_{name}` | {} |\n", meaning.replace('|', "\\|"))
    });
    format!("| variable | means |\n|---|---|\n{}", rows.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_come_from_the_manifest_and_its_comments() {
        let manifest = "\
[package]
name = \"x\"

[features]
default = [\"server\"]

# --- parts ---
# The server.
server = []
# Its page,
# embedded.
ui = [\"server\", \"dep:y\", \"z/w\"]

[dependencies]
a = \"1\"
";
        let expected = "| feature | means |\n|---|---|\n| `server` (default) | The server. |\n\
                        | `ui` | Its page, embedded. Implies `server`. |\n";
        assert_eq!(features(manifest).unwrap(), expected);
        let error = features(&manifest.replace("# The server.\n", "")).unwrap_err().to_string();
        assert_eq!(error, "feature `server` has no comment in llama-sys/Cargo.toml");
        let long = manifest.replace("[\"server\", ", "[\n\"server\",\n");
        assert!(features(&long).unwrap_err().to_string().starts_with("one line for each feature"));
    }

    #[test]
    fn variables_have_their_prefix_and_bars_are_escaped() {
        let expected = "| variable | means |\n|---|---|\n| `LLAMA_SYS_A` | x \\| y |\n";
        assert_eq!(environment(&[("A", "x | y")]), expected);
    }

    #[test]
    fn an_old_table_is_found_and_replaced() {
        let text = "a\n<!-- t -->\nold\n<!-- /t -->\nb\n";
        let tables = [("t", "new\n".to_owned())];
        assert_eq!(stale("a.md", text, &tables).unwrap(), ["t"]);
        let fixed = replace("a.md", text, "t", "new\n").unwrap();
        assert_eq!(fixed, "a\n<!-- t -->\nnew\n<!-- /t -->\nb\n");
        assert!(stale("a.md", &fixed, &tables).unwrap().is_empty());
        for without in ["<!-- t -->\n", "<!-- /t -->"] {
            let error = replace("a.md", &text.replace(without, ""), "t", "").unwrap_err();
            assert_eq!(error.to_string(), format!("no line `{}` in a.md", without.trim()));
        }
    }
}
