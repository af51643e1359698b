//! `cargo xtask image`.

use std::process::ExitCode;

fn main() -> ExitCode {
    workspace::tools::main(|word, args| match word {
        "image" => image::run(args),
        _ => workspace::tools::unknown(word),
    })
}
