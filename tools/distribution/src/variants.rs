//! `cargo xtask variants`: the release matrix, for a person, for CI and for image builds.

use std::fmt::Write;

use anyhow::Result;
use product::variant::{Row, matrix};
use workspace::screen;

pub(crate) fn run(json: bool) -> Result<()> {
    let rows = matrix();
    if json {
        screen::print(serde_json::to_string_pretty(&rows)? + "\n");
    } else {
        screen::print(table(&rows));
    }
    Ok(())
}

/// At most 80 columns; the GPU architectures of a row stand below it.
fn table(rows: &[Row]) -> String {
    let mut text =
        format!("{:8} {:27} {:8} {:7} platform\n", "variant", "target", "toolkit", "driver");
    for row in rows {
        let or_dash = |value: Option<&str>| value.unwrap_or("-").to_owned();
        let driver = row.minimum_driver.map(|version| format!(">= {version}"));
        let mark = if row.default && row.toolkit.is_some() { "*" } else { "" };
        let _ = writeln!(
            text,
            "{:8} {:27} {:8} {:7} {}",
            row.variant.name(),
            row.target,
            format!("{}{mark}", or_dash(row.toolkit)),
            or_dash(driver.as_deref()),
            row.platform
        );
        for chunk in row.gpu_architectures.chunks(6) {
            let _ = writeln!(text, "         {}", chunk.join(" "));
        }
    }
    text.push_str("* the toolkit that an image has when none is named\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_fits_a_terminal_and_has_every_row() {
        let rows = matrix();
        let text = table(&rows);
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        assert!(text.contains(
            "cuda     x86_64-unknown-linux-gnu    12.8     >= 550  linux/amd64\n         50-virtual \
             61-virtual 70-virtual 75-virtual 80-virtual 86-real\n         89-real 90-virtual 120a-real\n"
        ));
        for row in &rows {
            assert!(text.contains(row.target));
        }
    }

    #[test]
    fn json_has_what_a_ci_matrix_needs() {
        let rows: serde_json::Value = serde_json::to_value(matrix()).unwrap();
        let mut all = rows.as_array().unwrap().iter();
        let cuda = all.find(|row| row["variant"] == "cuda").unwrap();
        assert_eq!(cuda["variant"], "cuda");
        assert_eq!(cuda["platform"], "linux/amd64");
        assert_eq!(cuda["features"][7], "cuda");
        assert_eq!(rows[0].get("toolkit"), None);
    }
}
