//! What llama.cpp's planner says against what llama-server allocates, for every architecture that upstream can make
//! a small model of; and the sizes that other estimates got wrong.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use llama_tests::gguf::{Header, Value};
use llama_tests::needs;
use llama_tests::process::{Finished, KilledOnDrop, command, finish};
use llama_tests::tiny::{self, Arch};
use llama_tests::workspace::root;

/// Models of full size, and what fits of them.
mod fit;

/// Bytes by what they are for.
type Sizes = BTreeMap<&'static str, f64>;

const MIB: f64 = 1_048_576.0;

/// The answer of the planner for options of llama-server.
fn planned(packer: &Path, own: &[&str], options: &[&str]) -> serde_json::Value {
    let words = [&["__estimate"], own, &["--"], options].concat();
    let Finished { status, output } = finish(command(packer).args(&words));
    assert!(status.success(), "{words:?}: {output}");
    let answer = output.lines().find_map(|line| line.strip_prefix("__answer "));
    serde_json::from_str(answer.unwrap_or_else(|| panic!("no answer in {output}"))).unwrap()
}

/// What a part takes of `device`, in MiB.
fn sizes(answer: &serde_json::Value, role: &str, device: &str) -> Sizes {
    let parts = answer["runs"][0]["parts"].as_array().unwrap().iter();
    let memory = parts
        .filter(|part| part["role"] == role)
        .flat_map(|part| part["memory"].as_array().unwrap());
    let mut sizes = Sizes::new();
    for memory in memory.filter(|memory| memory["device"] == device) {
        for what in ["weights", "context", "compute"] {
            *sizes.entry(what).or_default() += memory[what].as_f64().unwrap() / MIB;
        }
    }
    sizes
}

/// What the server says that it has allocated for its first `models`, adapters among their weights, in MiB.
fn allocated(server: &Path, options: &[&str], models: usize) -> Vec<Sizes> {
    let quiet = ["--port", "0", "--verbosity", "4", "--no-warmup", "--fit", "off"];
    let child = command(server)
        .args(options)
        .args(quiet)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = KilledOnDrop(child.unwrap());
    let mut all = vec![Sizes::new()];
    let mut log = String::new();
    for line in BufReader::new(child.0.stderr.take().unwrap()).lines().map_while(Result::ok) {
        log.push_str(&line);
        log.push('\n');
        let Some((before, after)) = line.split_once(" buffer size =") else { continue };
        let size: f64 = after.trim().split(' ').next().unwrap().parse().unwrap();
        let kind = before.rsplit(' ').next().unwrap();
        let what = match kind {
            "model" | "LoRA" => "weights",
            "output" | "compute" => "compute",
            _ => "context",
        };
        *all.last_mut().unwrap().entry(what).or_default() += size;
        if kind == "compute" {
            if all.len() == models {
                return all;
            }
            all.push(Sizes::new());
        }
    }
    panic!("the server ended: {options:?}\n{log}");
}

/// Within 2 %, and what the log cuts off.
fn same(planned: &Sizes, allocated: &Sizes) -> bool {
    ["weights", "context", "compute"].iter().all(|what| {
        let [planned, allocated] =
            [planned, allocated].map(|sizes| sizes.get(what).copied().unwrap_or_default());
        (planned - allocated).abs() <= 0.02 * allocated + 0.02
    })
}

/// Small models of all architectures, made by upstream's own test program.
fn architectures(dir: &Path) -> Option<Vec<PathBuf>> {
    let build = needs::llama_sys()?;
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(build.join("llama-build.json")).unwrap()).unwrap();
    let words =
        manifest["artifacts"]["quantize"]["link_args"].as_array().expect("feature `quantize`");
    let words = words.iter().map(|word| word.as_str().unwrap().to_owned());
    let source = root().join("vendor/llama.cpp/tests/test-llama-archs.cpp");
    assert!(source.is_file(), "{} is part of the release", source.display());
    let program = dir.join("archs");
    let include = ["include", "common", "ggml/include", "src", "vendor", "tests"];
    let include =
        include.map(|folder| format!("-I{}", build.join("llama.cpp").join(folder).display()));
    // It names headers by where it lies.
    let copy = build.join("llama.cpp/src/test-llama-archs.cpp");
    std::fs::copy(&source, &copy).unwrap();
    let compile = finish(
        command("c++")
            .args(["-std=c++17", "-O1"])
            .args(include)
            .arg(&copy)
            .arg("-o")
            .arg(&program)
            .args(words),
    );
    let _ = std::fs::remove_file(&copy);
    assert!(compile.status.success(), "{}", compile.output);
    let models = dir.join("models");
    std::fs::create_dir(&models).unwrap();
    let made = finish(command(&program).arg("-o").arg(&models));
    assert!(made.status.success(), "{}", made.output);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&models).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    Some(files)
}

