//! Git repositories, by the `git` program: only the wanted commit, with its submodules, and never the
//! pointers that stand for large files.

use std::fs;
use std::path::Path;

use llama_src::sh::Cmd;

use crate::Error;
use crate::executor::Folder;
use crate::executor::copy::files::{Files, is_folder};
use crate::executor::copy::path;
use crate::executor::output::Output;
use crate::executor::run::{Run, Teller, key};
use crate::plan::Git;
use crate::process::{self, stopped};
use crate::tree::{Entry, Kind};

use super::local::Disk;
use super::tree;

/// How a file begins that stands for a large one.
pub(crate) const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
/// Pointers are smaller than this.
pub(crate) const POINTER_SIZE: u64 = 1024;

pub(in crate::executor) fn load(
    run: &Run<'_>,
    teller: &Teller<'_>,
    wanted: &Git,
) -> Result<Output, Error> {
    let git = Repository { run, teller, wanted };
    let commit = git.commit()?;
    teller.took(&commit);
    let key = key("git", &(wanted, &commit));
    if let Some(entries) = run.remembered::<Vec<Entry>>(&key) {
        if entries.iter().all(|entry| run.has_content(entry)) {
            return Ok(Output { workdir: String::new(), ..Output::files(tree(&entries), true) });
        }
    }
    let temp = run.store().temp_folder()?;
    git.check_out(&commit, temp.path())?;
    let entries = git.take(temp.path())?;
    run.remember(&key, &entries)?;
    Ok(Output { workdir: String::new(), ..Output::files(tree(&entries), false) })
}

/// A repository on its server.
struct Repository<'a> {
    run: &'a Run<'a>,
    teller: &'a Teller<'a>,
    wanted: &'a Git,
}

