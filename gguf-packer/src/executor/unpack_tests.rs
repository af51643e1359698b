//! Archives of every kind, good and bad.

use std::io::Write;

use crate::executor::testing::{Bench, add, copy};
use crate::language::instruction::{AddSource, Instruction};
use crate::store::testing::zstd;

/// A tar of `path=text`, `path/`, `path->target`, `path=>hard link`; names stand in it as they are said.
fn tar(lines: &[&str]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for line in lines {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o640);
        header.set_uid(5);
        let (path, kind, link, text) = if let Some((path, link)) = line.split_once("=>") {
            (path, tar::EntryType::Link, link, "")
        } else if let Some((path, link)) = line.split_once("->") {
            (path, tar::EntryType::Symlink, link, "")
        } else if let Some((path, text)) = line.split_once('=') {
            (path, tar::EntryType::Regular, "", text)
        } else {
            (*line, tar::EntryType::Directory, "", "")
        };
        header.set_entry_type(kind);
        header.set_size(text.len() as u64);
        let raw = header.as_mut_bytes();
        raw[..path.len()].copy_from_slice(path.as_bytes());
        raw[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        archive.append(&header, text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn add_file(name: &str) -> Instruction {
    add(AddSource::Path(name.to_owned()), "/d")
}

fn built(bench: &Bench, step: Instruction) -> Result<Vec<String>, String> {
    bench.build(&[step]).map(|stage| bench.shown(&stage))
}

#[test]
fn archives_become_what_is_in_them() {
    let bytes = tar(&["./", "a=1", "s/", "s/b=2", "s/l->../a", "h=>a", "m.gguf=weights"]);
    let expected = [
        "d/",
        "d/a = 1 640",
        "d/h = 1 640",
        "d/m.gguf = weights 640",
        "d/s/ 640",
        "d/s/b = 2 640",
        "d/s/l -> ../a 640",
    ];
    for (name, bytes) in [("x.tar", bytes.clone()), ("x.tgz", gzip(&bytes)), ("x", zstd(&bytes))] {
        let bench = Bench::new();
        bench.write(name, bytes);
        let stage = bench.build(&[add_file(name)]).expect(name);
        assert_eq!(bench.shown(&stage), expected, "{name}");
        assert_eq!(bench.layers(&stage).last().map(String::as_str), Some("d d/m.gguf"));
        bench.build(&[add_file(name)]).expect(name);
        assert!(bench.was_cached(&add_file(name)), "{name}");
    }
}

#[test]
fn what_is_no_archive_stays_what_it_is() {
    let bench = Bench::new();
    bench.write("a.tar", "not one");
    bench.write("b.gz", gzip(b"text"));
    bench.write("c.gguf", "GGUF and more");
    bench.write("empty", "");
    for (name, size) in
        [("a.tar", 7), ("b.gz", gzip(b"text").len() as u64), ("c.gguf", 13), ("empty", 0)]
    {
        let stage = bench.build(&[add_file(name)]).expect(name);
        let kind = &stage.entries.get("d").expect(name).kind;
        assert!(
            matches!(kind, crate::tree::Kind::File { size: found, .. } if *found == size),
            "{name}"
        );
    }
    bench.write("x.tar", tar(&["a=1"]));
    let stage = bench.build(&[copy("x.tar", "/")]).expect("COPY unpacks nothing");
    assert!(stage.entries.get("x.tar").is_some());
}

#[test]
fn what_leads_out_of_an_archive_is_refused_by_its_name() {
    for (line, why) in [
        ("../e=1", "`../e` is outside the archive"),
        ("a/../../e=1", "`a/../../e` is outside the archive"),
        ("/etc/e=1", "`/etc/e` is absolute"),
        ("l->/etc/passwd", "`l` links to `/etc/passwd`, which is outside the archive"),
        ("s/l->../../x", "`s/l` links to `../../x`, which is outside the archive"),
        ("h=>../x", "`../x` is outside the archive"),
        ("h=>none", "`h` is a hard link to `none`, which is not a file in the archive"),
    ] {
        let bench = Bench::new();
        bench.write("x.tar", tar(&["ok=1", line]));
        let error = built(&bench, add_file("x.tar")).expect_err(line);
        let expected = format!("GGUFPackerfile:2:1: refused to unpack `x.tar`: {why}\n");
        assert!(error.starts_with(&expected), "{error}");
        assert_eq!(bench.leftovers(), [""; 0], "{line}");
    }
    let bench = Bench::new();
    bench.write("x.tar", tar(&["l->ok", "ok=1", "l/e=2"]));
    let error = built(&bench, add_file("x.tar")).expect_err("through a link");
    assert!(
        error.contains("refused to unpack `x.tar`: `l/e` is inside `l`, which is not a folder"),
        "{error}"
    );
}

/// A header of an entry of `kind` that claims `size` bytes.
fn claims(kind: u8, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_path("a").unwrap();
    header.set_mode(0o644);
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_size(size);
    header.set_cksum();
    header
}

#[test]
fn an_archive_that_unpacks_to_far_more_than_it_is_is_refused_before_it_does() {
    let long_name = |size: usize| {
        let mut bytes = claims(b'L', size as u64).as_bytes().to_vec();
        bytes.resize(512 + size, b'n');
        gzip(&bytes)
    };
    let mut hole = claims(b'S', 0);
    let sparse = hole.as_gnu_mut().unwrap();
    sparse.sparse[0].set_offset(1 << 60);
    sparse.sparse[0].set_length(0);
    sparse.set_real_size(1 << 60);
    hole.set_cksum();
    for (name, bytes, said) in [
        (
            "x.tar",
            claims(b'0', 1 << 40).as_bytes().to_vec(),
            "it unpacks to far more than its own size",
        ),
        (
            "y.tar",
            [&hole.as_bytes()[..], &[0; 1024]].concat(),
            "it unpacks to far more than its own size",
        ),
        ("z.tgz", long_name(4 << 20), "the headers of an entry have more than 1048576 bytes"),
    ] {
        let bench = Bench::new();
        bench.write(name, bytes);
        let error = built(&bench, add_file(name)).expect_err(name);
        assert!(error.starts_with("GGUFPackerfile:2:1: ") && error.contains(name), "{error}");
        assert!(error.contains(said), "{error}");
        assert_eq!(bench.leftovers(), [""; 0], "{name}");
    }
}

#[test]
fn devices_and_pipes_of_an_archive_are_refused() {
    for kind in *b"346" {
        let bench = Bench::new();
        bench.write("x.tar", claims(kind, 0).as_bytes());
        let error = built(&bench, add_file("x.tar")).expect_err("it is no file");
        assert!(
            error.contains("refused to unpack `x.tar`: `a` is not a file, a folder or a link"),
            "{error}"
        );
    }
}

#[test]
fn a_damaged_archive_is_told() {
    let bench = Bench::new();
    let bytes = tar(&["a=1", "b=2"]);
    bench.write("x.tar", &bytes[..1400]);
    let error = built(&bench, add_file("x.tar")).expect_err("it is cut");
    assert!(error.starts_with("GGUFPackerfile:2:1: the archive `x.tar` is damaged: "), "{error}");
    let packed = gzip(&tar(&["a=1", &format!("b={}", "x".repeat(5000))]));
    bench.write("y.tgz", &packed[..packed.len() - 12]);
    let error = built(&bench, add_file("y.tgz")).expect_err("it is cut");
    assert!(error.contains("the archive `y.tgz` is damaged: "), "{error}");
}

#[test]
fn archives_that_cannot_be_unpacked_say_what_to_do() {
    let bench = Bench::new();
    bench.write("x.tar.xz", b"\xfd7zXZ\0rest");
    let error = built(&bench, add_file("x.tar.xz")).expect_err("xz");
    let expected = "GGUFPackerfile:2:1: cannot unpack `x.tar.xz`: supported formats are tar, \
        tar.gz and tar.zst\n  | ADD x.tar.xz /d\n  hint: unpack it before the build: tar xf \
        x.tar.xz\n  hint: or keep it packed: `COPY x.tar.xz …`";
    assert_eq!(error, expected);
    bench.write("y.xz", b"\xfd7zXZ\0rest");
    built(&bench, add_file("y.xz")).expect("a packed file that is no archive");
}

#[test]
fn a_path_that_is_too_long_is_refused_before_anything_grows_with_it() {
    let long = |names: usize| {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(0);
        archive.append_data(&mut header, format!("{}f", "d/".repeat(names)), &b""[..]).unwrap();
        archive.into_inner().unwrap()
    };
    for (names, why) in [(40_000, "is too long"), (256, "is more than 256 folders deep")] {
        let bench = Bench::new();
        bench.write("x.tar", long(names));
        let error = built(&bench, add_file("x.tar")).expect_err(why);
        let start = "d/".repeat(20);
        assert!(
            error.contains(&format!("refused to unpack `x.tar`: `{start}…` {why}\n")),
            "{error}"
        );
    }
    let bench = Bench::new();
    bench.write("x.tar", long(254));
    assert_eq!(built(&bench, add_file("x.tar")).expect("it builds").len(), 256);
}
