//! One pass forward and one backward through the network, for one text.

use crate::attention::{attend, attend_back};
use crate::layer::Layer;
use crate::matmul::{Dims, Into, Multiplier, View};
use crate::model::{EMBEDDING, Model, OUTPUT_NORM, Part, Shape, index};
use crate::ops::{self, Rotation, Target};

/// The memory of one worker: activations, gradients and the multiplier.
pub(crate) struct Pass {
    shape: Shape,
    rotation: Rotation,
    multiplier: Multiplier,
    layers: Vec<Layer>,
    last: Vec<f32>,
    last_scales: Vec<f32>,
    output: Vec<f32>,
    logits: Vec<f32>,
    /// Gradients of all parameters, added up since they were last cleared.
    pub(crate) gradients: Vec<f32>,
}

impl Pass {
    /// A worker for texts of up to `longest` tokens.
    pub(crate) fn new(model: &Model, longest: usize) -> Self {
        let shape = model.shape;
        Self {
            shape,
            rotation: Rotation::new(longest, shape.head, shape.rope_base),
            multiplier: Multiplier::default(),
            layers: (0..shape.layers).map(|_| Layer::default()).collect(),
            last: Vec::new(),
            last_scales: Vec::new(),
            output: Vec::new(),
            logits: Vec::new(),
            gradients: vec![0.0; model.values.len()],
        }
    }

    /// The scores of all tokens as the next one after each of `tokens`.
    pub(crate) fn forward(&mut self, model: &Model, tokens: &[u32]) -> &[f32] {
        self.think(model, tokens);
        let Shape { embd, vocab, .. } = self.shape;
        let embedding = model.weight(EMBEDDING);
        linear(&mut self.multiplier, &self.output, embedding, embd, &mut self.logits, vocab);
        &self.logits
    }

    /// Adds the gradients for `targets`, scaled; gives the sum of the losses.
    pub(crate) fn learn(
        &mut self,
        model: &Model,
        tokens: &[u32],
        targets: &[Target],
        scale: f32,
    ) -> f32 {
        self.think(model, tokens);
        let Shape { embd, vocab, .. } = self.shape;
        let rows = self.output.chunks_exact(embd).zip(targets).filter(|(_, t)| t.weight > 0.0);
        let (rows, wanted): (Vec<&[f32]>, Vec<Target>) = rows.unzip();
        let output = rows.concat();
        let embedding = model.weight(EMBEDDING);
        linear(&mut self.multiplier, &output, embedding, embd, &mut self.logits, vocab);
        let loss = ops::cross_entropy(&mut self.logits, &wanted, scale);
        let mut back =
            Back { multiplier: &mut self.multiplier, model, gradients: &mut self.gradients };
        let mut dwanted = Vec::new();
        back.linear(EMBEDDING, &output, &self.logits, vocab, (&mut dwanted, Into::Replace));
        let mut doutput = vec![0.0; self.output.len()];
        let rows = doutput.chunks_exact_mut(embd).zip(targets).filter(|(_, t)| t.weight > 0.0);
        rows.zip(dwanted.chunks_exact(embd)).for_each(|((row, _), d)| row.copy_from_slice(d));
        let mut dstream = vec![0.0; self.last.len()];
        back.norm(OUTPUT_NORM, &self.last, &self.last_scales, &doutput, &mut dstream);
        for at in (0..self.shape.layers).rev() {
            self.layer_backward(model, at, &mut dstream);
        }
        let gradient = &mut self.gradients[model.weights[EMBEDDING].range.clone()];
        for (token, d) in tokens.iter().zip(dstream.chunks_exact(embd)) {
            let row = &mut gradient[*token as usize * embd..][..embd];
            row.iter_mut().zip(d).for_each(|(g, d)| *g += d);
        }
        loss
    }

