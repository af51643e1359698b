//! The parts of the network that are not matrix products, each with its gradient.

/// What keeps a norm's divisor away from zero.
pub(crate) const EPSILON: f32 = 1e-5;

/// e to the power of `x`, to one unit in the last place or so; the system's own differs between
/// systems.
pub(crate) fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    // Adding and taking away 1.5 · 2^23 rounds to a whole number.
    let n = (x * std::f32::consts::LOG2_E + 12_582_912.0) - 12_582_912.0;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let mut p = 1.0 / 5040.0;
    for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = p * r + c;
    }
    p * f32::from_bits((((n as i32) + 127) << 23) as u32)
}

/// Sum of the products, in eight chains that a vector register can hold.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

/// Root-mean-square norm of each row, times `weight`; `scales` receives one divisor per row.
pub(crate) fn norm(x: &[f32], weight: &[f32], out: &mut [f32], scales: &mut [f32]) {
    let d = weight.len();
    for ((x, out), scale) in x.chunks_exact(d).zip(out.chunks_exact_mut(d)).zip(scales) {
        *scale = 1.0 / (dot(x, x) / d as f32 + EPSILON).sqrt();
        for ((out, x), w) in out.iter_mut().zip(x).zip(weight) {
            *out = x * *scale * w;
        }
    }
}

/// Adds the gradients of [`norm`] to `dx` and `dweight`.
pub(crate) fn norm_back(
    (x, weight, scales): (&[f32], &[f32], &[f32]),
    dout: &[f32],
    dx: &mut [f32],
    dweight: &mut [f32],
) {
    let d = weight.len();
    let mut scaled = vec![0.0; d];
    let rows = x.chunks_exact(d).zip(dout.chunks_exact(d)).zip(dx.chunks_exact_mut(d));
    for (((x, dout), dx), scale) in rows.zip(scales) {
        for i in 0..d {
            scaled[i] = dout[i] * weight[i];
            dweight[i] += dout[i] * x[i] * scale;
        }
        let pull = dot(&scaled, x) * scale * scale / d as f32;
        for i in 0..d {
            dx[i] += scale * (scaled[i] - x[i] * pull);
        }
    }
}

/// Cosine and sine of every position's angles, for heads of `size` values.
pub(crate) struct Rotation {
    angles: Vec<(f32, f32)>,
    half: usize,
}

impl Rotation {
    pub(crate) fn new(positions: usize, size: usize, base: f32) -> Self {
        let half = size / 2;
        let angle = |at: usize, i: usize| {
            let theta = at as f64 * f64::from(base).powf(-(i as f64) / half as f64);
            (theta.cos() as f32, theta.sin() as f32)
        };
        let angles = (0..positions).flat_map(|at| (0..half).map(move |i| angle(at, i))).collect();
        Self { angles, half }
    }

    /// Turns neighbouring pairs of each head by their position; `back` turns gradients.
    pub(crate) fn turn(&self, x: &mut [f32], width: usize, back: bool) {
        let angles = self.angles.chunks_exact(self.half);
        for (x, angles) in x.chunks_exact_mut(width).zip(angles) {
            for head in x.chunks_exact_mut(2 * self.half) {
                for (pair, (cos, sin)) in head.chunks_exact_mut(2).zip(angles) {
                    let sin = if back { -sin } else { *sin };
                    let (a, b) = (pair[0], pair[1]);
                    pair[0] = a * cos - b * sin;
                    pair[1] = a * sin + b * cos;
                }
            }
        }
    }
}

/// Softmax of each row of a square matrix over the columns up to its diagonal, after `scale`.
pub(crate) fn causal_softmax(x: &mut [f32], length: usize, scale: f32) {
    for (i, row) in x.chunks_exact_mut(length).enumerate() {
        let (seen, unseen) = row.split_at_mut(i + 1);
        softmax(seen, scale);
        unseen.fill(0.0);
    }
}

/// Turns `dp`, the gradient of [`causal_softmax`]'s result `p`, into that of its input.
pub(crate) fn causal_softmax_back(p: &[f32], dp: &mut [f32], length: usize, scale: f32) {
    for (p, dp) in p.chunks_exact(length).zip(dp.chunks_exact_mut(length)) {
        let pull = dot(p, dp);
        for (dp, p) in dp.iter_mut().zip(p) {
            *dp = p * (*dp - pull) * scale;
        }
    }
}

fn softmax(row: &mut [f32], scale: f32) {
    let top = row.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
    for x in row.iter_mut() {
        *x = exp((*x - top) * scale);
    }
    let sum: f32 = dot(row, &vec![1.0; row.len()]);
    for x in row {
        *x /= sum;
    }
}

/// `silu(gate) * up`.
pub(crate) fn gated(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((out, g), u) in out.iter_mut().zip(gate).zip(up) {
        *out = g / (1.0 + exp(-g)) * u;
    }
}

/// Replaces `gate` and `up` by their gradients under [`gated`].
pub(crate) fn gated_back(gate: &mut [f32], up: &mut [f32], dout: &[f32]) {
    for ((g, u), d) in gate.iter_mut().zip(up).zip(dout) {
        let sigmoid = 1.0 / (1.0 + exp(-*g));
        let slope = sigmoid * (1.0 + *g * (1.0 - sigmoid));
        let silu = *g * sigmoid;
        *g = d * *u * slope;
        *u = d * silu;
    }
}

/// What is to come after a token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// The next token.
    pub token: u32,
    /// How much it counts; at 0 it is not learnt.
    pub weight: f32,
}

/// Sum of the weighted losses; turns `logits`, a row for each target, into gradients times `scale`.
pub(crate) fn cross_entropy(logits: &mut [f32], targets: &[Target], scale: f32) -> f32 {
    let mut loss = 0.0;
    let width = logits.len() / targets.len().max(1);
    for (row, target) in logits.chunks_exact_mut(width.max(1)).zip(targets) {
        softmax(row, 1.0);
        loss -= row[target.token as usize].max(1e-30).ln() * target.weight;
        row[target.token as usize] -= 1.0;
        row.iter_mut().for_each(|x| *x *= scale * target.weight);
    }
    loss
}
