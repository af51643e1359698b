//! What every command needs: the store, the environment, llama.cpp in a process of its own.

use std::path::{Path, PathBuf};

use llama_src::sh::Cmd;

use crate::convert::{self, By, Means, Request, Watch};
use crate::executor::ToolRun;
use crate::part::check_file;
use crate::process;
use crate::store::Store;
use crate::{COMPARER, Error, QUANTIZER};

/// What the command line said for all commands.
pub(super) struct Context {
    pub(super) store: Option<PathBuf>,
}

impl Context {
    /// The folder of the store.
    pub(super) fn root(&self) -> Result<PathBuf, Error> {
        // An empty variable is as good as none.
        if let Some(folder) = self.store.as_ref().filter(|folder| !folder.as_os_str().is_empty()) {
            return std::path::absolute(folder).map_err(|e| Error::io("use", folder, &e));
        }
        home().map(|home| home.join("gguf-packer")).ok_or_else(|| {
            Error::new("cannot choose a folder for the store: the home folder is unknown")
                .hint("choose a folder: --store DIR, or GGUF_PACKER_STORE_PATH=DIR")
        })
    }

    /// The store, open to be read; it may be one that cannot be written.
    pub(super) fn store_to_read(&self) -> Result<Store, Error> {
        Store::open_to_read(&self.root()?)
    }

    /// The store, open.
    pub(super) fn store(&self) -> Result<Store, Error> {
        Store::open_at(&self.root()?)
    }
}

fn home() -> Option<PathBuf> {
    std::env::home_dir().filter(|home| home.is_absolute())
}

/// A variable of the environment; an empty one is as good as none.
pub(super) fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "a program's own environment")]
    let value = std::env::var(name).ok();
    value.filter(|value| !value.is_empty())
}

/// What this machine has for a conversion.
pub(super) fn means() -> Result<Means, Error> {
    let path = |name: &str| variable(name).map(PathBuf::from);
    let named = ["XDG_CACHE_HOME", "LOCALAPPDATA"].into_iter().find_map(path);
    let cache = named.or_else(|| home().map(|home| home.join(".cache"))).ok_or_else(|| {
        Error::new("cannot choose a folder for the converter: the home folder is unknown")
            .hint("choose a folder: XDG_CACHE_HOME=/path/to/cache")
    })?;
    Ok(Means {
        by: None,
        python: variable("GGUF_PACKER_PYTHON").map(Into::into),
        environment: path("VIRTUAL_ENV"),
        cache: cache.join("gguf-packer"),
    })
}

/// Converts a checkpoint with what this machine has.
pub(super) fn converter(request: &Request<'_>, watch: &mut Watch<'_>) -> Result<By, Error> {
    convert::convert(request, &means()?, watch)
}

/// That a file can be written where `path` says, by a writer that goes back in it.
pub(super) fn writable(path: &Path) -> Result<(), Error> {
    if path == Path::new("-") {
        let text = "`-` is standard output, and this command can write only a file";
        return Err(Error::usage(text).hint("name a file; one with the name `-` is `./-`"));
    }
    let file = check_file(path)?;
    let absolute = std::path::absolute(&file).map_err(|e| Error::io("write", path, &e))?;
    match absolute.parent() {
        Some(folder) if !folder.is_dir() => {
            Err(Error::usage(format!("folder not found: {}", folder.display()))
                .hint(format!("mkdir -p {}", folder.display())))
        }
        _ => Ok(()),
    }
}

/// Runs llama.cpp's quantizer: this program once more.
pub(super) fn quantizer(run: ToolRun<'_>) -> Result<(), Error> {
    own(QUANTIZER, "the quantizer", run)
}

/// Compares two models: this program once more.
pub(super) fn comparer(run: ToolRun<'_>) -> Result<(), Error> {
    own(COMPARER, "the comparison", run)
}

fn own(word: &str, name: &str, run: ToolRun<'_>) -> Result<(), Error> {
    if !cfg!(feature = "quantize") {
        return Err(Error::new("this gguf-packer was built without the quantizer")
            .hint("build it with the feature `quantize`, which is on by default"));
    }
    let own = std::env::current_exe()
        .map_err(|e| Error::new(format!("cannot find this program's own file: {e}")))?;
    let cmd = Cmd::new(own).arg(word).args(run.arguments).dir(run.folder);
    process::run_own(name, &cmd, run.on_line, run.stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_that_goes_back_gets_a_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(writable(&folder.path().join("m.gguf")).is_ok());
        let error = writable(Path::new("-")).unwrap_err().to_string();
        let expected = "`-` is standard output, and this command can write only a file\n  \
            hint: name a file; one with the name `-` is `./-`";
        assert_eq!(error.trim_end(), expected);
        let error = writable(folder.path()).unwrap_err().to_string();
        assert!(error.contains(" is a folder\n"), "{error}");
        let error = writable(&folder.path().join("no/m.gguf")).unwrap_err().to_string();
        assert!(error.starts_with("folder not found: "), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_leads_to_the_folder_that_must_exist() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("m.gguf");
        std::os::unix::fs::symlink("no/m.gguf", &link).unwrap();
        let error = writable(&link).unwrap_err().to_string();
        assert!(error.starts_with("folder not found: "), "{error}");
        std::fs::create_dir(folder.path().join("no")).unwrap();
        assert!(writable(&link).is_ok());
    }
}
