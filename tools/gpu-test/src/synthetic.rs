//! A model that costs what a real one costs: Llama 3's shapes and `llama-quantize`'s choice of types, with random
//! weights, written as it is made.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use demo_model::gguf::{self, ALIGNMENT, Described, Value};
use demo_model::rng::Rng;

use super::blocks::{self, Kind};

/// Tokens before those without a meaning: unknown, begin, end, and one for each byte.
pub const SPECIAL: usize = 3 + 256;

/// Sizes of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub name: &'static str,
    layers: usize,
    embd: usize,
    ff: usize,
    heads: usize,
    kv_heads: usize,
    pub vocab: usize,
}

impl Shape {
    pub const LLAMA_3_8B: Self = Self {
        name: "8B",
        layers: 32,
        embd: 4096,
        ff: 14336,
        heads: 32,
        kv_heads: 8,
        vocab: 128_256,
    };

    /// Llama 3.2's smallest; its two matrices of the vocabulary are one, here they are two.
    pub const LLAMA_3_1B: Self = Self {
        name: "1.5B",
        layers: 16,
        embd: 2048,
        ff: 8192,
        heads: 32,
        kv_heads: 8,
        vocab: 128_256,
    };

    /// Of the size that is loaded in a moment.
    pub const SMALL: Self = Self {
        name: "0.4B",
        layers: 28,
        embd: 1024,
        ff: 2816,
        heads: 16,
        kv_heads: 8,
        vocab: 32_000,
    };

    /// So small that a processor without a GPU gets through it.
    pub const TINY: Self =
        Self { name: "tiny", layers: 4, embd: 256, ff: 512, heads: 4, kv_heads: 2, vocab: 4096 };

    /// Bytes of the tensors with the types of `mix`.
    pub fn bytes(&self, mix: Mix) -> u64 {
        self.described(mix).iter().map(|tensor| tensor.size as u64).sum()
    }

    /// Bytes of the weights that one generated token reads: all but the embeddings, of which it reads a row.
    pub fn read_for_a_token(&self, mix: Mix) -> u64 {
        let read = |tensor: &Described| !tensor.name.starts_with("token_embd");
        self.described(mix).iter().filter(|t| read(t)).map(|tensor| tensor.size as u64).sum()
    }

    /// What the file says about its tensors.
    fn described(&self, mix: Mix) -> Vec<Described> {
        let describe = |tensor: Tensor| Described {
            size: tensor.kind.size(tensor.values()),
            name: tensor.name,
            kind: tensor.kind.number(),
            shape: tensor.shape,
        };
        self.tensors(mix).into_iter().map(describe).collect()
    }

    fn tensors(&self, mix: Mix) -> Vec<Tensor> {
        let Self { embd, ff, vocab, .. } = *self;
        let kv = embd / self.heads * self.kv_heads;
        let (plain, embeddings, output) = mix.kinds();
        let mut tensors = vec![
            matrix("token_embd", embd, vocab, embeddings),
            norm("output_norm", embd),
            matrix("output", embd, vocab, output),
        ];
        for layer in 0..self.layers {
            let named = |part: &str| format!("blk.{layer}.{part}");
            let has_more = mix == Mix::Q4KM && self.has_more_bits(layer);
            let sensitive = if has_more { Kind::Q6K } else { plain };
            tensors.extend([
                norm(&named("attn_norm"), embd),
                matrix(&named("attn_q"), embd, embd, plain),
                matrix(&named("attn_k"), embd, kv, plain),
                matrix(&named("attn_v"), embd, kv, sensitive),
                matrix(&named("attn_output"), embd, embd, plain),
                norm(&named("ffn_norm"), embd),
                matrix(&named("ffn_gate"), embd, ff, plain),
                matrix(&named("ffn_up"), embd, ff, plain),
                matrix(&named("ffn_down"), ff, embd, sensitive),
            ]);
        }
        tensors
    }

    /// `use_more_bits` of
    /// <https://github.com/ggml-org/llama.cpp/blob/b11549/src/llama-quant.cpp#L452-L454>.
    fn has_more_bits(&self, layer: usize) -> bool {
        let eighth = self.layers / 8;
        layer < eighth || layer >= 7 * self.layers / 8 || (layer - eighth) % 3 == 2
    }

    fn metadata(&self, mix: Mix) -> Vec<(String, Value)> {
        let mut file = gguf::File::default();
        file.set("general.architecture", "llama");
        file.set("general.name", "noise");
        file.set("general.file_type", Value::U32(mix.number()));
        file.set("general.quantization_version", Value::U32(2));
        let numbers = [
            ("context_length", 8192),
            ("embedding_length", self.embd),
            ("block_count", self.layers),
            ("feed_forward_length", self.ff),
            ("rope.dimension_count", self.embd / self.heads),
            ("attention.head_count", self.heads),
            ("attention.head_count_kv", self.kv_heads),
            ("vocab_size", self.vocab),
        ];
        for (key, number) in numbers {
            file.set(format!("llama.{key}"), Value::U32(number as u32));
        }
        file.set("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5));
        file.set("llama.rope.freq_base", Value::F32(500_000.0));
        vocabulary(&mut file, self.vocab);
        file.metadata
    }
}

/// What types a file's tensors have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    F16,
    Q8_0,
    Q4_0,
    Q4KM,
    /// In every matrix of a layer; upstream's tools use it for experts alone.
    Mxfp4,
}

impl Mix {
    pub const ALL: [Self; 5] = [Self::F16, Self::Q8_0, Self::Q4_0, Self::Q4KM, Self::Mxfp4];

