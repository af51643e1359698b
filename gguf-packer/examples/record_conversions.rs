//! Has upstream's own script convert the checkpoints of the tests, and records what it makes:
//! `cargo run --release -p gguf-packer --example record_conversions -- --python PYTHON [--keep DIR] [NAME…]`.
//! `--keep` leaves checkpoints and results in a folder.

use std::collections::BTreeSet;
use std::path::PathBuf;

use gguf_packer::Error;
use gguf_packer::convert::{By, Means, Request, Watch, convert};

#[path = "../tests/convert/checkpoints/mod.rs"]
#[expect(unreachable_pub, reason = "another crate shares it")]
mod checkpoints;
#[path = "../tests/convert/recorded.rs"]
#[expect(unreachable_pub, reason = "a test shares it")]
mod recorded;

use checkpoints::{ALL, Checkpoint, TYPES};
use recorded::{CONVERTER, Recorded};

fn main() -> Result<(), Error> {
    let (mut python, mut keep, mut names) = (None, None, BTreeSet::new());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--python" => python = words.next(),
            "--keep" => keep = words.next().map(PathBuf::from),
            _ => drop(names.insert(Checkpoint::named(&word).name)),
        }
    }
    let temp = tempfile::tempdir().expect("there is room for checkpoints");
    let folder = keep.unwrap_or_else(|| temp.path().to_owned());
    let cache = temp.path().join("cache");
    let python = python.map(Into::into);
    let means = Means { by: Some(By::Upstream), python, cache, ..Means::default() };
    let mut recorded = Recorded::read();
    for checkpoint in ALL.iter().filter(|it| names.is_empty() || names.contains(it.name)) {
        for kind in TYPES {
            let digest = converted(checkpoint, kind, &folder, &means)?;
            println!("{digest} {kind} {}", checkpoint.name);
            recorded.0.insert((checkpoint.name.to_owned(), kind.to_owned()), digest);
        }
    }
    recorded.1 = recorded::converter();
    std::fs::write(recorded::path(), text(&recorded))
        .map_err(|e| Error::io("write", &recorded::path(), &e))
}

/// The file's text.
fn text(recorded: &Recorded) -> String {
    let head = "# SHA-256 of what llama.cpp's convert_hf_to_gguf.py and convert_lora_to_gguf.py make of the tests' checkpoints.";
    let mut lines = vec![head.to_owned(), format!("{CONVERTER}{}", recorded.1)];
    lines.extend(recorded.0.iter().map(|((name, kind), digest)| format!("{digest} {kind} {name}")));
    lines.join("\n") + "\n"
}

fn converted(
    checkpoint: &Checkpoint,
    kind: &str,
    folder: &std::path::Path,
    means: &Means,
) -> Result<String, Error> {
    let source = llama_src::root().join("llama.cpp");
    let dir = checkpoint.write(folder, &source);
    let base = checkpoint.base.map(|name| Checkpoint::named(name).write(folder, &source));
    let out = folder.join(format!("{}.{kind}.gguf", checkpoint.name));
    let request = Request { dir: &dir, out: &out, kind, base: base.as_deref() };
    let mut watch = Watch { step: &mut |_, _| (), note: &mut |_| (), stop: &|| false };
    convert(&request, means, &mut watch)?;
    Ok(recorded::digest(&out))
}
