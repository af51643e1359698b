//! LoRA adapters as PEFT saves them, converted in this process as upstream's converter does it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::checkpoint::{Checkpoint, Tensor};
use super::config::{self, Config};
use super::family::{Family, unwritten};
use super::kept::kept;
use super::key::{Key, Keys};
use super::native::names::{self, Change};
use super::native::shape::Sizes;
use super::native::write::{self, Data, Planned};
use super::native::{self, Job, Kind};
use super::why::{self, Why, left};
use crate::Error;

/// The file with the settings of an adapter.
const CONFIG: &str = "adapter_config.json";
/// The file with its weights.
const WEIGHTS: &str = "adapter_model.safetensors";

/// A folder with an adapter.
#[derive(Debug, Clone)]
pub struct Adapter {
    dir: PathBuf,
    config: Value,
    tensors: Vec<Tensor>,
}

/// The two halves of a changed tensor, by the name of the tensor without `.weight`.
type Pairs<'a> = Vec<(String, Option<&'a Tensor>, Option<&'a Tensor>)>;

impl Adapter {
    /// Reads the settings and the header of the weights in the folder `dir`. None when its weights are no
    /// safetensors.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn open(dir: &Path) -> Result<Option<Self>, Error> {
        let path = dir.join(CONFIG);
        let text = fs::read_to_string(&path).map_err(|e| Error::io("read", &path, &e))?;
        let config = serde_json::from_str(&text)
            .map_err(|e| Error::new(format!("{} is not JSON: {e}", path.display())))?;
        let weights = dir.join(WEIGHTS);
        if !weights.is_file() {
            return Ok(None);
        }
        let mut tensors = Checkpoint::tensors_of(&weights)?;
        // In the order of the file, as the safetensors library gives them.
        tensors.sort_by_key(|tensor| tensor.start);
        Ok(Some(Self { dir: dir.to_owned(), config, tensors }))
    }

    /// The family of the base, when what is written of the adapter here is what upstream's converter writes.
    ///
    /// # Errors
    /// With the reason why it is not.
    pub fn family(&self, base: &Checkpoint) -> Result<Family, Why> {
        // A reason in the base's config ends no conversion here: its weights are not read.
        let family = Family::of_config(&base.dir, &base.config).map_err(|why| left(why.text))?;
        let special = |tensor: &Tensor| {
            let is_half = halves(&tensor.name).is_some() && !tensor.name.contains("embed_tokens");
            if is_half { unwritten(tensor) } else { Some(why::adapter(&tensor.name)) }
        };
        // The reason that ends every conversion goes before others.
        let reasons: Vec<Why> = self.tensors.iter().filter_map(special).collect();
        if let Some(why) = reasons.iter().find(|why| why.instead.is_some()).or(reasons.first()) {
            return Err(why.clone());
        }
        if self.tensors.is_empty() {
            return Err(left("it has no tensors"));
        }
        let tokens =
            self.config.get("alora_invocation_tokens").is_some_and(|value| !value.is_null());
        let text = self.config["invocation_string"].as_str().is_some_and(|text| !text.is_empty());
        if text && !tokens {
            return Err(left(format!("its {CONFIG} has an invocation_string without its tokens")));
        }
        Ok(family)
    }

    /// Converts it. The weights of the base are not read.
    ///
    /// # Errors
    /// When a half of a tensor is missing, the base's family has no such tensor or its config contradicts the shape,
    /// or a file cannot be read or written.
    pub fn convert(
        &self,
        base: &Checkpoint,
        family: Family,
        job: Job<'_>,
        step: &mut dyn FnMut(u64, u64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let path = config::path(&base.dir);
        let config = Config::new(&base.config, &path);
        let kind = job.kind.settled(&self.tensors);
        let (tensors, total) = self.plan(family, &Sizes::of(family, &config)?, kind)?;
        let mut keys = native::begin(family);
        keys.text("general.type", "adapter");
        keys.text("adapter.type", "lora");
        keys.extend((job.general)(-(total as i64))?);
        self.parameters(&mut keys)?;
        native::end(&mut keys);
        write::file(job.out, keys, &tensors, step)
    }

    fn parameters(&self, keys: &mut Keys) -> Result<(), Error> {
        let path = self.dir.join(CONFIG);
        let config = Config::new(&self.config, &path);
        keys.set("adapter.lora.alpha", Key::F32(config.must_number("lora_alpha")? as f32));
        let name = "alora_invocation_tokens";
        if let Some(tokens) = config.find(&[name]) {
            let token = |token: &Value| token.as_u64().and_then(|token| u32::try_from(token).ok());
            let tokens: Option<Vec<u32>> =
                tokens.as_array().and_then(|tokens| tokens.iter().map(token).collect());
            let tokens = tokens.ok_or_else(|| config.wrong(&[name]))?;
            keys.set("adapter.alora.invocation_tokens", Key::U32s(tokens));
        }
        Ok(())
    }

    /// The tensors of the file, and how many parameters they change.
    fn plan(
        &self,
        family: Family,
        sizes: &Sizes,
        kind: Kind,
    ) -> Result<(Vec<Planned<'_>>, u64), Error> {
        let (mut tensors, mut total, mut wrong) = (Vec::new(), 0, Vec::new());
        for (name, a, b) in self.pairs(family) {
            let (Some(a), Some(b)) = (a, b) else {
                let half = if a.is_none() { "lora_A" } else { "lora_B" };
                let what =
                    format!("tensor {name} in {} has no {half}", self.dir.join(WEIGHTS).display());
                wrong.push(Error::new(what).hint("fetch the whole repository of the adapter"));
                continue;
            };
            match pair(family, sizes, kind, &name, a, b) {
                Ok(planned) => {
                    total += a.shape[1] * b.shape[0];
                    tensors.extend(planned);
                }
                Err(e) => wrong.push(e),
            }
        }
        if wrong.is_empty() { Ok((tensors, total)) } else { Err(Error::all(wrong)) }
    }

    fn pairs(&self, family: Family) -> Pairs<'_> {
        let mut pairs = Pairs::new();
        let mut known = BTreeMap::new();
        let gemma = matches!(family, Family::Gemma | Family::Gemma2);
        for tensor in &self.tensors {
            let Some((stem, first)) = halves(&tensor.name) else { continue };
            let name = format!("{stem}.weight");
            if !kept(&name) || gemma && name == "lm_head.weight" {
                continue;
            }
            let name = names::plain(family, &name);
            let at = *known.entry(name.clone()).or_insert(pairs.len());
            if at == pairs.len() {
                pairs.push((name, None, None));
            }
            let half = if first { &mut pairs[at].1 } else { &mut pairs[at].2 };
            *half = Some(tensor);
        }
        pairs
    }
}

