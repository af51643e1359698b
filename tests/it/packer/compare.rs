//! What a quantized file would weigh, against what it weighs; what it lost, against llama.cpp's own figures.

use std::fs;
use std::path::{Path, PathBuf};

use demo_model::gguf::{File, Value};
use llama_tests::needs;
use llama_tests::packer::Packer;
use llama_tests::tiny::{self, Arch};
use serde_json::Value as Json;

/// A text that the demo model has learnt from.
const TEXT: &str = include_str!("../../../tools/demo-model/corpus/project.txt");

/// A packer, the demo model as F16, and a text.
struct Bench {
    packer: Packer,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Option<Self> {
        let bench = Self { packer: Packer::new()?, dir: tempfile::tempdir().unwrap() };
        let demo = needs::demo_model()?;
        bench.does(&["--allow-requantize", "--type", "F16", demo.to_str().unwrap(), "f16.gguf"]);
        bench.write("text.txt", TEXT);
        Some(bench)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// A model of the architecture `arch`, changed.
    fn tiny(&self, name: &str, arch: Arch, change: impl FnOnce(&mut File)) {
        tiny::write(arch, 7, &self.path(name));
        let mut file = File::read(&self.path(name)).unwrap();
        change(&mut file);
        file.write(&self.path(name)).unwrap();
    }

    /// Quantizes; what it prints.
    fn does(&self, words: &[&str]) -> String {
        let words = [&["quantize", "--progress", "quiet"], words].concat();
        self.packer.does_in(self.dir.path(), &words)
    }

    fn json(&self, words: &[&str]) -> Json {
        let output = self.packer.does_in(self.dir.path(), words);
        serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"))
    }

    /// Compares two models on the text, without news of progress.
    fn compare(&self, before: &str, after: &str, more: &[&str]) -> Json {
        let words = ["compare", "--json", "--progress", "quiet", "--text", "text.txt"];
        self.json(&[&words[..], more, &[before, after]].concat())
    }

    fn refuses_to_compare(&self, text: &str, models: [&str; 2], said: &[&str]) {
        self.refuses(&["compare", "--text", text, models[0], models[1]], said);
    }

    fn refuses(&self, words: &[&str], said: &[&str]) {
        let done = self.packer.run_in(self.dir.path(), words);
        said.iter().for_each(|said| done.assert_refused(&format!("{words:?}"), said));
        assert!(!done.output.contains("panicked"), "{}", done.output);
    }
}

/// An importance matrix for all matrices of `model`, as llama-imatrix wrote it until 2025: names, and a number
/// for each column.
fn matrix(model: &Path) -> Vec<u8> {
    let file = File::read(model).unwrap();
    let tensors: Vec<_> = file.tensors.iter().filter(|tensor| tensor.shape.len() > 1).collect();
    let mut out = Vec::new();
    let put = |out: &mut Vec<u8>, n: usize| out.extend(i32::try_from(n).unwrap().to_le_bytes());
    put(&mut out, tensors.len());
    for tensor in tensors {
        put(&mut out, tensor.name.len());
        out.extend(tensor.name.bytes());
        put(&mut out, 1);
        let columns = tensor.shape[0] * tensor.shape.get(2).copied().unwrap_or(1);
        put(&mut out, columns);
        (0..columns).for_each(|n| out.extend((1.0 + (n % 7) as f32).to_le_bytes()));
    }
    put(&mut out, 5);
    put(&mut out, "some.text".len());
    out.extend(b"some.text");
    out
}

/// Every type becomes a file of the size that a dry run tells of it, or cannot be where it says so.
fn sizes_hold(bench: &Bench, model: &str, options: &[&str]) {
    let told = bench.json(&[&["quantize", "--dry-run", "--json", model], options].concat());
    let types = told["types"].as_array().unwrap();
    assert_eq!(told["size"], fs::metadata(bench.path(model)).unwrap().len());
    for row in types {
        let kind = row["type"].as_str().unwrap();
        bench.does(&[&["--type", kind], options, &[model, "made.gguf"]].concat());
        let size = fs::metadata(bench.path("made.gguf")).unwrap().len();
        assert_eq!(row["size"], size, "{kind} of {model} with {options:?}");
        fs::remove_file(bench.path("made.gguf")).unwrap();
    }
    let impossible = told["impossible"].as_array().unwrap();
    for row in impossible {
        let (kind, reason) = (row["type"].as_str().unwrap(), row["reason"].as_str().unwrap());
        let words = [&["quantize", "--type", kind], options, &[model, "made.gguf"]].concat();
        bench.refuses(&words, &[&format!("quantizing to {kind} failed: {reason}")]);
        assert!(!bench.path("made.gguf").exists());
    }
    assert_eq!(types.len() + impossible.len(), 35);
}

#[test]
fn the_sizes_that_a_dry_run_tells_are_those_of_the_files() {
    let Some(bench) = Bench::new() else { return };
    bench.write("demo.dat", matrix(&needs::demo_model().unwrap()));
    sizes_hold(&bench, "f16.gguf", &["--imatrix", "demo.dat"]);
    for arch in [Arch::Qwen3Moe, Arch::Phi3, Arch::Mamba] {
        bench.tiny("tiny.gguf", arch, |_| ());
        bench.write("tiny.dat", matrix(&bench.path("tiny.gguf")));
        sizes_hold(&bench, "tiny.gguf", &["--imatrix", "tiny.dat"]);
    }
}

#[test]
fn a_dry_run_heeds_the_options_and_tells_what_a_type_needs() {
    let Some(bench) = Bench::new() else { return };
    let plain = bench.json(&["quantize", "--dry-run", "--json", "f16.gguf", "--type", "Q4_K_M"]);
    let mut seen = vec![plain["types"][0]["size"].as_u64().unwrap()];
    for options in [
        &["--pure"][..],
        &["--leave-output-tensor"],
        &["--output-tensor-type", "F32"],
        &["--token-embedding-type", "Q8_0"],
        &["--tensor-type", "attn_q=Q8_0"],
    ] {
        let words = ["quantize", "--dry-run", "--json", "f16.gguf", "--type", "Q4_K_M"];
        let told = bench.json(&[&words[..], options].concat());
        let size = told["types"][0]["size"].as_u64().unwrap();
        bench.does(&[&["--type", "Q4_K_M"], options, &["f16.gguf", "made.gguf"]].concat());
        assert_eq!(size, fs::metadata(bench.path("made.gguf")).unwrap().len(), "{options:?}");
        seen.push(size);
    }
    seen.sort_unstable();
    seen.dedup();
    assert!(seen.len() > 4, "the options change nothing: {seen:?}");

    let table = bench.does(&["--dry-run", "f16.gguf"]);
    let row = |kind: &str| {
        let row = table.lines().find(|line| line.split_whitespace().next() == Some(kind));
        row.unwrap_or_else(|| panic!("no {kind} in\n{table}")).to_owned()
    };
    assert!(table.starts_with("  TYPE       SIZE         BPW    RATIO  NEEDS\n"), "{table}");
    assert!(row("now").contains("F16"), "{table}");
    assert!(row("IQ2_XXS").ends_with("--imatrix FILE"), "{table}");
    assert!(!row("Q4_K_M").contains("--"), "{table}");
    let quantized = bench.does(&["--dry-run", "made.gguf", "--type", "Q8_0"]);
    assert!(quantized.contains("--allow-requantize"), "{quantized}");
}

/// llama-perplexity of the pinned release says this of the same models and text, each figure by
/// `llama-perplexity -m f16.gguf -f text.txt --chunks 4 --save-all-logits L`, and then, for each model M,
/// `llama-perplexity -m M -f text.txt --chunks 4 --kl-divergence --kl-divergence-base L`.
#[test]
fn the_figures_are_those_of_llama_perplexity() {
    let Some(bench) = Bench::new() else { return };
    bench.does(&["--type", "Q4_0", "f16.gguf", "q4.gguf"]);
    let got = bench.compare("f16.gguf", "q4.gguf", &["--chunks", "4"]);
    let near = |what: &str, got: &Json, expected: f64| {
        let got = got.as_f64().unwrap();
        // The last digits are those of the processor's instructions.
        assert!((got / expected - 1.0).abs() < 0.02, "{what} is {got}, not {expected}");
    };
    near("the perplexity before", &got["perplexity_before"]["value"], 206.429157);
    near("the perplexity after", &got["perplexity_after"]["value"], 225.358658);
    near("its uncertainty", &got["perplexity_after"]["uncertainty"], 38.483323);
    near("the divergence", &got["divergence"]["value"], 0.080536);
    near("its uncertainty", &got["divergence"]["uncertainty"], 0.004069);
    near("the largest divergence", &got["divergence_max"], 1.158357);
    near("99.9 %", &got["divergence_p999"], 1.046510);
    near("the same token", &got["same_top"]["value"], 0.86961);
    assert_eq!((&got["chunks"], &got["predictions"]), (&4.into(), &1020.into()));
}

#[test]
fn a_model_loses_nothing_to_itself_and_more_with_fewer_bits() {
    let Some(bench) = Bench::new() else { return };
    let itself = bench.compare("f16.gguf", "f16.gguf", &["--chunks", "2"]);
    assert_eq!(itself["divergence"]["value"], 0.0);
    assert_eq!(itself["same_top"]["value"], 1.0);
    assert_eq!(itself["perplexity_ratio"]["value"], 1.0);
    let mut last = 0.0;
    for kind in ["Q8_0", "Q5_K_M", "Q3_K_M"] {
        let words = ["--type", kind, "--compare", "text.txt", "--chunks", "2", "--json"];
        let output = bench.does(&[&words[..], &["f16.gguf", "made.gguf"]].concat());
        let got: Json = serde_json::from_str(&output[output.find('{').unwrap()..]).unwrap();
        let divergence = got["divergence"]["value"].as_f64().unwrap();
        assert!(divergence > last, "{kind}: {divergence} after {last}");
        last = divergence;
        assert_eq!(got["after"]["size"], fs::metadata(bench.path("made.gguf")).unwrap().len());
    }
    let words = ["compare", "--text", "text.txt", "--chunks", "2", "--progress", "plain"];
    let text =
        bench.packer.does_in(bench.dir.path(), &[&words[..], &["f16.gguf", "made.gguf"]].concat());
    let told =
        ["PERPLEXITY", "KL divergence", "510 tokens: the second half of each of 2 chunks of 512"];
    told.iter().for_each(|told| assert!(text.contains(told), "{text}"));
}

#[test]
fn what_cannot_be_compared_is_told_before_anything_is_quantized() {
    let Some(bench) = Bench::new() else { return };
    bench.write("short.txt", "Once upon a time.\n");
    bench.write("bytes.txt", [0xff; 5000]);
    bench.write("junk.gguf", "junk");
    let quantize = ["quantize", "f16.gguf", "made.gguf", "--type", "Q8_0", "--compare"];
    for (text, said) in [
        ("short.txt", &["tokens, a comparison needs 1024", "hint: use a longer text"][..]),
        ("bytes.txt", &["bytes.txt is not UTF-8 at byte 0"]),
        ("none.txt", &["cannot read none.txt"]),
        (".", &[". is not a file"]),
    ] {
        bench.refuses_to_compare(text, ["f16.gguf", "f16.gguf"], said);
        bench.refuses(&[&quantize[..], &[text]].concat(), said);
        assert!(!bench.path("made.gguf").exists(), "{text}");
    }
    bench.refuses_to_compare(
        "none.txt",
        ["none.gguf", "junk.gguf"],
        &["cannot read none.gguf", "junk.gguf: not a GGUF file", "cannot read none.txt"],
    );
    bench.refuses(&["quantize", "--dry-run", "junk.gguf"], &["junk.gguf: not a GGUF file"]);
    bench.refuses(
        &["quantize", "--type", "Q8_0", "--type", "Q4_0", "f16.gguf", "made.gguf"],
        &["one file can have only one type"],
    );
}

#[test]
fn models_that_cannot_be_compared_are_told() {
    let Some(bench) = Bench::new() else { return };
    let compare = |before: &str, after: &str, said: &[&str]| {
        bench.refuses_to_compare("text.txt", [before, after], said);
    };
    bench.tiny("other.gguf", Arch::Llama, |_| ());
    let different = ["f16.gguf and other.gguf have different vocabularies: 1280 and ", " tokens"];
    compare("f16.gguf", "other.gguf", &different);
    // As many tokens, but one is another one.
    bench.tiny("swapped.gguf", Arch::Llama, |file| {
        let tokens = file.metadata.iter_mut().find(|(key, _)| key == "tokenizer.ggml.tokens");
        let Some((_, Value::Texts(tokens))) = tokens else { panic!("no vocabulary") };
        tokens[100] = "swapped".to_owned();
    });
    let different = ["other.gguf and swapped.gguf have different vocabularies: token 100 is `"];
    compare("other.gguf", "swapped.gguf", &different);
    bench.tiny("embedding.gguf", Arch::Qwen2, |file| file.set("qwen2.pooling_type", Value::U32(3)));
    compare("embedding.gguf", "other.gguf", &["embedding.gguf does not predict a next token"]);
    bench.tiny("mute.gguf", Arch::Llama, |file| {
        file.metadata.retain(|(key, _)| !key.starts_with("tokenizer."));
        file.set("tokenizer.ggml.model", "none");
        file.set("llama.vocab_size", Value::U32(file.tensors[0].shape[1] as u32));
    });
    compare("mute.gguf", "mute.gguf", &["mute.gguf has no vocabulary"]);
    bench.tiny("broken.gguf", Arch::Llama, |file| drop(file.tensors.pop()));
    let broken = ["llama.cpp cannot load broken.gguf", "blk.1.ffn_gate.weight"];
    compare("broken.gguf", "other.gguf", &broken);
}

/// What was there stays, and nothing else is left.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_leaves_nothing() {
    let Some(bench) = Bench::new() else { return };
    let Some(small) = super::killed::Small::mount("1m") else { return };
    let made = small.path().join("made.gguf");
    fs::write(&made, "old").unwrap();
    bench.refuses(
        &["quantize", "--type", "Q8_0", "f16.gguf", made.to_str().unwrap()],
        &[
            "quantizing to Q8_0 failed: cannot write the file",
            "hint: free some disk space and run the same command again",
        ],
    );
    assert_eq!(super::refusals::names(small.path()), ["made.gguf"]);
    assert_eq!(fs::read(&made).unwrap(), b"old");
}
