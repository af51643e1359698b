//! `cargo xtask bench`.

use std::process::ExitCode;

fn main() -> ExitCode {
    workspace::tools::main(|word, args| match word {
        "bench" => bench::run(args),
        _ => workspace::tools::unknown(word),
    })
}
