//! The pages: tables that are made from the code, and links. Tables are features in README.md, environment
//! variables in docs/build.md, commands in docs/xtask.md, images in docs/images.md, advisories in SECURITY.md, results in
//! docs/gpu.md. Each stands between two markers, `<!-- name -->` and `<!-- /name -->`. docs/performance.md is made as a
//! whole.

use anyhow::{Result, bail};
use llama_build::cargo::VARIABLES;

use distribution::advisories::Advisories;
use product::variant::{Variant, VariantRow};
use workspace::cargo;

use super::links;
use super::written::{self, Written};

/// Fails when a page has other tables than the code, or a link that leads nowhere.
pub(super) fn check() -> Result<()> {
    let root = cargo::root();
    let mut wrong = links::broken(&root)?;
    wrong.extend(bench::stale(&root)?.iter().map(|file| format!("{file} is not up to date")));
    wrong.extend(written::stale(&pages()?));
    if wrong.is_empty() { Ok(()) } else { bail!(wrong.join("\n")) }
}

/// Writes the tables into their pages, and the page that is made as a whole.
pub(super) fn fix() -> Result<()> {
    written::fix(&pages()?)?;
    bench::write(&cargo::root())
}

fn pages() -> Result<Vec<Written>> {
    let commands = format!("```\n{}```\n", workspace::tools::help());
    let results = gpu_test::results(&cargo::root().join("docs/gpu"))?;
    let tables = [
        ("README.md", "features", super::features::table()),
        ("docs/build.md", "environment", environment(VARIABLES)),
        ("docs/xtask.md", "commands", commands),
        ("docs/images.md", "images", images()),
        ("SECURITY.md", "advisories", Advisories::load()?.table()),
        ("docs/gpu.md", "results", results),
    ];
    let write = |(file, name, table): (&str, &str, String)| {
        let marks = [format!("<!-- {name} -->"), format!("<!-- /{name} -->")];
        written::between(file, [&marks[0], &marks[1]], &table)
    };
    tables.into_iter().map(write).collect()
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
}