/// The tensor that a half changes, without `.weight`, and whether it is the first half.
fn halves(name: &str) -> Option<(String, bool)> {
    let half = |end: &str| name.strip_suffix(end).map(|stem| stem.replace("base_model.model.", ""));
    let first = half(".lora_A.weight").map(|stem| (stem, true));
    first.or_else(|| half(".lora_B.weight").map(|stem| (stem, false)))
}

fn pair<'a>(
    family: Family,
    sizes: &Sizes,
    kind: Kind,
    name: &str,
    a: &'a Tensor,
    b: &'a Tensor,
) -> Result<[Planned<'a>; 2], Error> {
    let named = names::find(family, name).filter(|named| named.row.columns.is_some());
    let Some(named) = named else {
        let what = format!(
            "unexpected tensor {name} in {}: {family:?} has no tensor of that name",
            a.file.display()
        );
        return Err(Error::new(what).hint("use llama.cpp's converter: --by upstream"));
    };
    let (&[rank, columns], &[rows, other]) = (a.shape.as_slice(), b.shape.as_slice()) else {
        let what =
            format!("the two halves of {name} have the shapes {:?} and {:?}", a.shape, b.shape);
        return Err(Error::new(format!("{what} in {}", a.file.display())));
    };
    if rank != other {
        let what = format!("the two halves of {name} have different ranks, {rank} and {other}");
        return Err(Error::new(format!("{what} in {}", a.file.display())));
    }
    let whole = Tensor { name: name.to_owned(), shape: vec![rows, columns], ..a.clone() };
    sizes.check(&whole, &named)?;
    let interleave = names::change(family, named.row) == Change::Interleave;
    let planned = |half: &str, tensor: &'a Tensor, heads: Option<u64>| {
        let name = format!("{}.{half}", named.name());
        let data = Data::Stored { tensor, add_one: false, heads };
        Planned { kind: kind.of(&name, &tensor.shape), shape: tensor.shape.clone(), name, data }
    };
    let heads = interleave.then(|| sizes.heads(&named));
    Ok([planned("lora_a", a, None), planned("lora_b", b, heads)])
}

#[cfg(test)]
#[path = "lora_tests.rs"]
mod tests;
