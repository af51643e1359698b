//! What a quantized file will weigh. llama.cpp's own dry run says which type each tensor gets; this adds up their
//! bytes and those of the header that the quantizer will write.

use serde::Serialize;

use crate::Error;
use crate::gguf::{Header, TensorType, Value};

/// To how many bytes the quantizer aligns what it writes, whatever the file that it reads says:
/// `GGUF_DEFAULT_ALIGNMENT`.
const ALIGNMENT: u64 = 32;

/// Keys that the quantizer leaves out, as it writes one file.
const REMOVED: [&str; 3] = ["split.no", "split.count", "split.tensors.count"];

/// 32-bit numbers that it sets.
const SET: [&str; 2] = ["general.quantization_version", "general.file_type"];

/// The most bytes of a text that it sets: `val_str` of `llama_model_kv_override`.
const LONGEST: usize = 127;

/// What a file of one type will be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// The type of the file.
    #[serde(rename = "type")]
    pub kind: String,
    /// Bytes of the file.
    pub size: u64,
    /// Bits of a weight, as the quantizer counts them.
    pub bits_per_weight: f64,
    /// The file's size as a share of what is there now.
    pub ratio: f64,
    /// Quantizing to it fails without an importance matrix.
    pub needs_imatrix: bool,
    /// Quantizing to it means to quantize tensors once more.
    pub requantizes: bool,
}

/// What the quantizer has said in its dry run.
#[derive(Debug, Default)]
pub struct DryRun {
    tensors: Vec<Planned>,
    /// The sum of all tensors in MiB, as it prints it.
    total: Option<String>,
    needs_imatrix: bool,
    matrix: Matrix,
}

/// A tensor and the type that it gets.
#[derive(Debug)]
struct Planned {
    name: String,
    /// Always four.
    dimensions: Vec<u64>,
    from: TensorType,
    to: TensorType,
}

/// What of an importance matrix is noted in the file.
#[derive(Debug, Default)]
struct Matrix {
    used: bool,
    dataset: Option<String>,
    counts_chunks: bool,
}

impl DryRun {
    /// Takes one line of the quantizer's.
    pub fn line(&mut self, line: &str) {
        if let Some(tensor) = planned(line) {
            self.tensors.push(tensor);
        } else if let Some((_, rest)) = line.split_once("quant size  =") {
            self.total = rest.trim_start().split(' ').next().map(str::to_owned);
        } else if line.contains("will require an imatrix") {
            self.needs_imatrix = true;
        } else if line.starts_with("prepare_imatrix: have ") {
            self.matrix.used = true;
        } else if let Some((_, names)) = line.split_once("imatrix datasets=['") {
            self.matrix.dataset = names.split("', '").next().map(|name| {
                let name = name.strip_suffix("']").unwrap_or(name);
                name.to_owned()
            });
        } else if let Some((_, count)) = line.split_once(" computed on ") {
            let count = count.strip_suffix(" chunks").and_then(|count| count.parse::<i64>().ok());
            self.matrix.counts_chunks = count.is_some_and(|count| count > 0);
        }
    }

    /// What the file of the type `kind` will be, made of the model with the headers `before`. `matrix` is the
    /// path of the importance matrix as the quantizer was given it.
    ///
    /// # Errors
    /// When the quantizer and this add up the tensors to different sums.
    pub fn predict(
        &self,
        kind: &str,
        before: &[Header],
        matrix: Option<&str>,
    ) -> Result<Prediction, Error> {
        let weights: u64 = self.tensors.iter().map(Planned::bytes).sum();
        let counted = format!("{:.2}", weights as f64 / 1_048_576.0);
        if self.total.as_ref() != Some(&counted) {
            let said = self.total.as_deref().unwrap_or("none");
            return Err(Error::new(format!(
                "the quantizer reports {said} MiB of tensors for {kind}, but the tensors that it \
                lists have {counted} MiB"
            )));
        }
        let described: u64 = self.tensors.iter().map(Planned::description).sum();
        let header = (before.first().map_or(0, |first| self.pairs(first, matrix)) + described)
            .next_multiple_of(ALIGNMENT);
        let padded: u64 =
            self.tensors.iter().map(|tensor| tensor.bytes().next_multiple_of(ALIGNMENT)).sum();
        let elements: u64 = self.tensors.iter().map(Planned::elements).sum();
        let now: u64 = before.iter().map(|header| header.size).sum();
        let size = header + padded;
        Ok(Prediction {
            kind: kind.to_owned(),
            size,
            bits_per_weight: weights as f64 * 8.0 / elements.max(1) as f64,
            ratio: size as f64 / now.max(1) as f64,
            needs_imatrix: self.needs_imatrix,
            requantizes: self.tensors.iter().any(Planned::requantizes),
        })
    }

    /// Bytes from the file's start to the first tensor's description: those of now, and what the quantizer
    /// takes away and sets.
    fn pairs(&self, header: &Header, matrix: Option<&str>) -> u64 {
        let end = header.data_start - header.padding;
        let mut size = header.tensors.first().map_or(end, |tensor| tensor.start);
        let mut set = |key: &str, value: Option<u64>| {
            size -= header.get(key).map_or(0, |value| pair(key, value_bytes(value)));
            size += value.map_or(0, |value| pair(key, value));
        };
        REMOVED.iter().for_each(|key| set(key, None));
        SET.iter().for_each(|key| set(key, Some(4)));
        if self.matrix.used {
            let text = |text: &str| 8 + text.len().min(LONGEST) as u64;
            set("quantize.imatrix.file", matrix.map(text));
            if let Some(dataset) = &self.matrix.dataset {
                set("quantize.imatrix.dataset", Some(text(dataset)));
            }
            set("quantize.imatrix.entries_count", Some(4));
            if self.matrix.counts_chunks {
                set("quantize.imatrix.chunks_count", Some(4));
            }
        }
        size
    }
}

