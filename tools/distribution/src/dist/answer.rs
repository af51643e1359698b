//! The other side of `inside.rs`: what this program does in a Debian root when it has started itself there for one
//! backend.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::backend;
use super::inside::Job;
use super::plan::{Choice, Plan};
use crate::toolkit;
use product::variant::Variant;
use workspace::cargo;
use workspace::screen::Screen;

/// `xtask __backend FILE`, in the root.
///
/// # Errors
/// As [`backend::build`].
pub(crate) fn run(question: &Path) -> Result<()> {
    let job: Job = serde_json::from_str(&fs::read_to_string(question)?)?;
    let mut screen = Screen::new();
    let variant = Variant::parse(&job.variant)?;
    let wanted = job.toolkit.as_deref();
    let found = toolkit::find(variant, wanted, &job.target, false, &mut screen)?;
    let choice = Choice {
        variant,
        target: job.target.clone(),
        toolkit: job.toolkit.clone(),
        architectures: Some(job.architectures.clone()),
        one_file: false,
    };
    let plan = Plan::new(&choice, &cargo::host(), &llama_build::Pin::load())?;
    if job.probe {
        return backend::probe(&mut screen, &plan, &job.payload, &found);
    }
    let built = backend::build(&mut screen, &plan, &job.payload, &job.own, &found)?;
    let mut built = built.context("the CPU variant has no backend")?;
    let shared = [cargo::root(), cargo::target_dir()];
    for library in &mut built.vendor {
        let files = library.files.iter_mut().map(|file| &mut file.from);
        for path in files.chain(&mut library.license_files) {
            *path = seen_from_outside(path, &job.root, &shared);
        }
    }
    fs::write(&job.answer, serde_json::to_string(&built)?)?;
    Ok(())
}

fn seen_from_outside(path: &Path, root: &Path, shared: &[PathBuf]) -> PathBuf {
    if shared.iter().any(|dir| path.starts_with(dir)) {
        return path.to_owned();
    }
    // Links in the root lead to other files outside of it.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    root.join(path.strip_prefix("/").unwrap_or(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_a_root_are_below_it_for_those_outside() {
        let seen = |path: &str| {
            seen_from_outside(Path::new(path), Path::new("/r"), &[PathBuf::from("/w")])
        };
        assert_eq!(seen("/no/such/lib.so"), Path::new("/r/no/such/lib.so"));
        assert_eq!(seen("/w/target/lib.so"), Path::new("/w/target/lib.so"));
    }
}