    /// All layers and the last norm.
    fn think(&mut self, model: &Model, tokens: &[u32]) {
        let embd = self.shape.embd;
        let embedding = model.weight(EMBEDDING);
        let rows = tokens.iter().map(|&t| &embedding[t as usize * embd..][..embd]);
        let mut stream: Vec<f32> = rows.flatten().copied().collect();
        for at in 0..self.shape.layers {
            stream = self.layer_forward(model, at, stream);
        }
        self.last = stream;
        self.last_scales.resize(tokens.len(), 0.0);
        self.output.resize(self.last.len(), 0.0);
        let weight = model.weight(OUTPUT_NORM);
        ops::norm(&self.last, weight, &mut self.output, &mut self.last_scales);
    }

    fn layer_forward(&mut self, model: &Model, at: usize, input: Vec<f32>) -> Vec<f32> {
        let Shape { embd, ff, heads, kv_heads, head, .. } = self.shape;
        let (q, kv, count) = (heads * head, kv_heads * head, input.len() / embd);
        let weight = |part| model.weight(index(at, part));
        let (layer, multiplier) = (&mut self.layers[at], &mut self.multiplier);
        layer.attn_scales.resize(count, 0.0);
        layer.attn_input.resize(count * embd, 0.0);
        ops::norm(&input, weight(Part::AttnNorm), &mut layer.attn_input, &mut layer.attn_scales);
        let x = &layer.attn_input;
        linear(multiplier, x, weight(Part::Query), embd, &mut layer.query, q);
        linear(multiplier, x, weight(Part::Key), embd, &mut layer.key, kv);
        linear(multiplier, x, weight(Part::Value), embd, &mut layer.value, kv);
        self.rotation.turn(&mut layer.query, q, false);
        self.rotation.turn(&mut layer.key, kv, false);
        attend(multiplier, &self.shape, layer);
        linear(multiplier, &layer.heads, weight(Part::AttnOutput), q, &mut layer.middle, embd);
        layer.middle.iter_mut().zip(&input).for_each(|(m, i)| *m += i);
        layer.ffn_scales.resize(count, 0.0);
        layer.ffn_input.resize(count * embd, 0.0);
        ops::norm(
            &layer.middle,
            weight(Part::FfnNorm),
            &mut layer.ffn_input,
            &mut layer.ffn_scales,
        );
        linear(multiplier, &layer.ffn_input, weight(Part::Gate), embd, &mut layer.gate, ff);
        linear(multiplier, &layer.ffn_input, weight(Part::Up), embd, &mut layer.up, ff);
        layer.gated.resize(count * ff, 0.0);
        ops::gated(&layer.gate, &layer.up, &mut layer.gated);
        let mut output = Vec::new();
        linear(multiplier, &layer.gated, weight(Part::Down), ff, &mut output, embd);
        output.iter_mut().zip(&layer.middle).for_each(|(o, m)| *o += m);
        layer.input = input;
        output
    }

    /// Turns `dstream` from the gradient of a layer's output into that of its input.
    fn layer_backward(&mut self, model: &Model, at: usize, dstream: &mut [f32]) {
        let Shape { embd, ff, heads, kv_heads, head, .. } = self.shape;
        let (q, kv) = (heads * head, kv_heads * head);
        let layer = &mut self.layers[at];
        let multiplier = &mut self.multiplier;
        let mut back = Back { multiplier, model, gradients: &mut self.gradients };
        let (mut inner, mut dnormed) = (Vec::new(), Vec::new());
        let at = |part| index(at, part);

        back.linear(at(Part::Down), &layer.gated, dstream, embd, (&mut inner, Into::Replace));
        ops::gated_back(&mut layer.gate, &mut layer.up, &inner);
        let x = &layer.ffn_input;
        back.linear(at(Part::Gate), x, &layer.gate, ff, (&mut dnormed, Into::Replace));
        back.linear(at(Part::Up), x, &layer.up, ff, (&mut dnormed, Into::Add));
        back.norm(at(Part::FfnNorm), &layer.middle, &layer.ffn_scales, &dnormed, dstream);

        back.linear(at(Part::AttnOutput), &layer.heads, dstream, embd, (&mut inner, Into::Replace));
        let (mut dq, mut dk, dv) = attend_back(back.multiplier, &self.shape, layer, &inner);
        self.rotation.turn(&mut dq, q, true);
        self.rotation.turn(&mut dk, kv, true);
        let x = &layer.attn_input;
        back.linear(at(Part::Query), x, &dq, q, (&mut dnormed, Into::Replace));
        back.linear(at(Part::Key), x, &dk, kv, (&mut dnormed, Into::Add));
        back.linear(at(Part::Value), x, &dv, kv, (&mut dnormed, Into::Add));
        back.norm(at(Part::AttnNorm), &layer.input, &layer.attn_scales, &dnormed, dstream);
    }
}

