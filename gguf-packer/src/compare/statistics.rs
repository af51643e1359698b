//! Figures of two models' predictions, token by token: perplexity, Kullback-Leibler divergence, agreement.
//! They are those of llama.cpp's perplexity tool, but for the divergence, which that tool takes from
//! probabilities of 16 bits.

use super::{Estimate, Outcome};

/// What the prediction of one token says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Prediction {
    before: f64,
    after: f64,
    divergence: f64,
    same_top: bool,
}

impl Prediction {
    /// Of the `token` that came, by what both models thought of every token; none when that were no numbers.
    pub(super) fn of(before: &[f32], after: &[f32], token: usize) -> Option<Self> {
        let (top_before, top_after) = (top(before), top(after));
        let (max_before, max_after) = (before[top_before], after[top_after]);
        let (mut sum_before, mut sum_after, mut apart) = (0.0, 0.0, 0.0);
        for (&before, &after) in before.iter().zip(after) {
            let weight = f64::from((before - max_before).exp());
            sum_before += weight;
            sum_after += f64::from((after - max_after).exp());
            // What the model before holds for impossible does not count; both may be infinite.
            if weight > 0.0 {
                apart += weight * f64::from(before - after);
            }
        }
        let log_before = f64::from(max_before) + f64::ln(sum_before);
        let log_after = f64::from(max_after) + f64::ln(sum_after);
        let prediction = Self {
            before: log_before - f64::from(before[token]),
            after: log_after - f64::from(after[token]),
            // Rounding may leave less than nothing.
            divergence: (apart / sum_before - (log_before - log_after)).max(0.0),
            same_top: top_before == top_after,
        };
        let numbers = prediction.before.is_finite() && prediction.after.is_finite();
        (numbers && (apart / sum_before).is_finite()).then_some(prediction)
    }
}

/// The first of the greatest.
fn top(logits: &[f32]) -> usize {
    let mut top = 0;
    for (at, logit) in logits.iter().enumerate() {
        if *logit > logits[top] {
            top = at;
        }
    }
    top
}

/// Sums over all predictions.
#[derive(Debug, Default)]
pub(super) struct Sums {
    before: Mean,
    after: Mean,
    /// Of the logarithms' difference.
    ratio: Mean,
    divergence: Mean,
    divergences: Vec<f32>,
    same_top: u64,
}

impl Sums {
    pub(super) fn add(&mut self, prediction: &Prediction) {
        self.before.add(prediction.before);
        self.after.add(prediction.after);
        self.ratio.add(prediction.after - prediction.before);
        self.divergence.add(prediction.divergence);
        self.divergences.push(prediction.divergence as f32);
        self.same_top += u64::from(prediction.same_top);
    }

    pub(super) fn outcome(mut self, chunk_size: usize, chunks: usize) -> Outcome {
        self.divergences.sort_by(f32::total_cmp);
        let count = self.divergences.len();
        let share = self.same_top as f64 / count.max(1) as f64;
        let error = (share * (1.0 - share) / count.saturating_sub(1).max(1) as f64).sqrt();
        Outcome {
            chunk_size,
            chunks,
            predictions: count,
            perplexity_before: self.before.exponential(),
            perplexity_after: self.after.exponential(),
            perplexity_ratio: self.ratio.exponential(),
            divergence: self.divergence.estimate(),
            divergence_p999: percentile(&self.divergences, 0.999),
            divergence_max: percentile(&self.divergences, 1.0),
            same_top: Estimate { value: share, uncertainty: error },
        }
    }
}

/// What `share` of the sorted values are below, between two of them in proportion.
fn percentile(sorted: &[f32], share: f64) -> f64 {
    let at = share * sorted.len().saturating_sub(1) as f64;
    let below = at as usize;
    let value = |at: usize| sorted.get(at).or(sorted.last()).map_or(0.0, |&value| f64::from(value));
    value(below) + (at - below as f64) * (value(below + 1) - value(below))
}

