//! The GPU of this machine: whether the distribution sees one, what it is, and which driver it has.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use llama_src::Error;
use llama_src::sh::Cmd;
use serde::{Deserialize, Serialize};

use product::manifest::Manifest;
use product::variant::{Answer, Variant};

/// Longest that a driver may take to tell what there is.
const LIMIT: Duration = Duration::from_secs(120);

/// One GPU as the server lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Device {
    /// ggml's name, such as `CUDA0`.
    pub name: String,
    /// The card.
    pub card: String,
}

/// The devices that the server in `dist` lists for `variant`.
///
/// # Errors
/// When it lists none.
pub(super) fn devices(dist: &Path, manifest: &Manifest, variant: Variant) -> Result<Vec<Device>> {
    let server = Cmd::new(dist.join("llama-server")).dir("/").limit(LIMIT);
    let lines = verify::list_devices(&server)?;
    let prefix = prefix(variant);
    let devices =
        verify::devices(&lines).iter().filter_map(|line| device(line)).collect::<Vec<_>>();
    let devices: Vec<Device> =
        devices.into_iter().filter(|device| is_of(&device.name, prefix)).collect();
    ensure!(!devices.is_empty(), no_gpu(variant, manifest.minimum_driver.as_deref()));
    Ok(devices)
}

/// What the names of the variant's devices begin with.
pub(super) fn prefix(variant: Variant) -> &'static str {
    variant.backend().map_or("CPU", verify::registered_name)
}

/// Whether `name` is `prefix` and a number: `Vulkan0`, not the host's memory `Vulkan_Host`.
pub(super) fn is_of(name: &str, prefix: &str) -> bool {
    let number = name.strip_prefix(prefix).unwrap_or_default();
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// From `CUDA0: NVIDIA H200 (143156 MiB, 142000 MiB free)`.
fn device(line: &str) -> Option<Device> {
    let (name, rest) = line.split_once(": ")?;
    let (card, _) = rest.rsplit_once(" (")?;
    Some(Device { name: name.to_owned(), card: card.to_owned() })
}

fn no_gpu(variant: Variant, minimum_driver: Option<&str>) -> Error {
    let oldest = minimum_driver.or(variant.minimum_driver(variant.oldest_toolkit()));
    let hints = variant.row().driver.map(|driver| driver.hints).unwrap_or_default();
    let hints =
        hints.iter().map(|hint| hint.replace("{minimum_driver}", oldest.unwrap_or_default()));
    let error = Error::missing(format!("no GPU: llama-server lists no device for `{variant}`"));
    hints.fold(error, Error::hint)
}

/// The driver of `device` in words, or `unknown`: nothing depends on it.
pub(super) fn driver(variant: Variant, device: &Device) -> String {
    let said = variant.row().driver.and_then(|driver| {
        let (program, args) = driver.command.split_first()?;
        let text = Cmd::new(program).args(args).read().ok()?;
        match driver.answer {
            Answer::FirstLine(before) => {
                let line = text.lines().next().map(str::trim).filter(|line| !line.is_empty())?;
                Some(format!("{before}{line}"))
            }
            Answer::VulkanSummary => vulkan_driver(&text, &device.card),
        }
    });
    said.unwrap_or_else(|| "unknown".to_owned())
}

/// Name and version of the driver of `card` in what `vulkaninfo --summary` says.
fn vulkan_driver(summary: &str, card: &str) -> Option<String> {
    let mut gpus = summary.split("\nGPU").skip(1).map(|gpu| {
        let value = |key: &str| {
            let mut pairs = gpu.lines().filter_map(|line| line.split_once('='));
            pairs.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim())
        };
        (value("deviceName"), value("driverName"), value("driverInfo"))
    });
    let (_, name, version) = gpus.find(|(device, ..)| *device == Some(card))?;
    Some(format!("{} {}", name?, version?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_a_name_and_a_card() {
        let line = "Vulkan0: llvmpipe (LLVM 15.0.6, 256 bits) (2048 MiB, 2048 MiB free)";
        let card = "llvmpipe (LLVM 15.0.6, 256 bits)".to_owned();
        assert_eq!(device(line), Some(Device { name: "Vulkan0".to_owned(), card }));
        assert_eq!(device("no device"), None);
        assert!(is_of("CUDA12", "CUDA") && is_of("Vulkan0", prefix(Variant::Vulkan)));
        assert!(!is_of("CUDA", "CUDA") && !is_of("Vulkan_Host", "Vulkan") && !is_of("CPU", "CUDA"));
    }

    #[test]
    fn the_driver_is_that_of_the_card() {
        let summary = "Devices:\n========\nGPU0:\n\tdeviceName         = Card A\n\tdriverName         = a\n\
                       \tdriverInfo         = 1\nGPU1:\n\tdeviceName         = Card B (x)\n\
                       \tdriverName         = NVIDIA\n\tdriverInfo         = 580.65.06\n";
        assert_eq!(vulkan_driver(summary, "Card B (x)").as_deref(), Some("NVIDIA 580.65.06"));
        assert_eq!(vulkan_driver(summary, "Card B"), None);
        assert_eq!(vulkan_driver("", "Card A"), None);
    }

    #[test]
    fn a_machine_without_a_gpu_gets_the_way_to_one() {
        assert_eq!(
            no_gpu(Variant::Cuda, Some("580")).to_string(),
            "no GPU: llama-server lists no device for `cuda`\n  hint: is there a driver, 580 or newer? \
             nvidia-smi"
        );
        assert_eq!(
            no_gpu(Variant::Rocm, None).to_string(),
            "no GPU: llama-server lists no device for `rocm`\n  hint: may this user open it? ls -l \
             /dev/kfd /dev/dri"
        );
        assert_eq!(
            no_gpu(Variant::Vulkan, None).to_string(),
            "no GPU: llama-server lists no device for `vulkan`\n  hint: is there a driver? vulkaninfo \
             --summary\n  hint: a GPU made of software, which has to be named: apt-get install \
             mesa-vulkan-drivers vulkan-tools\n  hint: GGML_VK_VISIBLE_DEVICES=0 cargo xtask gpu-test \
             --variant vulkan --bench tiny --ops ADD,RMS_NORM"
        );
    }
}