/// What every step back needs.
struct Back<'a> {
    multiplier: &'a mut Multiplier,
    model: &'a Model,
    gradients: &'a mut [f32],
}

impl Back<'_> {
    /// Gradients of a matrix and of its input `x`, from that of its output of `width` values.
    fn linear(
        &mut self,
        weight: usize,
        x: &[f32],
        dout: &[f32],
        width: usize,
        (dx, into): (&mut Vec<f32>, Into),
    ) {
        let count = dout.len() / width;
        let inner = x.len() / count;
        let dout = View::rows(dout, width);
        let gradient = &mut self.gradients[self.model.weights[weight].range.clone()];
        let operands = (dout.transposed(), View::rows(x, inner));
        self.multiplier.product(Dims(width, inner, count), operands, (gradient, inner), Into::Add);
        dx.resize(x.len(), 0.0);
        let operands = (dout, View::rows(self.model.weight(weight), inner));
        self.multiplier.product(Dims(count, inner, width), operands, (dx, inner), into);
    }

    fn norm(&mut self, weight: usize, x: &[f32], scales: &[f32], dout: &[f32], dx: &mut [f32]) {
        let gradient = &mut self.gradients[self.model.weights[weight].range.clone()];
        ops::norm_back((x, self.model.weight(weight), scales), dout, dx, gradient);
    }
}

/// `out = x × weightᵀ`.
fn linear(
    multiplier: &mut Multiplier,
    x: &[f32],
    weight: &[f32],
    inner: usize,
    out: &mut Vec<f32>,
    width: usize,
) {
    let count = x.len() / inner;
    out.resize(count * width, 0.0);
    let operands = (View::rows(x, inner), View::rows(weight, inner).transposed());
    multiplier.product(Dims(count, width, inner), operands, (out, width), Into::Replace);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_are_the_slopes_of_the_loss() {
        let shape = Shape {
            vocab: 11,
            embd: 8,
            ff: 12,
            layers: 2,
            heads: 4,
            kv_heads: 2,
            head: 4,
            rope_base: 100.0,
        };
        let mut model = Model::random(shape, 5);
        // Small embeddings make the first norm too steep to measure.
        model.values[..shape.vocab * shape.embd].iter_mut().for_each(|v| *v *= 40.0);
        let tokens = [1, 5, 3, 10, 2, 2, 9, 4];
        let weights = [1.0, 0.0, 1.0, 3.0, 1.0, 1.0, 0.0, 0.5];
        let targets = weights.map(|weight| Target { token: (weight * 3.0) as u32, weight });
        let mut pass = Pass::new(&model, 8);
        pass.learn(&model, &tokens, &targets, 1.0);
        let gradients = pass.gradients.clone();
        for weight in model.weights.clone() {
            let at = weight.range.start + (weight.range.len() / 2);
            let was = model.values[at];
            let mut loss = |x| {
                model.values[at] = was + x;
                pass.learn(&model, &tokens, &targets, 1.0)
            };
            let slope = (loss(0.01) - loss(-0.01)) / 0.02;
            model.values[at] = was;
            let error = (slope - gradients[at]).abs();
            assert!(
                error < 0.003 + 0.02 * slope.abs(),
                "{}: {slope} {}",
                weight.name,
                gradients[at]
            );
        }
    }
}
