//! Sizes and times of a run: `report.json`, and a table for the person who waited.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use product::manifest::{File, Manifest};

/// Name of the file in the output folder.
const FILE: &str = "report.json";

/// One distribution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Row {
    pub name: String,
    pub version: String,
    /// Folder, below the output folder.
    pub folder: String,
    /// File, beside the folder.
    pub archive: String,
    pub files: usize,
    /// Bytes of all files.
    pub size: u64,
    /// Bytes of the archive.
    pub archive_size: u64,
    /// Time by step, seconds.
    pub seconds: BTreeMap<&'static str, f64>,
}

impl Row {
    /// The row of a finished distribution.
    ///
    /// # Errors
    /// When the archive cannot be read.
    pub(crate) fn new(
        name: &str,
        folder: &Path,
        archive: &Path,
        manifest: &Manifest,
        seconds: BTreeMap<&'static str, f64>,
    ) -> Result<Self> {
        let text = |path: &Path| {
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        };
        let size = |file: &File| if let File::Regular { size, .. } = file { *size } else { 0 };
        let meta =
            archive.metadata().with_context(|| format!("cannot read {}", archive.display()))?;
        Ok(Self {
            name: name.to_owned(),
            version: manifest.version.clone(),
            folder: text(folder),
            archive: text(archive),
            files: manifest.files.len() + 1,
            size: manifest.files.values().map(size).sum(),
            archive_size: meta.len(),
            seconds,
        })
    }
}

/// Writes `report.json` and prints the table.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write(out: &Path, rows: &[Row]) -> Result<()> {
    let path = out.join(FILE);
    let text = serde_json::to_string_pretty(rows).context("cannot write JSON")? + "\n";
    llama_src::place::write_whole(&path, &text)
        .with_context(|| format!("cannot write {}", path.display()))?;
    eprint!("{}", table(rows));
    eprintln!("in {}", out.display());
    Ok(())
}

/// At most 80 columns for the names that there are.
fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0).max(12);
    let mut text =
        format!("{:width$}  {:>8}  {:>8}  {:>7}\n", "distribution", "MB", "tar.gz", "time");
    for row in rows {
        let total = row.seconds.values().sum::<f64>().round() as u64;
        let mb = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
        let _ = writeln!(
            text,
            "{:width$}  {:>8}  {:>8}  {:>4}:{:02}",
            row.name,
            mb(row.size),
            mb(row.archive_size),
            total / 60,
            total % 60
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_fits_a_terminal() {
        let row = Row {
            name: "cuda-12.8-x86_64-unknown-linux-gnu".to_owned(),
            version: "2508201420-abc1234".to_owned(),
            folder: String::new(),
            archive: String::new(),
            files: 1,
            size: 1_234_567_890,
            archive_size: 834_000_000,
            seconds: [("payload", 130.2), ("pack", 1000.1)].into(),
        };
        assert_eq!(
            table(&[row]),
            "distribution                              MB    tar.gz     time\n\
             cuda-12.8-x86_64-unknown-linux-gnu    1234.6     834.0    18:50\n"
        );
    }
}
