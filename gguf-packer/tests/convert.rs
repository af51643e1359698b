//! Conversions of ours give the bytes that upstream's script gives, without a Python.

use gguf_packer::convert::{By, Means, Request, Watch, convert};

#[path = "convert/checkpoints/mod.rs"]
#[expect(unreachable_pub, reason = "another crate shares it")]
mod checkpoints;
#[path = "convert/recorded.rs"]
#[expect(unreachable_pub, reason = "an example shares it")]
mod recorded;

use checkpoints::{ALL, Checkpoint, TYPES};
use recorded::Recorded;

/// Records the digests; the Python has what upstream's requirements name.
const RECORD: &str =
    "cargo run --release -p gguf-packer --example record_conversions -- --python PYTHON";

/// Converts the checkpoint to each type; every type that comes out otherwise than upstream's.
fn is_upstreams(name: &str) {
    let folder = tempfile::tempdir().expect("there is room for a checkpoint");
    let source = llama_src::root().join("llama.cpp");
    let checkpoint = Checkpoint::named(name);
    let dir = checkpoint.write(folder.path(), &source);
    let base = checkpoint.base.map(|name| Checkpoint::named(name).write(folder.path(), &source));
    let means = Means { by: Some(By::Native), ..Means::default() };
    let recorded = Recorded::read();
    let mut wrong = Vec::new();
    for kind in TYPES {
        let out = folder.path().join(format!("{kind}.gguf"));
        let request = Request { dir: &dir, out: &out, kind, base: base.as_deref() };
        let mut watch = Watch { step: &mut |_, _| (), note: &mut |_| (), stop: &|| false };
        let known = recorded.0.get(&(name.to_owned(), kind.to_owned()));
        match convert(&request, &means, &mut watch) {
            Ok(_) if Some(&recorded::digest(&out)) == known => {}
            Ok(_) => wrong.push(format!("{kind}: other bytes than upstream's")),
            Err(error) => wrong.push(format!("{kind}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
}

/// One test for each checkpoint, and one that there is a test for each.
macro_rules! families {
    ($($test:ident $name:literal)*) => {
        $(#[test] fn $test() { is_upstreams($name); })*

        #[test]
        fn every_checkpoint_has_its_test_and_its_digests() {
            let names: Vec<&str> = ALL.iter().map(|it| it.name).collect();
            assert_eq!(names, [$($name),*]);
            let recorded = Recorded::read();
            for name in names {
                for kind in TYPES {
                    let digest = recorded.0.get(&(name.to_owned(), kind.to_owned()));
                    assert!(digest.is_some_and(|it| it.len() == 64), "no digest of {name} as {kind}");
                }
            }
            assert_eq!(recorded.0.len(), ALL.len() * TYPES.len(), "digests of nothing");
            assert_eq!(
                recorded.1,
                recorded::converter(),
                "upstream's converter is another one, record what it makes: {}",
                RECORD
            );
        }
    };
}

families! {
    qwen2 "Qwen2-0.5B-Instruct"
    qwen2_of_several_shards "Qwen2-7B-Yarn"
    qwen3 "Qwen3-4B"
    llama_3 "Llama-3.2-1B-Instruct"
    llama_with_biases "tiny_llama-bpe-F32"
    llama_2 "Llama-2-7b-chat-hf"
    mistral "Mistral-7B-v0.1"
    gemma "gemma-2b-it"
    gemma_2 "gemma-2-2b-it"
    gemma_3 "gemma-3-1b-it"
    phi_3 "Phi-3-mini-4k-instruct"
    phi_3_of_long_contexts "Phi-3-mini-128k-instruct"
    phi_4 "phi-4"
    phi_2 "phi-2"
    qwen2_of_transformers_5 "Qwen2-7B-Yarn-5"
    qwen3_of_transformers_5 "Qwen3-4B-5"
    llama_3_of_transformers_5 "Llama-3.2-1B-Instruct-5"
    gemma_3_of_transformers_5 "gemma-3-1b-it-5"
    phi_3_of_transformers_5 "Phi-3-mini-128k-instruct-5"
    phi_2_of_transformers_5 "phi-2-5"
    adapter_of_qwen2 "Qwen2-0.5B-MAC-lora"
    adapter_of_llama "llama-2-7b-lora"
}
