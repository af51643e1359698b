//! Made-up archives, honest and evil.

use std::io::Write;
use std::path::PathBuf;

use flate2::{Compression, write::GzEncoder};
use tar::{Builder, Header};

use super::*;

/// An archive of (raw path, type, mode, content).
fn archive(dir: &Path, entries: &[(&str, EntryType, u32, &[u8])]) -> PathBuf {
    let at = dir.join("a.tar.gz");
    let mut tar = Builder::new(GzEncoder::new(File::create(&at).unwrap(), Compression::fast()));
    for (path, kind, mode, content) in entries {
        let mut header = Header::new_ustar();
        // `set_path` would refuse what an attacker writes.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_size(content.len() as u64);
        if *kind == EntryType::Symlink {
            header.set_link_name("/etc").unwrap();
        }
        header.set_cksum();
        tar.append(&header, *content).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap();
    at
}

fn refusal(entries: &[(&str, EntryType, u32, &[u8])], bounds: Bounds) -> String {
    let dir = tempfile::tempdir().unwrap();
    let at = archive(dir.path(), entries);
    let to = dir.path().join("to");
    let error = unpack(&at, &Part::Strip(0), &to, bounds, &mut |_| ()).unwrap_err().to_string();
    assert!(!dir.path().join("out").exists());
    error.replace(&dir.path().display().to_string(), "D")
}

#[test]
fn a_tree_comes_out_as_it_went_in() {
    let dir = tempfile::tempdir().unwrap();
    let at = archive(
        dir.path(),
        &[
            ("pax_global_header", EntryType::XGlobalHeader, 0o644, b"52 comment=abc\n"),
            ("top/", EntryType::Directory, 0o775, b""),
            ("top/run", EntryType::Regular, 0o4775, b"#!"),
            ("top/sub/file", EntryType::Regular, 0o600, b"x"),
            ("other", EntryType::Regular, 0o644, b"y"),
        ],
    );
    for (part, name) in [(Part::Strip(1), "a"), (Part::Folder("top".into()), "b")] {
        let to = dir.path().join(name);
        let executables = unpack(&at, &part, &to, Bounds::default(), &mut |_| ()).unwrap();
        assert_eq!(executables, BTreeSet::from(["run".to_owned()]));
        assert_eq!(fs::read(to.join("sub/file")).unwrap(), b"x");
        let entries = crate::tree::walk(&to, &|_| true).unwrap();
        assert_eq!(entries.len(), 2);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(to.join("run")).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o755, "set-user-id must not survive");
        }
    }
}

#[test]
fn evil_archives_are_refused() {
    let file = EntryType::Regular;
    let cases: &[(&str, EntryType, &str)] = &[
        ("../out", file, "refused to unpack D/a.tar.gz: `../out` leaves the folder"),
        ("a/../../out", file, "refused to unpack D/a.tar.gz: `a/../../out` leaves the folder"),
        ("/out", file, "refused to unpack D/a.tar.gz: `/out` is absolute"),
        ("link", EntryType::Symlink, "refused to unpack D/a.tar.gz: `link` is a link"),
        ("link", EntryType::Link, "refused to unpack D/a.tar.gz: `link` is a link"),
        ("tty", EntryType::Char, "refused to unpack D/a.tar.gz: `tty` is a device"),
        ("pipe", EntryType::Fifo, "refused to unpack D/a.tar.gz: `pipe` is a device"),
        (
            "s",
            EntryType::new(b'?'),
            "refused to unpack D/a.tar.gz: `s` is neither a file nor a folder",
        ),
    ];
    for (path, kind, message) in cases {
        assert_eq!(refusal(&[(path, *kind, 0o644, b"")], Bounds::default()), *message);
    }
    let twice = refusal(&[("f", file, 0o644, b"1"), ("f", file, 0o644, b"2")], Bounds::default());
    assert!(twice.starts_with("cannot unpack D/to/f: File exists"), "{twice}");
}

#[test]
fn bombs_are_refused() {
    let file = EntryType::Regular;
    let many: Vec<_> = (0..4).map(|_| ("d/", EntryType::Directory, 0o755, &b""[..])).collect();
    let few = Bounds { entries: 3, ..Bounds::default() };
    assert_eq!(refusal(&many, few), "refused to unpack D/a.tar.gz: more than 3 entries");
    let zeros = vec![0; 100_000];
    let small = Bounds { bytes: 50_000, ..Bounds::default() };
    assert_eq!(
        refusal(&[("zeros", file, 0o644, &zeros)], small),
        "cannot unpack D/to/zeros: it unpacks to more than 50000 bytes"
    );
}

#[test]
fn a_broken_archive_is_damaged_not_empty() {
    let dir = tempfile::tempdir().unwrap();
    let noise: Vec<u8> =
        (0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let at = archive(dir.path(), &[("f", EntryType::Regular, 0o644, &noise)]);
    let whole = fs::read(&at).unwrap();
    let half = dir.path().join("half.tar.gz");
    File::create(&half).unwrap().write_all(&whole[..whole.len() / 2]).unwrap();
    let run = |at: &Path, to: &str| {
        let error =
            unpack(at, &Part::Strip(0), &dir.path().join(to), Bounds::default(), &mut |_| ());
        error.unwrap_err().to_string().replace(&dir.path().display().to_string(), "D")
    };
    assert_eq!(run(&half, "1"), "cannot unpack D/1/f: incomplete deflate stream");
    fs::write(&half, "<html>not found</html>").unwrap();
    assert_eq!(run(&half, "2"), "damaged archive D/half.tar.gz: invalid gzip header");
}

#[test]
fn the_tree_is_found_in_any_layout() {
    let dir = tempfile::tempdir().unwrap();
    let find = |paths: &[&str]| {
        let entries: Vec<_> =
            paths.iter().map(|path| (*path, EntryType::Regular, 0o644, &b""[..])).collect();
        find_tree(&archive(dir.path(), &entries), Bounds::default(), &mut |_| ())
    };
    // Headers alone (the source package has such a folder further up) and a tree inside the tree.
    let decoys = ["p/src/include/llama.h", "p/q/r/x/CMakeLists.txt", "p/q/r/x/include/llama.h"];
    let tree = ["p/q/r/CMakeLists.txt", "p/q/r/include/llama.h"];
    assert_eq!(find(&[&decoys[..], &tree].concat()).unwrap(), Part::Folder("p/q/r".into()));
    assert_eq!(find(&["include/llama.h", "CMakeLists.txt"]).unwrap(), Part::Strip(0));
    let error = find(&decoys[..1]).unwrap_err().to_string();
    assert_eq!(
        error.replace(&dir.path().display().to_string(), "D"),
        "archive without llama.cpp: D/a.tar.gz\n  looked in: all its folders, for CMakeLists.txt \
        and include/llama.h"
    );
}
