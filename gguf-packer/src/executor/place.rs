//! `COPY`, `ADD` and `CAT`: files of the inputs become layers of the stage.

use std::sync::Arc;

use crate::Error;
use crate::digest::Digest;
use crate::language::ignore::Ignore;
use crate::language::mode::Mode;
use crate::plan::{self, Part, Placed};
use crate::tree::{Entry, Kind, Tree};

use super::backend::Build;
use super::copy::files::{Files, folder_entry};
use super::copy::place::{Item, Place};
use super::copy::select::{Match, select, walk};
use super::copy::{owner, path};
use super::layers;
use super::made::Made;
use super::output::Output;

/// Most bytes of `/etc/passwd` or `/etc/group`.
const MOST_NAMES: u64 = 1 << 20;

/// What is wrong with how files are put down.
pub(super) fn check(placing: &Placed) -> Result<(), Error> {
    excludes(&placing.exclude)?;
    placing.chmod.as_deref().map(Mode::parse).transpose().map(|_| ())
}

/// The patterns of `--exclude`.
pub(super) fn excludes(patterns: &[String]) -> Result<Ignore, Error> {
    Ignore::of(patterns.iter().map(String::as_str)).map_err(|why| {
        Error::new(format!("invalid --exclude pattern: {why}"))
            .hint("write it as in `--exclude=*.md`")
    })
}

/// Puts the parts down in the stage.
pub(super) fn run(
    build: Build<'_>,
    text: &str,
    wanted: &plan::Place,
    mut inputs: Vec<Output>,
) -> Result<Output, Error> {
    let placing = &wanted.placing;
    let items = items(build, wanted, &inputs[1..])?;
    inputs.truncate(1);
    let state = inputs.pop().expect("the first input is the stage");
    let mode = placing.chmod.as_deref().map(Mode::parse).transpose()?;
    let owner =
        placing.chown.as_deref().map(|chown| owner_in(build, &state.tree, chown)).transpose()?;
    let sources = wanted.parts.iter().map(|part| match part {
        Part::Paths(sources) => sources.len(),
        _ => 1,
    });
    let place = Place {
        below: &state.tree,
        workdir: &state.workdir,
        dest: &wanted.dest,
        several: sources.sum::<usize>() > 1,
        link: placing.link,
        owner,
        mode: mode.as_ref(),
        mtime: build.run.mtime(),
    };
    let entries = place.put(items)?;
    add_layers(build, text, state, entries)
}

/// What is put down.
fn items(build: Build<'_>, wanted: &plan::Place, inputs: &[Output]) -> Result<Vec<Item>, Error> {
    let exclude = excludes(&wanted.placing.exclude)?;
    let (mut items, mut errors, mut nothing) = (Vec::new(), Vec::new(), Vec::new());
    let mut any = false;
    for (part, input) in wanted.parts.iter().zip(inputs) {
        let Part::Paths(sources) = part else {
            any = true;
            match part {
                Part::Files => items.extend(files(&input.tree, &exclude)?),
                _ => items.push(everything(&input.tree, &exclude)?),
            }
            continue;
        };
        for source in sources {
            match paths(build, input, source, wanted, &exclude) {
                Ok(Some(found)) => {
                    any = true;
                    items.extend(found);
                }
                Ok(None) => nothing.push(source.as_str()),
                Err(error) => errors.push(error),
            }
        }
    }
    // As with Docker a pattern may match nothing while another source is there.
    if !any && errors.is_empty() {
        errors.push(Error::new(format!("nothing matches `{}`", nothing.join(" "))));
    }
    if errors.is_empty() { Ok(items) } else { Err(Error::all(errors)) }
}

