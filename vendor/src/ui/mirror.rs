//! Takes the finished page from an archive, of the user's or of a release: the pin proves it, whoever gave it.

use std::fs;
use std::path::Path;

use super::{Wanted, page};
use crate::archive::{self, Bounds, Part};
use crate::{Error, Progress, Report, place};

/// What a page may hold: it has 150 files and 10 MB.
const BOUNDS: Bounds = Bounds { entries: 2_000, bytes: 128 << 20 };

/// Whether there is an archive to try.
pub(super) fn is_named(wanted: &Wanted<'_>) -> bool {
    let request = wanted.request;
    wanted.pinned
        && (request.ui_archive.is_some() || (!request.offline && !addresses(wanted).is_empty()))
}

/// Puts the page of the first archive that has it into `dist`; false when none has.
///
/// # Errors
/// When the user's own archive has not.
pub(super) fn fetch(
    wanted: &Wanted<'_>,
    dist: &Path,
    report: &mut Report<'_>,
) -> Result<bool, Error> {
    if let Some(named) = &wanted.request.ui_archive {
        let variable = format!("LLAMA_SYS_UI_ARCHIVE={}", named.display());
        unpack(wanted, named, dist, report).map_err(|error| error.at(variable))?;
        return Ok(true);
    }
    for address in addresses(wanted) {
        report(Progress::Say(&format!("fetching the web UI from {address}")));
        match download(wanted, &address, dist, report) {
            Ok(()) => return Ok(true),
            Err(error) => report(Progress::Say(&format!("{address} failed: {error}"))),
        }
        place::remove(dist)?;
    }
    Ok(false)
}

/// Where the pin says that the page is.
fn addresses(wanted: &Wanted<'_>) -> Vec<String> {
    if cfg!(not(feature = "fetch")) {
        return Vec::new();
    }
    let pin = &wanted.request.pin;
    pin.ui_mirrors.iter().filter_map(|mirror| mirror.address(&pin.tag)).collect()
}

#[cfg(feature = "fetch")]
fn download(
    wanted: &Wanted<'_>,
    address: &str,
    dist: &Path,
    report: &mut Report<'_>,
) -> Result<(), Error> {
    let archive = dist.with_file_name("page.tar.gz");
    crate::fetch::download(address, &archive, &wanted.request.limits, report)?;
    unpack(wanted, &archive, dist, report)
}

#[cfg(not(feature = "fetch"))]
fn download(_: &Wanted<'_>, _: &str, _: &Path, _: &mut Report<'_>) -> Result<(), Error> {
    Err(Error::missing("this build cannot fetch (feature `fetch`)"))
}

fn unpack(
    wanted: &Wanted<'_>,
    archive: &Path,
    dist: &Path,
    report: &mut Report<'_>,
) -> Result<(), Error> {
    fs::create_dir(dist).map_err(|e| Error::io("create the folder", dist, &e))?;
    archive::unpack(archive, &Part::Strip(1), dist, BOUNDS, report)?;
    let (found, pinned) = (page::id(dist)?, &wanted.request.pin.ui_page_tree);
    if wanted.is_pinned(&found) {
        return Ok(());
    }
    Err(Error::mismatch(format!("its tree is {found}, the pin says {pinned}")))
}
