//! Runs a plan.
pub(crate) mod copy;
