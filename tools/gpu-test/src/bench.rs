//! How fast the server is, beside upstream's own `llama-bench` in the same hour: the same model, the
//! same libraries, the same number of tokens.

use std::path::Path;

use anyhow::{Context, Result, bail};
use demo_model::rng::Rng;
use llama_src::sh::Cmd;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::offload;
use super::server::{self, Running};
use super::synthetic::{self, Mix, Shape};
use workspace::screen::Screen;

/// The types of the model.
const MIX: Mix = Mix::Q4KM;

/// A model's shape, and what is measured with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) shape: Shape,
    /// Tokens of the prompt, and tokens that are generated.
    prompt: usize,
    generated: usize,
    /// Measurements of each.
    repetitions: usize,
}

impl Load {
    pub(super) const LLAMA_3_8B: Self =
        Self { shape: Shape::LLAMA_3_8B, prompt: 512, generated: 128, repetitions: 5 };
    pub(super) const TINY: Self =
        Self { shape: Shape::TINY, prompt: 128, generated: 32, repetitions: 3 };
}

/// Tokens each second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Speed {
    pub prompt: f64,
    pub generation: f64,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bench {
    /// The model's shape and types.
    pub model: String,
    /// Size of its file.
    pub bytes: u64,
    pub prompt_tokens: usize,
    pub generated_tokens: usize,
    /// Medians.
    pub server: Speed,
    pub llama_bench: Speed,
    /// The server's over `llama-bench`'s.
    pub ratio: Speed,
}

/// Single measurements.
#[derive(Debug, Default, PartialEq)]
struct Samples {
    prompt: Vec<f64>,
    generation: Vec<f64>,
}

/// Measures with the programs in `dir`; `scratch` takes the model, `prefix` begins the device's names.
///
/// `llama-bench` runs before and after the server, so that a machine that slows down meanwhile does
/// so for both.
///
/// # Errors
/// When a program fails or leaves a part of the model to the CPU.
pub(super) fn run(
    screen: &mut Screen,
    dir: &Path,
    scratch: &Path,
    load: &Load,
    prefix: &str,
) -> Result<Bench> {
    let name = format!("{} {}", load.shape.name, MIX.name());
    screen.step(&format!("writing a model: {name}"));
    let model = scratch.join("synthetic.gguf");
    let bytes = synthetic::write(&load.shape, MIX, &model)
        .context("no model to measure with (--bench tiny takes 3 MB)")?;
    screen.step("measuring llama-bench");
    let mut upstream = llama_bench(dir, &model, load)?;
    screen.step("measuring llama-server");
    let server = llama_server(dir, &model, load, prefix)?;
    screen.step("measuring llama-bench again");
    upstream.add(llama_bench(dir, &model, load)?);
    let (server, llama_bench) = (server.medians(), upstream.medians());
    Ok(Bench {
        model: name,
        bytes,
        prompt_tokens: load.prompt,
        generated_tokens: load.generated,
        server,
        llama_bench,
        ratio: Speed {
            prompt: server.prompt / llama_bench.prompt,
            generation: server.generation / llama_bench.generation,
        },
    })
}

fn llama_bench(dir: &Path, model: &Path, load: &Load) -> Result<Samples> {
    let number = |number: usize| number.to_string();
    let cmd = Cmd::new(dir.join("llama-bench")).arg("-m").arg(model).dir(dir);
    let cmd = cmd.args(["-ngl", "99", "-o", "json", "-p", &number(load.prompt)]);
    let cmd = cmd.args(["-n", &number(load.generated), "-r", &number(load.repetitions)]);
    let text = cmd.read()?;
    parse(&text).with_context(|| format!("no figures in the output of llama-bench: {text}"))
}

/// From `llama-bench`'s list of tests: one of the prompt alone, one of generation alone.
fn parse(text: &str) -> Option<Samples> {
    let tests: Vec<Value> = serde_json::from_str(text).ok()?;
    let of = |test: &str, not: &str| {
        let fits = |row: &&Value| row[test].as_u64() > Some(0) && row[not].as_u64() == Some(0);
        let samples = tests.iter().find(fits)?["samples_ts"].as_array()?;
        let samples = samples.iter().map(Value::as_f64).collect::<Option<Vec<_>>>()?;
        Some(samples).filter(|samples| !samples.is_empty())
    };
    Some(Samples { prompt: of("n_prompt", "n_gen")?, generation: of("n_gen", "n_prompt")? })
}

