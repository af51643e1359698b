//! The rule that the server starts anywhere, says which llama.cpp it is, and lists the devices that its
//! variant promises.

use std::path::Path;

use anyhow::Result;
use llama_build::backend::Backend;
use llama_build::cmake::WORKER;
use llama_src::sh::Cmd;

use super::runner::{self, Runner};
use super::{HEALTHCHECK, NotRun, PROGRAM};
use product::manifest::{LlamaCpp, Manifest};
use product::variant::{Variant, VariantRow};

/// What the last line of upstream's list says when there is no device.
const NO_DEVICE: &str = "  (none)";

/// How often a server that names no CPU library is asked for its devices; with eight other
/// programs on two cores one answer in sixteen lacked the line.
const ATTEMPTS: usize = 10;

/// What running the server showed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) violations: Vec<String>,
    /// Devices other than the CPU.
    pub(super) devices: Vec<String>,
    pub(super) not_run: Option<NotRun>,
}

/// Runs the server of the distribution in `dir`; `opened` are the libraries that open on this machine.
pub(super) fn run(
    dir: &Path,
    manifest: &Manifest,
    variant: Variant,
    runner: &Runner,
    opened: &[String],
) -> Shown {
    let program = runner.cmd(&dir.join(PROGRAM));
    let version = runner::lines_of(&program.clone().arg("--version"));
    let mut shown = match version.and_then(|version| Ok((version, list_devices(&program)?))) {
        Ok((version, devices)) => {
            let mut shown = about_devices(&devices, variant, opened);
            shown.violations.extend(about_version(&version, &manifest.llama_cpp));
            shown
        }
        Err(error) => Shown { violations: vec![format!("{PROGRAM}: {error}")], ..Shown::default() },
    };
    shown.violations.extend(says_its_name(HEALTHCHECK, &runner.cmd(&dir.join(HEALTHCHECK))));
    // One file has no worker.
    if manifest.files.contains_key("libggml-rpc.so") {
        shown.violations.extend(about_worker(&runner.cmd(&dir.join(WORKER))));
    }
    shown
}

/// It loads the backends next to it before it reads its arguments.
fn about_worker(program: &Cmd) -> Option<String> {
    let lines = match runner::lines_of(&program.clone().arg("--help")) {
        Ok(lines) => lines,
        Err(error) => return Some(format!("{WORKER}: {error}")),
    };
    let missing = ["CPU", "RPC"].into_iter().find(|name| !has_loaded(&lines, name));
    missing.map(|name| format!("{WORKER}: loads no {name} library"))
}

/// A program of ours starts, and says which it is.
pub(super) fn says_its_name(name: &str, program: &Cmd) -> Option<String> {
    let lines = match runner::lines_of(&program.clone().arg("--version")) {
        Ok(lines) => lines,
        Err(error) => return Some(format!("{name}: {error}")),
    };
    let is_own = lines.first().is_some_and(|line| line.starts_with(&format!("{name} ")));
    (!is_own).then(|| format!("{name}: --version says `{}`", lines.join(" ")))
}

/// What `--list-devices` says, with the backends that it loads.
///
/// Upstream's logger writes from a thread that nobody waits for at the end, so its last lines can
/// be missing: one that shows no CPU library is asked again.
/// <https://github.com/ggml-org/llama.cpp/blob/b11549/common/log.cpp#L452-L458>
pub fn list_devices(program: &Cmd) -> Result<Vec<String>> {
    // `-v` first: it makes the server tell which backends it loads.
    let ask = || runner::lines_of(&program.clone().args(["-v", "--list-devices"]));
    let mut lines = ask()?;
    for _ in 1..ATTEMPTS {
        if has_loaded(&lines, "CPU") {
            break;
        }
        lines = ask()?;
    }
    Ok(lines)
}

/// Whether the log `lines` name a library of the backend `name`. The CPU's is loaded last.
fn has_loaded(lines: &[String], name: &str) -> bool {
    let text = format!("loaded {name} backend from ");
    lines.iter().any(|line| line.contains(&text))
}

