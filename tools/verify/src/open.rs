//! The rule that every library opens with all its symbols, each in a fresh process without any
//! environment, so that only the distribution itself can help it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use llama_src::sh::Cmd;

use super::facts::{self, Entries};
use super::runner::{self, Runner};
use super::{NotRun, parallel};
use product::variant::Variant;

/// The word by which xtask starts itself to open one library.
pub const WORD: &str = "__dlopen";
/// What that process says when it went well.
const OPENED: &str = "opened";

/// How opening a library went.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Opened,
    /// The driver's library that this machine has not.
    NoDriver(&'static str),
    Failed(String),
}

/// What was found by opening all libraries.
#[derive(Debug, Default)]
pub(super) struct Opened {
    pub(super) violations: Vec<String>,
    /// Libraries that opened.
    pub(super) libraries: Vec<String>,
    pub(super) not_run: Vec<NotRun>,
}

/// `xtask __dlopen FILE`: opens it and says how that went.
pub fn run(file: &Path) {
    println!("{}", open(file).map_or_else(|why| why, |()| OPENED.to_owned()));
}

/// Opens every library of the distribution in `dir`.
pub(super) fn every(
    dir: &Path,
    entries: &Entries,
    variant: Variant,
    runner: &Runner,
) -> Result<Opened> {
    // By this name it starts even when Cargo has built another one in its place meanwhile.
    let myself = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
    let xtask = if myself.exists() { myself } else { std::env::current_exe()? };
    let libraries: Vec<&str> = facts::elves(entries)
        .map(|(path, _)| path)
        .filter(|path| facts::is_library(path))
        .collect();
    let outcomes = parallel::map(&libraries, |path| {
        match runner::lines_of(&command(runner, &xtask, &dir.join(path))) {
            Ok(lines) => judge(&lines, variant, runner),
            Err(error) => Outcome::Failed(error.to_string()),
        }
    });
    let mut opened = Opened::default();
    libraries.into_iter().zip(outcomes).for_each(|(path, outcome)| opened.add(path, outcome));
    Ok(opened)
}

impl Opened {
    fn add(&mut self, path: &str, outcome: Outcome) {
        match outcome {
            Outcome::Opened => self.libraries.push(path.to_owned()),
            Outcome::Failed(why) => self.violations.push(format!("{path}: does not open: {why}")),
            Outcome::NoDriver(driver) => self.not_run.push(NotRun {
                what: format!("opening {path}"),
                why: format!("no {driver} here"),
                hint: None,
            }),
        }
    }
}

/// What opens `library`; where it is another machine's, its loader does what `ldd -r` does.
fn command(runner: &Runner, xtask: &Path, library: &Path) -> Cmd {
    match runner {
        Runner::Native => runner.cmd(xtask).arg(WORD).arg(library),
        Runner::Emulated { qemu, sysroot, loader } => {
            let env = Runner::Native.cmd(qemu).args(["-E", "LD_BIND_NOW=1", "-E", "LD_WARN=1"]);
            env.args(["-E", "LD_TRACE_LOADED_OBJECTS=1", "-L"])
                .arg(sysroot)
                .arg(loader)
                .arg(library)
        }
    }
}

fn judge(lines: &[String], variant: Variant, runner: &Runner) -> Outcome {
    let trouble: Vec<&str> = match runner {
        Runner::Native if lines.iter().any(|line| line == OPENED) => return Outcome::Opened,
        Runner::Native => lines.iter().map(String::as_str).collect(),
        Runner::Emulated { .. } if trouble(lines).is_empty() => return Outcome::Opened,
        Runner::Emulated { .. } => trouble(lines),
    };
    let drivers = variant.driver_libraries();
    let missing: Vec<&str> = trouble.iter().filter_map(|line| missing_library(line)).collect();
    match drivers.iter().find(|driver| missing.contains(driver)) {
        // Without it symbols are missing too; another library must not be.
        Some(driver) if missing.iter().all(|library| drivers.contains(library)) => {
            Outcome::NoDriver(driver)
        }
        _ => Outcome::Failed(trouble.join("; ")),
    }
}

/// The library that is not there, as `dlerror` or the loader's list says it.
fn missing_library(line: &str) -> Option<&str> {
    let dlerror = line.split_once(": cannot open shared object file");
    dlerror.or(line.split_once(" => not found")).map(|(library, _)| library)
}

/// Lines of a loader's list that tell of something missing.
fn trouble(lines: &[String]) -> Vec<&str> {
    let fine = |line: &str| {
        (line.contains(" => ") || line.contains(" (0x") || line == "statically linked")
            && !line.ends_with("not found")
    };
    let lines = lines.iter().map(|line| line.trim());
    lines.filter(|line| !line.is_empty() && !fine(line)).collect()
}

