//! Fetches the pinned release: mirrors in the pin's order, each one verified by the same tree id, the next
//! one tried when one cannot be reached, stalls, breaks off or has something else.

use std::fs;
use std::path::{Path, PathBuf};

use super::Request;
use crate::archive::{self, Bounds, Part};
use crate::pin::Mirror;
use crate::pypi::Package;
use crate::stamp::Stamp;
use crate::{Error, Kind, Progress, Report, fetch, place};

/// Fetches and verifies the tree below `work`; tells where it is, its stamp, and the mirror's name.
pub(super) fn tree(
    request: &Request,
    work: &Path,
    report: &mut Report<'_>,
) -> Result<(PathBuf, Stamp, String), Error> {
    let tag = &request.pin.tag;
    let mut failures = Vec::new();
    for mirror in request.pin.mirrors.iter().filter(|mirror| mirror.has_release()) {
        let name = mirror.name(tag);
        report(Progress::Say(&format!("fetching llama.cpp {tag} from {name}")));
        let error = match from_mirror(request, mirror, work, report) {
            Ok((tree, stamp)) => return Ok((tree, stamp, name)),
            Err(error) => error,
        };
        if error.kind() == Kind::DiskFull {
            return Err(full(work, &error));
        }
        let text = error.to_string();
        report(Progress::Say(&format!("{name} failed: {text}")));
        failures.extend(format!("{name}: {text}").lines().map(str::to_owned));
        for leftover in ["pypi", "tree"] {
            place::remove(&work.join(leftover))?;
        }
    }
    let again = if crate::is_clone(&request.root) { "cargo xtask vendor" } else { "build again" };
    Err(Error::network(format!("cannot download llama.cpp {tag}: all mirrors failed"))
        .log(failures)
        .hint(format!("check the network, then run: {again}"))
        .hint("or use an archive of the tag: LLAMA_SYS_SOURCE_ARCHIVE=/path/to/llama.cpp.tar.gz")
        .hint("or use your own tree: LLAMA_SYS_SOURCE_DIR=/path/to/llama.cpp"))
}

fn from_mirror(
    request: &Request,
    mirror: &Mirror,
    work: &Path,
    report: &mut Report<'_>,
) -> Result<(PathBuf, Stamp), Error> {
    let (archive, part) = match mirror {
        Mirror::Archive { strip, .. } => {
            let archive = work.join("archive.tar.gz");
            fetch::download(&mirror.name(&request.pin.tag), &archive, &request.limits, report)?;
            (archive, Part::Strip(*strip))
        }
        Mirror::Pypi { package, version, sha256, folder } => {
            let dir = work.join("pypi");
            fs::create_dir(&dir).map_err(|e| Error::io("create the folder", &dir, &e))?;
            let file = format!("{package}-{version}.tar.gz");
            let package = Package { name: package, file: &file, sha256 };
            let archive = package.download(&request.pypi, &dir, &request.limits, report)?;
            (archive, Part::Folder(folder.replace("{version}", version)))
        }
    };
    let tree = work.join("tree");
    fs::create_dir(&tree).map_err(|e| Error::io("create the folder", &tree, &e))?;
    let executables = archive::unpack(&archive, &part, &tree, Bounds::default(), report)?;
    let stamp = Stamp::hash(&tree, Some(executables))?;
    if !request.pin.names(&stamp.tree) {
        let (found, pinned) = (&stamp.tree, &request.pin.tree);
        return Err(Error::mismatch(format!(
            "wrong git tree: it is {found}, but the pin names {pinned}"
        )));
    }
    Ok((tree, stamp))
}

fn full(work: &Path, error: &Error) -> Error {
    let dir = work.parent().unwrap_or(work).display();
    Error::with_kind(Kind::DiskFull, format!("no space left in {dir}"))
        .log([error.what().to_owned()])
        .hint("free some space: the archive has 40 MB, the tree 180 MB")
        .hint("or use a tree in another folder: LLAMA_SYS_SOURCE_DIR=/path/to/llama.cpp")
}
