//! The pages: tables that are made from the code, and links. Tables are features in README.md, environment
//! variables in docs/build.md, commands in docs/xtask.md, images in docs/images.md, advisories in SECURITY.md, results in
//! docs/gpu.md. Each stands between two markers, `<!-- name -->` and `<!-- /name -->`. docs/performance.md is made as a
//! whole.

use std::fs;

use anyhow::{Context, Result, bail};
use llama_build::cargo::VARIABLES;

use distribution::advisories::Advisories;
use product::variant::{Variant, VariantRow};
use workspace::cargo;

use super::links;

/// A file, and its tables by name.
type Page = (&'static str, Vec<(&'static str, String)>);

/// Fails when a page has other tables than the code, or a link that leads nowhere.
pub(super) fn check() -> Result<()> {
    let root = cargo::root();
    let mut wrong = links::broken(&root)?;
    wrong.extend(bench::stale(&root)?.iter().map(|file| format!("{file} is not up to date")));
    for (file, tables) in pages()? {
        let stale = stale(file, &read(file)?, &tables)?;
        if !stale.is_empty() {
            wrong.push(format!("{file} is not up to date: {}", stale.join(", ")));
        }
    }
    if wrong.is_empty() { Ok(()) } else { bail!(wrong.join("\n")) }
}

/// Writes the tables into their pages, and the page that is made as a whole.
pub(super) fn fix() -> Result<()> {
    for (file, tables) in pages()? {
        let mut text = read(file)?;
        for (name, table) in tables {
            text = replace(file, &text, name, &table)?;
        }
        fs::write(cargo::root().join(file), text)
            .with_context(|| format!("cannot write {file}"))?;
    }
    bench::write(&cargo::root())
}

fn read(file: &str) -> Result<String> {
    let text = fs::read_to_string(cargo::root().join(file));
    // Git may have given the file Windows' line ends.
    Ok(text.with_context(|| format!("cannot read {file}"))?.replace('\r', ""))
}

fn pages() -> Result<Vec<Page>> {
    let commands = format!("```\n{}```\n", workspace::tools::help());
    let results = gpu_test::results(&cargo::root().join("docs/gpu"))?;
    let advisories = Advisories::load()?.table();
    Ok(vec![
        ("README.md", vec![("features", super::features::table())]),
        ("docs/build.md", vec![("environment", environment(VARIABLES))]),
        ("docs/xtask.md", vec![("commands", commands)]),
        ("docs/images.md", vec![("images", images())]),
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
    let (before, rest) = text
        .split_once(&start)
        .with_context(|| format!("line `{}` not found in {file}", start.trim()))?;
    let (_, after) =
        rest.split_once(&end).with_context(|| format!("line `{end}` not found in {file}"))?;
    Ok(format!("{before}{start}{table}{end}{after}"))
}

fn environment(variables: &[(&str, &str)]) -> String {
    let rows = variables.iter().map(|(name, meaning)| {
        // A bar inside of a cell would end it.
        format!("| `LLAMA_SYS_{name}` | {} |\n", meaning.replace('|', "\\|"))
    });
    format!("| variable | means |\n|---|---|\n{}", rows.collect::<String>())
}

fn images() -> String {
    let rows = Variant::ALL.map(|variant| {
        let VariantRow { devices, arches, .. } = variant.row();
        let devices = devices.map(|devices| format!(", {devices}")).unwrap_or_default();
        let platforms: Vec<&str> = arches.iter().map(|arch| arch.platform).collect();
        let (platforms, toolkits) = (platforms.join(", "), variant.toolkits().join(", "));
        format!("| `llama-cpp-{variant}` | any CPU{devices} | {toolkits} | {platforms} |\n")
    });
    format!("| image | runs on | toolkits | platforms |\n|---|---|---|---|\n{}", rows.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(error.to_string(), format!("line `{}` not found in a.md", without.trim()));
        }
    }
}
