//! `gguf-packer` as people use it: models built, pushed, pulled, listed, run, and read by other tools.

use std::path::{Path, PathBuf};

use llama_tests::hub::Hub;
use llama_tests::needs;
use llama_tests::packer::Packer;

/// Images of ours in engines, and read by other tools.
mod elsewhere;
/// Kills at any moment, several processes at once, a full disk.
#[cfg(target_os = "linux")]
mod killed;
/// The document's way of working, word for word.
mod quick_start;
/// RamaLama, which runs models that are images.
#[cfg(target_os = "linux")]
mod ramalama;
/// Stores that cannot be written.
#[cfg(target_os = "linux")]
mod read_only;
/// Bad input: the line or the reference at fault, what to do, nothing half-stored.
#[cfg(target_os = "linux")]
mod refusals;
/// Kills of what is under way to a registry or from one.
#[cfg(target_os = "linux")]
mod transfers;

/// The chat template of the document.
const CHAT_TEMPLATE: &str = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + \
     message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}\
     {{ '<|im_start|>assistant\\n' }}{% endif %}";

/// The model's name in the document.
const MODEL: &str = "Qwen2-0.5B-Instruct";

/// The demo model as F16, in a folder as a repository of a hub has it.
fn repository(packer: &Packer, dir: &Path) -> PathBuf {
    let files = dir.join("repository");
    std::fs::create_dir(&files).unwrap();
    std::fs::write(files.join("README.md"), "A small model.\n").unwrap();
    let demo = needs::demo_model().unwrap();
    let f16 = files.join(format!("{MODEL}.F16.gguf"));
    let words = ["quantize", "--allow-requantize", "--type", "F16"];
    packer.does(&[&words[..], &[demo.to_str().unwrap(), f16.to_str().unwrap()]].concat());
    files
}

/// The document's file, which has its F16 model from the repository, as its `CONVERT` would make it.
fn file() -> String {
    format!(
        r#"# syntax=gpustack/gguf-packer:latest

ARG        BASE=scratch
ARG        QUANTIZE_TYPE=Q5_K_M
ARG        CHAT_TEMPLATE="{CHAT_TEMPLATE}"

FROM       scratch AS f16
ADD        https://huggingface.co/Qwen/Qwen2-0.5B-Instruct.git  Qwen2-0.5B-Instruct

FROM       ${{BASE}}
LABEL      gguf.model.from="Hugging Face"
QUANTIZE   --from=f16 --type=${{QUANTIZE_TYPE}}  {MODEL}/{MODEL}.F16.gguf  {MODEL}.${{QUANTIZE_TYPE}}.gguf
CAT        <<EOF system-prompt.txt
You are an AI assistant that follows instruction extremely well. Help as much as you can.
In answering questions, follow these steps:
1. Entity Identification: Identify the main entities involved in the query.
EOF
CMD        ["-m", "{MODEL}.${{QUANTIZE_TYPE}}.gguf", "-c", "8192", "--system-prompt-file", "system-prompt.txt", "--chat-template", "${{CHAT_TEMPLATE}}"]
"#
    )
}

/// A hub with the model, and a packer that asks it.
fn with_hub(dir: &Path) -> Option<(Packer, Hub)> {
    let packer = Packer::new()?;
    let hub = Hub::start(repository(&packer, dir));
    Some((packer.env("HF_ENDPOINT", hub.endpoint("127.0.0.1")), hub))
}
