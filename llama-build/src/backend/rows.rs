//! The table of backends: one row each.

use super::{Backend, BackendRow, Need, NeedProbe, Place};
use crate::packages::Packages;
use crate::target::{Os, Target};

/// `ggml-vulkan.cpp` of b11549 names `vk::LayerSettingEXT`, which came with these headers: Debian 12's
/// 1.3.239 do not compile it.
pub const OLDEST_VULKAN: [u32; 3] = [1, 3, 272];

/// Every backend, in the order of [`Backend`] and of the flag set.
pub const ROWS: [BackendRow; 8] = [
    BackendRow {
        feature: "blas",
        help: "BLAS libraries; on by default on macOS.",
        switch: "GGML_BLAS",
        library: "ggml-blas",
        registered: "BLAS",
        needs: &[Need {
            // Apple's Accelerate is part of the system.
            applies: |target, _| !target.is_apple(),
            ..header(
                "BLAS",
                "cblas.h",
                ["libopenblas-dev", "openblas-devel", "openblas", "openblas", ""],
            )
        }],
        // Accelerate (`release.yml` of b11549, job `macOS-cpu`).
        default_on: |target| target.os == Os::MacOs,
        ..plain(Backend::Blas)
    },
    BackendRow {
        feature: "cuda",
        help: "NVIDIA GPUs.",
        switch: "GGML_CUDA",
        library: "ggml-cuda",
        registered: "CUDA",
        needs: &[Need {
            hint: Some(
                "NVIDIA's packages are newer than those of most systems: \
                https://developer.nvidia.com/cuda-downloads; in a clone of this repository: cargo \
                xtask setup --features cuda",
            ),
            ..program(
                "CUDA compiler (nvcc)",
                "nvcc",
                Some((11, 7)),
                &[
                    ("$CUDACXX", |toolkits| Some(toolkits.cudacxx.as_ref()?.parent()?.into())),
                    ("$CUDA_PATH", |toolkits| Some(toolkits.cuda.as_ref()?.join("bin"))),
                    ("/usr/local/cuda/bin", |_| Some("/usr/local/cuda/bin".into())),
                ],
                ["nvidia-cuda-toolkit", "cuda-toolkit", "", "cuda", "Nvidia.CUDA"],
            )
        }],
        definitions: &[
            ("GGML_CUDA_NCCL", |_, _| Some("OFF".into())),
            ("CMAKE_CUDA_ARCHITECTURES", |_, given| given.cuda_architectures.clone()),
            // The driver's libcuda is there only where the program runs.
            ("CMAKE_EXE_LINKER_FLAGS", |target, _| {
                (target.os == Os::Linux).then(|| "-Wl,--allow-shlib-undefined".into())
            }),
        ],
        environment: &[("CUDA_PATH", |toolkits| toolkits.cuda.as_deref())],
        drivers: &["libcuda.so.1"],
        gpu_compiler: true,
        exists_on: linux_or_windows,
        ..plain(Backend::Cuda)
    },
    BackendRow {
        feature: "metal",
        help: "Apple GPUs; on by default on Apple silicon.",
        switch: "GGML_METAL",
        library: "ggml-metal",
        registered: "MTL",
        definitions: &[("GGML_METAL_EMBED_LIBRARY", |_, _| Some("ON".into()))],
        exists_on: Target::is_apple,
        default_on: |target| target.is_apple() && target.arch == "aarch64",
        ..plain(Backend::Metal)
    },
    BackendRow {
        feature: "opencl",
        help: "GPUs through OpenCL.",
        switch: "GGML_OPENCL",
        library: "ggml-opencl",
        registered: "OpenCL",
        needs: &[
            header(
                "OpenCL headers",
                "CL/cl.h",
                [
                    "opencl-headers ocl-icd-opencl-dev",
                    "opencl-headers ocl-icd-devel",
                    "",
                    "opencl-headers ocl-icd",
                    "",
                ],
            ),
            program(
                "python3",
                "python3",
                None,
                &[],
                ["python3", "python3", "python", "python", "Python.Python.3.12"],
            ),
        ],
        exists_on: |target| !target.is_apple(),
        ..plain(Backend::OpenCl)
    },
    BackendRow {
        feature: "rocm",
        help: "AMD GPUs.",
        switch: "GGML_HIP",
        library: "ggml-hip",
        registered: "ROCm",
        needs: &[program(
            "ROCm (hipconfig)",
            "hipconfig",
            Some((6, 1)),
            &[
                ("$ROCM_PATH", |toolkits| Some(toolkits.rocm.as_ref()?.join("bin"))),
                ("/opt/rocm/bin", |_| Some("/opt/rocm/bin".into())),
            ],
            [
                "hipcc libamdhip64-dev libhipblas-dev librocblas-dev",
                "hipcc rocm-hip-devel hipblas-devel rocblas-devel",
                "",
                "rocm-hip-sdk",
                "",
            ],
        )],
        definitions: &[
            ("HIP_PLATFORM", |_, _| Some("amd".into())),
            ("AMDGPU_TARGETS", |_, given| given.rocm_targets.clone()),
        ],
        // All of ROCm's user-space libraries are shipped, so there are no `drivers`.
        gpu_compiler: true,
        exists_on: linux_or_windows,
        ..plain(Backend::Rocm)
    },
    BackendRow {
        feature: "rpc",
        help: "Devices of other machines.",
        switch: "GGML_RPC",
        library: "ggml-rpc",
        registered: "RPC",
        // A server that needs libibverbs, as upstream links one wherever the library is installed, runs on few machines.
        definitions: &[("GGML_RPC_RDMA", |_, _| Some("OFF".into()))],
        ..plain(Backend::Rpc)
    },
    BackendRow {
        feature: "sycl",
        help: "Intel GPUs.",
        switch: "GGML_SYCL",
        library: "ggml-sycl",
        registered: "SYCL",
        needs: &[program(
            "oneAPI compiler",
            "icpx",
            None,
            &[],
            ["", "", "", "intel-oneapi-dpcpp-cpp", "Intel.OneAPI.BaseToolkit"],
        )],
        gpu_compiler: true,
        exists_on: linux_or_windows,
        ..plain(Backend::Sycl)
    },
    BackendRow {
        feature: "vulkan",
        help: "GPUs of any vendor.",
        switch: "GGML_VULKAN",
        library: "ggml-vulkan",
        registered: "Vulkan",
        needs: &[
            program(
                "glslc",
                "glslc",
                None,
                &[("$VULKAN_SDK", |toolkits| Some(toolkits.vulkan.as_ref()?.join("bin")))],
                ["glslc", "glslc", "shaderc", "shaderc", "KhronosGroup.VulkanSDK"],
            ),
            need(
                "Vulkan headers",
                NeedProbe::VulkanHeader(OLDEST_VULKAN),
                [
                    "libvulkan-dev",
                    "vulkan-devel",
                    "vulkan-loader vulkan-headers",
                    "vulkan-devel",
                    "",
                ],
            ),
            Need {
                // SDKs have them in one of three places, all of which upstream looks in.
                applies: |_, toolkits| toolkits.vulkan.is_none(),
                ..header(
                    "SPIR-V headers",
                    "spirv/unified1/spirv.h",
                    ["spirv-headers", "spirv-headers-devel", "spirv-headers", "spirv-headers", ""],
                )
            },
        ],
        environment: &[("VULKAN_SDK", |toolkits| toolkits.vulkan.as_deref())],
        drivers: &["libvulkan.so.1"],
        exists_on: |target| target.os != Os::Ios,
        ..plain(Backend::Vulkan)
    },
];