#[derive(Debug, Default)]
struct Mean {
    count: u64,
    sum: f64,
    squares: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        self.squares += value * value;
    }

    fn estimate(&self) -> Estimate {
        let count = self.count.max(1) as f64;
        let value = self.sum / count;
        let variance = (self.squares / count - value * value).max(0.0);
        Estimate { value, uncertainty: (variance / (count - 1.0).max(1.0)).sqrt() }
    }

    /// Of a mean logarithm, the value.
    fn exponential(&self) -> Estimate {
        let Estimate { value, uncertainty } = self.estimate();
        Estimate { value: value.exp(), uncertainty: value.exp() * uncertainty }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-5, "{left} is not {right}");
    }

    #[test]
    fn a_prediction_is_what_the_definitions_say() {
        let logs = |shares: [f32; 3], shift: f32| shares.map(|share| share.ln() + shift);
        let (p, q) = ([0.5, 0.25, 0.25], [0.25, 0.5, 0.25]);
        let got = Prediction::of(&logs(p, 3.0), &logs(q, -40.0), 1).unwrap();
        near(got.before, 4_f64.ln());
        near(got.after, 2_f64.ln());
        // 0.5 ln(0.5/0.25) + 0.25 ln(0.25/0.5)
        near(got.divergence, 0.25 * 2_f64.ln());
        assert!(!got.same_top);
    }

    #[test]
    fn a_model_does_not_diverge_from_itself() {
        let logits: Vec<f32> = (0..1000).map(|n| ((n * 7919) % 1000) as f32 / 50.0).collect();
        let got = Prediction::of(&logits, &logits, 17).unwrap();
        assert_eq!(got.divergence.to_bits(), 0.0_f64.to_bits());
        assert!(got.same_top);
    }

    #[test]
    fn what_is_impossible_before_does_not_count_and_what_is_no_number_is_told() {
        let masked = [0.0, f32::NEG_INFINITY];
        let got = Prediction::of(&masked, &masked, 0).unwrap();
        near(got.divergence, 0.0);
        near(got.before, 0.0);
        assert_eq!(Prediction::of(&[0.0, 0.0], &masked, 1), None);
        assert_eq!(Prediction::of(&[0.0, 0.0], &masked, 0), None);
        assert_eq!(Prediction::of(&[f32::NAN, 0.0], &[0.0, 0.0], 0), None);
        assert_eq!(Prediction::of(&[0.0, 0.0], &[0.0, f32::NAN], 0), None);
        assert_eq!(Prediction::of(&[0.0, f32::INFINITY], &[0.0, 0.0], 0), None);
    }

    #[test]
    fn an_outcome_has_means_their_errors_and_percentiles() {
        let mut sums = Sums::default();
        for n in 0..1001_u32 {
            let half = f64::from(n % 2);
            let divergence = f64::from(n) / 1000.0;
            sums.add(&Prediction {
                before: half,
                after: half + 0.5,
                divergence,
                same_top: n % 4 != 0,
            });
        }
        let got = sums.outcome(512, 4);
        let mean = 500.0 / 1001.0;
        near(got.perplexity_before.value, f64::exp(mean));
        let error = (mean * (1.0 - mean) / 1000.0).sqrt();
        near(got.perplexity_before.uncertainty, f64::exp(mean) * error);
        near(got.perplexity_after.value, f64::exp(mean + 0.5));
        // Both err alike: the ratio is sure.
        near(got.perplexity_ratio.value, f64::exp(0.5));
        near(got.perplexity_ratio.uncertainty, 0.0);
        near(got.divergence.value, 0.5);
        near(got.divergence_p999, 0.999);
        near(got.divergence_max, 1.0);
        near(got.same_top.value, 750.0 / 1001.0);
        assert_eq!((got.predictions, got.chunks), (1001, 4));
        assert_eq!(Sums::default().outcome(512, 0).predictions, 0);
    }
}
