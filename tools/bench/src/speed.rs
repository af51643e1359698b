//! `run`: tokens each second, of the same models on every side, and how much of the memory's bandwidth that is.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use demo_model::rng::Rng;
use gpu_test::server::{self, Running};
use gpu_test::synthetic::{self, Mix, Shape};
use llama_src::sh::Cmd;
use serde_json::Value;

use crate::args::Args;
use crate::journal::{Journal, Series};
use crate::load::{Load, prompt, request};
use crate::results::{MEMORY, Part, Unit};
use crate::side::{self, Side, Way};
use crate::{bandwidth, machine, streams};
use workspace::screen::Screen;

pub(crate) fn run(
    args: &Args,
    sides: &[Side],
    journal: &mut Journal,
    screen: &mut Screen,
) -> Result<()> {
    let rounds = crate::rounds(args, 5);
    screen.step("measuring memory");
    let memory = Series {
        part: Part::Run,
        cases: vec![(MEMORY.to_owned(), Unit::Rate), ("memory, triad".to_owned(), Unit::Rate)],
        rounds,
    };
    journal.measure(
        &memory,
        &[("machine".to_owned(), ())],
        |()| Ok(bandwidth::measure().into()),
    )?;
    let scratch = crate::scratch(&crate::folder())?;
    for (shape, mix) in models(args, machine::available()) {
        let name = format!("{} {}", shape.name, mix.name());
        screen.step(&format!("writing a model: {name}"));
        let large = shape != crate::small(args);
        let load = load(args, &shape, scratch.path(), large);
        let written = synthetic::write(&shape, mix, &load.model);
        screen.step(&format!("measuring {name}"));
        let rounds = if large { rounds.min(3) } else { rounds };
        let series = series(&name, &load, rounds);
        let read = shape.read_for_a_token(mix) as f64;
        journal.measure(&series, &side::named(sides), |way| {
            // A large one may not fit on the disk.
            written.as_ref().map_err(|error| anyhow!(crate::first_line(error)))?;
            let [prompt, generation] = measure(way, &load)?;
            Ok(vec![prompt, generation, generation * read])
        })?;
        if !large && mix == Mix::Q4KM {
            streams::run(&name, args, sides, &load, journal, screen)?;
        }
    }
    Ok(())
}

/// Every mix in the small shape, and in the largest that fits in `memory`; a quick run has one large model.
fn models(args: &Args, memory: u64) -> Vec<(Shape, Mix)> {
    let small = Mix::ALL.map(|mix| (crate::small(args), mix));
    let fits = |shape: &Shape, mix| shape.bytes(mix) < memory / 5 * 3;
    let wanted = |mix: &Mix| !args.tiny && (!args.quick || *mix == Mix::Q4KM);
    let large = Mix::ALL.into_iter().filter(wanted);
    let large = large.filter_map(|mix| {
        let shape = [Shape::LLAMA_3_8B, Shape::LLAMA_3_1B].into_iter().find(|s| fits(s, mix));
        Some((shape?, mix))
    });
    small.into_iter().chain(large).collect()
}

fn load(args: &Args, shape: &Shape, scratch: &Path, large: bool) -> Load {
    let model = scratch.join("model.gguf");
    let (prompt, generated) = match (args.quick || args.tiny, large) {
        (false, false) => (512, 128),
        (false, true) => (256, 64),
        (true, false) => (128, 32),
        (true, true) => (64, 16),
    };
    Load { model, vocab: shape.vocab, prompt, generated }
}

fn series(name: &str, load: &Load, rounds: usize) -> Series {
    let cases = vec![
        (format!("{name}, prompt of {}", load.prompt), Unit::Tokens),
        (format!("{name}, generation of {}", load.generated), Unit::Tokens),
        (format!("{name}, weights read"), Unit::Rate),
    ];
    Series { part: Part::Run, cases, rounds }
}

/// Tokens each second of the prompt and of generation.
fn measure(way: &Way, load: &Load) -> Result<[f64; 2]> {
    match way {
        Way::Missing(why) => bail!("{why}"),
        Way::Driver(cmd) => drive(cmd, load),
        Way::Server(program) => {
            let context = (load.prompt + load.generated + 64).to_string();
            // Each prompt is a new one: keeping them would only take time.
            let options = ["-np", "1", "-c", &context, "--cache-ram", "0"];
            let running = server::start(program, &load.model, &options)?;
            let mut rng = Rng::new(1);
            // The first reads the weights into memory.
            rates(&running, &prompt(load, &mut rng), load.generated.min(8))?;
            rates(&running, &prompt(load, &mut rng), load.generated)
        }
    }
}

fn rates(running: &Running, prompt: &[usize], count: usize) -> Result<[f64; 2]> {
    let answer = running.complete(&request(prompt, count))?;
    let timings = &answer["timings"];
    let rate = |what: &str, due: usize| {
        let rate = timings[format!("{what}_per_second")].as_f64();
        let counted = timings[format!("{what}_n")].as_u64() == Some(due as u64);
        rate.filter(|rate| counted && *rate > 0.0)
            .with_context(|| format!("timings that are not of {due} tokens: {timings}"))
    };
    Ok([rate("prompt", prompt.len())?, rate("predicted", count)?])
}

fn drive(cmd: &Cmd, load: &Load) -> Result<[f64; 2]> {
    let numbers = [load.prompt.to_string(), load.generated.to_string()];
    let text = cmd.clone().arg(&load.model).args(numbers).read()?;
    driven(&text).with_context(|| format!("no rates in what it prints: {text}"))
}

/// From a driver's last line.
fn driven(text: &str) -> Option<[f64; 2]> {
    let rates: Value = serde_json::from_str(text.lines().last()?).ok()?;
    Some([rates["prompt"].as_f64()?, rates["generation"].as_f64()?])
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::args::tests::parsed;

    #[test]
    fn the_largest_model_that_fits_is_measured() {
        let names = |words: &str, memory: u64| {
            let models = models(&parsed(words).unwrap(), memory);
            let large = models.iter().filter(|(shape, _)| *shape != Shape::SMALL);
            large.map(|(shape, mix)| format!("{} {}", shape.name, mix.name())).collect::<Vec<_>>()
        };
        assert_eq!(
            names("run", 22 << 30),
            ["1.5B F16", "8B Q8_0", "8B Q4_0", "8B Q4_K_M", "8B MXFP4"]
        );
        assert_eq!(names("run --quick", 22 << 30), ["8B Q4_K_M"]);
        assert_eq!(names("run --quick", 4 << 30), ["1.5B Q4_K_M"]);
        assert_eq!(names("run", 1 << 30), [""; 0]);
        assert!(
            models(&parsed("run --tiny").unwrap(), 22 << 30).iter().all(|(s, _)| *s == Shape::TINY)
        );
    }

    #[test]
    fn a_drivers_last_line_has_the_rates() {
        let text = "loading\n{\"prompt\": 100.5, \"generation\": 20}\n";
        assert_eq!(driven(text), Some([100.5, 20.0]));
        assert_eq!(driven("{\"prompt\": 100.5}\n"), None);
        assert_eq!(driven(""), None);
    }

    #[test]
    fn a_missing_side_says_why() {
        let load = Load { model: PathBuf::new(), vocab: 300, prompt: 1, generated: 1 };
        let error = measure(&Way::Missing("not built".to_owned()), &load).unwrap_err();
        assert_eq!(error.to_string(), "not built");
    }
}