impl Planned {
    fn elements(&self) -> u64 {
        self.dimensions.iter().product()
    }

    fn bytes(&self) -> u64 {
        let (block, size) = self.to.block();
        self.elements() / block * size
    }

    /// Bytes of its description; dimensions of one element at the end are not written.
    fn description(&self) -> u64 {
        let count = self.dimensions.iter().rposition(|&n| n != 1).map_or(1, |last| last + 1);
        8 + self.name.len() as u64 + 4 + 8 * count as u64 + 4 + 8
    }

    fn requantizes(&self) -> bool {
        self.from != self.to && self.from.block().0 > 1
    }
}

/// Bytes of a key with a value of so many.
fn pair(key: &str, value: u64) -> u64 {
    8 + key.len() as u64 + 4 + value
}

fn value_bytes(value: &Value) -> u64 {
    match value {
        Value::String(text) => 8 + text.len() as u64,
        Value::Array(array) => 4 + 8 + array.size,
        other => other.kind().width().unwrap_or(0),
    }
}

/// A tensor, from a line like
/// `[  12/ 291]  blk.0.attn_k.weight - [   896,    128,      1,      1], type =    f16, size =  0.22 MiB ->  0.08 MiB (q5_K)`,
/// which ends before the arrow where nothing changes.
fn planned(line: &str) -> Option<Planned> {
    let (_, rest) = line.trim_start().strip_prefix('[')?.split_once("] ")?;
    let (rest, said) = rest.split_once("], type = ")?;
    let (name, dimensions) = rest.rsplit_once(" - [")?;
    let (from, size) = said.split_once(", size = ")?;
    let kind = |name: &str| TensorType::from_name(&name.trim().to_uppercase());
    let from = kind(from)?;
    let to = match size.split_once(" -> ") {
        Some((_, after)) => kind(after.rsplit_once('(')?.1.trim_end().strip_suffix(')')?)?,
        None => from,
    };
    let dimensions = dimensions.split(',').map(|n| n.trim().parse().ok());
    Some(Planned {
        name: name.trim().to_owned(),
        dimensions: dimensions.collect::<Option<_>>()?,
        from,
        to,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gguf::write::Writer;

    const SAID: &str = "\
[   1/   2] blk.0.attn_norm.weight               - [   256,      1,      1,      1], type =    f32, size =    0.001 MiB
[   2/   2] token_embd.weight                    - [   256,      3,      1,      1], type =   q5_K, size =     0.00 MiB ->     0.00 MiB (q8_0)
llama_model_quantize_impl: model size  =     0.00 MiB (7.09 BPW)
llama_model_quantize_impl: quant size  =     0.00 MiB (14.38 BPW)";

    fn said(more: &[&str]) -> DryRun {
        let mut run = DryRun::default();
        SAID.lines().chain(more.iter().copied()).for_each(|line| run.line(line));
        run
    }

    #[test]
    fn the_size_is_that_of_the_header_and_of_each_tensor_padded() {
        // The same model with the types and the keys that it will have.
        let after = Writer::tiny_model().u32("general.quantization_version", 2);
        let header = after.header();
        let weights = 3 * 272 + 1024;
        // 816 bytes become 832.
        let expected = header.data_start + weights + 16;
        let now = Writer::tiny_model().header();
        let told = said(&[]).predict("Q8_0", std::slice::from_ref(&now), None).unwrap();
        assert_eq!(told.size, expected);
        assert!((told.bits_per_weight - weights as f64 * 8.0 / 1024.0).abs() < 1e-9);
        assert!((told.ratio - expected as f64 / now.size as f64).abs() < 1e-9);
        assert!(told.requantizes && !told.needs_imatrix);
    }

    #[test]
    fn what_is_noted_of_a_matrix_is_counted() {
        let now = Writer::tiny_model().text("quantize.imatrix.file", "old").u32("split.no", 0);
        let path = "m".repeat(300);
        let after = Writer::tiny_model()
            .u32("general.quantization_version", 2)
            .text("quantize.imatrix.file", &path[..127])
            .text("quantize.imatrix.dataset", "wiki")
            .u32("quantize.imatrix.entries_count", 2)
            .u32("quantize.imatrix.chunks_count", 9);
        let run = said(&[
            "load_imatrix: imatrix datasets=['wiki', 'more']",
            "load_imatrix: loaded 2 importance matrix entries from x computed on 9 chunks",
            "prepare_imatrix: have 2 importance matrix entries",
            "llama_model_quantize_impl: WARNING: dry run completed successfully, but actually completing this quantization will require an imatrix!",
        ]);
        let told = run.predict("Q8_0", &[now.header()], Some(&path)).unwrap();
        assert_eq!(told.size, after.header().data_start + 832 + 1024);
        assert!(told.needs_imatrix);
    }

    #[test]
    fn words_that_do_not_add_up_are_an_error() {
        let mut run = said(&[]);
        run.line("llama_model_quantize_impl: quant size  =     0.02 MiB (1.00 BPW)");
        let error = run.predict("Q8_0", &[Writer::tiny_model().header()], None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the quantizer reports 0.02 MiB of tensors for Q8_0, but the tensors that it lists \
            have 0.00 MiB"
        );
        let none = DryRun::default().predict("F16", &[], None).unwrap_err();
        assert!(none.to_string().starts_with("the quantizer reports none MiB"), "{none}");
        assert!(planned("[ 1/ 2] x - [ 256, a], type = f32, size = 1 MiB").is_none());
        assert!(planned("[ 1/ 2] x - [ 256, 1], type = f31, size = 1 MiB").is_none());
    }
}
