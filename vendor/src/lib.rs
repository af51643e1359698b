//! Which llama.cpp, where from, and proof that it is that one.
//!
//! [`Pin`] names the release, [`SourceTree::prepare`] finds or fetches and verifies it,
//! [`SourceTree::copy_patched`] lays out what is built, [`Ui::prepare`] builds the web page once.
//! All crates of the workspace depend on this one, so it also has what all of them need: [`Error`], [`sh`] (runs programs),
//! [`place`] (writes folders whole or not at all), [`walk`] and [`archive`] (unpacks what nobody has vouched for).

use std::path::{Path, PathBuf};

pub mod archive;
mod copy;
mod error;
#[cfg(feature = "fetch")]
pub mod fetch;
pub mod node;
mod patch;
pub mod pin;
pub mod place;
mod progress;
#[cfg(feature = "fetch")]
pub mod pypi;
pub mod sh;
mod source;
mod stamp;
pub mod subset;
pub mod tree;
mod ui;
pub mod walk;

pub use copy::Copied;
pub use error::{Error, Kind};
pub use patch::Patch;
pub use pin::Pin;
pub use progress::{Progress, Report};
pub use source::{Origin, Request, SourceTree};
pub use ui::{NoUi, Ui};

/// The vendor folder: this crate's own.
///
/// Clones that share a build folder share what is compiled in it, and Cargo takes what one of them compiled for fresh
/// in the other. So the folder is not only the one of compile time: a member of the workspace that Cargo runs
/// (`cargo run`, a build script, a test) finds it beside its own.
#[must_use]
pub fn root() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "set by Cargo for what it runs")]
    let member = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let built = || String::from_utf8_lossy(&FOLDER).as_ref().into();
    member.as_deref().and_then(beside).unwrap_or_else(built)
}

/// The folder of compile time, in a section of its own. Text of 16 bytes shares a section with all such texts of a crate,
/// and GNU's linker keeps it whole: gguf-packer, which calls nothing of this, would name the folder it was built in.
static FOLDER: [u8; env!("CARGO_MANIFEST_DIR").len()] =
    *env!("CARGO_MANIFEST_DIR").as_bytes().first_chunk().expect("it has as many bytes as it has");

/// Whether `root` is the vendor folder of a clone, in which a person can type `cargo xtask`: not the folder of a crate, or
/// of a repository that Cargo has fetched for a dependent.
#[must_use]
pub fn is_clone(root: &Path) -> bool {
    let of_cargo = |names: &[&str]| {
        let parts: Vec<_> = root.iter().collect();
        parts.windows(names.len()).any(|part| part == names)
    };
    let xtask = root.with_file_name("xtask").join("Cargo.toml").is_file();
    xtask && !of_cargo(&["git", "checkouts"]) && !of_cargo(&["registry", "src"])
}

/// The vendor folder of the workspace with the package in `member`.
fn beside(member: &Path) -> Option<PathBuf> {
    let folders = member.ancestors().skip(1).map(|dir| dir.join("vendor"));
    let ours = |dir: &PathBuf| {
        let sibling = dir.with_file_name("llama-sys").join("Cargo.toml");
        dir.join("llama.cpp.toml").is_file() && sibling.is_file()
    };
    folders.take(2).find(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_of_a_clone_finds_the_clone_s_own_vendor_folder() {
        let clone = tempfile::tempdir().unwrap();
        let file = |path: &str| {
            let path = clone.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        let member = |path: &str| beside(&clone.path().join(path));
        file("vendor/llama.cpp.toml");
        // A vendor folder of somebody else's.
        assert_eq!(member("xtask"), None);
        file("llama-sys/Cargo.toml");
        let ours = Some(clone.path().join("vendor"));
        assert_eq!(member("xtask"), ours);
        assert_eq!(member("tools/ci"), ours);
        assert_eq!(member("a/b/c"), None);
        assert!(!is_clone(&clone.path().join("vendor")));
        file("xtask/Cargo.toml");
        assert!(is_clone(&clone.path().join("vendor")));
        file("git/checkouts/llama-0/abc/xtask/Cargo.toml");
        assert!(!is_clone(&clone.path().join("git/checkouts/llama-0/abc/vendor")));
        // Cargo runs this test in a member of this clone.
        assert_eq!(root(), Path::new(env!("CARGO_MANIFEST_DIR")));
    }
}
