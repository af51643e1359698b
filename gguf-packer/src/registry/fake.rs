//! Tests only: a registry.
