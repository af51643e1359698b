//! Commands that ask a registry: `pull`, `push`, `login`, `logout`.
