//! `cargo xtask image size`: what an image weighs, layer by layer, and whether it may.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use llama_src::Error;
use serde::Serialize;

use super::budget;
use super::engine::{Engine, docker};
use super::layers::Contents;
use super::layout::{Archive, Image};
use product::variant::Budget;
use workspace::cargo;
use workspace::screen;

/// Widest line.
const WIDTH: usize = 80;

/// One image.
#[derive(Debug, Serialize)]
struct Report {
    image: String,
    platform: String,
    /// Bytes of all files.
    size: u64,
    /// Bytes as a registry has them.
    gzip: u64,
    layers: Vec<Row>,
    /// Bytes of files that a later layer replaces or removes.
    hidden: u64,
    hidden_files: Vec<String>,
    /// What is over budget, in words.
    over: Vec<String>,
    #[serde(skip)]
    budget: Option<&'static Budget>,
}

#[derive(Debug, Serialize)]
struct Row {
    size: u64,
    gzip: u64,
    /// The largest first.
    parts: Vec<Part>,
}

#[derive(Debug, Serialize)]
struct Part {
    name: String,
    size: u64,
}

pub(super) fn run(image: &str, json: bool) -> Result<()> {
    let reports = read(image)?;
    if json {
        screen::print(serde_json::to_string_pretty(&reports)? + "\n");
    } else {
        reports.iter().for_each(|report| screen::print(report.table()));
    }
    let over: Vec<String> = reports.into_iter().flat_map(|report| report.over).collect();
    if over.is_empty() {
        return Ok(());
    }
    bail!(Error::new("over budget").log(over).hint(
        "the table above says where the bytes are; tools/product/src/variant/rows.rs sets the budget"
    ))
}

fn read(image: &str) -> Result<Vec<Report>> {
    if Path::new(image).is_file() {
        return measure(image, Path::new(image));
    }
    // No image is called like that.
    if image.starts_with(['/', '.']) {
        bail!(
            Error::missing(format!("{image} not found"))
                .hint("name an image, or an archive of one")
        );
    }
    Engine::find().answers()?;
    let dir = cargo::target_dir().join("xtask");
    fs::create_dir_all(&dir)?;
    let dir = tempfile::tempdir_in(dir)?;
    let file: PathBuf = dir.path().join("image.tar");
    docker(["image", "save", "--output"]).arg(&file).arg(image).read()?;
    measure(image, &file)
}

fn measure(name: &str, file: &Path) -> Result<Vec<Report>> {
    let mut archive = Archive::open(file)?;
    let images = archive.images().with_context(|| format!("cannot read {name}"))?;
    let report = |image: &Image| {
        let contents = Contents::read(&mut archive, image)?;
        Ok(Report::new(name, image, &contents))
    };
    images.iter().map(report).collect()
}

impl Report {
    fn new(name: &str, image: &Image, contents: &Contents) -> Self {
        let row = |layer: &super::layers::Layer| Row {
            size: layer.size,
            gzip: layer.gzip,
            parts: layer.parts().into_iter().map(|(name, size)| Part { name, size }).collect(),
        };
        let layers: Vec<Row> = contents.layers.iter().map(row).collect();
        let size = layers.iter().map(|layer| layer.size).sum();
        let gzip = layers.iter().map(|layer| layer.gzip).sum();
        let manifest = contents.version.as_ref();
        let budget = manifest.and_then(|manifest| budget::budget(manifest, !contents.has_shell));
        let hidden = contents.hidden();
        Self {
            image: name.to_owned(),
            platform: image.platform.clone(),
            size,
            gzip,
            layers,
            hidden: hidden.values().sum(),
            hidden_files: hidden.into_keys().map(str::to_owned).collect(),
            over: budget.map(|budget| budget::exceeded(budget, size, gzip)).unwrap_or_default(),
            budget,
        }
    }

