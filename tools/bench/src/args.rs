//! What a person types after `cargo xtask bench`.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use lexopt::prelude::*;
use llama_src::Error;

use crate::engines::Engine;
use product::variant::Variant;
use workspace::cargo;

pub(crate) const HELP: &str = "\
cargo xtask bench WORD...: measure this project next to upstream's own build

  build    time, CPU time and memory of builds, next to upstream's Dockerfile's;
           leaves upstream's build where the other words look for it
  size     bytes of the server and its libraries
  start    time from the start of the server until it is ready
  run      tokens each second: prompts, generation, many streams, other engines
  report   write docs/performance.md and its plots from bench/results

  --quick               fewer and shorter measurements
  --tiny                a model of 3 MB: only tries the command
  --dist DIR            our distribution; default: the cpu one in dist
  --official DIR        upstream's build folder; default: what `build` left
  --with LIST           with run: other engines, of llama-cpp-2, xllamacpp,
                        llama-cpp-python and debian (Debian's installed server);
                        the first three are installed into the target folder
  --variant NAME        with build: cpu (default), cuda, rocm or vulkan
  --images              with build: both images too; needs a Docker engine
  --image NAME          with size: our image, or its archive
  --official-image NAME with size: upstream's image
  --json FILE           the results; default: bench/results.json in the target
                        folder
  --check               with report: only compare
";

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Build,
    Size,
    Start,
    Run,
    Report,
}

#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) words: Vec<Word>,
    pub(crate) quick: bool,
    pub(crate) tiny: bool,
    pub(crate) dist: PathBuf,
    pub(crate) official: PathBuf,
    pub(crate) engines: Vec<Engine>,
    pub(crate) variant: Variant,
    pub(crate) images: bool,
    pub(crate) image: Option<String>,
    pub(crate) official_image: Option<String>,
    pub(crate) json: PathBuf,
    pub(crate) check: bool,
}

/// The words of a command line; `None`: help is wanted.
///
/// # Errors
/// Names a word that means nothing.
pub(crate) fn parse(args: Vec<OsString>) -> Result<Option<Args>> {
    let mut parser = lexopt::Parser::from_args(args);
    let mut parsed = Args {
        words: Vec::new(),
        quick: false,
        tiny: false,
        dist: cargo::root().join("dist").join(format!("cpu-{}", cargo::host())),
        official: crate::folder().join("official/build"),
        engines: Vec::new(),
        variant: Variant::Cpu,
        images: false,
        image: None,
        official_image: None,
        json: crate::folder().join("results.json"),
        check: false,
    };
    while let Some(arg) = parser.next()? {
        match arg {
            Value(name) => parsed.words.push(word(&name.string()?)?),
            Long("quick") => parsed.quick = true,
            Long("tiny") => parsed.tiny = true,
            Long("dist") => parsed.dist = path(&mut parser)?,
            Long("official") => parsed.official = path(&mut parser)?,
            Long("with") => parsed.engines = engines(&parser.value()?.string()?)?,
            Long("variant") => parsed.variant = variant(&parser.value()?.string()?)?,
            Long("images") => parsed.images = true,
            Long("image") => parsed.image = Some(parser.value()?.string()?),
            Long("official-image") => parsed.official_image = Some(parser.value()?.string()?),
            Long("json") => parsed.json = path(&mut parser)?,
            Long("check") => parsed.check = true,
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(arg.unexpected().into()),
        }
    }
    ensure!(
        !parsed.words.is_empty(),
        Error::usage("nothing to measure").hint("cargo xtask bench start size run --quick")
    );
    let reports = parsed.words.contains(&Word::Report);
    ensure!(
        !reports || parsed.words.len() == 1,
        Error::usage("`report` measures nothing").hint("cargo xtask bench report")
    );
    ensure!(
        reports || !parsed.check,
        Error::usage("--check is for `report`").hint("cargo xtask bench report")
    );
    Ok(Some(parsed))
}

/// Programs are run from other folders than this one.
fn path(parser: &mut lexopt::Parser) -> Result<PathBuf> {
    Ok(std::path::absolute(PathBuf::from(parser.value()?))?)
}

fn word(name: &str) -> Result<Word> {
    Ok(match name {
        "build" => Word::Build,
        "size" => Word::Size,
        "start" => Word::Start,
        "run" => Word::Run,
        "report" => Word::Report,
        _ => bail!(
            Error::usage(format!("`{name}` measures nothing"))
                .hint("build, size, start, run, report")
        ),
    })
}

fn variant(name: &str) -> Result<Variant> {
    let found = Variant::ALL.into_iter().find(|variant| variant.name() == name);
    let none =
        || Error::usage(format!("no variant `{name}`")).hint("cpu, cuda, rocm, vulkan").into();
    found.ok_or_else(none)
}

fn engines(list: &str) -> Result<Vec<Engine>> {
    let find = |name: &str| {
        let found = Engine::ALL.into_iter().find(|engine| engine.name() == name);
        let names = Engine::ALL.map(Engine::name).join(", ");
        found.ok_or_else(|| Error::usage(format!("no engine `{name}`")).hint(names).into())
    };
    list.split(',').map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> Result<Option<Args>> {
        parse(words.split_whitespace().map(OsString::from).collect())
    }

    #[test]
    fn words_that_mean_nothing_are_refused() {
        for (words, message) in [
            ("", "nothing to measure\n  hint: cargo xtask bench start size run --quick"),
            ("speed", "`speed` measures nothing\n  hint: build, size, start, run, report"),
            ("run report", "`report` measures nothing\n  hint: cargo xtask bench report"),
            ("run --check", "--check is for `report`\n  hint: cargo xtask bench report"),
            ("build --variant x", "no variant `x`\n  hint: cpu, cuda, rocm, vulkan"),
            (
                "run --with vllm",
                "no engine `vllm`\n  hint: llama-cpp-2, xllamacpp, llama-cpp-python, debian",
            ),
        ] {
            assert_eq!(parsed(words).unwrap_err().to_string(), message, "{words}");
        }
        assert!(parsed("run --help").unwrap().is_none());
        let args = parsed("start run --quick --with debian,xllamacpp").unwrap().unwrap();
        assert_eq!(args.words, [Word::Start, Word::Run]);
        assert_eq!(args.engines, [Engine::Debian, Engine::Xllamacpp]);
    }

    #[test]
    fn help_fits_a_terminal() {
        assert!(HELP.lines().all(|line| line.chars().count() <= 80), "{HELP}");
    }
}
