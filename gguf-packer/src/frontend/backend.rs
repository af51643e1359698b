//! BuildKit as the one who does what a plan says: sources become operations that are solved and listed, layers become
//! containers that run steps ([`super::step`]).

use std::sync::Arc;

use super::buildkit::{BuildKit, Content, locked, named};
use super::listing::Modes;
use super::location::location;
use super::pb::Location;
use super::step::{Checkpoint, Converted, Made as Item, Quantized, Task, What};
use super::vertices::Container;
use crate::Error;
use crate::digest::Digest;
use crate::executor::backend::{Backend, Files, Folder, MadeLayer, Unpacked};
use crate::executor::made::Made;
use crate::executor::output::Output;
use crate::executor::run::{Run, Teller};
use crate::executor::unpack;
use crate::plan::{self, Op};
use crate::store::Layer;
use crate::tree::{Entry, Kind, Tree};

/// The most bytes of an archive's beginning that are looked at.
const BEGINNING: u64 = 1 << 16;

impl BuildKit<'_> {
    fn read(&self, run: &Run<'_>, content: &Digest, most: u64) -> Result<Vec<u8>, Error> {
        let Some((vertex, path)) = self.place_of(content) else {
            return run.store().read_blob(content, most);
        };
        self.daemon.read_all(&self.held(&vertex)?, &format!("/{path}"), most)
    }

    /// The same with the first bytes only.
    fn beginning(&self, run: &Run<'_>, content: &Digest) -> Result<Vec<u8>, Error> {
        let mut bytes = match self.place_of(content) {
            Some((vertex, path)) => {
                self.daemon.read(&self.held(&vertex)?, &format!("/{path}"), 0)?
            }
            None => run.store().read_blob(content, u64::MAX)?,
        };
        bytes.truncate(usize::try_from(BEGINNING).expect("it is small"));
        Ok(bytes)
    }

    /// What a container makes of `entry`.
    fn item(&self, run: &Run<'_>, container: &mut Container, entry: &Entry) -> Result<Item, Error> {
        let what = match &entry.kind {
            Kind::Folder => What::Folder,
            Kind::Link { target } => What::Link(target.clone()),
            Kind::File { digest, .. } => self.what(run, container, digest)?,
            Kind::Whiteout | Kind::Opaque | Kind::Special => {
                return Err(Error::new(format!(
                    "`{}` has a type that a layer cannot contain",
                    entry.path
                )));
            }
        };
        let Entry { path, mode, uid, gid, mtime, .. } = entry.clone();
        Ok(Item { path, mode, uid, gid, mtime, what })
    }

    fn what(
        &self,
        run: &Run<'_>,
        container: &mut Container,
        content: &Digest,
    ) -> Result<What, Error> {
        let known = locked(&self.known.contents).get(content).cloned();
        let mut at = |entry: &Entry| match &entry.kind {
            Kind::File { digest, .. } => self.mounted(run, container, digest),
            _ => Err(Error::new(format!("`{}` is not a file", entry.path))),
        };
        Ok(match known {
            Some(Content::File(vertex, path)) => What::File(container.input(&vertex, &path)),
            Some(Content::Quantized(options, files)) => {
                let mut named = |entry: &Entry| Ok::<_, Error>((entry.path.clone(), at(entry)?));
                let sources = files.sources.iter().map(&mut named).collect::<Result<_, _>>()?;
                let matrix = files.matrix.as_ref().map(&mut named).transpose()?;
                What::Quantized(Box::new(Quantized { options, sources, matrix }))
            }
            Some(Content::Converted(kind, source, base)) => {
                let mut folder = |folder: &Folder| {
                    let files = folder.files.iter();
                    let files = files.map(|(name, entry)| Ok((name.clone(), at(entry)?)));
                    let files = files.collect::<Result<_, Error>>()?;
                    Ok::<_, Error>(Checkpoint { name: folder.name.clone(), files })
                };
                let (source, base) =
                    (folder(&source)?, base.as_deref().map(&mut folder).transpose()?);
                What::Converted(Box::new(Converted { kind, source, base }))
            }
            None => What::Text(self.text_of(run, content)?),
        })
    }

    fn text_of(&self, run: &Run<'_>, content: &Digest) -> Result<String, Error> {
        let text = run.store().read_blob(content, u64::MAX)?;
        String::from_utf8(text).map_err(|_| Error::new("a heredoc of the file is not UTF-8"))
    }

    /// Where a container has a content that a tool reads.
    fn mounted(
        &self,
        run: &Run<'_>,
        container: &mut Container,
        content: &Digest,
    ) -> Result<String, Error> {
        let place = match self.place_of(content) {
            Some(place) => place,
            // A text of the file.
            None => (container.text(&self.text_of(run, content)?), "text".to_owned()),
        };
        Ok(container.input(&place.0, &place.1))
    }
}

