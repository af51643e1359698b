//! What every command needs: the store, the environment, the quantizer.

use std::path::PathBuf;

use llama_src::sh::Cmd;

use crate::executor::{ToolRun, process};
use crate::store::Store;
use crate::{Error, QUANTIZER};

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
        std::env::home_dir().filter(|home| home.is_absolute()).map_or_else(
            || {
                Err(Error::new("there is no home folder to keep models in")
                    .hint("name a folder for them: --store DIR, or GGUF_PACKER_STORE_PATH"))
            },
            |home| Ok(home.join("gguf-packer")),
        )
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

/// A variable of the environment; an empty one is as good as none.
pub(super) fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "a program's own environment")]
    let value = std::env::var(name).ok();
    value.filter(|value| !value.is_empty())
}

/// Runs llama.cpp's quantizer: this program once more.
pub(super) fn quantizer(run: ToolRun<'_>) -> Result<(), Error> {
    if !cfg!(feature = "quantize") {
        return Err(Error::new("this gguf-packer was built without the quantizer")
            .hint("build it with the feature `quantize`, which is on by default"));
    }
    let own = std::env::current_exe()
        .map_err(|e| Error::new(format!("cannot find this program's own file: {e}")))?;
    let cmd = Cmd::new(own).arg(QUANTIZER).args(run.arguments).dir(run.folder);
    process::run(&cmd, run.on_line, run.stop)
}
