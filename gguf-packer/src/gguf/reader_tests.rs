//! Tests of the reader: what it reads, and what it refuses.

use super::*;
use crate::gguf::write::Writer;

fn read(bytes: &[u8]) -> Result<Header, Error> {
    Header::read(bytes, bytes.len() as u64)
}

fn refused(bytes: &[u8]) -> String {
    let text = read(bytes).unwrap_err().to_string();
    text.lines().next().unwrap().to_owned()
}

/// `GGUF`, version 3, and these numbers of 8 bytes.
fn raw(numbers: &[u64]) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    numbers.iter().for_each(|n| bytes.extend(n.to_le_bytes()));
    bytes
}

#[test]
fn both_orders_of_bytes_are_read() {
    for (big, version) in [(false, 2), (false, 3), (true, 3)] {
        let mut writer = Writer::tiny_model();
        (writer.big, writer.version) = (big, version);
        let header = writer.header();
        assert_eq!((header.big_endian, header.version), (big, version));
        assert_eq!(header.text("general.architecture"), Some("qwen2"));
        assert_eq!(header.tensors[0].dimensions, [256, 3]);
        assert_eq!(header.data_start % 32, 0);
        assert_eq!(header.size, header.data_start + 544 + 1024);
    }
}

#[test]
fn a_vocabulary_is_measured_and_a_short_array_is_held() {
    let tokens = vec!["x"; 100_000];
    let writer =
        Writer::default().strings("tokenizer.ggml.tokens", &tokens).numbers("a.b", &[1, 2]);
    let header = writer.header();
    let Some(Value::Array(tokens)) = header.get("tokenizer.ggml.tokens") else { panic!() };
    assert_eq!((tokens.len, tokens.items.as_ref(), tokens.size), (100_000, None, 900_000));
    let Some(Value::Array(numbers)) = header.get("a.b") else { panic!() };
    assert_eq!(numbers.items, Some(vec![Value::Uint32(1), Value::Uint32(2)]));
}

#[test]
fn what_is_no_gguf_file_is_told_apart() {
    assert_eq!(refused(b"vers"), "not a GGUF file: it begins with `vers` instead of `GGUF`");
    assert_eq!(refused(b""), "the GGUF header is truncated: the file has 0 bytes");
    assert_eq!(
        refused(b"GGUF\x01\0\0\0"),
        "the GGUF file has version 1, which llama.cpp no longer reads"
    );
    assert_eq!(
        refused(b"GGUF\x04\0\0\0"),
        "unsupported GGUF version 4: versions 2 and 3 are supported"
    );
}

#[test]
fn numbers_that_cannot_be_are_one_sentence() {
    let huge = 1 << 60;
    assert_eq!(
        refused(&raw(&[huge, 0])),
        "the GGUF header is broken: it declares 1152921504606846976 tensors in a file of 24 bytes"
    );
    assert_eq!(
        refused(&raw(&[0, huge])),
        "the GGUF header is broken: it declares 1152921504606846976 keys in a file of 24 bytes"
    );
    // A key of 2^60 bytes, and one whose length wraps around.
    for length in [huge, u64::MAX] {
        assert_eq!(
            refused(&raw(&[0, 1, length, 0])),
            "the GGUF header is truncated: the file has 40 bytes"
        );
    }
    let mut array = raw(&[0, 1, 1]);
    array.extend(b"k\x09\0\0\0\x04\0\0\0");
    array.extend(huge.to_le_bytes());
    assert_eq!(
        refused(&array),
        "the GGUF header is broken: `k` declares 1152921504606846976 items in a file of 49 bytes"
    );
}

#[test]
fn a_huge_file_of_few_bytes_is_cut_off_and_not_waited_for() {
    let bytes = raw(&[0, 1, 1 << 20]);
    let error = Header::read(bytes.as_slice(), 1 << 40).unwrap_err().to_string();
    assert!(error.starts_with("the GGUF header is truncated"), "{error}");
    let bytes = raw(&[0, 1, 1 << 30]);
    let error = Header::read(bytes.as_slice(), 1 << 40).unwrap_err().to_string();
    assert!(error.contains("it has more than 16777216 bytes besides the vocabulary"), "{error}");
}

