//! Conversion in this process: what upstream's converter writes for the families that are known here, to the byte.

use std::collections::BTreeSet;
use std::path::Path;

use super::checkpoint::{Checkpoint, Tensor};
use super::config::{self, Config};
use super::family::Family;
use super::kept::kept;
use super::key::{Key, Keys};
use crate::Error;

mod encode;
mod kind;
pub(super) mod names;
mod parameters;
mod power;
mod rope;
pub(super) mod shape;
pub(super) mod write;

pub use kind::Kind;

use names::Change;
use write::{Data, Planned};

/// `GGML_QUANT_VERSION` of the pinned llama.cpp.
const QUANTIZATION: u32 = 2;

/// What to write, and what others know of it.
pub struct Job<'a> {
    /// The file to write, which gets its name elsewhere.
    pub out: &'a Path,
    /// The type of the large tensors.
    pub kind: Kind,
    /// The keys of the tokenizer; an adapter has none.
    pub tokenizer: Keys,
    /// The keys `general.*` of a model with so many parameters, below zero when they are an adapter's, as gguf-py
    /// counts them; but for the architecture and the type that are written here.
    pub general: &'a dyn Fn(i64) -> Result<Keys, Error>,
}

/// Converts a checkpoint of `family`. `step` receives how many bytes of weights are written, of how many; its error
/// ends the conversion.
///
/// # Errors
/// When the config lacks what the family needs, the tensors are not those of the family or contradict the config, or
/// a file cannot be read or written.
pub fn convert(
    checkpoint: &Checkpoint,
    family: Family,
    job: Job<'_>,
    step: &mut dyn FnMut(u64, u64) -> Result<(), Error>,
) -> Result<(), Error> {
    let path = config::path(&checkpoint.dir);
    let config = Config::new(&checkpoint.config, &path);
    let kind = job.kind.settled(&checkpoint.tensors);
    let tensors = plan(checkpoint, family, &config, kind, &job.tokenizer)?;
    let total: u64 = tensors.iter().map(Planned::elements).sum();
    let mut keys = begin(family);
    if family == Family::Phi3 {
        if let Some(factor) = rope::attention_factor(&config)? {
            keys.set("phi3.rope.scaling.attn_factor", Key::F32(factor as f32));
        }
    }
    keys.text("general.type", "model");
    keys.extend((job.general)(total as i64)?);
    keys.extend(parameters::keys(family, &config, kind)?);
    end(&mut keys);
    keys.extend(job.tokenizer);
    write::file(job.out, keys, &tensors, step)
}

/// The key that goes before all others.
pub(super) fn begin(family: Family) -> Keys {
    let mut keys = Keys::new();
    keys.text("general.architecture", family.architecture());
    keys
}

/// The key that goes after those of the hyperparameters.
pub(super) fn end(keys: &mut Keys) {
    keys.set("general.quantization_version", Key::U32(QUANTIZATION));
}

/// The tensors of the file.
fn plan<'a>(
    checkpoint: &'a Checkpoint,
    family: Family,
    config: &Config<'_>,
    kind: Kind,
    tokenizer: &Keys,
) -> Result<Vec<Planned<'a>>, Error> {
    let sizes = shape::Sizes::of(family, config)?;
    let values = rope::tensors(family, config)?.into_iter().map(|(name, values)| Planned {
        shape: vec![values.len() as u64],
        kind: kind.of(&name, &[0]),
        data: Data::Values(values),
        name,
    });
    let mut tensors: Vec<Planned<'_>> = values.collect();
    let (mut wrong, mut known) = (Vec::new(), BTreeSet::new());
    let gemma = matches!(family, Family::Gemma | Family::Gemma2);
    for tensor in checkpoint.tensors.iter().filter(|tensor| kept(&tensor.name)) {
        // llama.cpp has no such tensor of theirs.
        if gemma && tensor.name == "lm_head.weight" {
            continue;
        }
        match planned(tensor, family, &sizes, kind) {
            Ok(plan) if !known.insert(plan.name.clone()) => {
                let what = format!(
                    "two tensors have the name {}; the second one is {}",
                    plan.name, tensor.name
                );
                wrong.push(Error::new(what));
            }
            Ok(plan) => tensors.push(plan),
            Err(e) => wrong.push(e),
        }
    }
    sizes.complete(&known, &checkpoint.dir, &mut wrong);
    if !wrong.is_empty() {
        return Err(Error::all(wrong));
    }
    if family == Family::Gemma3 {
        cut(&mut tensors, shape::vocabulary(&checkpoint.dir, tokenizer)?);
    }
    Ok(tensors)
}

fn planned<'a>(
    tensor: &'a Tensor,
    family: Family,
    sizes: &shape::Sizes,
    kind: Kind,
) -> Result<Planned<'a>, Error> {
    let plain = names::plain(family, &tensor.name);
    let Some(named) = names::find(family, &plain) else {
        let file = tensor.file.display();
        let what = format!(
            "unexpected tensor {} in {file}: {family:?} has no tensor of that name",
            tensor.name
        );
        return Err(Error::new(what).hint("use llama.cpp's converter: --by upstream"));
    };
    sizes.check(tensor, &named)?;
    let change = names::change(family, named.row);
    let heads = (change == Change::Interleave).then(|| sizes.heads(&named));
    let name = named.name();
    let kind = kind.of(&name, &tensor.shape);
    let data =
        Data::Stored { tensor, add_one: change == Change::AddOne && named.end == "weight", heads };
    Ok(Planned { name, shape: tensor.shape.clone(), kind, data })
}

/// Leaves out the rows of Gemma 3's embeddings that no token has.
fn cut(tensors: &mut [Planned<'_>], tokens: u64) {
    for tensor in tensors.iter_mut().filter(|tensor| tensor.name == "token_embd.weight") {
        tensor.shape[0] = tensor.shape[0].min(tokens);
    }
}

#[cfg(test)]
mod tests;
