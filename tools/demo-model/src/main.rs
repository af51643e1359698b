//! Makes the demo model, or checks the one that is there. Called as `cargo xtask demo-model`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use demo_model::corpus::Corpus;
use demo_model::model::Shape;
use demo_model::{PATH, check, export, train};
use llama_src::Error;

const USAGE: &str = "\
usage: cargo xtask demo-model [--check] [--out FILE] [--steps N]
  --check     check the file instead of making it
  --out FILE  the file, default: tests/models/llama-demo.gguf
  --steps N   steps of training, default: 3000";

/// What was asked for.
struct Options {
    check: bool,
    out: PathBuf,
    steps: usize,
}

fn main() -> ExitCode {
    if std::env::args().skip(2).any(|arg| arg == "--help" || arg == "-h") {
        // Who reads through `head` has seen enough when that ends.
        let _ = writeln!(std::io::stdout(), "{USAGE}");
        return ExitCode::SUCCESS;
    }
    match options().and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: demo-model: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(options: &Options) -> Result<(), Error> {
    if options.check {
        check::check(&options.out)?;
        println!("{} is the demo model of this corpus", options.out.display());
        return Ok(());
    }
    let corpus = Corpus::load();
    let tokenizer = corpus.tokenizer();
    let shape = Shape::demo(tokenizer.tokens().len());
    let model = train::train(&corpus, &tokenizer, shape, options.steps);
    export::file(&model, &tokenizer).write(&options.out)?;
    println!("wrote {}", options.out.display());
    Ok(())
}

fn options() -> Result<Options, Error> {
    let mut options = Options { check: false, out: PathBuf::from(PATH), steps: 3000 };
    let mut args = std::env::args_os().skip(2);
    let usage = || Error::usage("wrong arguments").log(USAGE.lines().map(str::to_owned));
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("--check") => options.check = true,
            Some("--out") => options.out = args.next().ok_or_else(usage)?.into(),
            Some("--steps") => {
                let steps = args.next().and_then(|n| n.to_str()?.parse().ok());
                options.steps = steps.filter(|n| *n > 0).ok_or_else(usage)?;
            }
            _ => return Err(usage()),
        }
    }
    Ok(options)
}
