//! What a pass keeps of a layer.

/// What one layer computed on the way forward and needs on the way back.
#[derive(Default)]
pub(crate) struct Layer {
    pub(crate) input: Vec<f32>,
    pub(crate) attn_scales: Vec<f32>,
    pub(crate) attn_input: Vec<f32>,
    pub(crate) query: Vec<f32>,
    pub(crate) key: Vec<f32>,
    pub(crate) value: Vec<f32>,
    pub(crate) attention: Vec<f32>,
    pub(crate) heads: Vec<f32>,
    pub(crate) middle: Vec<f32>,
    pub(crate) ffn_scales: Vec<f32>,
    pub(crate) ffn_input: Vec<f32>,
    pub(crate) gate: Vec<f32>,
    pub(crate) up: Vec<f32>,
    pub(crate) gated: Vec<f32>,
}
