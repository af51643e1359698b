//! `cargo xtask verify`.

use std::process::ExitCode;

use workspace::tools;

fn main() -> ExitCode {
    tools::main(|word, args| match word {
        "verify" => verify::run(args),
        verify::OPEN_WORD => verify::run_open(args),
        _ => tools::unknown(word),
    })
}