fn llama_server(dir: &Path, model: &Path, load: &Load, prefix: &str) -> Result<Samples> {
    let context = (load.prompt + load.generated + 64).to_string();
    // Each prompt is a new one: keeping them would only take time.
    let args = ["-ngl", "99", "-np", "1", "-c", &context, "--cache-ram", "0", "-lv", "4"];
    let running = server::start(&dir.join("llama-server"), model, &args)?;
    offload::read(running.log().iter().map(String::as_str)).check(prefix)?;
    let mut rng = Rng::new(1);
    // The first one compiles what a GPU compiles at first use; llama-bench has such a run too.
    measure(&running, load, &mut rng)?;
    let mut samples = Samples::default();
    for _ in 0..load.repetitions {
        samples.add(measure(&running, load, &mut rng)?);
    }
    Ok(samples)
}

/// One prompt, and one generation from a single token on, as `llama-bench` does.
fn measure(running: &Running, load: &Load, rng: &mut Rng) -> Result<Samples> {
    let mut token = || synthetic::SPECIAL + rng.below(load.shape.vocab - synthetic::SPECIAL);
    let prompt: Vec<usize> = (0..load.prompt).map(|_| token()).collect();
    let first = [token()];
    let timings = |prompt: &[usize], count: usize| -> Result<Value> {
        let mut answer = running.complete(&json!({
            "prompt": prompt, "n_predict": count, "ignore_eos": true, "temperature": 0,
            "cache_prompt": false,
        }))?;
        Ok(answer["timings"].take())
    };
    let (read, written) = (timings(&prompt, 1)?, timings(&first, load.generated)?);
    Ok(Samples {
        prompt: vec![rate(&read, "prompt", load.prompt)?],
        // The first token comes from the prompt; upstream's rate leaves it out.
        generation: vec![rate(&written, "predicted", load.generated)?],
    })
}

/// The rate in the server's timings, which must be of `due` tokens.
fn rate(timings: &Value, what: &str, due: usize) -> Result<f64> {
    let count = timings[format!("{what}_n")].as_u64();
    let rate = timings[format!("{what}_per_second")].as_f64();
    match rate.filter(|rate| *rate > 0.0 && count == Some(due as u64)) {
        Some(rate) => Ok(rate),
        None => bail!("llama-server reported no timings for {due} tokens: {timings}"),
    }
}

impl Samples {
    fn add(&mut self, mut more: Self) {
        self.prompt.append(&mut more.prompt);
        self.generation.append(&mut more.generation);
    }

    fn medians(self) -> Speed {
        Speed { prompt: median(self.prompt), generation: median(self.generation) }
    }
}

/// The middle of `samples`, of which there is at least one.
pub fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    let half = samples.len() / 2;
    if samples.len() % 2 == 1 { samples[half] } else { (samples[half - 1] + samples[half]) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llama_benchs_tests_are_told_apart() {
        let text = r#"[
            { "n_prompt": 512, "n_gen": 0, "samples_ts": [ 100.5, 101.0 ] },
            { "n_prompt": 0, "n_gen": 128, "samples_ts": [ 10.0 ] }
        ]"#;
        let samples = Samples { prompt: vec![100.5, 101.0], generation: vec![10.0] };
        assert_eq!(parse(text), Some(samples));
        assert_eq!(parse("[]"), None);
        assert_eq!(parse("error: failed to load model"), None);
        assert_eq!(parse(&text.replace("[ 10.0 ]", "[]")), None);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn timings_of_other_tokens_are_refused() {
        let timings = json!({ "prompt_n": 512, "prompt_per_second": 20.5 });
        assert_eq!(rate(&timings, "prompt", 512).unwrap(), 20.5);
        assert_eq!(
            rate(&timings, "prompt", 128).unwrap_err().to_string(),
            "llama-server reported no timings for 128 tokens: \
            {\"prompt_n\":512,\"prompt_per_second\":20.5}"
        );
        assert!(rate(&timings, "predicted", 32).is_err());
    }
}
