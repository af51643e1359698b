//! Finds a `llama-server`, starts it, waits until it answers, and stops it: for Rust programs that
//! want the server as a child process. Synchronous, without an HTTP client of its own.
//!
//! ```no_run
//! # fn main() -> Result<(), llama_server_bin::Error> {
//! let server = llama_server_bin::Launch::new(["-m", "model.gguf"]).start()?;
//! println!("listening on {}", server.url());
//! server.stop()?;
//! # Ok(())
//! # }
//! ```
//!
//! Where the server is looked for: [`find`]. The library needs no feature; with `build` (default) the
//! package also compiles llama.cpp and makes the `llama-server` binary.
//!
//! A [`Server`] that is dropped is killed. One whose program dies without dropping it (Ctrl-C, `SIGKILL`, an
//! abort) stops by itself when it is *our* `llama-server`, through [`LEASH_VARIABLE`]; an official
//! binary found elsewhere goes on running. Ctrl-C in a terminal reaches the program alone: the server is in a
//! process group of its own, so a program that handles Ctrl-C decides what happens to answers in progress.

mod address;
mod error;
mod find;
pub mod health;
mod launch;
mod log;
pub mod secret;
mod server;
pub mod sockets;
mod version;

pub use error::Error;
pub use find::find;
pub use launch::Launch;
pub use log::OnLine;
pub use server::Server;
pub use version::{Version, version};

/// Environment variable that names the server to use.
pub const SERVER_VARIABLE: &str = "LLAMA_SERVER_BIN";

/// Environment variable that tells our `llama-server` to stop when its standard input ends.
pub const LEASH_VARIABLE: &str = "LLAMA_SERVER_LEASH";

/// Variables of llama-server that name a model, or where models are.
pub const MODEL_VARIABLES: &[&str] = &[
    "LLAMA_ARG_MODEL",
    "LLAMA_ARG_MODEL_URL",
    "LLAMA_ARG_DOCKER_REPO",
    "LLAMA_ARG_HF_REPO",
    "LLAMA_ARG_MODELS_DIR",
    "LLAMA_ARG_MODELS_PRESET",
];