/// Puts a file that a tool made down in `state` at `dest`, in a folder as `name`.
pub(super) fn put(
    build: Build<'_>,
    made: &Made,
    text: &str,
    state: Output,
    name: &str,
    dest: &str,
) -> Result<Output, Error> {
    let kind = Kind::File { digest: made.digest, size: made.size };
    let entry = Entry { path: String::new(), kind, mode: 0o644, uid: 0, gid: 0, mtime: 0 };
    let entries = vec![(String::new(), entry)];
    let item = Item { name: name.to_owned(), spread: false, entries };
    let place = Place {
        below: &state.tree,
        workdir: &state.workdir,
        dest,
        several: false,
        link: false,
        owner: None,
        mode: None,
        mtime: build.run.mtime(),
    };
    let entries = place.put(vec![item])?;
    add_layers(build, text, state, entries)
}

/// The state with layers of `entries` on it.
fn add_layers(
    build: Build<'_>,
    text: &str,
    mut state: Output,
    entries: Vec<Entry>,
) -> Result<Output, Error> {
    Arc::make_mut(&mut state.tree).apply(&entries);
    let (made, cached) = layers::build(build, text, entries)?;
    state.layers.extend(made);
    Ok(Output { cached, ..state })
}

/// What a source names, each match an item; nothing when a pattern matches nothing.
fn paths(
    build: Build<'_>,
    input: &Output,
    source: &str,
    wanted: &plan::Place,
    exclude: &Ignore,
) -> Result<Option<Vec<Item>>, Error> {
    // A relative source is one of the working folder or, as with Docker, of the root.
    let roots = [input.workdir.as_str(), ""];
    let found = select(&*input.tree, &roots, source, wanted.parents)?;
    let mut items = Vec::new();
    for found in &found {
        let entries = walk(&*input.tree, found, exclude)?;
        let Some((_, first)) = entries.first() else { continue };
        let spread = first.kind == Kind::Folder;
        if let Some(entries) =
            if wanted.unpack { build.backend.unpacked(build.run, first)? } else { None }
        {
            items.push(Item { name: String::new(), spread: true, entries });
        } else if found.pivot.is_some() {
            items.push(with_parents(&input.tree, found, entries)?);
        } else {
            items.push(Item { name: found.name.clone(), spread, entries });
        }
    }
    Ok((!found.is_empty()).then_some(items))
}

/// A match with the folders above it.
fn with_parents(tree: &Tree, found: &Match, entries: Vec<(String, Entry)>) -> Result<Item, Error> {
    let pivot = found.pivot.as_deref().unwrap_or_default();
    let mut all = Vec::new();
    for folder in path::folders(&found.name) {
        let entry = tree.look(&path::join(pivot, folder))?;
        all.push((folder.to_owned(), entry.unwrap_or_else(|| folder_entry(folder))));
    }
    let below = entries.into_iter().map(|(rest, entry)| (path::join(&found.name, &rest), entry));
    all.extend(below);
    Ok(Item { name: String::new(), spread: true, entries: all })
}

/// Each file of the root.
fn files(tree: &Tree, exclude: &Ignore) -> Result<Vec<Item>, Error> {
    let mut items = Vec::new();
    for name in tree.names("") {
        let found =
            Match { path: name.clone(), name: name.clone(), pivot: None, by_pattern: false };
        let entries = walk(tree, &found, exclude)?;
        if !entries.is_empty() {
            items.push(Item { name, spread: false, entries });
        }
    }
    Ok(items)
}

/// The whole tree.
fn everything(tree: &Tree, exclude: &Ignore) -> Result<Item, Error> {
    let root = Match { path: String::new(), name: String::new(), pivot: None, by_pattern: false };
    Ok(Item { name: String::new(), spread: true, entries: walk(tree, &root, exclude)? })
}

fn owner_in(build: Build<'_>, tree: &Tree, chown: &str) -> Result<(u64, u64), Error> {
    owner::resolve(chown, &|file| {
        let at = super::copy::files::follow(tree, file)?;
        match tree.get(&at).map(|entry| &entry.kind) {
            Some(Kind::File { digest, .. }) => read_text(build, digest).map(Some),
            _ => Ok(None),
        }
    })
}

fn read_text(build: Build<'_>, digest: &Digest) -> Result<String, Error> {
    let bytes = build.backend.text(build.run, digest, MOST_NAMES)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
