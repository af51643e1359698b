//! `cargo xtask test`, `ci`, `check` and `fuzz`.

mod check;
mod fuzz;
mod test;

use std::process::ExitCode;

use workspace::tools;

fn main() -> ExitCode {
    tools::main(|word, args| match word {
        "test" => test::run(args),
        "ci" => test::ci(args),
        "check" => check::run(args),
        "fuzz" => fuzz::run(args),
        _ => tools::unknown(word),
    })
}
