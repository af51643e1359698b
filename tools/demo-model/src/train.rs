//! Training: batches, workers, the optimiser and its schedule.

use std::time::Instant;

use crate::corpus::Corpus;
use crate::model::{Model, Shape};
use crate::ops::Target;
use crate::pass::Pass;
use crate::rng::Rng;
use crate::tokenizer::Tokenizer;

/// Tokens of a training text, step after step: most of them short, so that there are more steps, and
/// some long, so that a long conversation stays readable.
const LENGTHS: [usize; 4] = [96, 96, 96, 256];
const LONGEST: usize = 256;
/// Workers; fixed, since the order in which gradients are added up decides their last bit.
const WORKERS: usize = 4;
const WARM_UP: usize = 100;
const PEAK_RATE: f32 = 1.6e-3;
const DECAY: f32 = 0.05;
const LARGEST_GRADIENT: f32 = 1.0;

/// Trains a model of `shape` for `steps` steps and reports on standard error as it goes.
#[must_use]
pub fn train(corpus: &Corpus, tokenizer: &Tokenizer, shape: Shape, steps: usize) -> Model {
    let mut model = Model::random(shape, 1);
    let mut workers: Vec<Pass> = (0..WORKERS).map(|_| Pass::new(&model, LONGEST)).collect();
    let mut optimiser = Optimiser::new(&model);
    let mut rng = Rng::new(2);
    let (start, mut shown) = (Instant::now(), 0.0);
    for step in 0..steps {
        let length = LENGTHS[step % LENGTHS.len()];
        let samples = workers.iter().map(|_| corpus.sample(tokenizer, length, &mut rng)).collect();
        let loss = learn(&model, &mut workers, samples);
        optimiser.step(&mut model, &mut workers, rate(step, steps));
        shown = if step == 0 { loss } else { 0.95 * shown + 0.05 * loss };
        if (step + 1) % 100 == 0 {
            let seconds = start.elapsed().as_secs();
            eprintln!("step {} of {steps}, loss {shown:.3}, {seconds} s", step + 1);
        }
    }
    model
}

/// Adds up the gradients of one batch in the workers; the mean loss.
fn learn(model: &Model, workers: &mut [Pass], samples: Vec<(Vec<u32>, Vec<Target>)>) -> f32 {
    let weights = samples.iter().flat_map(|(_, targets)| targets).map(|target| target.weight);
    let scale = 1.0 / weights.sum::<f32>().max(1.0);
    let losses = std::thread::scope(|scope| {
        let work = workers.iter_mut().zip(&samples).map(|(worker, (tokens, targets))| {
            scope.spawn(move || worker.learn(model, tokens, targets, scale))
        });
        let running: Vec<_> = work.collect();
        let joined = running.into_iter().map(|w| w.join().expect("a worker only does sums"));
        joined.collect::<Vec<f32>>()
    });
    losses.iter().sum::<f32>() * scale
}

/// Up in a line, level for the first third, then down to nothing in a line.
fn rate(step: usize, steps: usize) -> f32 {
    let up = (step + 1) as f32 / WARM_UP as f32;
    let down = 1.5 * (steps - step) as f32 / steps as f32;
    PEAK_RATE * up.min(down).min(1.0)
}

/// AdamW.
struct Optimiser {
    first: Vec<f32>,
    second: Vec<f32>,
    powers: (f32, f32),
}

impl Optimiser {
    const BETAS: (f32, f32) = (0.9, 0.95);

    fn new(model: &Model) -> Self {
        let zeros = vec![0.0; model.values.len()];
        Self { first: zeros.clone(), second: zeros, powers: (1.0, 1.0) }
    }

    /// Moves the model along the workers' gradients and clears them.
    fn step(&mut self, model: &mut Model, workers: &mut [Pass], rate: f32) {
        let (sum, rest) = workers.split_first_mut().expect("there are workers");
        for worker in rest {
            for (s, g) in sum.gradients.iter_mut().zip(&mut worker.gradients) {
                *s += std::mem::take(g);
            }
        }
        let squares: f64 = sum.gradients.iter().map(|g| f64::from(g * g)).sum();
        let clip = (LARGEST_GRADIENT / (squares.sqrt() as f32).max(1e-12)).min(1.0);
        let (b1, b2) = Self::BETAS;
        self.powers = (self.powers.0 * b1, self.powers.1 * b2);
        let (fix1, fix2) = (1.0 / (1.0 - self.powers.0), 1.0 / (1.0 - self.powers.1));
        for weight in &model.weights {
            let decay = if weight.rows == 1 { 1.0 } else { 1.0 - rate * DECAY };
            let range = weight.range.clone();
            let moments = self.first[range.clone()].iter_mut().zip(&mut self.second[range.clone()]);
            let values = model.values[range.clone()].iter_mut();
            for ((v, g), (m1, m2)) in values.zip(&mut sum.gradients[range]).zip(moments) {
                let g = std::mem::take(g) * clip;
                *m1 = b1 * *m1 + (1.0 - b1) * g;
                *m2 = b2 * *m2 + (1.0 - b2) * g * g;
                *v = *v * decay - rate * (*m1 * fix1) / ((*m2 * fix2).sqrt() + 1e-8);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_gives_the_same_model() {
        let corpus = Corpus::load();
        let tokenizer = corpus.tokenizer();
        let vocab = tokenizer.tokens().len();
        let small = Shape {
            embd: 8,
            ff: 8,
            layers: 1,
            heads: 2,
            kv_heads: 1,
            head: 4,
            ..Shape::demo(vocab)
        };
        let [one, other] = [(); 2].map(|()| train(&corpus, &tokenizer, small, 3).values);
        assert!(one == other, "trained twice, two models");
        assert!(one != Model::random(small, 1).values, "nothing was learnt");
    }
}
