//! The model as a GGUF file of the architecture `llama`, and back.

use llama_src::Error;

use crate::corpus::CHAT_TEMPLATE;
use crate::gguf::{File, Kind, Tensor, Value};
use crate::model::{Model, Shape, Weight, weights};
use crate::ops::EPSILON;
use crate::tokenizer::{BEGIN, END, END_OF_MESSAGE, Tokenizer, UNKNOWN};

/// Tokens that the file promises to handle; trained on fewer, usable with more.
const CONTEXT: u32 = 2048;

/// The finished file: matrices in 8 bits, vectors in 32.
#[must_use]
pub fn file(model: &Model, tokenizer: &Tokenizer) -> File {
    let mut file = File { metadata: metadata(&model.shape, tokenizer), tensors: Vec::new() };
    for weight in &model.weights {
        let values = &model.values[weight.range.clone()];
        file.tensors.push(Tensor::new(&weight.name, &sizes(weight), kind(weight), values));
    }
    file
}

/// The model that `file` holds, if its tensors are those of `shape`.
///
/// # Errors
/// When a tensor is missing, or another one than expected.
pub fn model(file: &File, shape: Shape) -> Result<Model, Error> {
    let weights = weights(&shape);
    let mut values = Vec::new();
    if file.tensors.len() != weights.len() {
        let (found, wanted) = (file.tensors.len(), weights.len());
        return Err(Error::new(format!("the model has {found} tensors instead of {wanted}")));
    }
    for (tensor, weight) in file.tensors.iter().zip(&weights) {
        if tensor.name != weight.name || tensor.shape != sizes(weight) {
            let (name, shape) = (&tensor.name, &tensor.shape);
            let wanted = (&weight.name, sizes(weight));
            return Err(Error::new(format!(
                "the model has {name} {shape:?} instead of {wanted:?}"
            )));
        }
        values.extend(tensor.values());
    }
    Ok(Model { shape, weights, values })
}

/// All metadata of the demo model.
#[must_use]
pub fn metadata(shape: &Shape, tokenizer: &Tokenizer) -> Vec<(String, Value)> {
    let mut file = File::default();
    file.set("general.architecture", "llama");
    file.set("general.type", "model");
    file.set("general.name", "llama-demo");
    file.set("general.description", "A very small model that shows that llama-server works");
    file.set("general.license", "MIT");
    file.set("general.languages", Value::Texts(vec!["en".to_owned()]));
    file.set("general.size_label", "2M");
    file.set("general.file_type", Value::U32(7));
    file.set("general.quantization_version", Value::U32(2));
    let numbers = [
        ("context_length", CONTEXT),
        ("embedding_length", shape.embd as u32),
        ("block_count", shape.layers as u32),
        ("feed_forward_length", shape.ff as u32),
        ("rope.dimension_count", shape.head as u32),
        ("attention.head_count", shape.heads as u32),
        ("attention.head_count_kv", shape.kv_heads as u32),
        ("vocab_size", shape.vocab as u32),
    ];
    for (key, number) in numbers {
        file.set(format!("llama.{key}"), Value::U32(number));
    }
    file.set("llama.attention.layer_norm_rms_epsilon", Value::F32(EPSILON));
    file.set("llama.rope.freq_base", Value::F32(shape.rope_base));
    vocabulary(&mut file, tokenizer);
    file.set("tokenizer.chat_template", CHAT_TEMPLATE);
    file.metadata
}

/// Adds the keys that describe `tokenizer`.
pub fn vocabulary(file: &mut File, tokenizer: &Tokenizer) {
    let ids = || 0..tokenizer.tokens().len() as u32;
    file.set("tokenizer.ggml.model", "llama");
    file.set("tokenizer.ggml.pre", "default");
    file.set("tokenizer.ggml.tokens", Value::Texts(tokenizer.tokens().to_vec()));
    let scores = ids().map(|id| tokenizer.score(id)).collect();
    file.set("tokenizer.ggml.scores", Value::F32s(scores));
    let kinds = ids().map(|id| tokenizer.kind(id) as i32).collect();
    file.set("tokenizer.ggml.token_type", Value::I32s(kinds));
    let special = [("bos", BEGIN), ("eos", END), ("eot", END_OF_MESSAGE), ("unknown", UNKNOWN)];
    for (name, id) in special {
        file.set(format!("tokenizer.ggml.{name}_token_id"), Value::U32(id));
    }
    file.set("tokenizer.ggml.add_bos_token", Value::Bool(true));
    file.set("tokenizer.ggml.add_eos_token", Value::Bool(false));
    file.set("tokenizer.ggml.add_space_prefix", Value::Bool(false));
}

fn sizes(weight: &Weight) -> Vec<usize> {
    if weight.rows == 1 { vec![weight.cols] } else { vec![weight.cols, weight.rows] }
}

fn kind(weight: &Weight) -> Kind {
    if weight.rows == 1 { Kind::F32 } else { Kind::Q8_0 }
}