#[test]
fn what_is_planned_is_what_the_server_allocates() {
    let (Some(packer), Some(server)) = (needs::gguf_packer(), needs::server()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let Some(models) = architectures(dir.path()) else { return };
    // Dense, experts, windows, recurrent, hybrid, latent attention; embeddings alone are below.
    let kinds = [
        "llama-dense",
        "qwen3moe-moe",
        "gemma2-dense",
        "mamba-dense",
        "jamba-dense",
        "deepseek2-moe",
    ];
    for name in kinds {
        let there = models.iter().any(|path| path.file_stem().is_some_and(|stem| stem == name));
        assert!(there, "no {name} among {models:#?}");
    }
    let mut wrong = Vec::new();
    for model in &models {
        let options = ["--model", model.to_str().unwrap(), "--ctx-size", "4096"];
        let planned = sizes(&planned(&packer, &[], &options), "model", "Host");
        let allocated = allocated(&server, &options, 1).remove(0);
        if !same(&planned, &allocated) {
            wrong
                .push(format!("{}: planned {planned:?}, allocated {allocated:?}", model.display()));
        }
    }
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), models.len());
}

#[test]
fn a_draft_and_what_stands_beside_it_are_planned() {
    let (Some(packer), Some(server), Some(model)) =
        (needs::gguf_packer(), needs::server(), needs::demo_model())
    else {
        return;
    };
    let model = model.to_str().unwrap();
    let options =
        ["--model", model, "--model-draft", model, "--ctx-size", "4096", "--parallel", "2"];
    let answer = planned(&packer, &[], &options);
    let allocated = allocated(&server, &options, 2);
    for (role, allocated) in ["model", "draft"].into_iter().zip(&allocated) {
        let planned = sizes(&answer, role, "Host");
        assert!(same(&planned, allocated), "{role}: planned {planned:?}, allocated {allocated:?}");
    }
    // A projector: the header of a seed of the fuzzers, its weights a hole.
    let dir = tempfile::tempdir().unwrap();
    let projector = dir.path().join("mmproj.gguf");
    std::fs::copy(root().join("tests/fuzz/corpus/mmproj/vision"), &projector).unwrap();
    std::fs::File::options().write(true).open(&projector).unwrap().set_len(4 << 20).unwrap();
    let with = ["--model", model, "--mmproj", projector.to_str().unwrap()];
    let beside = sizes(&planned(&packer, &[], &with), "projector", "Host");
    assert!(beside["weights"] > 0.17, "its weights alone are 0.17 MiB: {beside:?}");
}

/// An adapter of rank 512 for the queries of the demo model.
fn adapter() -> Header {
    let text = |text: &str| Value::Text(text.into());
    let header = Header::default()
        .key("general.type", text("adapter"))
        .key("general.architecture", text("llama"))
        .key("adapter.type", text("lora"))
        .key("adapter.lora.alpha", Value::F32(16.0));
    (0..3).fold(header, |header, layer| {
        let name = |half: &str| format!("blk.{layer}.attn_q.weight.{half}");
        header.tensor(name("lora_a"), &[256, 512]).tensor(name("lora_b"), &[512, 256])
    })
}

#[test]
fn an_adapter_is_planned_where_its_layers_are() {
    let (Some(packer), Some(server), Some(model)) =
        (needs::gguf_packer(), needs::server(), needs::demo_model())
    else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let lora = dir.path().join("lora.gguf");
    adapter().write(&lora);
    let options = ["--model", model.to_str().unwrap(), "--lora", lora.to_str().unwrap()];
    let answer = planned(&packer, &[], &options);
    let adapter = sizes(&answer, "adapter", "Host");
    assert!(adapter["weights"] >= 1.5, "three layers, two halves of a quarter: {answer}");
    let mut all = sizes(&answer, "model", "Host");
    adapter.iter().for_each(|(what, size)| *all.entry(what).or_default() += size);
    let allocated = allocated(&server, &options, 1).remove(0);
    assert!(same(&all, &allocated), "planned {all:?}, allocated {allocated:?}");
    let answer = planned(&packer, &["--virtual", "gpu:25769803776:GPU0"], &options);
    assert_eq!(sizes(&answer, "adapter", "GPU0"), adapter, "{answer}");
}

