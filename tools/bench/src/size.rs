//! `size`: bytes of the server with its libraries, as built, stripped and compressed, in the layout of the image of each
//! side; and of image layers, for images that are there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use llama_src::sh::Cmd;
use serde_json::Value;

use crate::args::Args;
use crate::journal::{Journal, Series};
use crate::recipe;
use crate::results::{Part, Unit};
use crate::side::{OURS, UPSTREAM};
use product::variant::Variant;
use workspace::screen::Screen;
use workspace::{source, tools};

pub(crate) fn run(args: &Args, journal: &mut Journal, screen: &mut Screen) -> Result<()> {
    screen.step("measuring sizes");
    let scratch = crate::scratch(&crate::folder())?;
    let cases = ["server and libraries", "stripped", "stripped, gzip"];
    let series = series(cases.map(str::to_owned).to_vec());
    let tree = source::alone(screen)?.dir;
    let sides = [OURS, UPSTREAM].map(|side| (side.to_owned(), side));
    journal.measure(&series, &sides, |side| {
        let files = if *side == OURS { ours(args)? } else { upstream(args, &tree)? };
        let (built, stripped) = (bytes(&files)?, strip(&files, scratch.path())?);
        Ok([built, bytes(&stripped)?, compressed(&stripped)?].map(|bytes| bytes as f64).to_vec())
    })?;
    images(args, journal)
}

fn series(cases: Vec<String>) -> Series {
    let cases = cases.into_iter().map(|case| (case, Unit::Bytes)).collect();
    Series { part: Part::Size, cases, rounds: 1 }
}

/// Programs and libraries of our distribution.
fn ours(args: &Args) -> Result<Vec<PathBuf>> {
    let files = programs(&args.dist())?;
    ensure!(!files.is_empty(), "no distribution: cargo xtask dist");
    Ok(files)
}

/// Those that upstream's Dockerfile copies into the image of its server.
fn upstream(args: &Args, tree: &Path) -> Result<Vec<PathBuf>> {
    let recipe = recipe::read(tree, Variant::Cpu)?;
    let bin = args.official().join("bin");
    ensure!(bin.is_dir(), "no {}", bin.display());
    let libraries = programs(&bin)?;
    let is_library = |path: &PathBuf| path.to_string_lossy().contains(".so");
    let mut files: Vec<PathBuf> = libraries.into_iter().filter(is_library).collect();
    for name in &recipe.programs {
        ensure!(bin.join(name).is_file(), "built in part only, without {name}");
        files.push(bin.join(name));
    }
    Ok(files)
}

/// The ELF files in `dir` itself, each once: links to them are none.
fn programs(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let entry = entry?;
        if entry.file_type()?.is_file() && begins_as_elf(&entry.path())? {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn begins_as_elf(path: &Path) -> Result<bool> {
    let mut start = [0; 4];
    let read = io::Read::read(&mut File::open(path)?, &mut start)?;
    Ok(start[..read] == *b"\x7fELF")
}

fn bytes(files: &[PathBuf]) -> Result<u64> {
    files.iter().map(|path| Ok(fs::metadata(path)?.len())).sum()
}

/// Copies of `files` in `dir`, without symbols that nothing needs.
fn strip(files: &[PathBuf], dir: &Path) -> Result<Vec<PathBuf>> {
    let copy = |path: &PathBuf| {
        let to = dir.join(path.file_name().context("a file has a name")?);
        Cmd::new("strip").arg("-o").arg(&to).arg(path).read()?;
        Ok(to)
    };
    files.iter().map(copy).collect()
}

/// Bytes of all `files` as one stream in gzip's default.
fn compressed(files: &[PathBuf]) -> Result<u64> {
    let mut gzip = GzEncoder::new(Counter(0), Compression::default());
    for path in files {
        io::copy(&mut File::open(path)?, &mut gzip)?;
    }
    Ok(gzip.finish()?.0)
}

/// Counts what is written to it.
struct Counter(u64);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The images that `args` name.
fn images(args: &Args, journal: &mut Journal) -> Result<()> {
    let named = [(OURS, &args.image), (UPSTREAM, &args.official_image)];
    for (side, image) in named.into_iter().filter_map(|(side, name)| Some((side, name.as_ref()?))) {
        let told = tools::cmd("image").args(["size", "--json", image]).read();
        let sizes = told.map_err(anyhow::Error::from).and_then(|text| layers(&text));
        let names = match &sizes {
            Ok(sizes) => (0..sizes.len()).map(layer).collect(),
            Err(_) => vec!["image, gzip".to_owned()],
        };
        journal.measure(&series(names), &[(side.to_owned(), &sizes)], |sizes| match sizes {
            Ok(sizes) => Ok(sizes.clone()),
            Err(error) => anyhow::bail!("{}", crate::first_line(error)),
        })?;
    }
    Ok(())
}

fn layer(at: usize) -> String {
    if at == 0 { "image, gzip".to_owned() } else { format!("image, layer {at}, gzip") }
}

/// Compressed bytes of an image, and of each of its layers, from what `image size` tells.
fn layers(text: &str) -> Result<Vec<f64>> {
    let images: Value = serde_json::from_str(text)?;
    let image = &images[0];
    let layers = image["layers"].as_array().into_iter().flatten();
    let sizes = std::iter::once(image).chain(layers).map(|part| part["gzip"].as_f64());
    sizes.collect::<Option<Vec<f64>>>().context("no sizes in what `image size` tells")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_counted_once_and_texts_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let own = std::env::current_exe().unwrap();
        fs::copy(&own, dir.path().join("liba.so.1")).unwrap();
        fs::write(dir.path().join("version.json"), "{}").unwrap();
        fs::create_dir(dir.path().join("licenses")).unwrap();
        product::files::symlink("liba.so.1", &dir.path().join("liba.so")).unwrap();
        let found = programs(dir.path()).unwrap();
        assert_eq!(found, [dir.path().join("liba.so.1")]);
        assert_eq!(bytes(&found).unwrap(), fs::metadata(own).unwrap().len());
        assert!(compressed(&found).unwrap() < bytes(&found).unwrap());
        assert!(programs(&dir.path().join("none")).unwrap().is_empty());
    }

    #[test]
    fn an_image_is_its_layers() {
        let text = r#"[{"gzip": 30, "layers": [{"gzip": 10}, {"gzip": 20}]}]"#;
        assert_eq!(layers(text).unwrap(), [30.0, 10.0, 20.0]);
        assert_eq!([0, 2].map(layer), ["image, gzip", "image, layer 2, gzip"]);
        assert!(layers("[]").is_err());
    }
}
