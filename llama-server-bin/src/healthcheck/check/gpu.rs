//! Whether the GPU of the variant can be reached, without a context on it: that would take memory of the
//! GPU at every check.

use std::fs::{self, File, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Where GPUs can be seen.
pub(crate) struct Machine<'a> {
    pub(crate) dev: &'a Path,
    pub(crate) sys: &'a Path,
    /// How many GPUs NVIDIA's driver shows.
    pub(crate) nvidia: fn() -> Result<u32, String>,
}

/// Whether an open file called `name` is a GPU's: NVIDIA's, AMD's, any of Mesa's, or Windows' in WSL. Something
/// else can be bound over its name, `/dev/null` above all.
pub(crate) fn is_device(name: &str, what: Option<&Metadata>) -> bool {
    let begins = ["/dev/nvidia", "/dev/dri/", "/dev/kfd", "/dev/dxg"];
    begins.iter().any(|begin| name.starts_with(begin)) && !what.is_some_and(is_memory)
}

/// Whether it is one of the kernel's files of bytes, such as `/dev/null`: their major number is 1.
fn is_memory(what: &Metadata) -> bool {
    what.file_type().is_char_device() && what.rdev() >> 8 == 1
}

/// What is known of a variant for GPUs.
struct Gpu {
    variant: &'static str,
    /// Its backend.
    library: &'static str,
    /// The driver's library that the backend needs, which is missing where the driver is.
    driver: Option<&'static str>,
    /// The GPUs that can be reached, or why none can.
    reach: fn(&Machine<'_>) -> Result<String, String>,
}

const GPUS: [Gpu; 3] = [
    Gpu {
        variant: "cuda",
        library: "libggml-cuda.so",
        driver: Some("libcuda.so.1"),
        reach: |machine| match (machine.nvidia)()? {
            0 => Err("the NVIDIA driver lists no GPU".to_owned()),
            count => Ok(counted(count, "NVIDIA")),
        },
    },
    Gpu { variant: "rocm", library: "libggml-hip.so", driver: None, reach: amd },
    Gpu {
        variant: "vulkan",
        library: "libggml-vulkan.so",
        driver: Some("libvulkan.so.1"),
        reach: |machine| render_node(machine.dev),
    },
];

fn gpu_of(variant: &str) -> Option<&'static Gpu> {
    GPUS.iter().find(|gpu| gpu.variant == variant)
}

/// The backend library of a variant; `None` for the CPU's.
pub(crate) fn library(variant: &str) -> Option<&'static str> {
    gpu_of(variant).map(|gpu| gpu.library)
}

/// Whether `library` belongs to the driver of a GPU.
pub(crate) fn is_drivers(library: &str) -> bool {
    GPUS.iter().any(|gpu| gpu.driver == Some(library))
}

/// The GPUs for `variant`; `None` where it has no use for any.
///
/// # Errors
/// Why none can be reached.
pub(crate) fn visible(variant: &str, machine: &Machine<'_>) -> Result<Option<String>, String> {
    gpu_of(variant).map(|gpu| (gpu.reach)(machine)).transpose()
}

fn counted(count: u32, vendor: &str) -> String {
    format!("{count} {vendor} GPU{}", if count == 1 { "" } else { "s" })
}

fn amd(machine: &Machine<'_>) -> Result<String, String> {
    opens(&machine.dev.join("kfd")).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "/dev/kfd not found".to_owned(),
        _ => format!("cannot open /dev/kfd: {error}"),
    })?;
    let nodes = entries(&machine.sys.join("class/kfd/kfd/topology/nodes"));
    let count = nodes.iter().filter(|node| has_simds(node)).count();
    match u32::try_from(count).unwrap_or(u32::MAX) {
        0 => Err("the AMD driver lists no GPU in /sys/class/kfd/kfd/topology".to_owned()),
        count => Ok(counted(count, "AMD")),
    }
}

/// Nodes without SIMD units are CPUs.
fn has_simds(node: &Path) -> bool {
    let properties = fs::read_to_string(node.join("properties")).unwrap_or_default();
    let mut counts = properties.lines().filter_map(|line| line.strip_prefix("simd_count "));
    counts.any(|count| count.trim().parse().is_ok_and(|count: u32| count > 0))
}

/// Mesa's drivers use a render node, NVIDIA's own its own device.
fn render_node(dev: &Path) -> Result<String, String> {
    let is_nvidia =
        |name: &str| name.strip_prefix("nvidia").is_some_and(|rest| rest.parse::<u32>().is_ok());
    let mut nodes = entries(&dev.join("dri"));
    nodes.retain(|node| name(node).starts_with("renderD"));
    nodes.extend(entries(dev).into_iter().filter(|node| is_nvidia(&name(node))));
    let mut why = "/dev/dri/renderD* not found".to_owned();
    for node in nodes {
        let shown = Path::new("/dev").join(node.strip_prefix(dev).unwrap_or(&node));
        match opens(&node) {
            Ok(()) => return Ok(shown.display().to_string()),
            Err(error) => why = format!("cannot open {}: {error}", shown.display()),
        }
    }
    Err(why)
}