/// bge-reranker-v2-m3 in F16, which gguf-parser said to need 13.8 GiB of a card where it took 926 MiB
/// (gpustack/gpustack#2412).
fn reranker() -> Header {
    let (width, inner, vocabulary) = (1024, 4096, 250_002);
    let text = |text: &str| Value::Text(text.into());
    let mut header = Header::default()
        .key("general.architecture", text("bert"))
        .key("bert.block_count", Value::U32(24))
        .key("bert.context_length", Value::U32(8192))
        .key("bert.embedding_length", Value::U32(1024))
        .key("bert.feed_forward_length", Value::U32(4096))
        .key("bert.attention.head_count", Value::U32(16))
        .key("bert.attention.layer_norm_epsilon", Value::F32(1e-5))
        .key("bert.attention.causal", Value::Bool(false))
        .key("bert.pooling_type", Value::U32(4))
        .key("bert.vocab_size", Value::U32(250_002))
        .key("tokenizer.ggml.model", text("none"))
        .key("tokenizer.ggml.token_type_count", Value::U32(1))
        .tensor("token_embd.weight", &[width, vocabulary])
        .tensor("position_embd.weight", &[width, 8192])
        .tensor("token_types.weight", &[width, 1])
        .tensor("token_embd_norm.weight", &[width])
        .tensor("token_embd_norm.bias", &[width])
        .tensor("cls.weight", &[width, width])
        .tensor("cls.bias", &[width])
        .tensor("cls.output.weight", &[width, 1])
        .tensor("cls.output.bias", &[1]);
    for layer in 0..24 {
        let name = |name: &str| format!("blk.{layer}.{name}");
        for square in ["attn_q", "attn_k", "attn_v", "attn_output"] {
            header = header
                .tensor(name(&format!("{square}.weight")), &[width, width])
                .tensor(name(&format!("{square}.bias")), &[width]);
        }
        header = header
            .tensor(name("ffn_up.weight"), &[width, inner])
            .tensor(name("ffn_up.bias"), &[inner])
            .tensor(name("ffn_down.weight"), &[inner, width])
            .tensor(name("ffn_down.bias"), &[width]);
        for norm in ["attn_output_norm", "layer_output_norm"] {
            header = header
                .tensor(name(&format!("{norm}.weight")), &[width])
                .tensor(name(&format!("{norm}.bias")), &[width]);
        }
    }
    header
}

#[test]
fn a_reranker_is_not_charged_for_what_it_does_not_allocate() {
    let (Some(packer), Some(server)) = (needs::gguf_packer(), needs::server()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("reranker.gguf");
    reranker().write(&model);
    let options = ["--model", model.to_str().unwrap(), "--ctx-size", "8192", "--reranking"];
    let planned_here = sizes(&planned(&packer, &[], &options), "model", "Host");
    let allocated = allocated(&server, &options, 1).remove(0);
    assert!(same(&planned_here, &allocated), "planned {planned_here:?}, allocated {allocated:?}");
    let answer = planned(&packer, &["--virtual", "gpu:25769803776:GPU0"], &options);
    assert_eq!(answer["runs"][0]["gpu_layers"], 25, "{answer}");
    let card: f64 = sizes(&answer, "model", "GPU0").values().sum();
    assert!((580.0..926.0).contains(&card), "{card} MiB: {answer}");
}

#[test]
fn the_planner_knows_which_contexts_cannot_step_back() {
    let Some(packer) = needs::gguf_packer() else { return };
    let dir = tempfile::tempdir().unwrap();
    for (arch, options, wanted) in [
        (Arch::Llama, &[][..], false),
        (Arch::Gemma2, &[], true),
        (Arch::Gemma2, &["--swa-full"], false),
        (Arch::Mamba, &[], true),
        (Arch::Mamba, &["--ctx-checkpoints", "0"], false),
    ] {
        let model = dir.path().join(arch.name());
        tiny::write(arch, 1, &model);
        let options = [&["--model", model.to_str().unwrap()][..], options].concat();
        assert_eq!(planned(&packer, &[], &options)["checkpoints"], wanted, "{options:?}");
    }
    let model = dir.path().join(Arch::Gemma2.name());
    let Finished { output, .. } = finish(command(&packer).arg("estimate").arg(&model));
    assert!(output.contains("\nCONTEXT CHECKPOINTS: up to 4096 MiB of RAM more"), "{output}");
}
