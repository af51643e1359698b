//! Layers that are made here, packed and not.

use super::super::layout::tests::{archive, tar};
use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn contents(layers: &[&[u8]]) -> Result<Contents> {
    let names: Vec<String> = (0..layers.len()).map(|number| format!("layer{number}")).collect();
    let entries: Vec<(&str, &[u8])> =
        names.iter().map(String::as_str).zip(layers.iter().copied()).collect();
    let (_dir, mut archive) = archive(&entries);
    Contents::read(&mut archive, &Image { platform: "linux/amd64".into(), layers: names })
}

#[test]
fn a_layer_weighs_the_same_packed_and_not() {
    let plain = tar(&[("app/llama-server", &[7; 5000]), ("etc/passwd", b"root")]);
    let packed = gzip(&plain);
    let contents = contents(&[&plain, &packed]).unwrap();
    let [plain, other] = &contents.layers[..] else { panic!("two layers") };
    assert_eq!((plain.size, plain.gzip), (5004, packed.len() as u64));
    assert_eq!(plain, other);
}

#[test]
fn parts_are_files_of_the_payload_and_folders_of_the_system() {
    let layer = tar(&[
        ("app/libggml-cpu-x64.so", &[1; 30]),
        ("app/libggml-cpu-zen4.so", &[1; 30]),
        ("app/libllama.so", &[1; 40]),
        ("app/licenses/crates/a.txt", &[1; 3]),
        ("app/licenses/b.txt", &[1; 2]),
        ("usr/lib/x86_64-linux-gnu/libc.so.6", &[1; 90]),
        ("etc/passwd", &[1; 1]),
        ("entry", &[1; 1]),
    ]);
    let layer = &contents(&[&layer]).unwrap().layers[0];
    let parts: Vec<String> =
        layer.parts().into_iter().map(|(part, size)| format!("{part} {size}")).collect();
    assert_eq!(
        parts,
        [
            "usr/lib 90",
            "app/libggml-cpu-* 60",
            "app/libllama.so 40",
            "app/licenses 5",
            "entry 1",
            "etc 1"
        ]
    );
}

#[test]
fn files_that_nobody_sees_are_found() {
    let first = tar(&[("a", b"1"), ("b/c", b"22"), ("b/d/e", b"333"), ("bb", b"4444")]);
    let second = tar(&[("a", b"xx"), (".wh.b", b"")]);
    let contents = contents(&[&first, &second]).unwrap();
    let hidden: Vec<_> = contents.hidden().into_iter().collect();
    assert_eq!(hidden, [("a", 1), ("b/c", 2), ("b/d/e", 3)]);
    assert_eq!(contents.layers[1].size, 2, "a whiteout is no file");
}

#[test]
fn a_shell_is_found_under_both_of_its_names() {
    for (path, wanted) in [("bin/sh", true), ("usr/bin/sh", true), ("app/bin/sh", false)] {
        assert_eq!(contents(&[&tar(&[(path, b"")])]).unwrap().has_shell, wanted, "{path}");
    }
}

#[test]
fn a_version_that_is_not_ours_is_none() {
    let layer = tar(&[("app/version.json", br#"{"version":"1"}"#)]);
    assert!(contents(&[&layer]).unwrap().version.is_none());
}

#[test]
fn zstd_is_told() {
    let error = contents(&[&[0x28, 0xb5, 0x2f, 0xfd, 0]]).unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        "cannot read the layer layer0: zstd compression is not supported\n  hint: save the image, \
        and measure the file: docker image save -o FILE IMAGE"
    );
}
