//! Models that a command line names: their headers, and their paths as arguments.

use std::path::Path;

use crate::Error;
use crate::gguf::{Header, check_first_shard, shards};

/// The headers of a model's file, or of all its shards, which is known to a person as `shown`.
pub(super) fn headers(from: &Path, shown: &Path) -> Result<Vec<Header>, Error> {
    check_first_shard(&shown.to_string_lossy())?;
    let name = from.file_name().and_then(|name| name.to_str());
    let Some(names) = name.and_then(shards) else { return Ok(vec![header(from, shown)?]) };
    let (mut headers, mut wrong) = (Vec::new(), Vec::new());
    for name in names {
        match header(&from.with_file_name(&name), &shown.with_file_name(&name)) {
            Ok(header) => headers.push(header),
            Err(error) => wrong.push(error),
        }
    }
    if wrong.is_empty() { Ok(headers) } else { Err(Error::all(wrong)) }
}

fn header(from: &Path, shown: &Path) -> Result<Header, Error> {
    let failed = |e: &std::io::Error| Error::io("read", shown, e);
    let known = std::fs::metadata(from).map_err(|e| failed(&e))?;
    if !known.is_file() {
        return Err(Error::new(format!("{} is not a file", shown.display())));
    }
    let file = std::fs::File::open(from).map_err(|e| failed(&e))?;
    Header::read(std::io::BufReader::new(file), known.len())
        .map_err(|e| Error::new(format!("{}: {e}", shown.display())))
}

/// A path as an argument; the quantizer takes text.
pub(super) fn named(path: &Path) -> Result<String, Error> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Error::usage(format!("the path is not UTF-8: {}", path.display()))
            .hint("give it another name")
    })
}