    /// At most 80 columns.
    fn table(&self) -> String {
        let mut text = format!("{} ({})\n", self.image, self.platform);
        let _ = writeln!(text, "{:>8} {:>8}  layer", "MB", "gzip");
        for layer in &self.layers {
            let parts = layer.parts.iter().map(|part| (part.name.as_str(), part.size));
            let line = format!("{:>8} {:>8}  ", megabytes(layer.size), megabytes(layer.gzip));
            let _ = writeln!(text, "{line}{}", list(parts, WIDTH - line.len()));
        }
        let budget = match &self.budget {
            None => "no budget: it is not one of our images".to_owned(),
            Some(Budget { of, size, gzip, .. }) => {
                let size = size.map(|most| format!("{most:.0} / ")).unwrap_or_default();
                format!("of {size}{gzip:.0}, the budget of {of}")
            }
        };
        let (size, gzip) = (megabytes(self.size), megabytes(self.gzip));
        let _ = writeln!(text, "{size:>8} {gzip:>8}  {budget}");
        if self.hidden > 0 {
            let line = format!("{:>8}           wasted: ", megabytes(self.hidden));
            let files = self.hidden_files.iter().map(|path| (path.as_str(), 0));
            let _ = writeln!(text, "{line}{}", list(files, WIDTH - line.len()));
        }
        text
    }
}

/// As many parts as fit, then how many more there are.
fn list<'a>(parts: impl Iterator<Item = (&'a str, u64)>, width: usize) -> String {
    let parts: Vec<String> = parts
        .map(|(name, size)| match size {
            0 => name.to_owned(),
            size => format!("{name} {}", megabytes(size)),
        })
        .collect();
    // A single name may be too long by itself.
    for shown in (1..=parts.len()).rev() {
        let more = parts.len() - shown;
        let more = if more > 0 { format!(", {more} more") } else { String::new() };
        let text = parts[..shown].join(", ") + &more;
        if text.chars().count() <= width {
            return text;
        }
    }
    match parts.len() {
        0 => "nothing".to_owned(),
        count => format!("{count} parts"),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::super::layout::tests::tar;
    use super::*;

    fn report(files: &[(&str, &[u8])], over: &[(&str, &[u8])]) -> Report {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image.tar");
        let layers = [tar(files), tar(over)];
        std::fs::write(
            &path,
            tar(&[
                (
                    "manifest.json",
                    br#"[{"Config":"c.json","Layers":["1/layer.tar","2/layer.tar"]}]"#,
                ),
                ("c.json", br#"{"os":"linux","architecture":"amd64"}"#),
                ("1/layer.tar", &layers[0]),
                ("2/layer.tar", &layers[1]),
            ]),
        )
        .unwrap();
        measure("llama-cpp-cpu:local", &path).unwrap().remove(0)
    }

    #[test]
    fn layers_are_shown_with_what_is_in_them() {
        let megabyte = vec![0; 1_000_000];
        let report = report(
            &[("usr/lib/libc.so", &megabyte), ("usr/bin/sh", &megabyte[..150_000]), ("etc/x", b"")],
            &[("app/llama-server", &megabyte[..400_000]), ("etc/x", b"changed")],
        );
        let table = report.table();
        let gzip: Vec<String> = report.layers.iter().map(|layer| megabytes(layer.gzip)).collect();
        assert_eq!(gzip, ["0.0", "0.0"], "zeros pack well");
        assert_eq!(
            table,
            "llama-cpp-cpu:local (linux/amd64)\n      MB     gzip  layer\n     1.1      0.0  \
            usr/lib 1.0, usr/bin 0.1, etc\n     0.4      0.0  app/llama-server 0.4, etc 0.0\n     \
            1.6      0.0  no budget: it is not one of our images\n"
        );
    }

    #[test]
    fn what_nobody_sees_is_named() {
        let megabyte = vec![0; 1_000_000];
        let report = report(&[("var/lib/dpkg/status", &megabyte)], &[("var/lib/dpkg/status", b"")]);
        let line = "     1.0           wasted: var/lib/dpkg/status\n";
        assert!(report.table().ends_with(line), "{}", report.table());
    }

    #[test]
    fn a_line_fits_a_terminal() {
        let names: Vec<String> = (0..30).map(|number| format!("usr/share-{number}")).collect();
        let parts = || names.iter().map(|name| (name.as_str(), 2_000_000));
        let text = list(parts(), 60);
        assert_eq!(text, "usr/share-0 2.0, usr/share-1 2.0, usr/share-2 2.0, 27 more");
        assert_eq!(list(parts(), 5), "30 parts");
        assert_eq!(list(std::iter::empty(), 5), "nothing");
    }
}