/// The devices in what `--list-devices` said, one line each.
pub fn devices(lines: &[String]) -> Vec<String> {
    let is_device = |line: &&String| line.starts_with("  ") && line.ends_with(" MiB free)");
    lines.iter().filter(is_device).map(|line| line.trim().to_owned()).collect()
}

fn about_version(lines: &[String], llama_cpp: &LlamaCpp) -> Option<String> {
    let LlamaCpp { version, build_number, tag, .. } = llama_cpp;
    let due = format!("version: {version} (build {build_number}, commit {tag})");
    let is =
        lines.iter().find(|line| line.starts_with("version: ")).map_or("nothing", String::as_str);
    (is != due).then(|| format!("{PROGRAM}: --version says `{is}`, must be `{due}`"))
}

fn about_devices(lines: &[String], variant: Variant, opened: &[String]) -> Shown {
    let loaded = |name| has_loaded(lines, name);
    let mut shown = Shown { devices: devices(lines), ..Shown::default() };
    if devices_missing(lines, &shown.devices) {
        shown
            .violations
            .push("--list-devices lists nothing, not even that there is none".to_owned());
    }
    if !loaded("CPU") {
        shown.violations.push("loads no CPU library: none of them runs here".to_owned());
    }
    if variant.backend().is_none() && !shown.devices.is_empty() {
        let devices = shown.devices.join("`, `");
        shown
            .violations
            .push(format!("--list-devices lists `{devices}`, the variant cpu has none"));
    }
    let missing = variant.backend().filter(|backend| !loaded(registered_name(*backend)));
    // A library that does not open for want of its driver is told by `open`.
    let library = missing.map(|backend| format!("lib{}.so", backend.library()));
    match library.filter(|library| opened.contains(library)) {
        Some(_) if variant.row().registers_with_driver => shown.not_run = Some(no_driver(variant)),
        Some(library) => shown.violations.push(format!("does not load {library}, which opens")),
        None => {}
    }
    shown.violations.iter_mut().for_each(|message| message.insert_str(0, &format!("{PROGRAM}: ")));
    shown
}

fn devices_missing(lines: &[String], devices: &[String]) -> bool {
    devices.is_empty() && !lines.iter().any(|line| line == NO_DEVICE)
}

/// What a backend calls itself in `ggml_backend_reg_name`.
pub fn registered_name(backend: Backend) -> &'static str {
    backend.row().registered
}

