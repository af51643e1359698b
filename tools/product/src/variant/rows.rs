//! The table of variants: one row each, with its toolkits.

use llama_build::backend::Backend;
use serde::Serialize;

use super::{Answer, Applies, Budget, Driver, GpuCode, Image, Source, ToolkitRow, VariantRow};
use crate::arch::{AARCH64, Arch, X86_64};

/// What a distribution computes on besides the CPU, which every one has. The order is that of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// The CPU alone.
    Cpu,
    /// NVIDIA GPUs.
    Cuda,
    /// AMD GPUs.
    Rocm,
    /// GPUs of any vendor through Vulkan.
    Vulkan,
}

/// Every variant, in the order of [`Variant`].
pub(super) const ROWS: [VariantRow; 4] = [
    VariantRow {
        title: "CPU",
        upstream_dockerfile: "cpu",
        upstream_jobs: &[("ubuntu-cpu", "x64", X86_64), ("ubuntu-cpu", "arm64", AARCH64)],
        image: Image {
            budgets: &[
                budget("cpu minimal", Applies::Minimal, Some(66.0), 25.0),
                budget("cpu", Applies::Always, Some(122.0), 48.0),
            ],
            ..IMAGE
        },
        ..plain(Variant::Cpu)
    },
    VariantRow {
        title: "CUDA",
        backend: Some(Backend::Cuda),
        devices: Some("NVIDIA GPUs"),
        arches: &[Arch::X86_64],
        toolkits: CUDA,
        gpu_code: Some(GpuCode {
            architectures: |overrides| &mut overrides.cuda_architectures,
            tried: "90",
            kernel: "ggml/src/ggml-cuda/CMakeFiles/ggml-cuda.dir/norm.cu.o",
            section: ".nv_fatbin",
        }),
        vendor_files: &["libcublas*.so.*", "libcudart.so.*"],
        driver: Some(Driver {
            hints: &["check for a driver, {minimum_driver} or newer: nvidia-smi"],
            command: &["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
            answer: Answer::FirstLine(""),
        }),
        upstream_dockerfile: "cuda",
        upstream_jobs: &[("ubuntu-cuda", "x64", X86_64)],
        image: Image {
            license: Some("LicenseRef-NVIDIA-CUDA-EULA"),
            // pip gets NVIDIA's wheels.
            toolchain_packages: "python3-pip",
            toolkit_folders: &["/usr/local/cuda"],
            environment: &[
                ("NVIDIA_VISIBLE_DEVICES", "all"),
                ("NVIDIA_DRIVER_CAPABILITIES", "compute,utility"),
                // Where GKE mounts the driver; NVIDIA's container toolkit puts it into the system's own folders.
                ("LD_LIBRARY_PATH", "/usr/local/nvidia/lib:/usr/local/nvidia/lib64"),
                ("NVIDIA_REQUIRE_CUDA", "cuda>={minimum_cuda}"),
            ],
            budgets: &[
                budget("cuda 13", Applies::Since("13.0"), Some(1000.0), 700.0),
                budget("cuda 12", Applies::Always, Some(1250.0), 850.0),
            ],
            ..IMAGE
        },
        ..plain(Variant::Cuda)
    },
    VariantRow {
        title: "ROCm",
        backend: Some(Backend::Rocm),
        devices: Some("AMD GPUs"),
        arches: &[Arch::X86_64],
        toolkits: ROCM,
        gpu_code: Some(GpuCode {
            architectures: |overrides| &mut overrides.rocm_targets,
            tried: "gfx1100",
            kernel: "ggml/src/ggml-hip/CMakeFiles/ggml-hip.dir/__/ggml-cuda/norm.cu.o",
            section: ".hip_fatbin",
        }),
        vendor_files: &["libamdhip64.so.*", "lib*.so.*", "rocblas/library/*"],
        // They have none, or one that fits AMD's folders.
        sets_run_path: true,
        driver: Some(Driver {
            hints: &["check that this user may open the devices: ls -l /dev/kfd /dev/dri"],
            command: &["uname", "-r"],
            answer: Answer::FirstLine("amdgpu of Linux "),
        }),
        upstream_dockerfile: "rocm",
        upstream_jobs: &[("ubuntu-24-rocm", "x64", X86_64)],
        image: Image {
            license: Some("LicenseRef-ROCm"),
            toolchain_packages: "patchelf",
            // The list of packages tells whose AMD's libraries are.
            toolkit_folders: &["/opt/rocm", "/var/lib/dpkg"],
            budgets: &[
                budget("rocm, one family of GPUs", Applies::OneFamily, None, 1000.0),
                budget("rocm", Applies::Always, None, 2400.0),
            ],
            ..IMAGE
        },
        ..plain(Variant::Rocm)
    },
    VariantRow {
        title: "Vulkan",
        backend: Some(Backend::Vulkan),
        devices: Some("GPUs through Vulkan"),
        software_gpu: Some("mesa-vulkan-drivers"),
        registers_with_driver: true,
        driver: Some(Driver {
            hints: &[
                "check for a driver: vulkaninfo --summary",
                "or install a software device, and name it: apt-get install mesa-vulkan-drivers vulkan-tools",
                "GGML_VK_VISIBLE_DEVICES=0 cargo xtask gpu-test --variant vulkan --bench tiny --ops ADD,RMS_NORM",
            ],
            command: &["vulkaninfo", "--summary"],
            answer: Answer::VulkanSummary,
        }),
        upstream_dockerfile: "vulkan",
        upstream_jobs: &[("ubuntu-vulkan", "x64", X86_64)],
        image: Image {
            toolchain_packages: "glslc libvulkan-dev spirv-headers",
            system_packages: "libvulkan1 mesa-vulkan-drivers",
            environment: &[
                ("NVIDIA_VISIBLE_DEVICES", "all"),
                ("NVIDIA_DRIVER_CAPABILITIES", "compute,utility,graphics"),
            ],
            budgets: &[budget("vulkan", Applies::Always, Some(380.0), 150.0)],
            ..IMAGE
        },
        ..plain(Variant::Vulkan)
    },
];

/// NVIDIA's toolkits, from the oldest for which upstream releases (`release.yml` of b11549). GPU architectures are
/// upstream's
/// ([`ggml-cuda/CMakeLists.txt` of b11549](https://github.com/ggml-org/llama.cpp/blob/b11549/ggml/src/ggml-cuda/CMakeLists.txt#L30-L70)).
/// Drivers before CUDA 12.4's cannot read the GPU code in the backend, which is compressed. The first driver of CUDA 13
/// is in its [release notes](https://docs.nvidia.com/cuda/archive/13.0.0/cuda-toolkit-release-notes/), table 3.
const CUDA: &[ToolkitRow] = &[
    ToolkitRow {
        version: "13.0",
        release: Some(Source::Setup),
        gpu_architectures: &[
            "75-virtual",
            "80-virtual",
            "86-real",
            "89-real",
            "90-virtual",
            "120a-real",
            "121a-real",
        ],
        minimum_driver: Some("580"),
        minimum_cuda: Some("13.0"),
    },
    ToolkitRow {
        version: "12.9",
        gpu_architectures: &[
            "50-virtual",
            "61-virtual",
            "70-virtual",
            "75-virtual",
            "80-virtual",
            "86-real",
            "89-real",
            "90-virtual",
            "120a-real",
            "121a-real",
        ],
        ..CUDA_12
    },
    ToolkitRow {
        version: "12.8",
        release: Some(Source::Image(
            "nvidia/cuda:12.8.1-devel-ubuntu24.04@sha256:4b9ed5fa8361736996499f64ecebf25d4ec37ff56e4d11323ccde10aa36e0c43",
        )),
        gpu_architectures: &[
            "50-virtual",
            "61-virtual",
            "70-virtual",
            "75-virtual",
            "80-virtual",
            "86-real",
            "89-real",
            "90-virtual",
            "120a-real",
        ],
        ..CUDA_12
    },
    CUDA_12,
];

const CUDA_12: ToolkitRow = ToolkitRow {
    version: "12.4",
    release: None,
    gpu_architectures: &[
        "50-virtual",
        "61-virtual",
        "70-virtual",
        "75-virtual",
        "80-virtual",
        "86-real",
        "89-real",
        "90-virtual",
    ],
    minimum_driver: Some("550"),
    minimum_cuda: Some("12.4"),
};

/// AMD's toolkits, from the oldest that upstream's `ggml-hip/CMakeLists.txt` of b11549 takes.
const ROCM: &[ToolkitRow] = &[
    ToolkitRow {
        version: "7.2",
        release: Some(Source::Image(
            "rocm/dev-ubuntu-24.04:7.2.1-complete@sha256:3db551c4e1229aac1857ac44fcb6141bb749f41348eb572452f11279153c13c3",
        )),
        ..ROCM_7
    },
    ROCM_7,
    // What rocBLAS has kernels for in ROCm 6.4 as Debian builds it, which `dist --setup` brings (`toolkit/rocm.rs`).
    ToolkitRow {
        version: "6.1",
        gpu_architectures: &["gfx908", "gfx90a", "gfx1030", "gfx1100", "gfx1101", "gfx1102"],
        ..ROCM_7
    },
];

/// Upstream's `ROCM_DOCKER_ARCH`
/// ([`rocm.Dockerfile` of b11549](https://github.com/ggml-org/llama.cpp/blob/b11549/.devops/rocm.Dockerfile)).
const ROCM_7: ToolkitRow = ToolkitRow {
    version: "7.0",
    release: None,
    gpu_architectures: &[
        "gfx908", "gfx90a", "gfx942", "gfx1030", "gfx1100", "gfx1101", "gfx1102", "gfx1151",
        "gfx1150", "gfx1200", "gfx1201",
    ],
    minimum_driver: None,
    minimum_cuda: None,
};

/// A variant for every processor, that takes nothing from its vendor.
const fn plain(variant: Variant) -> VariantRow {
    VariantRow {
        variant,
        title: "",
        backend: None,
        devices: None,
        arches: &Arch::ALL,
        toolkits: &[],
        gpu_code: None,
        vendor_files: &[],
        sets_run_path: false,
        software_gpu: None,
        registers_with_driver: false,
        driver: None,
        upstream_dockerfile: "",
        upstream_jobs: &[],
        image: IMAGE,
    }
}

const IMAGE: Image = Image {
    license: None,
    toolchain_packages: "",
    system_packages: "",
    toolkit_folders: &[],
    environment: &[],
    budgets: &[],
};

const fn budget(of: &'static str, applies: Applies, size: Option<f64>, gzip: f64) -> Budget {
    Budget { of, applies, size, gzip }
}
