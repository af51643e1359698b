//! Writes `llama-sys/src/bindings*.rs` from the pinned headers; `--check` only compares.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bindings::Cli;
use clap::Parser;
use llama_build::Error;
use llama_build::bindings::{CHECKED_IN, UNITS};
use llama_src::{Request, SourceTree};

fn main() -> ExitCode {
    let Cli::Bindings { check } = Cli::parse();
    match run(check) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(check: bool) -> Result<(), Error> {
    let tree = SourceTree::prepare(&Request::default(), &mut |_| ())?.dir;
    let include = ["include", "ggml/include", "tools/mtmd"].map(|dir| tree.join(dir));
    let include: Vec<&Path> = include.iter().map(PathBuf::as_path).collect();
    let mut stale = Vec::new();
    for unit in UNITS {
        let path = llama_src::root().join(format!("../llama-sys/src/{}.rs", unit.name));
        let text = unit.generate(&include, Some(CHECKED_IN))?;
        if !check {
            std::fs::write(&path, text).map_err(|e| Error::io("write", &path, &e))?;
        } else if std::fs::read_to_string(&path).unwrap_or_default().replace('\r', "") != text {
            stale.push(unit.name);
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    let what = format!("not of the pinned headers: {}", stale.join(", "));
    Err(Error::mismatch(what).hint("cargo xtask bindings"))
}
