//! `cargo xtask test`: sets up, builds both kinds of server, runs every test.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use lexopt::prelude::*;
use llama_src::sh::Cmd;

use crate::built::Built;
use crate::root::{NEEDS_ROOT, NeedsRoot, User};
use crate::screen::Screen;
use crate::variant::{self, Variant};
use crate::{cargo, check, dist, requirements, serve, setup, vendor};

pub(crate) fn run(args: Vec<OsString>) -> Result<()> {
    let (yes, rest) = parse(args)?;
    everything(yes, rest, cargo::is_ci())
}

/// `cargo xtask ci`: the same as CI runs it, where nobody is asked and nothing is skipped.
pub(crate) fn ci(args: Vec<OsString>) -> Result<()> {
    let (_, rest) = parse(args)?;
    everything(true, rest, true)
}

fn everything(yes: bool, rest: Vec<OsString>, ci: bool) -> Result<()> {
    let mut screen = Screen::new();
    let test = cargo::cargo("test").args(["--release", "--workspace", "--no-fail-fast"]);
    prepare(&mut screen, yes)?;
    screen.step("checking, and building the web UI");
    let (checked, web_ui) = beside("vendor", &[&["vendor"]], || check::run(Vec::new()));
    checked?;
    web_ui?;
    let (subjects, mut left_out) = with_engine(yes, ci, || build(&mut screen, &test, yes))?;
    left_out.extend(subjects.left_out.clone());
    screen.step("testing");
    let mut cmd = subjects.tested(test, ci)?.args(rest);
    let of_tests = cargo::target_dir().join("xtask/left-out.txt");
    let _ = std::fs::remove_file(&of_tests);
    if User::find()?.must_become_root("run some of the tests").is_err() {
        cmd = cmd.env("LLAMA_TEST_LEFT_OUT", &of_tests);
    }
    let tested = screen.build(&cmd);
    let of_tests = std::fs::read_to_string(&of_tests).unwrap_or_default();
    left_out.extend(of_tests.lines().map(str::to_owned));
    if let Some(text) = told(&left_out) {
        eprintln!("{text}");
    }
    tested
}

/// What a run without root's rights says at its end.
fn told(left_out: &[String]) -> Option<String> {
    let lines: String = left_out.iter().map(|what| format!("\n  {what}")).collect();
    let whose = "left out, as only root can do it and this user may not use sudo:";
    (!left_out.is_empty()).then(|| format!("{whose}{lines}"))
}