/// What is in a folder, sorted; nothing when there is none.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    entries
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn opens(path: &Path) -> std::io::Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    match is_memory(&file.metadata()?) {
        true => Err(std::io::Error::other("not a GPU device")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is seen on a machine with these files below `dev` and `sys`. A folder stands for a device
    /// that does not open.
    fn seen(variant: &str, files: &[(&str, &str)]) -> String {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match *text {
                "closed" => fs::create_dir(&path).unwrap(),
                text => fs::write(&path, text).unwrap(),
            }
        }
        let (dev, sys) = (root.path().join("dev"), root.path().join("sys"));
        let machine = Machine { dev: &dev, sys: &sys, nvidia: || Ok(1) };
        match visible(variant, &machine) {
            Ok(gpu) => gpu.unwrap_or("nothing to say".to_owned()),
            Err(why) => why,
        }
    }

    #[test]
    fn nvidias_driver_is_asked() {
        let of = |nvidia| {
            let machine = Machine { dev: Path::new(""), sys: Path::new(""), nvidia };
            visible("cuda", &machine)
        };
        assert_eq!(of(|| Ok(1)), Ok(Some("1 NVIDIA GPU".to_owned())));
        assert_eq!(of(|| Ok(8)), Ok(Some("8 NVIDIA GPUs".to_owned())));
        assert_eq!(of(|| Ok(0)), Err("the NVIDIA driver lists no GPU".to_owned()));
        assert_eq!(of(|| Err("no driver".to_owned())), Err("no driver".to_owned()));
        assert_eq!(library("cuda"), Some("libggml-cuda.so"));
    }

    #[test]
    fn amds_topology_is_read() {
        let node = |number: u32, simds: &'static str| {
            (format!("sys/class/kfd/kfd/topology/nodes/{number}/properties"), simds)
        };
        let (cpu, gpu) = (node(0, "cpu_cores_count 8\nsimd_count 0\n"), node(1, "simd_count 64\n"));
        let (cpu, gpu) = ((cpu.0.as_str(), cpu.1), (gpu.0.as_str(), gpu.1));
        assert_eq!(seen("rocm", &[("dev/kfd", ""), cpu, gpu]), "1 AMD GPU");
        assert_eq!(
            seen("rocm", &[("dev/kfd", ""), cpu]),
            "the AMD driver lists no GPU in /sys/class/kfd/kfd/topology"
        );
        assert_eq!(seen("rocm", &[gpu]), "/dev/kfd not found");
        assert_eq!(
            seen("rocm", &[("dev/kfd", "closed"), gpu]),
            "cannot open /dev/kfd: Is a directory (os error 21)"
        );
        assert_eq!(library("rocm"), Some("libggml-hip.so"));
    }

    #[test]
    fn vulkan_needs_one_device_that_opens() {
        let (card, closed) = (("dev/dri/card0", ""), ("dev/dri/renderD128", "closed"));
        let open = ("dev/dri/renderD129", "");
        assert_eq!(seen("vulkan", &[card, closed, open]), "/dev/dri/renderD129");
        assert_eq!(
            seen("vulkan", &[card, closed]),
            "cannot open /dev/dri/renderD128: Is a directory (os error 21)"
        );
        assert_eq!(seen("vulkan", &[card]), "/dev/dri/renderD* not found");
        let nvidia = [("dev/nvidiactl", ""), ("dev/nvidia0", "")];
        assert_eq!(seen("vulkan", &nvidia), "/dev/nvidia0");
        assert_eq!(seen("vulkan", &nvidia[..1]), "/dev/dri/renderD* not found");
        assert_eq!(library("vulkan"), Some("libggml-vulkan.so"));
    }

    #[test]
    fn a_name_alone_is_no_gpu() {
        let dir = tempfile::tempdir().unwrap();
        let node = dir.path().join("dri/renderD128");
        fs::create_dir(node.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/dev/null", &node).unwrap();
        let machine = Machine { dev: dir.path(), sys: dir.path(), nvidia: || Ok(0) };
        assert_eq!(
            visible("vulkan", &machine).unwrap_err(),
            "cannot open /dev/dri/renderD128: not a GPU device"
        );
        let null = fs::metadata("/dev/null").unwrap();
        let file = fs::metadata("/proc/self/exe").unwrap();
        for (name, what, due) in [
            ("/dev/dri/renderD128", &file, true),
            ("/dev/dri/renderD128", &null, false),
            ("/dev/nvidia0", &file, true),
            ("/dev/kfd", &file, true),
            ("/dev/null", &null, false),
            ("/models/dev/kfd", &file, false),
        ] {
            assert_eq!(is_device(name, Some(what)), due, "{name}");
        }
    }

    #[test]
    fn the_cpu_needs_none() {
        assert_eq!(seen("cpu", &[]), "nothing to say");
        assert_eq!(library("cpu"), None);
    }
}