#[cfg(unix)]
fn open(file: &Path) -> Result<(), String> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(file.as_os_str().as_bytes()).map_err(|e| e.to_string())?;
    #[expect(unsafe_code, reason = "only the loader can tell whether it can load a library")]
    // Its path is a C string; what `dlerror` returns is one too, and valid until the next call.
    unsafe {
        if !libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL).is_null() {
            return Ok(());
        }
        let why = libc::dlerror();
        let why = if why.is_null() { c"unknown error" } else { std::ffi::CStr::from_ptr(why) };
        Err(why.to_string_lossy().into_owned())
    }
}

#[cfg(not(unix))]
fn open(_: &Path) -> Result<(), String> {
    Err("this system has no dlopen".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(lines: &[&str], variant: Variant) -> Outcome {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        judge(&lines, variant, &Runner::Native)
    }

    fn emulated() -> Runner {
        Runner::Emulated { qemu: "/q".into(), sysroot: "/s".into(), loader: "/s/ld.so".into() }
    }

    #[test]
    fn only_the_driver_may_be_missing() {
        let missing = "libcuda.so.1: cannot open shared object file: No such file or directory";
        assert_eq!(judged(&["opened"], Variant::Cpu), Outcome::Opened);
        assert_eq!(judged(&[missing], Variant::Cuda), Outcome::NoDriver("libcuda.so.1"));
        assert_eq!(judged(&[missing], Variant::Vulkan), Outcome::Failed(missing.into()));
        let other = "libcudart.so.13: cannot open shared object file: No such file or directory";
        assert_eq!(judged(&[other], Variant::Cuda), Outcome::Failed(other.into()));
    }

    #[test]
    fn what_does_not_open_is_told() {
        let mut opened = Opened::default();
        opened.add("libggml.so", Outcome::Opened);
        opened.add("libllama.so", Outcome::Failed("undefined symbol: ggml_init".into()));
        opened.add("libggml-cuda.so", Outcome::NoDriver("libcuda.so.1"));
        assert_eq!(opened.libraries, ["libggml.so"]);
        assert_eq!(opened.violations, ["libllama.so: does not open: undefined symbol: ggml_init"]);
        assert_eq!(opened.not_run[0].to_string(), "opening libggml-cuda.so (no libcuda.so.1 here)");
    }

    #[test]
    fn the_list_of_an_emulated_loader_is_read() {
        let judged = |lines: &[&str]| {
            let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            judge(&lines, Variant::Vulkan, &emulated())
        };
        let fine =
            ["\tlibc.so.6 => /lib/libc.so.6 (0x0000)", "\t/lib/ld-linux-aarch64.so.1 (0x0000)"];
        assert_eq!(judged(&fine), Outcome::Opened);
        let driver =
            [fine[0], "\tlibvulkan.so.1 => not found", "undefined symbol: vkCreate\t(/d/a.so)"];
        assert_eq!(judged(&driver), Outcome::NoDriver("libvulkan.so.1"));
        let both = [driver[1], "\tlibother.so => not found"];
        assert_eq!(
            judged(&both),
            Outcome::Failed("libvulkan.so.1 => not found; libother.so => not found".into())
        );
        let undefined = [fine[0], "undefined symbol: ggml_init\t(/d/a.so)"];
        assert_eq!(
            judged(&undefined),
            Outcome::Failed("undefined symbol: ggml_init\t(/d/a.so)".into())
        );
        let missing = [fine[0], "\tlibggml.so => not found"];
        assert_eq!(judged(&missing), Outcome::Failed("libggml.so => not found".into()));
    }

    #[test]
    fn a_library_is_opened_by_the_machine_that_it_is_for() {
        let (xtask, library) = (Path::new("/x/xtask"), Path::new("/d/a.so"));
        assert_eq!(
            command(&Runner::Native, xtask, library).to_string(),
            "cd / && env -i /x/xtask __dlopen /d/a.so"
        );
        assert_eq!(
            command(&emulated(), xtask, library).to_string(),
            "cd / && env -i /q -E LD_BIND_NOW=1 -E LD_WARN=1 -E LD_TRACE_LOADED_OBJECTS=1 -L /s /s/ld.so \
             /d/a.so"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_library_with_a_missing_one_does_not_open() {
        use elf::made::Made;
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("liba.so");
        let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let machine = product::arch::Arch::of(&host).unwrap().machine;
        let made = Made { machine, needed: vec!["libnowhere.so.1"], ..Made::default() };
        std::fs::write(&at, made.bytes()).unwrap();
        assert_eq!(
            open(&at).unwrap_err(),
            "libnowhere.so.1: cannot open shared object file: No such file or directory"
        );
        std::fs::write(&at, Made { needed: vec!["libc.so.6"], ..made }.bytes()).unwrap();
        assert_eq!(open(&at), Ok(()));
    }
}
