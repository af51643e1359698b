//! `gguf-packer` as people use it: models built, pushed, pulled, listed, run, and read by other tools.

/// What a quantized file would weigh, and what it lost.
mod compare;
/// Images of ours in engines, and read by other tools.
mod elsewhere;
/// Checkpoints of every family, from safetensors to a chat.
mod families;
/// One build in several formats, each with its readers.
#[cfg(target_os = "linux")]
mod formats;
/// `docker build` of our files.
#[cfg(target_os = "linux")]
mod frontend;
/// Kills at any moment, several processes at once, a full disk.
#[cfg(target_os = "linux")]
mod killed;
/// Models in pods.
#[cfg(target_os = "linux")]
mod kubernetes;
/// Manifests for GPUs.
#[cfg(target_os = "linux")]
mod manifests;
/// llama.cpp's planner of memory.
#[cfg(target_os = "linux")]
mod planner;
/// A Python for what is not converted here.
mod python;
/// The document's way of working, word for word.
mod quick_start;
/// RamaLama, which runs models that are images.
#[cfg(target_os = "linux")]
mod ramalama;
/// Stores that cannot be written.
#[cfg(target_os = "linux")]
mod read_only;
/// Bad input: the line or the reference at fault, what to do, nothing half-stored.
#[cfg(target_os = "linux")]
mod refusals;
/// Signatures and what an image was made of.
#[cfg(target_os = "linux")]
mod signing;
/// Kills of what is under way to a registry or from one.
#[cfg(target_os = "linux")]
mod transfers;
