//! `cargo xtask dist` and `cargo xtask variants`, and what those start this program for once more.

use std::process::ExitCode;

use distribution::{dist, toolkit, variants};
use workspace::tools;

fn main() -> ExitCode {
    tools::main(|word, args| match word {
        "dist" => dist::run(args),
        "variants" => variants::run(args),
        toolkit::WORD => toolkit::run(args),
        dist::BACKEND_WORD => dist::run_backend(args),
        verify::OPEN_WORD => verify::run_open(args),
        _ => tools::unknown(word),
    })
}
