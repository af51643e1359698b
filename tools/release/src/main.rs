//! `cargo xtask release`.

use std::process::ExitCode;

fn main() -> ExitCode {
    workspace::tools::main(|word, args| match word {
        "release" => release::run(args),
        _ => workspace::tools::unknown(word),
    })
}
