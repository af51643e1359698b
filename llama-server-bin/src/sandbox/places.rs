//! Where things lie on a Linux system: what any server may read, and what libraries keep for themselves.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::system::System;

/// Libraries that are opened later, backends' drivers among them, and what they and libc read.
pub(crate) const READ: &[&str] = &[
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/usr/share",
    "/usr/local/share",
    "/usr/local/cuda",
    "/opt/amdgpu",
    "/opt/intel",
    "/opt/rocm",
    "/nix/store",
    "/gnu/store",
    "/run/opengl-driver",
    "/run/systemd/resolve",
    "/proc",
    "/sys",
    "/etc/OpenCL",
    "/etc/ca-certificates",
    "/etc/drirc",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/llama.cpp",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/nvidia",
    "/etc/passwd",
    "/etc/pki",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl",
    "/etc/timezone",
    "/etc/vulkan",
];

/// Variables that name files or folders of libraries, divided by colons.
pub(crate) const READ_VARIABLES: &[&str] = &[
    "LD_LIBRARY_PATH",
    "GGML_BACKEND_PATH",
    "CUDA_PATH",
    "CUDA_HOME",
    "ROCM_PATH",
    "HIP_PATH",
    "ROCBLAS_TENSILE_LIBPATH",
    "HIPBLASLT_TENSILE_LIBPATH",
    "ONEAPI_ROOT",
    "VK_DRIVER_FILES",
    "VK_ADD_DRIVER_FILES",
    "VK_ICD_FILENAMES",
    "OCL_ICD_FILENAMES",
    "OCL_ICD_VENDORS",
    "OPENCL_VENDOR_PATH",
    "LIBGL_DRIVERS_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// Devices that every program expects.
pub(crate) const DEVICES: &[&str] =
    &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// How the names of GPUs' files in `/dev` begin.
const GPUS: &[&str] = &[
    "accel",
    "davinci",
    "dma_heap",
    "dri",
    "dxg",
    "infiniband",
    "kfd",
    "kgsl",
    "mali",
    "nvgpu",
    "nvhost",
    "nvidia",
    "nvmap",
    "udmabuf",
];

/// Whether a file of `/dev` is a GPU's.
pub(crate) fn is_gpu(name: &str) -> bool {
    GPUS.iter().any(|gpu| name.starts_with(gpu))
}

/// Folders in which drivers of the GPUs in `devices` keep what they compiled, or work.
pub(crate) fn driver_folders(devices: &[PathBuf], system: &System<'_>) -> Vec<PathBuf> {
    let has =
        |name: &str| devices.iter().any(|device| device.starts_with(Path::new("/dev").join(name)));
    let cache = user_cache(system);
    let in_cache = |names: &[&str]| -> Vec<PathBuf> {
        cache.iter().flat_map(|cache| names.iter().map(move |name| cache.join(name))).collect()
    };
    let mut folders = Vec::new();
    if has("nvidiactl") || has("dxg") {
        let named = variable("CUDA_CACHE_PATH", system);
        folders.extend(named.or_else(|| Some(home(system)?.join(".nv"))));
        folders.extend(in_cache(&["nvidia"]));
    }
    if has("dri") {
        folders.extend(variable("MESA_SHADER_CACHE_DIR", system));
        folders.extend(in_cache(&[
            "mesa_shader_cache",
            "mesa_shader_cache_db",
            "neo_compiler_cache",
        ]));
    }
    if has("kfd") {
        // AMD's compiler of the built-in kernels works in temporary files.
        folders.push(variable("TMPDIR", system).unwrap_or_else(|| PathBuf::from("/tmp")));
        folders.extend(in_cache(&["comgr"]));
    }
    folders
}

/// llama.cpp's cache and Hugging Face's.
///
/// <https://github.com/ggml-org/llama.cpp/blob/b11549/common/hf-cache.cpp#L27-L58>
pub(crate) fn caches(system: &System<'_>) -> Vec<PathBuf> {
    if let Some(cache) = variable("LLAMA_CACHE", system) {
        return vec![cache];
    }
    let own = user_cache(system).map(|cache| cache.join("llama.cpp"));
    let hub = variable("HF_HUB_CACHE", system)
        .or_else(|| variable("HUGGINGFACE_HUB_CACHE", system))
        .or_else(|| Some(variable("HF_HOME", system)?.join("hub")))
        .or_else(|| Some(user_cache(system)?.join("huggingface/hub")));
    own.into_iter().chain(hub).collect()
}

/// llama.cpp's files of options that need not be named.
///
/// <https://github.com/ggml-org/llama.cpp/blob/b11549/common/arg.cpp#L722-L742>
pub(crate) fn config_files(system: &System<'_>) -> Vec<PathBuf> {
    let user = variable("XDG_CONFIG_HOME", system).or_else(|| Some(home(system)?.join(".config")));
    let folders = [Some(PathBuf::from("/etc")), user].into_iter().flatten();
    folders.map(|folder| folder.join("llama.cpp/config.ini")).collect()
}

/// A variable that names a path.
pub(crate) fn variable(name: &str, system: &System<'_>) -> Option<PathBuf> {
    (system.env)(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Paths divided by colons.
pub(crate) fn variable_list(name: &str, system: &System<'_>) -> Vec<PathBuf> {
    let value: OsString = (system.env)(name).unwrap_or_default();
    std::env::split_paths(&value).filter(|path| !path.as_os_str().is_empty()).collect()
}

fn user_cache(system: &System<'_>) -> Option<PathBuf> {
    variable("XDG_CACHE_HOME", system).or_else(|| Some(home(system)?.join(".cache")))
}

/// As llama.cpp: the variable, or what `/etc/passwd` says.
fn home(system: &System<'_>) -> Option<PathBuf> {
    variable("HOME", system).or_else(|| {
        let users = (system.read)(Path::new("/etc/passwd"))?;
        let is_us = |line: &&str| line.split(':').nth(2) == Some(&system.user.to_string());
        let home = users.lines().find(is_us)?.split(':').nth(5)?;
        Some(PathBuf::from(home))
    })
}