fn no_driver(variant: Variant) -> NotRun {
    let VariantRow { title, software_gpu, .. } = variant.row();
    NotRun {
        what: format!("the {title} backend"),
        why: format!("no {title} driver here"),
        hint: software_gpu.map(|package| format!("apt-get install {package}")),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    const CPU: &str = "0.00.031.161 I load_backend: loaded CPU backend from /d/libggml-cpu-zen4.so";
    const CUDA: &str = "0.00.012.000 I load_backend: loaded CUDA backend from /d/libggml-cuda.so";
    const DEVICE: &str = "  CUDA0: NVIDIA H200 (143156 MiB, 142000 MiB free)";

    fn shown(lines: &[&str], variant: Variant, opened: &[&str]) -> Shown {
        let owned =
            |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        about_devices(&owned(lines), variant, &owned(opened))
    }

    #[test]
    fn the_version_is_the_manifests() {
        let llama_cpp = crate::made::Dist::new().manifest.llama_cpp;
        let lines = |text: &str| vec![text.to_owned(), "built with GNU 12.2.0".to_owned()];
        let due = "version: 1.2.3 (build 1, commit b1)";
        assert_eq!(about_version(&lines(due), &llama_cpp), None);
        assert_eq!(
            about_version(&lines("version: 1.2.3 (build 0, commit unknown)"), &llama_cpp).unwrap(),
            format!(
                "llama-server: --version says `version: 1.2.3 (build 0, commit unknown)`, must be \
                 `{due}`"
            )
        );
        assert_eq!(
            about_version(&[], &llama_cpp).unwrap(),
            format!("llama-server: --version says `nothing`, must be `{due}`")
        );
    }

    #[test]
    fn the_health_check_starts() {
        let says = |text: &str| says_its_name(HEALTHCHECK, &Cmd::new("echo").arg(text));
        assert_eq!(says("llama-healthcheck 0.1.0"), None);
        assert_eq!(says("x").unwrap(), "llama-healthcheck: --version says `x --version`");
        let fails = says_its_name(HEALTHCHECK, &Cmd::new("sh").args(["-c", "exit 1"])).unwrap();
        assert!(fails.starts_with("llama-healthcheck: a command failed with "), "{fails}");
    }

    #[test]
    fn the_worker_loads_what_it_computes_and_answers_with() {
        let says = |text: &str| about_worker(&Cmd::new("printf").arg(text));
        let rpc = CPU.replace("CPU", "RPC");
        assert_eq!(says(&format!("{rpc}\n{CPU}\n")), None);
        assert_eq!(says(CPU).unwrap(), "ggml-rpc-server: loads no RPC library");
        assert_eq!(says(&rpc).unwrap(), "ggml-rpc-server: loads no CPU library");
        let fails = about_worker(&Cmd::new("sh").args(["-c", "exit 1"])).unwrap();
        assert!(fails.starts_with("ggml-rpc-server: a command failed with "), "{fails}");
    }

    #[test]
    fn a_log_that_lost_its_last_lines_is_asked_for_again() {
        let dir = tempfile::tempdir().unwrap();
        let server = |said: &str| {
            let script =
                format!("echo asked >> count; test $(wc -l < count) -lt 3 || echo '{said}'");
            Cmd::new("sh").args(["-c", &script]).dir(dir.path())
        };
        let asked = || std::fs::read_to_string(dir.path().join("count")).unwrap().lines().count();
        assert_eq!(list_devices(&server(CPU)).unwrap(), [CPU]);
        assert_eq!(asked(), 3);
        assert_eq!(list_devices(&server(CUDA)).unwrap(), [CUDA]);
        assert_eq!(asked(), 3 + ATTEMPTS);
    }

    #[test]
    fn a_cpu_distribution_has_a_cpu_library_and_no_device() {
        let fine = [CPU, "Available devices:", NO_DEVICE];
        assert_eq!(shown(&fine, Variant::Cpu, &[]), Shown::default());
        assert_eq!(
            shown(&["Available devices:", DEVICE], Variant::Cpu, &[]).violations,
            [
                "llama-server: loads no CPU library: none of them runs here",
                "llama-server: --list-devices lists `CUDA0: NVIDIA H200 (143156 MiB, 142000 MiB free)`, \
                 the variant cpu has none",
            ]
        );
        assert_eq!(
            shown(&[CPU], Variant::Cpu, &[]).violations,
            ["llama-server: --list-devices lists nothing, not even that there is none"]
        );
    }

    #[test]
    fn a_backend_that_opens_is_loaded() {
        let opened = ["libggml-cuda.so"];
        let with_gpu = shown(&[CUDA, CPU, "Available devices:", DEVICE], Variant::Cuda, &opened);
        assert_eq!(
            (with_gpu.violations.len(), with_gpu.devices.as_slice()),
            (0, &[DEVICE.trim().into()][..])
        );
        let none = [CPU, "Available devices:", NO_DEVICE];
        assert_eq!(
            shown(&none, Variant::Cuda, &opened).violations,
            ["llama-server: does not load libggml-cuda.so, which opens"]
        );
        assert_eq!(shown(&none, Variant::Cuda, &[]), Shown::default());
        let vulkan = shown(&none, Variant::Vulkan, &["libggml-vulkan.so"]);
        assert_eq!(
            (vulkan.violations.len(), vulkan.not_run),
            (0, Some(no_driver(Variant::Vulkan)))
        );
    }
}