    /// As upstream's tools call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F16 => "F16",
            Self::Q8_0 => "Q8_0",
            Self::Q4_0 => "Q4_0",
            Self::Q4KM => "Q4_K_M",
            Self::Mxfp4 => "MXFP4",
        }
    }

    /// `llama_ftype`.
    fn number(self) -> u32 {
        match self {
            Self::F16 => 1,
            Self::Q8_0 => 7,
            Self::Q4_0 => 2,
            Self::Q4KM => 15,
            Self::Mxfp4 => 38,
        }
    }

    /// Of a layer's matrices, of the embeddings and of the output, as `llama-quantize` chooses.
    fn kinds(self) -> (Kind, Kind, Kind) {
        match self {
            Self::F16 => (Kind::F16, Kind::F16, Kind::F16),
            Self::Q8_0 => (Kind::Q8_0, Kind::Q8_0, Kind::Q8_0),
            Self::Q4_0 => (Kind::Q4_0, Kind::Q4_0, Kind::Q6K),
            Self::Q4KM => (Kind::Q4K, Kind::Q4K, Kind::Q6K),
            Self::Mxfp4 => (Kind::Mxfp4, Kind::Q8_0, Kind::Q8_0),
        }
    }
}

/// Tokens that have names and nothing more; types are those of ggml: 1 normal, 2 unknown, 3 control,
/// 6 byte.
fn vocabulary(file: &mut gguf::File, count: usize) {
    let special = ["<unk>", "<s>", "</s>"].map(str::to_owned).into_iter();
    let bytes = (0..256).map(|byte| format!("<0x{byte:02X}>"));
    let tokens = special.chain(bytes).chain((SPECIAL..count).map(|id| format!("w{id}")));
    let kind = |id: usize| match id {
        0 => 2,
        1 | 2 => 3,
        3..SPECIAL => 6,
        _ => 1,
    };
    file.set("tokenizer.ggml.model", "llama");
    file.set("tokenizer.ggml.pre", "default");
    file.set("tokenizer.ggml.tokens", Value::Texts(tokens.collect()));
    file.set("tokenizer.ggml.scores", Value::F32s((0..count).map(|id| -(id as f32)).collect()));
    file.set("tokenizer.ggml.token_type", Value::I32s((0..count).map(kind).collect()));
    for (name, id) in [("unknown", 0), ("bos", 1), ("eos", 2)] {
        file.set(format!("tokenizer.ggml.{name}_token_id"), Value::U32(id));
    }
}

#[derive(Debug)]
struct Tensor {
    name: String,
    /// The fastest dimension first.
    shape: Vec<usize>,
    kind: Kind,
}

impl Tensor {
    fn values(&self) -> usize {
        self.shape.iter().product()
    }
}

fn norm(name: &str, width: usize) -> Tensor {
    Tensor { name: format!("{name}.weight"), shape: vec![width], kind: Kind::F32 }
}

fn matrix(name: &str, inputs: usize, outputs: usize, kind: Kind) -> Tensor {
    Tensor { name: format!("{name}.weight"), shape: vec![inputs, outputs], kind }
}

/// Writes the model of `shape` with the types of `mix` to `path`; its bytes.
///
/// # Errors
/// When the file cannot be written.
pub fn write(shape: &Shape, mix: Mix, path: &Path) -> Result<u64> {
    let failed = || {
        let size = shape.bytes(mix) as f64 / 1e9;
        format!("cannot write the model, {size:.1} GB, to {}", path.display())
    };
    let stream = || -> std::io::Result<u64> {
        let mut out = BufWriter::new(File::create(path)?);
        out.write_all(&gguf::head(&shape.metadata(mix), &shape.described(mix)))?;
        let mut rng = Rng::new(8);
        for tensor in shape.tensors(mix) {
            let deviation = 1.0 / (tensor.shape[0] as f32).sqrt();
            let pool = blocks::pool(tensor.kind, tensor.values(), deviation, &mut rng);
            let size = tensor.kind.size(tensor.values());
            for start in (0..size).step_by(pool.len()) {
                out.write_all(&pool[..pool.len().min(size - start)])?;
            }
            out.write_all(&[0; ALIGNMENT][..size.next_multiple_of(ALIGNMENT) - size])?;
        }
        Ok(out.into_inner()?.metadata()?.len())
    };
    stream().with_context(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_8b_shape_is_llama_3s() {
        let shape = Shape::LLAMA_3_8B;
        let tensors = shape.tensors(Mix::Q4KM);
        assert_eq!(tensors.len(), 291);
        assert_eq!(tensors.iter().map(Tensor::values).sum::<usize>(), 8_030_261_248);
        let bytes = shape.bytes(Mix::Q4KM);
        // What llama-bench shows for Llama 3 8B in Q4_K_M.
        assert_eq!(format!("{:.2} GiB", bytes as f64 / f64::from(1 << 30)), "4.58 GiB");
        let more = (0..32).filter(|layer| shape.has_more_bits(*layer)).collect::<Vec<_>>();
        assert_eq!(more, [0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31]);
    }

    #[test]
    fn a_file_is_as_long_as_it_says() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tiny.gguf");
        for mix in Mix::ALL {
            let size = write(&Shape::TINY, mix, &path).unwrap();
            let described = Shape::TINY.described(mix);
            let head = gguf::head(&Shape::TINY.metadata(mix), &described);
            let body: usize = described.iter().map(|t| t.size.next_multiple_of(ALIGNMENT)).sum();
            assert_eq!(size, (head.len() + body) as u64);
            assert_eq!(std::fs::read(&path).unwrap()[..head.len()], head);
        }
    }

    #[test]
    fn a_disk_that_is_full_is_told_with_the_size() {
        let error = write(&Shape::TINY, Mix::Q4KM, Path::new("/no/such/folder/m")).unwrap_err();
        assert_eq!(error.to_string(), "cannot write the model, 0.0 GB, to /no/such/folder/m");
    }
}
