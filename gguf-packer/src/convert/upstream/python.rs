//! Finds a Python that can run upstream's converter, or says what each one lacks.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use llama_src::sh::Cmd;

use super::{Means, news};
use crate::Error;

/// What the converter needs, with versions and where its wheels are.
const REQUIREMENTS: &str = "requirements/requirements-convert_hf_to_gguf.txt";

/// A program that runs Python scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Python {
    /// An interpreter that has what is needed.
    Plain(OsString),
    /// `uv`, which fetches what is needed.
    Uv,
}

/// No Python will do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lacks {
    /// Each one that was looked at, and what it lacks.
    looked: Vec<String>,
    /// The one that a person named.
    named: Option<String>,
    requirements: PathBuf,
}

impl Python {
    /// The command, before the script.
    pub(super) fn command(&self, scripts: &Path) -> Cmd {
        match self {
            Self::Plain(program) => Cmd::new(program),
            // Several of the needed packages are on both indexes, in different versions.
            Self::Uv => Cmd::new("uv")
                .args(["run", "--no-project", "--index-strategy", "unsafe-best-match"])
                .args(indexes(scripts))
                .arg("--with-requirements")
                .arg(scripts.join(REQUIREMENTS))
                .arg("python"),
        }
    }

    /// What a line says that a person should know: that something large is fetched.
    pub(super) fn note<'a>(&self, line: &'a str) -> Option<&'a str> {
        (*self == Self::Uv && line.starts_with("Downloading ")).then_some(line)
    }
}

/// The option of pip's and uv's that names one more index.
pub(super) const INDEX: &str = concat!("--extra-index", "-url");

/// The indexes that the requirements name. uv skips such lines, and would fetch gigabytes for GPUs.
fn indexes(scripts: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(scripts.join(REQUIREMENTS)).unwrap_or_default();
    let named = text.lines().filter_map(|line| line.strip_prefix(INDEX));
    named.flat_map(|url| [INDEX.to_owned(), url.trim().to_owned()]).collect()
}

impl fmt::Display for Python {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(program) => write!(f, "{}", program.to_string_lossy()),
            Self::Uv => f.write_str("an environment made by uv"),
        }
    }
}

/// The one that a person named, else that of an active environment, else `uv`, else `python3`.
pub(super) fn find(means: &Means, scripts: &Path) -> Result<Python, Lacks> {
    let mut lacks = Lacks { requirements: scripts.join(REQUIREMENTS), ..Lacks::default() };
    if let Some(program) = &means.python {
        lacks.named = Some(program.to_string_lossy().into_owned());
        return if lacks.has_all(program, scripts) {
            Ok(Python::Plain(program.clone()))
        } else {
            Err(lacks)
        };
    }
    let inside = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
    let active = means.environment.as_ref().map(|folder| folder.join(inside).into_os_string());
    if let Some(program) = active.filter(|program| lacks.has_all(program, scripts)) {
        return Ok(Python::Plain(program));
    }
    if Cmd::new("uv").arg("--version").read().is_ok() {
        return Ok(Python::Uv);
    }
    lacks.looked.push("uv (is not installed)".to_owned());
    let plain = if cfg!(windows) { "python" } else { "python3" };
    if lacks.has_all(OsStr::new(plain), scripts) {
        Ok(Python::Plain(plain.into()))
    } else {
        Err(lacks)
    }
}

impl Lacks {
    /// Whether `program` has everything; else what it lacks is noted.
    fn has_all(&mut self, program: &OsStr, scripts: &Path) -> bool {
        let cmd = super::command(&Python::Plain(program.to_owned()), scripts).arg("--look");
        let name = program.to_string_lossy();
        let found = cmd.read().ok().and_then(|text| text.lines().find_map(news::found));
        match found {
            Some((_, missing)) if missing.is_empty() => true,
            Some((version, missing)) => {
                self.looked.push(format!("{name} {version} (lacks {})", missing.join(", ")));
                false
            }
            None => {
                let runs = Cmd::new(program).arg("--version").read().is_ok();
                let why = if runs { "is not Python 3" } else { "cannot be run" };
                self.looked.push(format!("{name} ({why})"));
                false
            }
        }
    }

    /// The error of a checkpoint of `architecture`.
    pub(super) fn told(self, architecture: &str) -> Error {
        let what = match &self.named {
            Some(_) => "the given Python cannot run it".to_owned(),
            None => "no Python on this machine can run it".to_owned(),
        };
        let what = format!("{architecture} needs llama.cpp's Python converter, and {what}");
        let error = self.looked.into_iter().fold(Error::new(what), Error::looked_in);
        let (pip, python) = if cfg!(windows) {
            (r"converter\Scripts\pip", r"converter\Scripts\python")
        } else {
            ("converter/bin/pip", "converter/bin/python")
        };
        let requirements = self.requirements.display();
        let error = if self.named.is_some() {
            error
        } else {
            error.hint("install uv, which fetches everything else: pipx install uv")
        };
        error
            .hint(format!(
                "create a virtual environment for it: python3 -m venv converter && {pip} install \
                -r {requirements}"
            ))
            .hint(format!(
                "then name its Python: --python {python}, or GGUF_PACKER_PYTHON=$PWD/{python}"
            ))
    }
}
