//! Integration tests against real servers; `cargo xtask test` builds what they need. One module per
//! thing that is tested, one binary for all.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

/// What clients of OpenAI's and Anthropic's APIs read.
mod apis;
/// Static and loadable builds: same tokens, the best CPU library, nothing from the current directory.
mod backends;
/// How the build behaves: nothing twice, changes taken, kills survived, errors told.
#[cfg(target_os = "linux")]
mod build;
/// Several machines: Slurm and Docker Swarm.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod cluster;
/// The distribution: from anywhere, for any machine, whole or not at all.
#[cfg(target_os = "linux")]
mod dist;
/// A stranger's crate that depends on llama-sys.
#[cfg(target_os = "linux")]
mod downstream;
/// How the server ends.
#[cfg(target_os = "linux")]
mod endings;
/// What strangers send, under sanitizers.
#[cfg(target_os = "linux")]
mod fuzz;
/// What the health check and the library say of real servers.
#[cfg(target_os = "linux")]
mod health;
/// Models that break what the loader relies on.
mod hostile_models;
/// The images, in a real Docker engine.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod image;
/// The server fits the machine: processors, the files it may write, how an image is started.
#[cfg(target_os = "linux")]
mod machine;
/// The metrics that others of our files rely on.
mod metrics;
/// The demo model, and random models of other architectures.
mod models;
/// The server and the network: foreign pages, keys, proxies, address families, clients that never finish.
#[cfg(target_os = "linux")]
mod network;
/// One executable for every processor: what it picks, what it answers, what its objects are made of.
#[cfg(target_os = "linux")]
mod one_file;
/// The example package for Debian.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod packaging;
/// Models as images.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod packer;
/// What the server refuses: exit code and message, no crash.
mod refusals;
/// Requests that want to end the server, or to keep it busy.
mod requests;
/// One model over several machines.
#[cfg(target_os = "linux")]
mod rpc;
/// The server locked in: what it goes on doing, what it can do no longer.
#[cfg(target_os = "linux")]
mod sandbox;
/// The server's life and its API, through a real client.
mod server;
/// Requests that share a server and its memory.
mod sharing;
/// The Vulkan distribution, on a GPU made of software.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod vulkan;
/// The web page, in a real browser.
#[cfg(target_os = "linux")]
mod web_ui;
