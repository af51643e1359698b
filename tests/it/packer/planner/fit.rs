//! Models of full size by their headers alone: what is planned, what is found to fit, and that nothing else takes room.

use llama_tests::gguf::{Header, Value};

use super::*;

const GIB: u64 = 1 << 30;

/// Llama 3.1 8B's shape, or Mixtral 8x7B's where there are experts; F16.
fn llama(experts: u32) -> Header {
    let (width, inner, keys) = (4096, 14336, 1024);
    let (vocabulary, context) = if experts > 0 { (32_000, 32_768) } else { (128_256, 131_072) };
    let mut header = Header::default()
        .key("general.architecture", Value::Text("llama".into()))
        .key("llama.block_count", Value::U32(32))
        .key("llama.context_length", Value::U32(context))
        .key("llama.embedding_length", Value::U32(4096))
        .key("llama.feed_forward_length", Value::U32(14336))
        .key("llama.attention.head_count", Value::U32(32))
        .key("llama.attention.head_count_kv", Value::U32(8))
        .key("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5))
        .key("llama.vocab_size", Value::U32(u32::try_from(vocabulary).unwrap()))
        .key("tokenizer.ggml.model", Value::Text("none".into()))
        .tensor("token_embd.weight", &[width, vocabulary])
        .tensor("output_norm.weight", &[width])
        .tensor("output.weight", &[width, vocabulary]);
    if experts > 0 {
        header = header
            .key("llama.expert_count", Value::U32(experts))
            .key("llama.expert_used_count", Value::U32(2));
    }
    for layer in 0..32 {
        let name = |name: &str| format!("blk.{layer}.{name}.weight");
        header = header
            .tensor(name("attn_norm"), &[width])
            .tensor(name("ffn_norm"), &[width])
            .tensor(name("attn_q"), &[width, width])
            .tensor(name("attn_k"), &[width, keys])
            .tensor(name("attn_v"), &[width, keys])
            .tensor(name("attn_output"), &[width, width]);
        let experts = u64::from(experts);
        header = if experts > 0 {
            header
                .tensor(name("ffn_gate_inp"), &[width, experts])
                .tensor(name("ffn_gate_exps"), &[width, inner, experts])
                .tensor(name("ffn_up_exps"), &[width, inner, experts])
                .tensor(name("ffn_down_exps"), &[inner, width, experts])
        } else {
            header
                .tensor(name("ffn_gate"), &[width, inner])
                .tensor(name("ffn_up"), &[width, inner])
                .tensor(name("ffn_down"), &[inner, width])
        };
    }
    header
}

/// Options of the planner for cards of so many GiB.
fn cards(sizes: &[u64]) -> Vec<String> {
    let card = |(at, size): (usize, &u64)| format!("gpu:{}:GPU{at}", size * GIB);
    sizes.iter().enumerate().flat_map(|card_of| ["--virtual".to_owned(), card(card_of)]).collect()
}

fn as_text(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

#[test]
fn a_model_of_full_size_is_planned_by_its_header() {
    let Some(packer) = needs::gguf_packer() else { return };
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("model.gguf");
    llama(0).write(&model);
    let options = ["--model", model.to_str().unwrap(), "--ctx-size", "8192"];
    let answer = planned(&packer, &as_text(&cards(&[24])), &options);
    assert_eq!(answer["runs"][0]["gpu_layers"], 33, "{answer}");
    let [card, host] = ["GPU0", "Host"].map(|device| sizes(&answer, "model", device));
    // The input layer stays with the processor. Keys and values: 2 x 32 layers x 8192 tokens x 1024 x 2 bytes.
    assert_eq!(host["weights"], f64::from(4096 * 128_256 * 2) / MIB);
    assert_eq!((card["context"], host["context"]), (1024.0, 0.0));
    // 8,030,261,248 parameters: what is left out of the count of F16's bytes are norms, which are F32.
    let (matrices, norms) = (8_030_261_248_f64, 65.0 * 4096.0);
    let weights = (2.0 * matrices + 2.0 * norms) / MIB;
    assert!((card["weights"] + host["weights"] - weights).abs() < 0.01, "{weights}: {answer}");
}

#[test]
fn what_fits_is_what_its_options_give() {
    let (Some(packer), Some(server), Some(demo)) =
        (needs::gguf_packer(), needs::server(), needs::demo_model())
    else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    let model = path.to_str().unwrap();
    // Experts; cards; whether it is whole on the cards.
    for (experts, gib, whole) in
        [(0, &[12][..], false), (0, &[12, 12], true), (8, &[24], false), (8, &[24, 12], false)]
    {
        llama(experts).write(&path);
        let own = cards(gib);
        let own = as_text(&own);
        let found = planned(&packer, &[&own, &["--fit"][..]].concat(), &["--model", model]);
        assert_eq!(found["fit"]["status"], "fits", "{found}");
        let options = found["fit"]["arguments"].as_array().unwrap().iter();
        let options: Vec<&str> = options.map(|word| word.as_str().unwrap()).collect();
        let again = planned(&packer, &own, &[&["--model", model], &options[..]].concat());
        assert_eq!(again["runs"], found["runs"], "{options:?}");
        assert_eq!(again["context_size"], found["context_size"], "{options:?}");
        let host = sizes(&found, "model", "Host")["weights"];
        let input = f64::from(4096 * if experts > 0 { 32_000 } else { 128_256 } * 2) / MIB;
        assert_eq!(
            host == input,
            whole,
            "{host} MiB of weights in the processor's memory: {found}"
        );
        fills(&found, gib);
        if gib.len() == 1 {
            // A server takes the very options; it has no such card, and another model.
            allocated(&server, &[&["--model", demo.to_str().unwrap()], &options[..]].concat(), 1);
        }
    }
}

/// Each card is filled, and no more.
fn fills(found: &serde_json::Value, gib: &[u64]) {
    // A GiB stays free, as upstream's default is. Of several cards, what upstream lays on the next one adds to the
    // buffers of the last one, and it does not look again: an eighth of that GiB went.
    let free = if gib.len() == 1 { 1024.0 } else { 768.0 };
    for (at, gib) in gib.iter().enumerate() {
        let taken: f64 = sizes(found, "model", &format!("GPU{at}")).values().sum();
        let card = (gib * 1024) as f64;
        assert!(taken <= card - free, "{taken} MiB of {card} on GPU{at}: {}", found["fit"]);
        assert!(
            taken >= 0.7 * (card - 1024.0),
            "{taken} MiB of {card} on GPU{at}: {}",
            found["fit"]
        );
    }
}

/// What the planner says of `model` within half a gigabyte of memory, if it plans it.
fn planned_within_limit(packer: &Path, model: &Path, options: &[&str]) -> Option<String> {
    let script = "ulimit -d 524288; exec \"$0\" __estimate -- --model \"$@\"";
    let Finished { status, output } =
        finish(command("sh").args(["-c", script]).args([packer, model]).args(options));
    assert!(
        status.code().is_some_and(|code| code < 2),
        "{} {options:?}: {status}\n{output}",
        model.display()
    );
    assert!(!output.contains("bad_alloc"), "{} {options:?}: {output}", model.display());
    status.success().then_some(output)
}

/// Seeds of the fuzzers, which once took gigabytes, as they are and as long as they say: planned, or refused for what
/// is wrong with them.
#[test]
fn a_small_file_takes_little_memory() {
    let Some(packer) = needs::gguf_packer() else { return };
    let dir = tempfile::tempdir().unwrap();
    let long = dir.path().join("model.gguf");
    let mut planned = 0;
    for folder in ["gguf", "model"] {
        for entry in std::fs::read_dir(root().join("tests/fuzz/corpus").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let options = ["--ctx-size", "512"];
            let short = planned_within_limit(&packer, &path, &options);
            assert!(short.is_none(), "{} has no weights: {short:?}", path.display());
            std::fs::copy(&path, &long).unwrap();
            std::fs::File::options().write(true).open(&long).unwrap().set_len(1 << 26).unwrap();
            planned += usize::from(planned_within_limit(&packer, &long, &options).is_some());
        }
    }
    assert!(planned >= 5, "{planned} were planned");
}

#[test]
fn a_context_that_no_memory_describes_is_refused() {
    let (Some(packer), Some(model)) = (needs::gguf_packer(), needs::demo_model()) else { return };
    let words = ["__estimate", "--", "--ctx-size", "2000000000", "--model"];
    let refused = finish(command(&packer).args(words).arg(&model));
    refused.assert_refused("the planner", "failed to initialize the context");
    let words = ["__estimate", "--", "--ctx-size", "10000000", "--model"];
    let Finished { status, output } = finish(command(&packer).args(words).arg(model));
    assert!(status.success(), "{status}: {output}");
}
