//! `cargo xtask test`: sets up, builds both kinds of server, runs every test.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use llama_src::sh::Cmd;

use crate::check;
use product::requirements;
use product::variant::{self, Variant};
use workspace::built;
use workspace::built::Built;
use workspace::cargo;
use workspace::install;
use workspace::root::{NEEDS_ROOT, User};
use workspace::screen::Screen;
use workspace::source;
use workspace::tools;

/// In `ci` nobody is asked and nothing is skipped; `rest` goes to `cargo test`.
pub(crate) fn run(yes: bool, rest: Vec<OsString>, ci: bool) -> Result<()> {
    let mut screen = Screen::new();
    let test = cargo::cargo("test").args(["--release", "--workspace", "--no-fail-fast"]);
    prepare(&mut screen, yes)?;
    screen.step("checking, and building the web UI");
    let tools = Tools::build(&mut screen)?;
    let vendor = [tools.cmd("vendor")];
    let (checked, web_ui) = beside("vendor", &vendor, || check::run(check::Args::default()));
    checked?;
    web_ui?;
    let (subjects, mut left_out) =
        with_engine(&tools, yes, ci, || build(&mut screen, &tools, &test, yes))?;
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
    let whose = "skipped, because only root can run them and this user may not use sudo:";
    (!left_out.is_empty()).then(|| format!("{whose}{lines}"))
}

/// Distributions by the variables that name them.
type Dists = Vec<(String, PathBuf)>;

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
            dists.push(("LLAMA_TEST_DIST_ARM64".to_owned(), beside_out().join(name)));
        }
        let cmd = test
            .env("RUST_TEST_THREADS", test_threads())
            .env("LLAMA_TEST_HEALTHCHECK", programs.program("llama-healthcheck")?)
            .env("LLAMA_TEST_GGUF_PACKER", programs.program("gguf-packer")?)
            .env(
                "LLAMA_TEST_LLAMA_SYS",
                programs.llama_sys.context("cargo reports no build of `llama-sys`")?,
            )
            .env("LLAMA_TEST_SERVER", own)
            .env("LLAMA_TEST_SERVER_DL", shared);
        let cmd = dists.into_iter().fold(cmd, |cmd, (name, dir)| cmd.env(name, dir));
        Ok(if ci { cmd.env("CI", "true") } else { cmd })
    }
}

/// How many tests run at once: what is asked for, or one more than processors, as there is always one that waits,
/// for a server or for the engine.
fn test_threads() -> OsString {
    let threads = || std::thread::available_parallelism().map_or(2, |threads| threads.get() + 1);
    #[expect(clippy::disallowed_methods, reason = "libtest's own variable")]
    std::env::var_os("RUST_TEST_THREADS").unwrap_or_else(|| threads().to_string().into())
}

fn build(screen: &mut Screen, tools: &Tools, test: &Cmd, yes: bool) -> Result<Subjects> {
    let shared = ["backend-dl", "cpu-all-variants"].map(str::to_owned);
    let shared = built::server(screen, &shared, &[])?.program("llama-server")?;
    let shared = keep(shared, "llama-server-shared")?;
    screen.step("building llama-server and the tests");
    // Cargo names builds by everything that is selected: the server of this very selection is tested,
    // and llama.cpp is not built once more.
    let programs = Built::by(screen, test.clone().arg("--no-run"))?;
    let own = keep(programs.program("llama-server")?, "llama-server")?;
    let (dists, left_out) = distributions(tools, yes)?;
    Ok(Subjects { own, shared, programs, dists, left_out })
}

