//! Moves the pin: reads a release, computes what proves it, writes the two files that name it, and has everything made
//! anew that follows from them.

mod follow;
mod mirror;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use llama_src::archive::{self, Bounds};
use llama_src::pin::Mirror;
use llama_src::sh::Cmd;
use llama_src::{Error, Pin, Progress, fetch, subset, tree};

use crate::keys::set;
use workspace::screen::Screen;
use workspace::source::request_for;

/// The git tree ids that a pin holds.
#[derive(Debug)]
pub(crate) struct Ids {
    pub(crate) tree: String,
    pub(crate) packaged: String,
    /// Of the packaged part.
    pub(crate) executables: Vec<String>,
    pub(crate) ui: String,
}

impl Ids {
    /// Computes them for the release in `dir`.
    pub(crate) fn of(dir: &Path) -> Result<Self> {
        let id = |dir: &Path, keep: &dyn Fn(&str) -> bool| -> Result<String> {
            Ok(tree::id(dir, &tree::walk(dir, keep)?, None)?)
        };
        Ok(Self {
            tree: id(dir, &|_| true)?,
            packaged: id(dir, &subset::keeps)?,
            executables: tree::walk(dir, &subset::keeps)?
                .into_iter()
                .filter(|entry| entry.executable)
                .map(|entry| entry.path)
                .collect(),
            ui: id(&dir.join("tools/ui"), &|_| true)?,
        })
    }
}

/// Moves the pin to `tag`, and everything that follows from it. What a person must do is said at the end.
pub(crate) fn update(tag: &str, from: Option<&Path>) -> Result<()> {
    let build_number: u32 = tag
        .strip_prefix('b')
        .filter(|number| number.starts_with(|c: char| matches!(c, '1'..='9')))
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| Error::usage(format!("`{tag}` is not a release tag such as b12000")))?;
    let (root, old, work) = (llama_src::root(), Pin::load(), tempfile::tempdir()?);
    let (dir, archive) = release(tag, from, &old, work.path())?;
    let mut to_do = crate::patch_failures(&root, &dir)?;
    let path = root.join("llama.cpp.toml");
    let text = fs::read_to_string(&path).context("cannot read vendor/llama.cpp.toml")?;
    let text = moved(&text, (tag, build_number), &dir)?;
    let (text, missing) = mirror::moved(&text, &old, build_number, work.path())?;
    to_do.extend(missing);
    let pin = Pin::parse(&text).context("cannot parse the new pin")?;
    fs::write(&path, text).context("cannot write vendor/llama.cpp.toml")?;
    set_crate_version(&root.with_file_name("llama-sys").join("Cargo.toml"), tag)?;
    println!("the pin is llama.cpp {tag} now, tree {}", pin.tree);
    to_do.extend(follow::run(&old, &pin, archive));
    for step in &to_do {
        println!("to do: {step}");
    }
    println!("next: cargo xtask check && cargo xtask test");
    Ok(())
}

/// The text of the pin with what the release in `dir` is. The page, which contains the tag, has to be built for it.
fn moved(text: &str, (tag, build_number): (&str, u32), dir: &Path) -> Result<String> {
    let quoted = |text: &str| format!("{text:?}");
    let ids = Ids::of(dir)?;
    let version_of = |file: &str, name: &str| version(&dir.join(file), name);
    let mut text = text.to_owned();
    for (key, value) in [
        ("tag", quoted(tag)),
        ("build_number", build_number.to_string()),
        ("version", quoted(&version_of("CMakeLists.txt", "LLAMA_VERSION")?)),
        ("ggml_version", quoted(&version_of("ggml/CMakeLists.txt", "GGML_VERSION")?)),
        ("tree", quoted(&ids.tree)),
        ("packaged_tree", quoted(&ids.packaged)),
        ("executables", format!("{:?}", ids.executables)),
        ("ui_tree", quoted(&ids.ui)),
        ("ui_page_tree", quoted("")),
    ] {
        text = set(&text, key, &value)?;
    }
    Ok(text)
}

