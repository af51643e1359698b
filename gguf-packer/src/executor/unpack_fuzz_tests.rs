//! No bytes of an archive make the reader panic or hang; what it takes lies inside, and what it refuses leaves
//! nothing.

use std::time::{Duration, Instant};

use tar::{Builder, Header};

use super::*;
use crate::executor::testing::{Bench, add};
use crate::language::instruction::AddSource;
use crate::mutation::{Dice, change};

/// A small tar of everything that an archive has.
fn sample() -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    let mut put = |kind, path: &str, link: &str, bytes: &[u8]| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        if link.is_empty() {
            tar.append_data(&mut header, path, bytes).unwrap();
        } else {
            tar.append_link(&mut header, path, link).unwrap();
        }
    };
    put(EntryType::Directory, "d/", "", b"");
    put(EntryType::Regular, "d/a", "", &[7; 700]);
    put(EntryType::Link, "d/b", "d/a", b"");
    put(EntryType::Symlink, "d/c", "../x", b"");
    put(EntryType::Regular, &format!("{}x", "long/".repeat(30)), "", b"text");
    put(EntryType::XHeader, "pax", "", b"16 path=d/paxes\n");
    put(EntryType::Regular, "x", "", b"0123456789");
    tar.into_inner().unwrap()
}

#[test]
fn changed_archives_are_taken_or_refused() {
    let bench = Bench::new();
    let (mut dice, begin, mut taken) = (Dice(5), Instant::now(), 0);
    for _ in 0..1_000 {
        let mut bytes = sample();
        for _ in 0..=dice.below(3) {
            change(&mut bytes, &mut dice);
        }
        bench.write("x.tar", &bytes);
        let built = bench.build(&[add(AddSource::Path("x.tar".to_owned()), "/d")]);
        assert_eq!(bench.leftovers(), [""; 0], "{built:?}");
        assert!(begin.elapsed() < Duration::from_secs(60), "it hangs");
        let stage = match built {
            Ok(stage) => stage,
            Err(error) => {
                assert!(error.starts_with("GGUFPackerfile:2:1: "), "{error}");
                continue;
            }
        };
        for entry in stage.entries.iter() {
            let mut parts = entry.path.split('/');
            assert!(parts.all(|part| !["", ".", ".."].contains(&part)), "{entry:?}");
            assert!(entry.path == "d" || entry.path.starts_with("d/"), "{entry:?}");
            if let Kind::Link { target } = &entry.kind {
                let folder = entry.path.rsplit_once('/').map_or("", |(folder, _)| folder);
                let inside = path::clean(&format!("{folder}/{target}"));
                assert!(inside.is_some_and(|to| to == "d" || to.starts_with("d/")), "{entry:?}");
            }
        }
        taken += 1;
    }
    assert!(taken > 100, "{taken}");
    bench.store.check(true).unwrap();
}