/// The distributions of this machine that are tested, by the variables that name them: the CPU's, and
/// on x86-64 those that run on a GPU made of software too; and what only root could have made.
fn distributions(tools: &Tools, yes: bool) -> Result<(Dists, Option<String>)> {
    let host = cargo::host();
    if !Variant::Cpu.targets().contains(&host.as_str()) {
        return Ok((Vec::new(), None));
    }
    let folder = |variant: Variant| cargo::root().join("dist").join(format!("{variant}-{host}"));
    let mut dists = vec![("LLAMA_TEST_DIST".to_owned(), folder(Variant::Cpu))];
    let dist = |list: &[&str]| {
        let words = ["--variant", &list.join(",")];
        tools.cmd("dist").args(words).args(yes.then_some("--setup"))
    };
    let left_out = if host == variant::X86_64 {
        let with_gpu = Variant::ALL.into_iter().filter(|one| one.row().software_gpu.is_some());
        let mut list = vec![Variant::Cpu.name()];
        for variant in with_gpu {
            let name = variant.name();
            dists.push((format!("LLAMA_TEST_DIST_{}", name.to_uppercase()), folder(variant)));
            list.push(name);
        }
        let all = dist(&list);
        unless_roots(&all, all.run())?
    } else {
        None
    };
    if left_out.is_some() || host != variant::X86_64 {
        dist(&[Variant::Cpu.name()]).run()?;
    }
    // Its CPU variants are what the compiler cache has of the others.
    let out = cargo::target_dir().join("xtask/one-file");
    dists.push(("LLAMA_TEST_DIST_ONE_FILE".to_owned(), out.join(format!("one-file-{host}"))));
    tools.cmd("dist").args(["--one-file", "--out"]).arg(out).run()?;
    Ok((dists, left_out))
}

/// One line about a command that only root could have done; its error otherwise.
fn unless_roots(cmd: &Cmd, done: Result<(), llama_src::Error>) -> Result<Option<String>> {
    match done {
        Err(error) if error.status() == Some(NEEDS_ROOT.into()) => Ok(Some(cmd.to_string())),
        done => Ok(done.map(|()| None)?),
    }
}

/// `work`, and beside it a Docker engine for the tests of images. Outside CI it is none of the tests' errors
/// when there is none: they say what they skip. In CI also what is fuzzed, and what takes gigabytes of toolkits: the
/// distribution for arm64, and the variants that take too long to be built here, configured and one kernel of each
/// compiled. The second result names what only root could have done.
fn with_engine<T>(
    tools: &Tools,
    yes: bool,
    ci: bool,
    work: impl FnOnce() -> Result<T>,
) -> Result<(T, Vec<String>)> {
    if !cfg!(target_os = "linux") || !(yes || ci) {
        return Ok((work()?, Vec::new()));
    }
    let engine = tools.cmd("provision").arg("docker");
    let mut commands = vec![if yes { engine.arg("--yes") } else { engine }];
    let dist =
        |words: &[&str]| tools.cmd("dist").args(["--setup", "--out"]).arg(beside_out()).args(words);
    if ci {
        commands.push(Cmd::new(std::env::current_exe()?).args(["fuzz", "--build"]));
    }
    if ci && cargo::host() == variant::X86_64 {
        for variant in Variant::ALL {
            let code = variant.row().gpu_code.into_iter();
            commands.extend(
                code.map(|code| {
                    dist(&["--probe", "--variant", variant.name(), "--arch", code.tried])
                }),
            );
        }
        commands.push(dist(&["--target", variant::AARCH64]));
    }
    let (done, engine) = beside("engine", &commands, work);
    let done = done?;
    let left_out = match engine {
        Err(error) if !ci => {
            eprintln!("skipping the tests of images: {error:#}");
            Vec::new()
        }
        engine => engine?,
    };
    Ok((done, left_out))
}

/// The tools that this one starts, where no build of Cargo's replaces them.
struct Tools;

impl Tools {
    fn build(screen: &mut Screen) -> Result<Self> {
        let words = ["vendor", "dist", "provision"];
        let built = tools::programs(screen, &words)?;
        for package in words.iter().filter_map(|word| tools::package(word)) {
            keep(built.program(package)?, package)?;
        }
        Ok(Self)
    }

    /// The tool that answers `word`, one of those that are built, with that word.
    fn cmd(&self, word: &str) -> Cmd {
        Cmd::new(kept(tools::package(word).expect("it is built"))).arg(word)
    }
}

/// Where distributions go that are made beside others: a run holds its folder.
fn beside_out() -> PathBuf {
    cargo::target_dir().join("xtask/dist")
}

