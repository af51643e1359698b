//! Names of images in the store: links to their configs, laid out as the original's client has them. An
//! image whose name moved on keeps a tombstone beside it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Store, disk};
use crate::Error;
use crate::digest::Digest;
use crate::reference::{Name, Version};

const TOMBSTONE: &str = ".old.";

/// A link below `models/metadata`.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) path: PathBuf,
    pub(crate) id: Digest,
    /// Of a tombstone the name it had, less the tag.
    pub(crate) name: Name,
    pub(crate) tombstone: bool,
}

impl Store {
    /// All links, in the order of their paths.
    pub(crate) fn links(&self) -> Result<Vec<Link>, Error> {
        let mut links = Vec::new();
        let metadata = self.metadata();
        for registry in disk::names(&metadata)? {
            walk(&metadata.join(&registry), &unsafe_host(&registry), "", &mut links)?;
        }
        Ok(links)
    }

    /// The ID that `name` has.
    pub(crate) fn named(&self, name: &Name) -> Option<Digest> {
        target(&self.link_path(name))
    }

    /// Gives the image `id` a name, whichever image had it.
    pub(crate) fn name(&self, name: &Name, id: &Digest) -> Result<(), Error> {
        let path = self.link_path(name);
        let folder = path.parent().expect("it is below a repository");
        let clash = |e: Error| {
            let text = format!("cannot name an image `{name}`: {e}");
            Error::new(text).hint("choose another name: no name may be a folder of another one")
        };
        let _gate = self.gate("names.lock")?;
        if path.is_dir() && target(&path).is_none() {
            return Err(clash(Error::new("it is a folder of other names")));
        }
        disk::make_folder(folder).map_err(clash)?;
        let before = target(&path).filter(|before| before != id);
        self.link(&path, id)?;
        disk::remove_file(&folder.join(format!("{TOMBSTONE}{}", id.hex())))?;
        let Some(before) = before else { return Ok(()) };
        if self.links()?.iter().all(|link| link.id != before) {
            self.link(&folder.join(format!("{TOMBSTONE}{}", before.hex())), &before)?;
        }
        Ok(())
    }

    /// Removes a link and the folders that are empty then.
    pub(crate) fn unlink(&self, path: &Path) -> Result<(), Error> {
        disk::remove_file(path)?;
        let metadata = self.metadata();
        for folder in path.ancestors().skip(1).take_while(|folder| **folder != *metadata) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Stored names that `name` may have been meant for, the nearest first.
    pub(crate) fn near(&self, name: &str) -> Result<Vec<String>, Error> {
        let mut near: BTreeMap<(usize, String), ()> = BTreeMap::new();
        for link in self.links()?.into_iter().filter(|link| !link.tombstone) {
            let known = link.name.to_string();
            let same = known.rsplit_once(':').map(|(name, _)| name)
                == name.rsplit_once(':').map(|(name, _)| name);
            let far = strsim::levenshtein(name, &known);
            if same || far <= 3 {
                near.insert((far, known), ());
            }
        }
        Ok(near.into_keys().map(|(_, name)| name).take(3).collect())
    }

    fn link(&self, path: &Path, id: &Digest) -> Result<(), Error> {
        let below = path.strip_prefix(self.metadata()).expect("links are below it");
        let up: PathBuf = below.ancestors().skip(1).map(|_| "..").collect();
        let temp = self.temp_path();
        symlink(&up.join("config/sha256").join(id.hex()), &temp)?;
        disk::rename(&temp, path)
    }

    fn link_path(&self, name: &Name) -> PathBuf {
        let registry =
            if name.registry() == "docker.io" { "index.docker.io" } else { name.registry() };
        let folder = self.metadata().join(safe(registry)).join(name.repository());
        match name.version() {
            Version::Tag(tag) => folder.join(tag),
            Version::Digest(digest) => folder.join(safe(&digest.to_string())),
        }
    }

    fn metadata(&self) -> PathBuf {
        self.root.join("models/metadata")
    }
}

fn walk(
    folder: &Path,
    registry: &str,
    repository: &str,
    links: &mut Vec<Link>,
) -> Result<(), Error> {
    for name in disk::names(folder)? {
        let path = folder.join(&name);
        let Some(id) = target(&path) else {
            let below =
                format!("{repository}{}{name}", if repository.is_empty() { "" } else { "/" });
            walk(&path, registry, &below, links)?;
            continue;
        };
        let digest = unsafe_host(&name).parse().ok();
        let version = digest.map_or_else(|| Version::Tag(name.clone()), Version::Digest);
        let tombstone = name.starts_with(TOMBSTONE);
        links.push(Link { path, id, name: Name::of(registry, repository, version), tombstone });
    }
    Ok(())
}

/// The ID that a link leads to.
fn target(path: &Path) -> Option<Digest> {
    let to = match fs::read_link(path) {
        Ok(to) => to,
        // Where links are not to be had, a file says where it leads.
        Err(_) if disk::size(path)? < 4096 => PathBuf::from(fs::read_to_string(path).ok()?),
        Err(_) => return None,
    };
    Digest::from_hex(to.file_name()?.to_str()?)
}

/// A link; a file that says where it leads on a file system without links.
fn symlink(to: &Path, path: &Path) -> Result<(), Error> {
    disk::step();
    #[cfg(unix)]
    if !disk::has_no_links(std::os::unix::fs::symlink(to, path), path)? {
        return Ok(());
    }
    let text = to.to_string_lossy().into_owned();
    fs::write(path, text).map_err(|e| Error::io("create the link", path, &e))
}

/// A registry's port, or a digest, in the name of a file; Windows takes no colon.
fn safe(text: &str) -> String {
    if cfg!(windows) { text.replace(':', "%3A") } else { text.to_owned() }
}

fn unsafe_host(text: &str) -> String {
    let text = if cfg!(windows) { text.replace("%3A", ":") } else { text.to_owned() };
    if text == "index.docker.io" { "docker.io".to_owned() } else { text }
}
