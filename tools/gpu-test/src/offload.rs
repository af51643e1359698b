//! Where a model's layers and caches are, read from the server's log.
//!
//! `offloaded 4/4 layers to GPU` proves nothing: upstream says so with `--device none` too
//! (<https://github.com/ggml-org/llama.cpp/blob/b11549/src/llama-model.cpp#L1952>).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};

use super::machine;

/// What the log says about places.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Placement {
    /// Device by number of the layer; said with `-v` only.
    pub(super) layers: BTreeMap<u32, String>,
    /// Devices that hold keys and values.
    caches: BTreeSet<String>,
}

/// Reads the log of a server that is ready.
pub(super) fn read<'a>(log: impl IntoIterator<Item = &'a str>) -> Placement {
    let mut placement = Placement::default();
    for line in log {
        if let Some((layer, device)) = layer(line) {
            placement.layers.insert(layer, device.to_owned());
        } else if let Some((_, rest)) = line.split_once("llama_kv_cache: ") {
            if let Some((device, _)) = rest.split_once(" KV buffer size") {
                placement.caches.insert(device.trim().to_owned());
            }
        }
    }
    placement
}

/// From `D load_tensors: layer   3 assigned to device Vulkan0, is_swa = 0`.
fn layer(line: &str) -> Option<(u32, &str)> {
    let (_, rest) = line.split_once("load_tensors: layer ")?;
    let (number, rest) = rest.split_once(" assigned to device ")?;
    Some((number.trim().parse().ok()?, rest.split(',').next()?))
}

impl Placement {
    /// Everything is on devices whose names are `prefix` and a number.
    ///
    /// # Errors
    /// Names what is elsewhere, or that the log says nothing.
    pub(super) fn check(&self, prefix: &str) -> Result<()> {
        let mut wrong = Vec::new();
        if self.caches.is_empty() {
            wrong.push("the log of llama-server does not say where the model is".to_owned());
        }
        for (layer, device) in &self.layers {
            if !machine::is_of(device, prefix) {
                wrong.push(format!("layer {layer} is on {device}, not on a {prefix} device"));
            }
        }
        for device in self.caches.iter().filter(|device| !machine::is_of(device, prefix)) {
            wrong.push(format!("keys and values are on {device}, not on a {prefix} device"));
        }
        if wrong.is_empty() { Ok(()) } else { bail!(wrong.join("\n")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the server says with `-v`; the first two lines are of a trial before the real load.
    const ON_GPU: &str = "\
0.00.111.775 D load_tensors: layer   0 assigned to device CPU, is_swa = 0
0.00.114.325 I llama_context: Vulkan_Host  output buffer size =     0.00 MiB
0.00.124.738 D load_tensors: layer   0 assigned to device Vulkan0, is_swa = 0
0.00.124.738 D load_tensors: layer   1 assigned to device Vulkan0, is_swa = 0
0.00.125.000 I load_tensors: offloaded 2/2 layers to GPU
0.00.125.601 I load_tensors:   CPU_Mapped model buffer size =     0.33 MiB
0.00.127.645 I llama_kv_cache:    Vulkan0 KV buffer size =     1.50 MiB";

    #[test]
    fn a_model_on_the_gpu_has_every_layer_there() {
        let placement = read(ON_GPU.lines());
        assert_eq!(placement.layers.len(), 2);
        placement.check("Vulkan").unwrap();
    }

    #[test]
    fn upstreams_own_sum_is_not_believed() {
        let text = ON_GPU.replace("Vulkan0 KV", "CPU KV");
        let text = text
            .replace("layer   1 assigned to device Vulkan0", "layer   1 assigned to device CPU");
        let error = read(text.lines()).check("Vulkan").unwrap_err().to_string();
        assert_eq!(
            error,
            "layer 1 is on CPU, not on a Vulkan device\nkeys and values are on CPU, not on a \
            Vulkan device"
        );
        assert_eq!(
            read(["load_tensors: offloaded 2/2 layers to GPU"])
                .check("CUDA")
                .unwrap_err()
                .to_string(),
            "the log of llama-server does not say where the model is"
        );
    }
}