/// [`Backend::row`] counts on this order.
const _: () = {
    let mut index = 0;
    while index < ROWS.len() {
        assert!(ROWS[index].backend as usize == index, "ROWS has another order than Backend");
        index += 1;
    }
};

/// A backend that needs nothing, exists everywhere and is off until a user asks for it.
const fn plain(backend: Backend) -> BackendRow {
    BackendRow {
        backend,
        feature: "",
        help: "",
        switch: "",
        library: "",
        registered: "",
        needs: &[],
        definitions: &[],
        environment: &[],
        drivers: &[],
        gpu_compiler: false,
        exists_on: |_| true,
        default_on: |_| false,
    }
}

const fn need(name: &'static str, probe: NeedProbe, packages: [&'static str; 5]) -> Need {
    Need { name, probe, packages: Packages(packages), hint: None, applies: |_, _| true }
}

const fn header(name: &'static str, file: &'static str, packages: [&'static str; 5]) -> Need {
    need(name, NeedProbe::Header(file), packages)
}

const fn program(
    name: &'static str,
    file: &'static str,
    minimum: Option<(u32, u32)>,
    places: &'static [(&'static str, Place)],
    packages: [&'static str; 5],
) -> Need {
    need(name, NeedProbe::Program { name: file, minimum, places }, packages)
}

fn linux_or_windows(target: &Target) -> bool {
    matches!(target.os, Os::Linux | Os::Windows)
}
