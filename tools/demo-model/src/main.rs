//! Makes the demo model, or checks the one that is there. Called as `cargo xtask demo-model`.

use std::process::ExitCode;

use clap::Parser;
use demo_model::args::{Cli, Options};
use demo_model::corpus::Corpus;
use demo_model::model::Shape;
use demo_model::{check, export, train};
use llama_src::Error;

fn main() -> ExitCode {
    let Cli::DemoModel(options) = Cli::parse();
    match run(&options) {
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
    let model = train::train(&corpus, &tokenizer, shape, options.steps.get());
    export::file(&model, &tokenizer).write(&options.out)?;
    println!("wrote {}", options.out.display());
    Ok(())
}
