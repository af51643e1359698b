//! Attention, for all heads of a layer, and its gradient.

use crate::layer::Layer;
use crate::matmul::{Dims, Into, Multiplier, View};
use crate::model::Shape;
use crate::ops;

/// Fills the layer's probabilities and the heads' outputs from queries, keys and values.
pub(crate) fn attend(multiplier: &mut Multiplier, shape: &Shape, layer: &mut Layer) {
    let (q, kv) = (shape.heads * shape.head, shape.kv_heads * shape.head);
    let length = layer.query.len() / q;
    let scale = 1.0 / (shape.head as f32).sqrt();
    layer.attention.resize(shape.heads * length * length, 0.0);
    layer.heads.resize(length * q, 0.0);
    for (query, key, square) in places(shape, length) {
        let square = &mut layer.attention[square..][..length * length];
        let keys = View::rows(&layer.key[key..], kv).transposed();
        let queries = View::rows(&layer.query[query..], q);
        let dims = Dims(length, length, shape.head);
        multiplier.product(dims, (queries, keys), (square, length), Into::Replace);
        ops::causal_softmax(square, length, scale);
        let operands = (View::rows(square, length), View::rows(&layer.value[key..], kv));
        let dims = Dims(length, shape.head, length);
        multiplier.product(dims, operands, (&mut layer.heads[query..], q), Into::Replace);
    }
}

/// Gradients of queries, keys and values.
pub(crate) fn attend_back(
    multiplier: &mut Multiplier,
    shape: &Shape,
    layer: &Layer,
    dheads: &[f32],
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let (q, kv) = (shape.heads * shape.head, shape.kv_heads * shape.head);
    let scale = 1.0 / (shape.head as f32).sqrt();
    let mut dq = vec![0.0; layer.query.len()];
    let (mut dk, mut dv) = (vec![0.0; layer.key.len()], vec![0.0; layer.key.len()]);
    let length = layer.query.len() / q;
    let mut dscores = vec![0.0; length * length];
    let (across, along) = (Dims(length, length, shape.head), Dims(length, shape.head, length));
    for (query, key, square) in places(shape, length) {
        let chances = &layer.attention[square..][..length * length];
        let dout = View::rows(&dheads[query..], q);
        let values = View::rows(&layer.value[key..], kv).transposed();
        multiplier.product(across, (dout, values), (&mut dscores, length), Into::Replace);
        let operands = (View::rows(chances, length).transposed(), dout);
        multiplier.product(along, operands, (&mut dv[key..], kv), Into::Add);
        ops::causal_softmax_back(chances, &mut dscores, length, scale);
        let scores = View::rows(&dscores, length);
        let keys = View::rows(&layer.key[key..], kv);
        multiplier.product(along, (scores, keys), (&mut dq[query..], q), Into::Replace);
        let queries = View::rows(&layer.query[query..], q);
        multiplier.product(along, (scores.transposed(), queries), (&mut dk[key..], kv), Into::Add);
    }
    (dq, dk, dv)
}

/// For each head, where it starts in a row of queries, where its keys and values do, and where its
/// square of probabilities is.
fn places(shape: &Shape, length: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let Shape { heads, kv_heads, head, .. } = *shape;
    let sharing = heads / kv_heads;
    (0..heads).map(move |h| (h * head, h / sharing * head, h * length * length))
}