/// `work`, and beside it other commands, one after the other, which are heard only when one
/// fails: while one waits, for the network or a compiler with one long file, the other goes on.
fn beside<T>(name: &str, commands: &[Cmd], work: impl FnOnce() -> T) -> (T, Result<Vec<String>>) {
    let log = cargo::target_dir().join("xtask").join(format!("{name}.log"));
    let others = || -> Result<Vec<String>> {
        std::fs::create_dir_all(cargo::target_dir().join("xtask"))?;
        // The last run's; whether there was one does not matter.
        let _ = std::fs::remove_file(&log);
        each(commands, &log)
    };
    std::thread::scope(|scope| {
        let others = scope.spawn(others);
        (work(), others.join().expect("it does not panic"))
    })
}

/// Runs each of the `commands`; names those that only root can run, with what for.
fn each(commands: &[Cmd], log: &Path) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for command in commands {
        let mut error = String::new();
        let done = command.run_logged(log, |line| {
            line.strip_prefix("error: ").into_iter().for_each(|last| error = last.to_owned());
        });
        all.extend(unless_roots(command, done)?.map(|command| format!("{command}: {error}")));
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
        requirements::zsh(),
        requirements::fish(),
    ];
    let linux = linux.into_iter().filter(|_| cfg!(target_os = "linux"));
    let everywhere = [requirements::clang(), requirements::rustfmt(), requirements::clippy()];
    let debian = which::which("dpkg").is_ok().then(requirements::debhelper);
    let also: Vec<_> = linux.chain(debian).chain(everywhere).collect();
    install::ensure(&install::config(&[])?, &also, yes)?;
    source::alone(screen)?;
    Ok(())
}

/// Both builds give the same file name: each one is kept under its own.
fn keep(built: PathBuf, name: &str) -> Result<PathBuf> {
    let kept = kept(name);
    std::fs::create_dir_all(kept.parent().expect("a file is in a folder"))?;
    // A running server of an older test would make the file busy.
    let _ = std::fs::remove_file(&kept);
    std::fs::copy(&built, &kept).with_context(|| format!("cannot copy {}", built.display()))?;
    Ok(kept)
}

fn kept(name: &str) -> PathBuf {
    cargo::target_dir().join("xtask").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_root_can_do_is_left_out_and_named_at_the_end() {
        let needs_root = Cmd::new("sh").args(["-c", "exit 77"]);
        let left_out = unless_roots(&needs_root, needs_root.run()).unwrap();
        assert_eq!(left_out.as_deref(), Some("sh -c 'exit 77'"));
        let told = told(&[left_out.unwrap(), "the test x: it needs y".to_owned()]).unwrap();
        let first = "skipped, because only root can run them and this user may not use sudo:\n";
        assert_eq!(told, format!("{first}  sh -c 'exit 77'\n  the test x: it needs y"));
        assert_eq!(super::told(&[]), None);
    }

    #[cfg(unix)]
    #[test]
    fn after_a_step_of_roots_the_others_run() {
        let dir = tempfile::tempdir().unwrap();
        let (log, made) = (dir.path().join("log"), dir.path().join("made"));
        let refused = "echo error: only root can x >&2; echo '  hint: y' >&2; exit 77";
        let sh = |line: &str| Cmd::new("sh").args(["-c", line]);
        let touch = || Cmd::new("touch").arg(&made);
        let left_out = each(&[sh(refused), touch()], &log).unwrap();
        assert_eq!(left_out, [format!("{}: only root can x", sh(refused))]);
        assert!(made.is_file());
        std::fs::remove_file(&made).unwrap();
        assert!(each(&[sh("exit 1"), touch()], &log).is_err() && !made.exists());
    }

    #[test]
    fn other_failures_are_not_left_out() {
        let [good, bad] = ["true", "false"].map(Cmd::new);
        assert_eq!(unless_roots(&good, good.run()).unwrap(), None);
        assert!(unless_roots(&bad, bad.run()).is_err());
    }
}
