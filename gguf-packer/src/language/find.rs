//! Which file is read, and which ignore file goes with it.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::directives::Directives;
use super::ignore::Ignore;
use crate::Error;

/// The longest file that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// A file and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

/// The file to build: `file` when the person names one, else `GGUFPackerfile` of the folder `context`,
/// else its `Dockerfile` if that says that it is for us.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn script(context: &Path, file: Option<&Path>) -> Result<Found, Error> {
    if let Some(path) = file {
        // A shell's `<(…)` is a pipe.
        let found = read(path, true)?;
        return found.ok_or_else(|| {
            let error = Error::new(format!("file not found: {}", path.display()));
            error.hint(
                "put the folder last, and name the file with -f: gguf-packer build -f FILE FOLDER",
            )
        });
    }
    for name in ["GGUFPackerfile", "ggufpackerfile"] {
        if let Some(found) = read(&context.join(name), false)? {
            return Ok(found);
        }
    }
    let docker = context.join("Dockerfile");
    let Some(found) = read(&docker, false)? else {
        let error = Error::new("no GGUFPackerfile found").looked_in(context.display().to_string());
        return Err(error.hint("write a GGUFPackerfile, or name another file: -f FILE"));
    };
    match syntax(&found.text) {
        Some(syntax) if is_ours(&syntax) => Ok(found),
        other => {
            let what = match other {
                Some(syntax) => {
                    format!("{} is written for another frontend, {syntax}", docker.display())
                }
                None => format!("{} does not name gguf-packer as its frontend", docker.display()),
            };
            let error = Error::new(what);
            let error = error.hint("begin it with the line: # syntax=gpustack/gguf-packer:latest");
            Err(error.hint("or build it anyway: -f Dockerfile"))
        }
    }
}

/// The ignore file of `script`, if there is one: its own, else that of the folder `context`.
///
/// # Errors
/// When it cannot be read, or a line is no pattern.
pub fn ignore(context: &Path, script: &Path) -> Result<Option<(PathBuf, Ignore)>, Error> {
    let beside = |ending: &str| {
        let mut path = script.as_os_str().to_owned();
        path.push(ending);
        PathBuf::from(path)
    };
    let places = [
        beside(".ggufpackerignore"),
        beside(".dockerignore"),
        context.join(".ggufpackerignore"),
        context.join(".dockerignore"),
    ];
    for place in places {
        if let Some(Found { path, text }) = read(&place, false)? {
            let ignore = Ignore::parse(&text, &path.display().to_string())?;
            return Ok(Some((path, ignore)));
        }
    }
    Ok(None)
}

/// The image of `# syntax=` that a file names.
#[must_use]
pub fn syntax(text: &str) -> Option<String> {
    Directives::syntax_of(text)
}

/// Whether the image of `# syntax=` is a packer of models.
#[must_use]
pub fn is_ours(syntax: &str) -> bool {
    let name = syntax.rsplit('/').next().unwrap_or_default();
    name.split([':', '@']).next().is_some_and(|name| name.contains("gguf-packer"))
}

/// A text file; `None` when there is none. With `pipes` it may be something that is read once.
fn read(path: &Path, pipes: bool) -> Result<Option<Found>, Error> {
    let failed = |error: &std::io::Error| Error::io("read", path, error);
    let kind = match fs::metadata(path) {
        Ok(known) => known.file_type(),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(failed(&error)),
    };
    if kind.is_dir() {
        return Err(Error::new(format!("{} is a folder, not a file", path.display())).hint(
            "put the folder last, and name the file with -f: gguf-packer build -f FILE FOLDER",
        ));
    }
    // Nobody may ever write into a pipe that lies there.
    if !kind.is_file() && !pipes {
        return Err(Error::new(format!("{} is not a regular file", path.display())).hint(
            "put the folder last, and name the file with -f: gguf-packer build -f FILE FOLDER",
        ));
    }
    let file = File::open(path).map_err(|error| failed(&error))?;
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() as u64 > LONGEST {
        let what = format!(
            "{} is larger than {} MiB, which is too large for a GGUFPackerfile",
            path.display(),
            LONGEST >> 20
        );
        return Err(Error::new(what).hint("-f GGUFPackerfile"));
    }
    let text = String::from_utf8(bytes).map_err(|error| not_text(path, &error))?;
    Ok(Some(Found { path: path.to_owned(), text }))
}

fn not_text(path: &Path, error: &std::string::FromUtf8Error) -> Error {
    let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
    let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = good.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let column = String::from_utf8_lossy(&good[start..]).chars().count() + 1;
    Error::new(format!("{}:{line}:{column}: this is not UTF-8", path.display()))
        .hint("save the file as UTF-8")
}

#[cfg(test)]
#[path = "find_tests.rs"]
mod tests;
