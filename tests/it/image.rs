//! The images, built from the distributions under test and run in a real Docker engine.

/// From nothing but a clone: the stage in which Cargo builds.
mod cargo_stage;
/// Compose: up, healthy, a chat.
mod compose;
/// Everything that an image says about itself, and what other programs say about it.
mod contract;
/// Starting, healthy, unhealthy; other ports, other main processes.
mod health;
/// How others use an image: building on it, and copying out of it.
mod inherit;
/// Dockerfiles, compose files and Kubernetes manifests, without an engine's help.
mod lint;
/// Pushed, joined for both platforms, pulled, signed and verified.
mod registry;
/// The same bytes twice, and only what changed when something did.
mod reproduce;