/// Distributions by the variables that name them.
type Dists = Vec<(&'static str, PathBuf)>;

/// What is tested.
struct Subjects {
    own: PathBuf,
    shared: PathBuf,
    programs: Built,
    dists: Dists,
    /// What only root could have made.
    left_out: Option<String>,
}

impl Subjects {
    /// `test` with the variables that name them.
    fn tested(self, test: Cmd, ci: bool) -> Result<Cmd> {
        let Self { own, shared, programs, mut dists, left_out: _ } = self;
        if ci && cargo::host() == variant::X86_64 {
            let name = format!("{}-{}", Variant::Cpu, variant::AARCH64);
            dists.push(("LLAMA_TEST_DIST_ARM64", beside_out().join(name)));
        }
        let cmd = test
            .env("RUST_TEST_THREADS", cargo::test_threads())
            .env("LLAMA_TEST_HEALTHCHECK", programs.program("llama-healthcheck")?)
            .env("LLAMA_TEST_GGUF_PACKER", programs.program("gguf-packer")?)
            .env(
                "LLAMA_TEST_LLAMA_SYS",
                programs.llama_sys.context("cargo names no build of `llama-sys`")?,
            )
            .env("LLAMA_TEST_SERVER", own)
            .env("LLAMA_TEST_SERVER_DL", shared);
        let cmd = dists.into_iter().fold(cmd, |cmd, (name, dir)| cmd.env(name, dir));
        Ok(if ci { cmd.env("CI", "true") } else { cmd })
    }
}

fn build(screen: &mut Screen, test: &Cmd, yes: bool) -> Result<Subjects> {
    let shared = keep(
        serve::build(screen, &["backend-dl", "cpu-all-variants"].map(str::to_owned), &[])?,
        "llama-server-shared",
    )?;
    screen.step("building llama-server and the tests");
    // Cargo names builds by everything that is selected: the server of this very selection is tested,
    // and llama.cpp is not built once more.
    let programs = Built::by(screen, test.clone().arg("--no-run"))?;
    let own = keep(programs.program("llama-server")?, "llama-server")?;
    let (dists, left_out) = distributions(yes)?;
    Ok(Subjects { own, shared, programs, dists, left_out })
}

fn parse(args: Vec<OsString>) -> Result<(bool, Vec<OsString>)> {
    let mut own = args.clone();
    let rest = match args.iter().position(|arg| arg == "--") {
        Some(end) => {
            let rest = own.split_off(end + 1);
            own.pop();
            rest
        }
        None => Vec::new(),
    };
    let mut yes = false;
    let mut own = lexopt::Parser::from_args(own);
    while let Some(arg) = own.next()? {
        match arg {
            Long("yes") | Short('y') => yes = true,
            _ => return Err(arg.unexpected().into()),
        }
    }
    Ok((yes, rest))
}

/// The distributions of this machine that are tested, by the variables that name them: the CPU's, and
/// on x86-64 the one for Vulkan, which runs without a GPU too; and what only root could have made.
fn distributions(yes: bool) -> Result<(Dists, Option<String>)> {
    let host = cargo::host();
    if !Variant::Cpu.targets().contains(&host.as_str()) {
        return Ok((Vec::new(), None));
    }
    let folder = |variant: Variant| cargo::root().join("dist").join(format!("{variant}-{host}"));
    let mut dists = vec![("LLAMA_TEST_DIST", folder(Variant::Cpu))];
    let setup = yes.then_some("--setup");
    let dist = |list| ["dist", "--variant", list].into_iter().chain(setup).collect::<Vec<_>>();
    let run = |words: &[&str]| dist::run(words[1..].iter().map(OsString::from).collect());
    let left_out = if host == variant::X86_64 {
        let both = dist("cpu,vulkan");
        let left_out = unless_roots(&both, run(&both))?;
        dists.push(("LLAMA_TEST_DIST_VULKAN", folder(Variant::Vulkan)));
        left_out
    } else {
        None
    };
    if left_out.is_some() || host != variant::X86_64 {
        run(&dist("cpu"))?;
    }
    // Its CPU variants are what the compiler cache has of the others.
    let out = cargo::target_dir().join("xtask/one-file");
    dists.push(("LLAMA_TEST_DIST_ONE_FILE", out.join(format!("one-file-{host}"))));
    dist::run(vec!["--one-file".into(), "--out".into(), out.into()])?;
    Ok((dists, left_out))
}

/// What a command was that only root could have done; its error otherwise.
fn unless_roots(words: &[&str], done: Result<()>) -> Result<Option<String>> {
    match done {
        Err(error) if error.is::<NeedsRoot>() => Ok(Some(left_out(words, &error.to_string()))),
        done => done.map(|()| None),
    }
}

/// One line: the command, and what it needs root for.
fn left_out(words: &[&str], error: &str) -> String {
    format!("cargo xtask {}: {}", words.join(" "), error.lines().next().unwrap_or_default())
}

/// `work`, and beside it a Docker engine for the tests of images. Outside CI it is none of the tests' errors
/// when there is none: they say what they skip. In CI also what is fuzzed, and what takes gigabytes of toolkits: the
/// distribution for arm64, and the variants that take too long to be built here, configured and one kernel of each
/// compiled. The second result names what only root could have done.
fn with_engine<T>(
    yes: bool,
    ci: bool,
    work: impl FnOnce() -> Result<T>,
) -> Result<(T, Vec<String>)> {
    if !cfg!(target_os = "linux") || !(yes || ci) {
        return Ok((work()?, Vec::new()));
    }
    let setup = ["setup", "docker", "--yes"];
    let mut commands = vec![if yes { &setup[..] } else { &setup[..2] }];
    let out = beside_out();
    let out = out.to_string_lossy();
    let dist = ["dist", "--setup", "--out", &out];
    let also: [&[&str]; 3] = [
        &["--probe", "--variant", "rocm", "--arch", "gfx1100"],
        &["--probe", "--variant", "cuda", "--arch", "90"],
        &["--target", variant::AARCH64],
    ];
    let also = also.map(|words| [&dist, words].concat());
    if ci {
        commands.push(&["fuzz", "--build"]);
    }
    if ci && cargo::host() == variant::X86_64 {
        commands.extend(also.iter().map(Vec::as_slice));
    }
    let (done, engine) = beside("engine", &commands, work);
    let done = done?;
    let left_out = match engine {
        Err(error) if !ci => {
            eprintln!("images are not tested: {error:#}");
            Vec::new()
        }
        engine => engine?,
    };
    Ok((done, left_out))
}

/// Where distributions go that are made beside others: a run holds its folder.
fn beside_out() -> PathBuf {
    cargo::target_dir().join("xtask/dist")
}

/// `work`, and beside it other commands of this program, one after the other, which are heard only when one
/// fails: while one waits, for the network or a compiler with one long file, the other goes on. Those that only root
/// could have done are named.
fn beside<T>(
    name: &str,
    commands: &[&[&str]],
    work: impl FnOnce() -> T,
) -> (T, Result<Vec<String>>) {
    let log = cargo::target_dir().join("xtask").join(format!("{name}.log"));
    let others = || -> Result<Vec<String>> {
        std::fs::create_dir_all(cargo::target_dir().join("xtask"))?;
        // The last run's; whether there was one does not matter.
        let _ = std::fs::remove_file(&log);
        each(&std::env::current_exe()?, commands, &log)
    };
    std::thread::scope(|scope| {
        let others = scope.spawn(others);
        (work(), others.join().expect("it does not panic"))
    })
}

/// Runs `program` with each of the `commands`; names those that only root can run.
fn each(program: &Path, commands: &[&[&str]], log: &Path) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for words in commands {
        let mut error = String::new();
        let done = Cmd::new(program).args(*words).run_logged(log, |line| {
            line.strip_prefix("error: ").into_iter().for_each(|last| error = last.to_owned());
        });
        match done {
            Err(failed) if failed.status() == Some(NEEDS_ROOT.into()) => {
                all.push(left_out(words, &error));
            }
            done => done?,
        }
    }
    Ok(all)
}

