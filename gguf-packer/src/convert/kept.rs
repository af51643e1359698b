//! Which tensors of a checkpoint go into a text model, by their names.
//!
//! The names are facts of `conversion/` of the pinned llama.cpp.

/// Parts of names that only the encoders of images and sounds have.
const OTHERS: &[&str] = &[
    "visual.",
    "vision.",
    "audio.",
    "talker.",
    "vision_",
    "audio_",
    "token2wav.",
    "code2wav.",
    "projector.",
    "pre_mm_projector_norm",
    "image_newline",
    "view_seperator",
    "patch_embed",
    "patch_embedding",
    "patch_merger.",
    "patch_merge_mlp.",
    "model.connector.",
];
/// Beginnings of such names.
const OTHER_STARTS: &[&str] = &[
    "mlp",
    "vit.",
    "vpm.",
    "siglip2.",
    "conformer.",
    "merger.",
    "resampler.",
    "sound_encoder.",
    "sound_projection.",
    "speech_embeddings.",
];
/// Ends of names of what is computed, not learned.
const COMPUTED: &[&str] = &[".attention.masked_bias", ".attention.bias", ".rotary_emb.inv_freq"];

/// Whether a tensor of a checkpoint goes into a text model.
pub(super) fn kept(name: &str) -> bool {
    !OTHER_STARTS.iter().any(|start| name.starts_with(start))
        && !OTHERS.iter().any(|part| name.contains(part))
        && !COMPUTED.iter().any(|end| name.ends_with(end))
}