impl Backend for BuildKit<'_> {
    fn check(&self, _: &Run<'_>, op: &Op) -> Result<(), Error> {
        if let Op::Local(local) = op { self.local(local).map(|_| ()) } else { Ok(()) }
    }

    fn source(&self, run: &Run<'_>, _: &Teller<'_>, op: &Op) -> Result<Output, Error> {
        match op {
            Op::Image(image) => self.image(&image.reference, image.platform.as_deref()),
            Op::Layout(layout) => self.layout(layout),
            Op::Local(local) => {
                let tree = self.local(local)?;
                Ok(files(Tree::clone(&tree)))
            }
            Op::Http(http) => self.http(run, http).map(files),
            Op::HuggingFace(wanted) => self.repository(wanted).map(files),
            Op::Git(git) => self.git(git).map(files),
            Op::Scratch | Op::Inline(_) | Op::Place(_) | Op::Quantize(_) | Op::Convert(_) => {
                unreachable!("the executor itself does these")
            }
        }
    }

    fn text(&self, run: &Run<'_>, content: &Digest, most: u64) -> Result<Vec<u8>, Error> {
        self.read(run, content, most)
    }

    fn unpacked(&self, run: &Run<'_>, entry: &Entry) -> Result<Option<Unpacked>, Error> {
        let Kind::File { digest, .. } = &entry.kind else { return Ok(None) };
        let name = entry.path.rsplit('/').next().unwrap_or_default();
        if !unpack::is_archive(self.beginning(run, digest)?, name)? {
            return Ok(None);
        }
        let mut container = self.container(&format!("[internal] unpack {name}"));
        let from = match self.place_of(digest) {
            Some((vertex, path)) => container.input(&vertex, &path),
            None => return Ok(None),
        };
        let made = container.run(&Task::Unpack { from });
        let tree = self.tree(&made, Modes::Kept)?;
        Ok(Some(tree.iter().map(|entry| (entry.path.clone(), entry.clone())).collect()))
    }

    fn layer(&self, run: &Run<'_>, text: &str, entries: &[Entry]) -> Result<MadeLayer, Error> {
        let line = text.lines().next().unwrap_or_default();
        let mut container = self.container(line);
        container.at(self.location_of(run, text));
        let items = entries.iter().map(|entry| self.item(run, &mut container, entry));
        let task = Task::Layer { entries: items.collect::<Result<_, _>>()? };
        let made = container.run(&task);
        let mut contents = locked(&self.known.contents);
        for entry in entries {
            let Kind::File { digest, .. } = &entry.kind else { continue };
            // From now on what a tool made is a file of the layer.
            if matches!(contents.get(digest), Some(Content::Quantized(..) | Content::Converted(..)))
            {
                contents.insert(*digest, Content::File(made.clone(), entry.path.clone()));
            }
        }
        drop(contents);
        let diff_id = named("layer", &made.key());
        locked(&self.known.layers).insert(diff_id, made);
        let created = run.settings.source_date.unwrap_or_default();
        Ok(MadeLayer { layer: Layer { diff_id, size: 0 }, created, cached: false })
    }

    fn quantize(
        &self,
        _: &Run<'_>,
        _: &Teller<'_>,
        wanted: &plan::Quantize,
        files: &Files,
    ) -> Result<(Made, bool), Error> {
        let all = (&files.sources, &files.matrix);
        let digest = named("quantized", &(&wanted.options, all));
        let content = Content::Quantized(wanted.options.clone(), Arc::new(files.clone()));
        Ok((self.to_be_made(digest, content), false))
    }

    fn convert(
        &self,
        _: &Run<'_>,
        _: &Teller<'_>,
        wanted: &plan::Convert,
        (source, base): (&Folder, Option<&Folder>),
    ) -> Result<(Made, bool), Error> {
        let parts = |folder: &Folder| (folder.name.clone(), folder.files.clone());
        let digest =
            named("converted", &(&wanted.kind, parts(source), base.map(parts), wanted.lora));
        let (source, base) = (Arc::new(source.clone()), base.cloned().map(Arc::new));
        let content = Content::Converted(wanted.kind.clone(), source, base);
        Ok((self.to_be_made(digest, content), false))
    }
}

impl BuildKit<'_> {
    /// A file that a tool makes when its layer is made; one that was made already stays what it is.
    fn to_be_made(&self, digest: Digest, content: Content) -> Made {
        locked(&self.known.contents).entry(digest).or_insert(content);
        Made { digest, size: 0, by: None }
    }

    /// Where the instruction with this text stands.
    fn location_of(&self, run: &Run<'_>, text: &str) -> Option<Location> {
        run.place_of(text).map(location)
    }
}

/// The files of a source.
fn files(tree: Tree) -> Output {
    Output { workdir: String::new(), ..Output::files(tree, false) }
}