#[test]
fn tensors_that_cannot_be_are_refused() {
    let tensor = |count: u32, dimensions: &[u64], kind: u32, offset: u64| {
        let mut bytes = raw(&[1, 0, 1]);
        bytes.push(b't');
        bytes.extend(count.to_le_bytes());
        dimensions.iter().for_each(|n| bytes.extend(n.to_le_bytes()));
        bytes.extend(kind.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        bytes.resize(128 + 32, 0);
        bytes
    };
    assert!(read(&tensor(1, &[8], 0, 0)).is_ok());
    let broken = "the GGUF header is broken: ";
    let of = |bytes: &[u8]| refused(bytes).strip_prefix(broken).unwrap().to_owned();
    assert_eq!(
        of(&tensor(5, &[], 0, 0)),
        "the tensor `t` has 5 dimensions, but at most 4 are allowed"
    );
    assert_eq!(of(&tensor(1, &[8], 99, 0)), "the tensor `t` has the unknown type 99");
    assert_eq!(
        of(&tensor(1, &[8], 12, 0)),
        "a row of `t` has 8 elements, which is not a multiple of the block size of Q4_K, 256"
    );
    assert_eq!(of(&tensor(1, &[8], 0, 5)), "the weights of `t` are not aligned");
    let overflow = tensor(2, &[1 << 40, 1 << 40], 0, 0);
    let expected = "the dimensions of the tensor `t` are too large: [1099511627776, 1099511627776]";
    assert_eq!(of(&overflow), expected);
    assert_eq!(
        refused(&tensor(1, &[512], 0, 0)),
        "the file is truncated: the weights of `t` end at byte 2112, but the file has 160 bytes"
    );
    assert_eq!(
        refused(&tensor(1, &[8], 0, u64::MAX - 31)),
        "the file is truncated: the weights of `t` end past the 64-bit limit, but the file has \
        160 bytes"
    );
}

#[test]
fn keys_and_tensors_are_there_once_and_alignment_is_a_power_of_two() {
    let written = |writer: Writer| refused(&writer.bytes());
    let twice = Writer::default().u32("k", 1).u32("k", 2);
    assert_eq!(written(twice), "the GGUF header is broken: the key `k` is empty or a duplicate");
    let twice = Writer::default().tensor("t", &[1], "F32").tensor("t", &[1], "F32");
    assert_eq!(written(twice), "the GGUF header is broken: duplicate tensor `t`");
    let odd = Writer::default().u32("general.alignment", 24);
    let expected = "the GGUF header is broken: `general.alignment` is 24, which is not a power of \
        two";
    assert_eq!(written(odd), expected);
    let huge = Writer::default().u32("general.alignment", 1 << 31);
    let expected = "the GGUF header is broken: `general.alignment` is 2147483648, but at most \
        1048576 is allowed";
    assert_eq!(written(huge), expected);
    let text = Writer::default().text("general.alignment", "32");
    assert_eq!(
        written(text),
        "the GGUF header is broken: `general.alignment` is not of type uint32"
    );
}

/// Changes, cuts and lengthens a good file many times: each is read or refused, none panics or takes memory.
#[test]
fn no_mutation_of_a_header_is_more_than_an_error() {
    let good = Writer::tiny_model().numbers("qwen2.attention.head_count", &[2, 4]).bytes();
    let header_end = usize::try_from(read(&good).unwrap().data_start).unwrap();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).unwrap()
    };
    let interesting = [0, 1, 0x7f, 0x80, 0xff];
    let mut outcomes = (0, 0);
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..=random(4) {
            let at = random(header_end);
            bytes[at] = if random(2) == 0 { interesting[random(5)] } else { random(256) as u8 };
        }
        if random(4) == 0 {
            bytes.truncate(random(bytes.len()));
        }
        match read(&bytes) {
            Ok(header) => {
                // What can be read can be told.
                let model = crate::gguf::Model::new(vec![header]);
                outcomes.0 += usize::from(model.is_ok_and(|m| serde_json::to_string(&m).is_ok()));
            }
            Err(_) => outcomes.1 += 1,
        }
    }
    assert!(outcomes.0 > 100 && outcomes.1 > 100, "{outcomes:?}");
}