impl Repository<'_> {
    /// The commit of the branch or tag that is wanted, or of the default branch.
    fn commit(&self) -> Result<String, Error> {
        let revision = self.wanted.revision.as_deref().unwrap_or("HEAD");
        if revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(revision.to_ascii_lowercase());
        }
        let mut lines = Vec::new();
        let cmd = command(&["ls-remote", "--", &self.wanted.remote]);
        self.call(&cmd, &mut |line| lines.push(line.to_owned()))?;
        let find = |name: &str| {
            let line = lines.iter().filter_map(|line| line.split_once('\t'));
            line.filter(|(_, known)| *known == name).map(|(commit, _)| commit.to_owned()).next()
        };
        // An annotated tag is not the commit that it names.
        let names = [
            revision.to_owned(),
            format!("refs/heads/{revision}"),
            format!("refs/tags/{revision}^{{}}"),
            format!("refs/tags/{revision}"),
            format!("refs/{revision}"),
        ];
        names.iter().find_map(|name| find(name)).ok_or_else(|| {
            let remote = &self.wanted.remote;
            Error::new(format!("{remote} has no branch or tag `{revision}`"))
                .hint(format!("list them: git ls-remote {remote}"))
                .hint("or name a commit with all of its 40 digits")
        })
    }

    /// Puts the commit's files into `folder`.
    fn check_out(&self, commit: &str, folder: &Path) -> Result<(), Error> {
        let call = |arguments: &[&str]| {
            self.call(&command(arguments).dir(folder), &mut |line| self.progress(line))
        };
        call(&["init", "--quiet"])?;
        call(&["remote", "add", "origin", &self.wanted.remote])?;
        let shallow = call(&["fetch", "--progress", "--depth=1", "origin", commit]);
        match shallow {
            Ok(()) => {}
            Err(error) if error == stopped() => return Err(error),
            // Some servers give no single commits.
            Err(_) => call(&[
                "fetch",
                "--progress",
                "--tags",
                "origin",
                "+refs/heads/*:refs/remotes/origin/*",
            ])?,
        }
        call(&["checkout", "--quiet", "--detach", commit])?;
        if folder.join(".gitmodules").exists() {
            call(&["submodule", "update", "--init", "--recursive", "--depth=1"])?;
        }
        let pointers = self.pointers(folder)?;
        if pointers.is_empty() {
            return Ok(());
        }
        if self.call(&command(&["lfs", "version"]), &mut |_| ()).is_err() {
            return Err(no_lfs(&self.wanted.remote, &pointers));
        }
        call(&["lfs", "install", "--local", "--skip-smudge"])?;
        call(&["lfs", "pull"])?;
        let left = self.pointers(folder)?;
        if left.is_empty() { Ok(()) } else { Err(no_lfs(&self.wanted.remote, &left)) }
    }

    fn progress(&self, line: &str) {
        // `Receiving objects:  45% (9/20), 1.00 MiB`
        let Some((what, rest)) = line.split_once(':') else { return };
        let count = rest.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
        let Some((done, total)) = count.and_then(|(count, _)| count.split_once('/')) else {
            return;
        };
        if let (Ok(done), Ok(total)) = (done.parse(), total.parse()) {
            self.teller.step(what, done, Some(total), crate::executor::Unit::Files);
        }
    }

    fn call(&self, cmd: &Cmd, on_line: &mut dyn FnMut(&str)) -> Result<(), Error> {
        process::run(cmd, on_line, &|| self.run.is_stopped()).map_err(|error| {
            if error.kind() == llama_src::Kind::Missing {
                return error
                    .hint("install Git: apt-get install git")
                    .hint("or download the files before the build and COPY them");
            }
            error
        })
    }

    /// Files that only stand for large ones.
    fn pointers(&self, folder: &Path) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        for entry in self.files(folder, false)? {
            let Kind::File { size, .. } = entry.kind else { continue };
            let at = folder.join(&entry.path);
            if size < POINTER_SIZE {
                let text = fs::read(&at).map_err(|e| Error::io("read", &at, &e))?;
                if text.starts_with(POINTER) {
                    found.push(entry.path);
                }
            }
        }
        Ok(found)
    }

    /// What lies in `folder`, contents still without their digests.
    fn files(&self, folder: &Path, git_too: bool) -> Result<Vec<Entry>, Error> {
        let all = Folder { path: folder.to_owned(), ..Folder::default() };
        let disk = Disk::new(&all);
        let (mut entries, mut stack) = (Vec::new(), vec![String::new()]);
        while let Some(at) = stack.pop() {
            for name in disk.names(&at)? {
                // Submodules have a file of that name.
                if name == ".git" && !git_too {
                    continue;
                }
                let path = path::join(&at, &name);
                let Some(entry) = disk.look(&path)? else { continue };
                if entry.kind == Kind::Folder {
                    stack.push(path);
                }
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// Moves the wanted files into the store.
    fn take(&self, folder: &Path) -> Result<Vec<Entry>, Error> {
        let inner = self.wanted.folder.as_deref().unwrap_or_default();
        let wanted = folder.join(inner);
        let all = Folder { path: folder.to_owned(), ..Folder::default() };
        let clean = path::clean(inner).unwrap_or_default();
        if clean != inner || !is_folder(&Disk::new(&all), inner)? {
            return Err(Error::new(format!("{} has no folder `{inner}`", self.wanted.remote)));
        }
        let mut entries = self.files(&wanted, self.wanted.keep_git_dir)?;
        for entry in &mut entries {
            self.run.go_on()?;
            if let Kind::File { digest, size } = &mut entry.kind {
                (*digest, *size) = self.run.store().take_file(&wanted.join(&entry.path))?;
            }
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }
}

/// `git` that asks nobody for anything and takes large files only when it is told to.
fn command(arguments: &[&str]) -> Cmd {
    let git = Cmd::new("git")
        .args(["-c", "protocol.ext.allow=never", "-c", "advice.detachedHead=false"])
        .args(["-c", "gc.auto=0", "-c", "maintenance.auto=false"])
        .args(arguments)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_LFS_SKIP_SMUDGE", "1");
    // A hook that builds has its own repository in these.
    ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"]
        .iter()
        .fold(git, |git, name| git.env_not_typed(name))
}

fn no_lfs(remote: &str, files: &[String]) -> Error {
    let error = elsewhere(remote, files).hint("install Git LFS: apt-get install git-lfs");
    error.hint(
        "for Hugging Face, use ADD without .git, which needs no Git LFS: ADD \
        https://huggingface.co/OWNER/NAME",
    )
}

/// Says which files a repository has only pointers to.
pub(crate) fn elsewhere(remote: &str, files: &[String]) -> Error {
    let shown: Vec<&str> = files.iter().take(3).map(String::as_str).collect();
    let more = if files.len() > shown.len() { ", …" } else { "" };
    Error::new(format!(
        "{remote} stores {} of its files in Git LFS: {}{more}",
        files.len(),
        shown.join(", ")
    ))
}

#[cfg(all(test, unix))]
#[path = "git_tests.rs"]
mod tests;
