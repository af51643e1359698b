//! Checkpoints that are whole, and those that are not.

use std::fs;

use super::super::testing::{Made, llama_config, llama_rows, row, with_header};
use super::*;

fn error(made: &Made) -> String {
    let text = Checkpoint::open(made.dir()).unwrap_err().to_string();
    text.replace(&format!("{}/", made.dir().display()), "")
        .replace(&made.dir().display().to_string(), "DIR")
}

fn wrong_header(header: &str, data: usize) -> String {
    let made = Made::new(&llama_config());
    fs::write(made.path("model.safetensors"), with_header(header, &vec![0; data])).unwrap();
    error(&made)
}

#[test]
fn tensors_are_in_the_order_of_files_then_of_names() {
    let made = Made::new(&llama_config());
    made.weights("model-00001-of-00002.safetensors", &[row("b", &[2]), row("a", &[1, 3])]);
    made.weights("model-00002-of-00002.safetensors", &[row("0", &[])]);
    let checkpoint = Checkpoint::open(made.dir()).unwrap();
    let names: Vec<&str> = checkpoint.tensors.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "0"]);
    let a = &checkpoint.tensors[0];
    assert_eq!(
        (&a.dtype, a.shape.as_slice(), a.elements(), a.size),
        (&Dtype::Bf16, &[1, 3][..], 3, 6)
    );
    assert_eq!(checkpoint.config["head_dim"], 8);
}

#[test]
fn files_that_are_missing_are_named() {
    let made = Made::new(&llama_config());
    made.weights("model-00002-of-00003.safetensors", &[row("a", &[1])]);
    let text = error(&made);
    assert!(
        text.starts_with(
            "files are missing from DIR: model-00001-of-00003.safetensors, \
        model-00003-of-00003.safetensors"
        ),
        "{text}"
    );
    made.write(
        "model.safetensors.index.json",
        r#"{"weight_map": {"a": "model-00002-of-00003.safetensors", "b": "x.safetensors"}}"#,
    );
    let text = error(&made);
    assert!(
        text.starts_with(
            "files that model.safetensors.index.json names are missing from DIR: x.safetensors"
        ),
        "{text}"
    );
    made.write(
        "model.safetensors.index.json",
        r#"{"weight_map": {"b": "model-00002-of-00003.safetensors"}}"#,
    );
    let text = error(&made);
    assert!(text.contains("tensor b is missing from model-00002-of-00003.safetensors"), "{text}");
    assert!(text.contains("does not list tensor a"), "{text}");
    made.write("model.safetensors.index.json", "{}");
    assert!(error(&made).contains("`weight_map` is missing"));
    made.write("model.safetensors.index.json", r#"{"weight_map": {"a": "../a.safetensors"}}"#);
    assert!(error(&made).contains("names are missing from DIR: ../a.safetensors"));
}

#[test]
fn a_file_that_is_cut_short_is_named() {
    let made = Made::new(&llama_config());
    made.weights("model.safetensors", &llama_rows());
    let whole = fs::read(made.path("model.safetensors")).unwrap();
    fs::write(made.path("model.safetensors"), &whole[..whole.len() - 1]).unwrap();
    let text = error(&made);
    let end = format!(
        "tensor model.norm.weight ends at byte {}, but the file ends at byte {}",
        whole.len(),
        whole.len() - 1
    );
    assert!(text.starts_with(&format!("model.safetensors is truncated: {end}")), "{text}");
    fs::write(made.path("model.safetensors"), &whole[..100]).unwrap();
    assert!(error(&made).starts_with("model.safetensors is truncated: its header needs "));
    fs::write(made.path("model.safetensors"), &whole[..5]).unwrap();
    assert!(error(&made).starts_with("model.safetensors is truncated: it has only 5 bytes"));
    fs::write(made.path("model.safetensors"), [255; 16]).unwrap();
    assert!(
        error(&made).contains("its header needs 18446744073709551615 bytes, but the file has 16")
    );
}

#[test]
fn a_header_that_contradicts_itself_is_refused() {
    let two = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#;
    assert!(wrong_header(two, 8).starts_with("a and b overlap in model.safetensors"));
    let long = r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#;
    assert!(wrong_header(long, 8).starts_with(
        "a in model.safetensors has 8 bytes, which does not match its shape [3] and type F32"
    ));
    let large = r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}"#;
    assert!(wrong_header(large, 8).contains("has 8 bytes"));
    let back = r#"{"a":{"dtype":"F32","shape":[0],"data_offsets":[8,0]}}"#;
    assert!(wrong_header(back, 8).contains("ends before it begins"));
    let far = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[18446744073709551611,18446744073709551615]}}"#;
    assert!(wrong_header(far, 8).contains("is truncated"));
    let twice = r#"{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[],"data_offsets":[4,8]}}"#;
    assert!(wrong_header(twice, 8).contains("duplicate tensor a"));
    assert!(wrong_header("[]", 0).contains(
        "model.safetensors: invalid type: sequence, expected an object that maps names to tensors"
    ));
    assert!(wrong_header("{", 0).contains("EOF while parsing"));
}

#[test]
fn a_tensor_that_is_in_two_files_is_named_and_all_that_is_wrong_is_told() {
    let made = Made::new(&llama_config());
    made.write("config.json", "[");
    made.weights("model-a.safetensors", &[row("a", &[1])]);
    made.weights("model-b.safetensors", &[row("a", &[1])]);
    let text = error(&made);
    assert!(text.contains("config.json is not JSON"), "{text}");
    assert!(
        text.contains("duplicate tensor a: in model-a.safetensors and in model-b.safetensors"),
        "{text}"
    );
}
