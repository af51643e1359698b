//! What the headers of one model's files say together: a model is one file, or several shards.

use super::file_type::file_type;
use super::{Header, Value};
use crate::Error;

/// What a GGUF file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A model that answers.
    Model,
    /// Eyes or ears of a model: `--mmproj`.
    Projector,
    /// A LoRA adapter.
    Lora,
    /// A control vector.
    ControlVector,
    /// An importance matrix, which is for quantizing.
    Imatrix,
}

impl Kind {
    /// What it is called in a sentence.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Model => "a model",
            Self::Projector => "a projector",
            Self::Lora => "a LoRA adapter",
            Self::ControlVector => "a control vector",
            Self::Imatrix => "an importance matrix",
        }
    }
}

/// The header of a model, or the headers of its shards.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    parts: Vec<Header>,
}

impl Model {
    /// Takes the headers of all shards in their order, or of the one file.
    ///
    /// # Errors
    /// When the files are not the shards of one model.
    pub fn new(parts: Vec<Header>) -> Result<Self, Error> {
        let Some(first) = parts.first() else {
            return Err(Error::new("a model needs at least one file"));
        };
        let count = first.number("split.count").unwrap_or(1).max(1);
        if count != parts.len() as u64 {
            let given = parts.len();
            return Err(Error::new(format!(
                "the model has {count} shards, but {given} were given"
            ))
            .hint("name the files NAME-00001-of-00003.gguf and so on, and give the first one"));
        }
        for (at, part) in parts.iter().enumerate() {
            let number = part.number("split.no").unwrap_or(0);
            if number != at as u64 {
                let at = at + 1;
                return Err(Error::new(format!(
                    "according to its header, shard {at} is shard {}",
                    number + 1
                )));
            }
        }
        Ok(Self { parts })
    }

    /// The headers.
    #[must_use]
    pub fn parts(&self) -> &[Header] {
        &self.parts
    }

    /// The value of `key` in the first file that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.parts.iter().find_map(|part| part.get(key))
    }

    /// The text of `key`, without blanks around it; none when it is empty.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::text).map(str::trim).filter(|text| !text.is_empty())
    }

    /// What it is for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        let architecture = self.text("general.architecture");
        match (self.text("general.type"), architecture) {
            (Some("mmproj" | "projector"), _) | (_, Some("clip")) => Kind::Projector,
            (Some("imatrix"), _) => Kind::Imatrix,
            (_, Some("controlvector")) => Kind::ControlVector,
            (Some("adapter"), _) => Kind::Lora,
            _ if self.get("controlvector.model_hint").is_some() => Kind::ControlVector,
            _ => Kind::Model,
        }
    }

    /// The architecture; that of the model it is meant for, when it is a control vector.
    #[must_use]
    pub fn architecture(&self) -> &str {
        let said =
            self.text("controlvector.model_hint").or_else(|| self.text("general.architecture"));
        said.unwrap_or(if self.is_diffusion() { "diffusion" } else { "llama" })
    }

    fn is_diffusion(&self) -> bool {
        let of_diffusion = |name: &str| {
            name.starts_with("model.diffusion_model.") || name.starts_with("double_blocks.")
        };
        self.parts.iter().flat_map(|part| &part.tensors).any(|tensor| of_diffusion(&tensor.name))
    }

    /// The type of most tensors, a `general.file_type`; its name is [`super::file_type_name`]'s.
    #[must_use]
    pub fn file_type(&self) -> u32 {
        file_type(&self.parts, self.architecture() == "diffusion")
    }

    /// How many weights it has.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        let tensors = self.parts.iter().flat_map(|part| &part.tensors);
        tensors.fold(0, |sum, tensor| sum.saturating_add(tensor.elements()))
    }

    /// Bytes of all files.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.parts.iter().map(|part| part.size).sum()
    }

    /// Bytes of all weights.
    #[must_use]
    pub fn weights(&self) -> u64 {
        self.parts.iter().map(|part| part.size - part.data_start).sum()
    }

    /// Bits that a weight takes.
    #[must_use]
    pub fn bits_per_weight(&self) -> f64 {
        match self.parameters() {
            0 => 0.0,
            parameters => self.weights() as f64 * 8.0 / parameters as f64,
        }
    }
}

/// The names of all shards, when `path` is named as one of several: `NAME-00001-of-00003.gguf`.
#[must_use]
pub fn shards(path: &str) -> Option<Vec<String>> {
    let stem = path.strip_suffix(".gguf")?;
    let (stem, count) = stem.rsplit_once("-of-")?;
    let (stem, number) = stem.rsplit_once('-')?;
    let five_digits = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
    if !five_digits(number) || !five_digits(count) {
        return None;
    }
    let total: u32 = count.parse().ok()?;
    if total == 0 || !(1..=total).contains(&number.parse().ok()?) {
        return None;
    }
    Some((1..=total).map(|at| format!("{stem}-{at:05}-of-{count}.gguf")).collect())
}

/// The names of all shards, or of the one file.
#[must_use]
pub fn all_shards(path: &str) -> Vec<String> {
    shards(path).unwrap_or_else(|| vec![path.to_owned()])
}

/// Refuses a file that is named as a shard, but not as the first one: llama.cpp reads a model through that.
///
/// # Errors
/// When it is another shard.
pub fn check_first_shard(path: &str) -> Result<(), Error> {
    let Some(all) = shards(path) else { return Ok(()) };
    let at = all.iter().position(|shard| shard == path).unwrap_or_default();
    if at == 0 {
        return Ok(());
    }
    let text = format!("{path} is part {} of {} of a model", at + 1, all.len());
    Err(Error::usage(text).hint(format!("name the first part: {}", all[0])))
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
