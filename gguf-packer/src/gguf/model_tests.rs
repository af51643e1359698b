//! Tests of what headers say about a model.

use super::*;
use crate::gguf::write::Writer;

fn model(writer: &Writer) -> Model {
    Model::new(vec![writer.header()]).unwrap()
}

#[test]
fn a_model_says_what_it_is() {
    let model = model(&Writer::tiny_model());
    assert_eq!((model.kind(), model.architecture(), model.file_type()), (Kind::Model, "qwen2", 17));
    assert_eq!(model.parameters(), 256 * 3 + 256);
    // Three blocks of Q5_K, rounded up to 32 bytes, and 256 numbers of 4 bytes.
    assert_eq!(model.weights(), 544 + 1024);
    assert!((model.bits_per_weight() - 12.25).abs() < 1e-9);
    assert_eq!(model.text("general.name"), Some("Tiny"));
}

#[test]
fn every_kind_is_recognised() {
    let kind = |pairs: &[(&str, &str)]| {
        let writer =
            pairs.iter().fold(Writer::default(), |writer, (key, text)| writer.text(key, text));
        let model = model(&writer);
        (model.kind(), model.architecture().to_owned())
    };
    let clip = (Kind::Projector, "clip".to_owned());
    assert_eq!(kind(&[("general.architecture", "clip")]), clip);
    assert_eq!(kind(&[("general.type", "mmproj"), ("general.architecture", "clip")]), clip);
    let lora = kind(&[
        ("general.type", "adapter"),
        ("adapter.type", "lora"),
        ("general.architecture", "qwen2"),
    ]);
    assert_eq!(lora, (Kind::Lora, "qwen2".to_owned()));
    let vector =
        kind(&[("general.architecture", "controlvector"), ("controlvector.model_hint", "qwen2")]);
    assert_eq!(vector, (Kind::ControlVector, "qwen2".to_owned()));
    assert_eq!(kind(&[("general.type", "imatrix")]).0, Kind::Imatrix);
    assert_eq!(kind(&[]), (Kind::Model, "llama".to_owned()));
    let diffusion = model(&Writer::default().tensor("double_blocks.0.weight", &[32], "Q8_0"));
    assert_eq!((diffusion.architecture(), diffusion.file_type()), ("diffusion", 7));
}

#[test]
fn shards_are_named_by_their_number() {
    let names = shards("a/m-00002-of-00003.gguf").unwrap();
    assert_eq!(
        names,
        ["a/m-00001-of-00003.gguf", "a/m-00002-of-00003.gguf", "a/m-00003-of-00003.gguf"]
    );
    for other in [
        "m.gguf",
        "m-1-of-3.gguf",
        "m-00004-of-00003.gguf",
        "m-00000-of-00000.gguf",
        "m-00001-of-00003",
    ] {
        assert_eq!(shards(other), None, "{other}");
    }
}

#[test]
fn shards_that_do_not_belong_together_are_refused() {
    let shard =
        |no, count| Writer::default().u32("split.no", no).u32("split.count", count).header();
    assert!(Model::new(vec![shard(0, 2), shard(1, 2)]).is_ok());
    let error = Model::new(vec![shard(0, 3), shard(1, 3)]).unwrap_err().to_string();
    assert!(error.starts_with("the model has 3 shards, but 2 were given\n"), "{error}");
    let error = Model::new(vec![shard(0, 2), shard(0, 2)]).unwrap_err().to_string();
    assert_eq!(error, "according to its header, shard 2 is shard 1");
}

#[test]
fn only_the_first_shard_names_a_model() {
    for good in ["m.gguf", "/x/m-00001-of-00003.gguf"] {
        check_first_shard(good).unwrap();
    }
    let error = check_first_shard("/x/m-00002-of-00003.gguf").unwrap_err().to_string();
    let expected = "/x/m-00002-of-00003.gguf is part 2 of 3 of a model\n  \
        hint: name the first part: /x/m-00001-of-00003.gguf";
    assert_eq!(error, expected);
}
