//! Other engines, from where their users get them: crates.io, PyPI, Debian.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;
use clap::builder::PossibleValue;
use llama_src::sh::Cmd;

use crate::side::{self, Side, Way};
use workspace::cargo;
use workspace::screen::Screen;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    LlamaCpp2,
    Xllamacpp,
    LlamaCppPython,
    Debian,
}

/// Versions of PyPI that are measured. That of crates.io is in its driver's Cargo.toml.
const XLLAMACPP: &str = "2026.10.11549";
const LLAMA_CPP_PYTHON: &str = "0.3.36";

impl Engine {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::LlamaCpp2 => "llama-cpp-2",
            Self::Xllamacpp => "xllamacpp",
            Self::LlamaCppPython => "llama-cpp-python",
            Self::Debian => "debian",
        }
    }
}

impl ValueEnum for Engine {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::LlamaCpp2, Self::Xllamacpp, Self::LlamaCppPython, Self::Debian]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// `engine`, installed into the target folder; one that cannot be says why in its rows.
///
/// # Errors
/// Never for want of the engine.
pub(crate) fn side(engine: Engine, screen: &mut Screen) -> Result<Side> {
    screen.step(&format!("preparing {}", engine.name()));
    let made = match engine {
        Engine::LlamaCpp2 => of_crates_io(),
        Engine::Xllamacpp => of_pypi(engine, XLLAMACPP),
        Engine::LlamaCppPython => of_pypi(engine, LLAMA_CPP_PYTHON),
        Engine::Debian => of_debian(),
    };
    Ok(made.unwrap_or_else(|error| Side {
        name: engine.name().to_owned(),
        about: "not installed".to_owned(),
        way: Way::Missing(crate::first_line(&error)),
    }))
}

fn drivers() -> PathBuf {
    cargo::root().join("tools/bench/drivers")
}

fn of_crates_io() -> Result<Side> {
    let manifest = drivers().join("llama-cpp-2/Cargo.toml");
    let target = crate::folder().join("llama-cpp-2");
    let build =
        cargo::cargo("build").args(["--release", "--locked", "--manifest-path"]).arg(&manifest);
    build
        .arg("--target-dir")
        .arg(&target)
        .run_logged(&crate::folder().join("engines.log"), |_| ())?;
    let text = std::fs::read_to_string(&manifest)?;
    let version = text.lines().find_map(|line| line.strip_prefix("llama-cpp-2 = \"="));
    let version = version.context("no version in the driver's Cargo.toml")?.trim_end_matches('"');
    Ok(Side {
        name: Engine::LlamaCpp2.name().to_owned(),
        about: format!("the crate {version} with its default features"),
        way: Way::Driver(Cmd::new(target.join("release/llama-cpp-2-driver"))),
    })
}

fn of_pypi(engine: Engine, version: &str) -> Result<Side> {
    let (name, venv) = (engine.name(), crate::folder().join("venv"));
    let python = venv.join("bin/python");
    let log = crate::folder().join("engines.log");
    if !python.is_file() {
        Cmd::new("python3").args(["-m", "venv"]).arg(&venv).run_logged(&log, |_| ())?;
    }
    let install = Cmd::new(&python).args(["-m", "pip", "install", "--quiet"]);
    install.arg(format!("{name}=={version}")).run_logged(&log, |_| ())?;
    Ok(Side {
        name: name.to_owned(),
        about: format!("{version} of PyPI"),
        way: Way::Driver(Cmd::new(python).arg(drivers().join("engine.py")).arg(name)),
    })
}

fn of_debian() -> Result<Side> {
    let files = Cmd::new("dpkg").args(["--listfiles", "llama.cpp"]).read();
    let files = files.ok().context("not installed: apt-get install llama.cpp")?;
    let program = files.lines().find(|line| line.ends_with("/bin/llama-server"));
    let program = program.context("Debian's package has no llama-server")?;
    Ok(side::server(Engine::Debian.name(), program.into()))
}
