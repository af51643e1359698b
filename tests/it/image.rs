//! The images, built from the distributions under test and run in a real Docker engine.

mod cargo_stage;
mod components;
mod compose;
mod contract;
mod engine;
mod health;
mod inherit;
pub(crate) mod kubernetes;
mod lint;
mod operators;
mod quadlet;
mod registry;
mod reproduce;
mod users;
