//! Writes `llama-sys/src/bindings*.rs` from the pinned headers; `--check` only compares.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use llama_build::Error;
use llama_build::bindings::UNITS;
use llama_src::{Request, SourceTree};

const HELP: &str = "\
cargo xtask bindings: write the Rust declarations of the pinned headers

  --check  only compare them with those that are there";

fn main() -> ExitCode {
    // The first word is the command's own.
    let words: Vec<String> = std::env::args().skip(2).collect();
    let check = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--check"] => true,
        _ => {
            let _ = writeln!(std::io::stdout(), "{HELP}");
            return ExitCode::from(u8::from(words != ["--help"]) * 2);
        }
    };
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
        let text = unit.generate(&include)?;
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
