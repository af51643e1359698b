//! `cargo xtask gpu-test`.

use std::process::ExitCode;

fn main() -> ExitCode {
    workspace::tools::main(|word, args| match word {
        "gpu-test" => gpu_test::run(args),
        _ => workspace::tools::unknown(word),
    })
}
