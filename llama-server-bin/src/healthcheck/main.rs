//! `llama-healthcheck`: says whether the `llama-server` of a container is well, for `HEALTHCHECK` in
//! images without a shell and without curl. Never links llama.cpp, and needs libc alone.

#[cfg(target_os = "linux")]
mod check;
#[cfg(target_os = "linux")]
mod command;
#[cfg(target_os = "linux")]
mod drain;

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    let code = command::run();
    #[cfg(not(target_os = "linux"))]
    let code = {
        eprintln!("error: llama-healthcheck is for Linux containers");
        ExitCode::FAILURE
    };
    code
}
