//! What the server takes for granted where nobody says it: how many processors are its own, and that an image
//! which is started without a word about a model is asked for its help.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use llama_server_bin::MODEL_VARIABLES;

/// How many processors the server reckons with. `vendor/patches/0040` reads it.
pub(crate) const CPUS_VARIABLE: &str = "LLAMA_SERVER_CPUS";

/// Set to `1` by images: without an argument and without a model there is nothing to serve.
const NEEDS_MODEL_VARIABLE: &str = "LLAMA_SERVER_NEEDS_MODEL";

/// Files that the server may have open: more than its threads and its queue of connections take.
#[cfg(unix)]
const FILES: u64 = 65_536;

/// Whether these words of a command line mean the help.
pub(crate) fn mean_help(args: &[OsString]) -> bool {
    let is_image = variable(NEEDS_MODEL_VARIABLE).is_some_and(|value| value == "1");
    is_image && is_bare(args, variable) && !config_files().iter().any(|file| file.exists())
}

/// The processors that quotas and affinity leave to this process, where nobody has said a number.
pub(crate) fn cpus() -> Option<usize> {
    if variable(CPUS_VARIABLE).is_some() {
        return None;
    }
    std::thread::available_parallelism().ok().map(usize::from)
}

/// Lets this process have more connections than a shell's limit of 1,024 files leaves, where it may.
#[cfg(unix)]
pub(crate) fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(FILES, |maximum| maximum.min(FILES));
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted);
        // Where it is refused, fewer connections are accepted at once.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// Nothing but the program's name, and no variable that names a model. Compose hands on empty ones.
fn is_bare(args: &[OsString], variable: impl Fn(&str) -> Option<OsString>) -> bool {
    args.len() <= 1 && MODEL_VARIABLES.iter().all(|name| variable(name).is_none())
}

/// Where llama.cpp reads settings, a model among them.
/// <https://github.com/ggml-org/llama.cpp/blob/b11549/common/arg.cpp#L720-L745>
fn config_files() -> Vec<PathBuf> {
    let own = variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let own = own.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".config")));
    let folders = [Some(PathBuf::from("/etc")), own];
    folders.into_iter().flatten().map(|folder| folder.join("llama.cpp/config.ini")).collect()
}

/// A variable that is set to something.
fn variable(name: &str) -> Option<OsString> {
    #[expect(clippy::disallowed_methods, reason = "settings of the server, not of a build")]
    let value = std::env::var_os(name);
    value.filter(|value| value != OsStr::new(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_start_that_names_nothing_is_bare() {
        let none = |_: &str| None;
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert!(is_bare(&words("llama-server"), none));
        assert!(!is_bare(&words("llama-server --port 1"), none));
        for named in MODEL_VARIABLES {
            let variable = |name: &str| (name == *named).then(|| OsString::from("x"));
            assert!(!is_bare(&words("llama-server"), variable), "{named}");
        }
    }
}
