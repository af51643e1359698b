//! The rules about executables and libraries: what they need, where they look for it, for which machine
//! they are. Each takes facts and gives the violations as lines `path: message`.

use std::collections::BTreeSet;

use super::facts::{self, Entries, Entry, Regular};
use elf::{self, Elf};
use product::arch::Arch;
use product::kind::Kind;
use product::manifest::{self, Manifest};

/// The one allowed run path: the folder of the file itself.
const ORIGIN: &str = "$ORIGIN";

/// All of them.
pub(super) fn violations(manifest: &Manifest, entries: &Entries) -> Vec<String> {
    let mut wrong = about_needed(manifest, entries);
    wrong.extend(about_run_paths(entries));
    wrong.extend(about_code(manifest, entries));
    wrong.extend(about_symbol_versions(manifest, entries));
    wrong
}

/// Libraries are found in the distribution or are those that every system has.
fn about_needed(manifest: &Manifest, entries: &Entries) -> Vec<String> {
    let variant = &manifest.variant;
    let Ok(kind) = Kind::parse(variant) else { return Vec::new() };
    let allowed: BTreeSet<&str> = kind.allowed_needed().into_iter().collect();
    let mut wrong = Vec::new();
    for (path, elf) in facts::elves(entries) {
        for needed in &elf.needed {
            if !allowed.contains(needed.as_str()) && !is_own(needed, entries) {
                wrong.push(format!(
                    "{path}: needs `{needed}`, which is neither in the distribution nor allowed for \
                     {variant}"
                ));
            }
        }
        if let Some(soname) = elf.soname.as_ref().filter(|soname| *soname != path) {
            wrong.push(format!("{path}: has the soname `{soname}`, must be its file name"));
        }
    }
    wrong
}

fn is_own(library: &str, entries: &Entries) -> bool {
    facts::is_library(library) && matches!(entries.get(library), Some(Entry::Regular(_)))
}

fn about_run_paths(entries: &Entries) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, elf) in facts::elves(entries) {
        let own = elf.needed.iter().find(|needed| is_own(needed, entries));
        let message = match (&elf.rpath, &elf.runpath, own) {
            _ if facts::is_vendors(path) => vendors_run_path(elf),
            (Some(rpath), ..) => Some(format!("has the old kind of run path, RPATH `{rpath}`")),
            (None, Some(runpath), _) if runpath != ORIGIN => {
                Some(format!("has the run path `{runpath}`, must be `{ORIGIN}`"))
            }
            (None, None, Some(own)) => {
                Some(format!("has no run path, must be `{ORIGIN}`: it needs {own}"))
            }
            _ => None,
        };
        wrong.extend(message.map(|message| format!("{path}: {message}")));
    }
    wrong
}

/// A vendor's library may have none, or what leads nowhere out of the distribution.
fn vendors_run_path(elf: &Elf) -> Option<String> {
    let all = [&elf.rpath, &elf.runpath];
    let mut folders = all.into_iter().flatten().flat_map(|path| path.split(':'));
    let outside = folders.find(|folder| *folder != ORIGIN)?;
    Some(format!("has the run path `{outside}`, must be `{ORIGIN}` or none"))
}

/// Code is for the target, and our own has no more in it than runs.
fn about_code(manifest: &Manifest, entries: &Entries) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, entry) in entries {
        let Entry::Regular(Regular { elf, damage, .. }) = entry else { continue };
        wrong.extend(damage.iter().map(|damage| format!("{path}: {damage}")));
        let program = super::is_program(path) || facts::is_library(path);
        match elf {
            None if program && damage.is_none() => wrong.push(format!("{path}: no ELF file")),
            None => {}
            Some(elf) => {
                let arch = Arch::of(&manifest.target);
                if arch.is_some_and(|arch| arch.machine != elf.machine) {
                    let is = Arch::of_machine(elf.machine).map(|arch| arch.name.to_owned());
                    let is = is.unwrap_or_else(|| format!("machine {}", elf.machine));
                    wrong.push(format!(
                        "{path}: is for {is}, {} says {}",
                        manifest::FILE,
                        manifest.target
                    ));
                }
                if !elf.stripped && !facts::is_vendors(path) {
                    wrong.push(format!("{path}: not stripped"));
                }
            }
        }
    }
    wrong
}

/// The manifest tells truly how new a system must be.
fn about_symbol_versions(manifest: &Manifest, entries: &Entries) -> Vec<String> {
    let ours = facts::elves(entries).filter(|(path, _)| !facts::is_vendors(path));
    let real = elf::highest(ours.map(|(_, elf)| elf));
    let (said, none) = (&manifest.symbol_versions, "none".to_owned());
    let prefixes: BTreeSet<&String> = said.keys().chain(real.keys()).collect();
    let mut wrong = Vec::new();
    for prefix in prefixes {
        let (says, is) = (said.get(prefix).unwrap_or(&none), real.get(prefix).unwrap_or(&none));
        if says != is {
            let file = manifest::FILE;
            wrong.push(format!("{file}: says {prefix} {says} is needed, the files need {is}"));
        }
    }
    wrong
}

#[cfg(test)]
#[cfg(unix)]
#[path = "code_tests.rs"]
mod tests;
