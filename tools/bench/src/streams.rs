//! Many requests at once: what a server that batches them generates in all.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use demo_model::rng::Rng;
use gpu_test::server;
use product::http;

use crate::args::Args;
use crate::journal::{Journal, Series};
use crate::load::{self, Load};
use crate::results::{Part, Unit};
use crate::side::{self, Side, Way};
use workspace::screen::Screen;

const STREAMS: [usize; 4] = [1, 4, 16, 64];
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(900);

/// Measures each number of streams with the model of `load`; `name` is the model's.
///
/// # Errors
/// When the results cannot be written.
pub(crate) fn run(
    name: &str,
    args: &Args,
    sides: &[Side],
    load: &Load,
    journal: &mut Journal,
    screen: &mut Screen,
) -> Result<()> {
    let (prompt, generated) = if args.quick || args.tiny { (32, 16) } else { (128, 64) };
    let load = Load { model: load.model.clone(), prompt, generated, ..*load };
    for streams in STREAMS {
        screen.step(&format!("measuring {streams} streams"));
        let plural = if streams == 1 { "" } else { "s" };
        let case = format!("{name}, {streams} stream{plural}");
        let rounds = crate::rounds(args, 5).min(3);
        let series = Series { part: Part::Run, cases: vec![(case, Unit::Tokens)], rounds };
        journal.measure(&series, &side::servers(sides), |way| {
            Ok(vec![measure(way, &load, streams)?])
        })?;
    }
    Ok(())
}

/// Generated tokens each second of all streams together, from the first request to the last answer: prompts take their
/// part of that time.
fn measure(way: &Way, load: &Load, streams: usize) -> Result<f64> {
    let program = match way {
        Way::Server(program) => program,
        Way::Missing(why) => bail!("{why}"),
        Way::Driver(_) => bail!("no server"),
    };
    let context = (streams * (load.prompt + load.generated + 16)).to_string();
    let options = ["-np", &streams.to_string(), "-c", &context, "--cache-ram", "0"];
    let running = server::start(program, &load.model, &options)?;
    let url = format!("{}/completion", running.url());
    // The first answer reads the weights into memory.
    together(&url, load, 1)?;
    let seconds = together(&url, load, streams)?;
    Ok((streams * load.generated) as f64 / seconds)
}

/// Seconds until `streams` requests that are sent at once are answered.
fn together(url: &str, load: &Load, streams: usize) -> Result<f64> {
    let ready = Barrier::new(streams + 1);
    std::thread::scope(|scope| {
        let answers: Vec<_> = (0..streams)
            .map(|stream| {
                let ready = &ready;
                scope.spawn(move || {
                    let prompt = load::prompt(load, &mut Rng::new(stream as u64));
                    let client = http::client(PATIENCE);
                    ready.wait();
                    answer(&client, url, &prompt, load.generated)
                })
            })
            .collect();
        ready.wait();
        let started = Instant::now();
        for answer in answers {
            answer.join().expect("a request does not panic")?;
        }
        Ok(started.elapsed().as_secs_f64())
    })
}

fn answer(client: &http::Agent, url: &str, prompt: &[usize], due: usize) -> Result<()> {
    let answer = http::json(http::post(client, url, &load::request(prompt, due))?)?;
    let count = answer["tokens_predicted"].as_u64();
    ensure!(count == Some(due as u64), "an answer of other than {due} tokens");
    Ok(())
}