fn prepare(screen: &mut Screen, yes: bool) -> Result<()> {
    // The tests that need these run on Linux only.
    let linux = [
        requirements::chromium(),
        requirements::pkg_config(),
        requirements::qemu_user(),
        requirements::lavapipe(),
    ];
    let linux = linux.into_iter().filter(|_| cfg!(target_os = "linux"));
    let everywhere = [requirements::clang(), requirements::rustfmt(), requirements::clippy()];
    let debian = which::which("dpkg").is_ok().then(requirements::debhelper);
    let also: Vec<_> = linux.chain(debian).chain(everywhere).collect();
    setup::ensure(&setup::config(&[])?, &also, yes)?;
    vendor::source_alone(screen)?;
    Ok(())
}

/// Both builds give the same file name: each one is kept under its own.
fn keep(built: PathBuf, name: &str) -> Result<PathBuf> {
    let kept =
        cargo::target_dir().join("xtask").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    // A running server of an older test would make the file busy.
    let _ = std::fs::remove_file(&kept);
    std::fs::copy(&built, &kept).with_context(|| format!("cannot copy {}", built.display()))?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::tests::ordinary;

    #[test]
    fn what_only_root_can_do_is_left_out_and_named_at_the_end() {
        let words = ["dist", "--variant", "cpu,vulkan"];
        let refused = ordinary(false).must_become_root("make the Debian root vulkan-trixie");
        let left_out = unless_roots(&words, refused.map_err(Into::into)).unwrap();
        let line = "cargo xtask dist --variant cpu,vulkan: only root can make the Debian root vulkan-trixie, and this \
                    user may not use sudo";
        assert_eq!(left_out.as_deref(), Some(line));
        let told = told(&[line.to_owned(), "the test x: it needs y".to_owned()]).unwrap();
        let first = "left out, as only root can do it and this user may not use sudo:\n";
        assert_eq!(told, format!("{first}  {line}\n  the test x: it needs y"));
        assert_eq!(super::told(&[]), None);
    }

    #[cfg(unix)]
    #[test]
    fn after_a_step_of_roots_the_others_run() {
        let dir = tempfile::tempdir().unwrap();
        let (log, made) = (dir.path().join("log"), dir.path().join("made"));
        let refused = "echo error: only root can x >&2; echo '  hint: y' >&2; exit 77";
        let touch = format!("touch {}", made.display());
        let commands: [&[&str]; 2] = [&["-c", refused], &["-c", &touch]];
        let left_out = each(Path::new("sh"), &commands, &log).unwrap();
        assert_eq!(left_out, [format!("cargo xtask -c {refused}: only root can x")]);
        assert!(made.is_file());
        std::fs::remove_file(&made).unwrap();
        let commands: [&[&str]; 2] = [&["-c", "exit 1"], &["-c", &touch]];
        assert!(each(Path::new("sh"), &commands, &log).is_err() && !made.exists());
    }

    #[test]
    fn other_failures_are_not_left_out() {
        assert_eq!(unless_roots(&["dist"], Ok(())).unwrap(), None);
        assert!(unless_roots(&["dist"], Err(anyhow::anyhow!("no space"))).is_err());
    }
}