/// The folder of the release that is to be pinned, and an archive of it: given, or fetched.
fn release(tag: &str, from: Option<&Path>, pin: &Pin, work: &Path) -> Result<(PathBuf, PathBuf)> {
    let mut screen = Screen::new();
    let report = &mut |news: Progress<'_>| screen.news(news);
    let packed = work.join("archive.tar.gz");
    let archive = match from {
        Some(dir) if dir.is_dir() => {
            let dir = dir.canonicalize().context("cannot open the folder of --from")?;
            ensure!(
                archive::is_tree(&dir),
                Error::usage(format!("{} is not a source tree of llama.cpp", dir.display()))
                    .looked_in(archive::MARKS.join(" and "))
                    .hint("--from takes such a folder, or an archive of one")
            );
            let (parent, name) = (dir.parent(), dir.file_name());
            let (parent, name) = parent.zip(name).context("--from is the root folder")?;
            let tar = Cmd::new("tar").arg("-czf").arg(&packed).arg("--exclude=.git");
            tar.arg("-C").arg(parent).arg(name).run()?;
            return Ok((dir, packed));
        }
        Some(archive) => archive.to_owned(),
        None => {
            let mirror = pin.mirrors.iter().find(|mirror| matches!(mirror, Mirror::Archive { .. }));
            let url = mirror.context("the pin has no mirror with the kind `archive`")?.name(tag);
            let hint = format!("cargo xtask vendor --update {tag} --from ARCHIVE");
            let offline = request_for(pin)?.offline;
            ensure!(!offline, Error::network("offline mode is on").hint(hint));
            fetch::download(&url, &packed, &fetch::Limits::default(), report)
                .map_err(|error| error.hint(hint))
                .with_context(|| format!("cannot download {url}"))?;
            packed
        }
    };
    let part = archive::find_tree(&archive, Bounds::default(), report)?;
    let dir = work.join("tree");
    archive::unpack(&archive, &part, &dir, Bounds::default(), report)?;
    Ok((dir, archive))
}

/// The version that upstream's CMake file puts together from `<name>_MAJOR`, `_MINOR`, `_PATCH` and a
/// suffix for what is not released.
fn version(cmake: &Path, name: &str) -> Result<String> {
    let text =
        fs::read_to_string(cmake).with_context(|| format!("cannot read {}", cmake.display()))?;
    let value = |key: &str| {
        let start = format!("set({name}_{key} ");
        let line = text.lines().find_map(|line| line.trim().strip_prefix(&start));
        line.map(|rest| rest.trim_end_matches(')').trim_matches('"').to_owned())
    };
    let number = |key: &str| {
        value(key).with_context(|| format!("no set({name}_{key} …) in {}", cmake.display()))
    };
    let base = format!("{}.{}.{}", number("MAJOR")?, number("MINOR")?, number("PATCH")?);
    // Between releases upstream appends `-dev`, by an option that is on by default.
    let dev = text.contains(&format!("set({name} \"${{{name}_BASE}}-dev\")"))
        && text.lines().any(|line| line.contains("_BUILD_IS_DEV ") && line.ends_with(" ON)"));
    Ok(if dev { format!("{base}-dev") } else { base })
}

/// Puts `+llama.cpp-<tag>` behind the crate's version.
fn set_crate_version(manifest: &Path, tag: &str) -> Result<()> {
    let text = fs::read_to_string(manifest)
        .with_context(|| format!("cannot read {}", manifest.display()))?;
    let line = text.lines().find(|line| line.starts_with("version = \""));
    let line = line.with_context(|| format!("no version in {}", manifest.display()))?;
    let number = line.trim_start_matches("version = \"").trim_end_matches('"');
    let base = number.split('+').next().unwrap_or(number);
    let new = format!("version = \"{base}+llama.cpp-{tag}\"");
    fs::write(manifest, text.replacen(line, &new, 1))
        .with_context(|| format!("cannot write {}", manifest.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_what_cmake_would_print() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("CMakeLists.txt");
        let base = "set(X_VERSION_MAJOR 0)\nset(X_VERSION_MINOR 6)\nset(X_VERSION_PATCH 1)\n";
        fs::write(&at, base).unwrap();
        assert_eq!(version(&at, "X_VERSION").unwrap(), "0.6.1");
        let dev = "option(X_BUILD_IS_DEV \"dev\" ON)\nset(X_VERSION \"${X_VERSION_BASE}-dev\")\n";
        fs::write(&at, format!("{base}{dev}")).unwrap();
        assert_eq!(version(&at, "X_VERSION").unwrap(), "0.6.1-dev");
    }

    #[test]
    fn the_crate_says_which_llama_cpp_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("Cargo.toml");
        fs::write(&at, "name = \"x\"\nversion = \"0.1.0+llama.cpp-b1\"\n").unwrap();
        set_crate_version(&at, "b2").unwrap();
        assert_eq!(
            fs::read_to_string(&at).unwrap(),
            "name = \"x\"\nversion = \"0.1.0+llama.cpp-b2\"\n"
        );
    }
}
