//! Made-up archives, honest and evil.

use std::io::Write;
use std::path::PathBuf;

use flate2::{Compression, write::GzEncoder};
use tar::{Builder, Header};

use super::*;

/// Raw path, type, mode, and content or target.
type Made<'a> = (&'a str, EntryType, u32, &'a [u8]);

fn archive(dir: &Path, entries: &[Made<'_>]) -> PathBuf {
    let at = dir.join("a.tar.gz");
    let mut tar = Builder::new(GzEncoder::new(File::create(&at).unwrap(), Compression::fast()));
    for (path, kind, mode, content) in entries {
        let mut header = Header::new_ustar();
        // `set_path` would refuse what an attacker writes.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        let mut content = *content;
        if *kind == EntryType::Symlink {
            header.as_old_mut().linkname[..content.len()].copy_from_slice(content);
            content = b"";
        }
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.append(&header, content).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap();
    at
}

fn refusal(entries: &[Made<'_>], contents: Contents, bounds: Bounds) -> String {
    let dir = tempfile::tempdir().unwrap();
    let at = archive(dir.path(), entries);
    let to = dir.path().join("to");
    let error = match contents {
        Contents::Source => unpack(&at, &Part::Strip(0), &to, bounds, &mut |_| ()).map(drop),
        Contents::Distribution => unpack_distribution(&at, &to, bounds).map(drop),
    };
    assert!(!dir.path().join("out").exists());
    error.unwrap_err().to_string().replace(&dir.path().display().to_string(), "D")
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

#[cfg(unix)]
#[test]
fn a_distribution_comes_out_as_it_went_in() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let at = archive(
        dir.path(),
        &[
            ("d/", EntryType::Directory, 0o555, b""),
            ("d/bin/x", EntryType::Symlink, 0o777, b"../x"),
            ("d/bin/", EntryType::Directory, 0o755, b""),
            ("d/x", EntryType::Regular, 0o666, b"content"),
        ],
    );
    let top = unpack_distribution(&at, &dir.path().join("to"), Bounds::default()).unwrap();
    assert_eq!(top, dir.path().join("to/d"));
    assert_eq!(fs::read_to_string(top.join("bin/x")).unwrap(), "content");
    let mode = |path: &str| fs::metadata(top.join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!([mode("."), mode("bin"), mode("x")], [0o555, 0o755, 0o666]);
    set_mode(&top, 0o755).unwrap();
}

#[test]
fn evil_archives_are_refused() {
    use EntryType::{Block, Char, Fifo, Link, Regular, Symlink};
    for (entry, why) in [
        (("../out", Regular, 0o644, ""), "`../out` leaves the folder"),
        (("a/../../out", Regular, 0o644, ""), "`a/../../out` leaves the folder"),
        (("/out", Regular, 0o644, ""), "`/out` is absolute"),
        (("d/link", Symlink, 0o777, "/out"), "`d/link` is a link to `/out`"),
        (("d/bin/x", Symlink, 0o777, "../y"), "`d/bin/x` is a link to `../y`"),
        (("d/bin/x", Symlink, 0o777, "../../x"), "`d/bin/x` is a link to `../../x`"),
        (("d/bin/", Symlink, 0o777, ".."), "`d/bin/` is a link to `..`"),
        (("d/bin/..", Symlink, 0o777, "../.."), "`d/bin/..` is a link to `../..`"),
        (("../bin/x", Symlink, 0o777, "../x"), "`../bin/x` is a link to `../x`"),
        (("d/link", Link, 0o644, ""), "`d/link` is a link"),
        (("tty", Char, 0o644, ""), "`tty` is a device"),
        (("disk", Block, 0o644, ""), "`disk` is a device"),
        (("pipe", Fifo, 0o644, ""), "`pipe` is a device"),
        (("s", EntryType::new(b'?'), 0o644, ""), "`s` is neither a file nor a folder"),
    ] {
        let (path, kind, mode, content) = entry;
        for contents in [Contents::Source, Contents::Distribution] {
            let entries = [(path, kind, mode, content.as_bytes())];
            let said = refusal(&entries, contents, Bounds::default());
            // A link that a distribution may have is refused for its place.
            let placed = contents == Contents::Distribution
                && said == format!("refused archive D/a.tar.gz: `{path}` leaves the folder");
            assert!(placed || said == format!("refused archive D/a.tar.gz: {why}"), "{said}");
        }
    }
    for contents in [Contents::Source, Contents::Distribution] {
        let twice = refusal(&[("d/f", Regular, 0o644, &b"1"[..]); 2], contents, Bounds::default());
        assert!(twice.starts_with("cannot unpack D/to/d/f: File exists"), "{twice}");
    }
}

#[cfg(unix)]
#[test]
fn a_distribution_s_archive_is_one_folder_without_tricks() {
    use EntryType::{Directory, Regular, Symlink};
    let link = ("d/bin/x", Symlink, 0o777, &b"../x"[..]);
    let file = |path| (path, Regular, 0o644, &b""[..]);
    let refused = |why: &str| format!("refused archive D/a.tar.gz: {why}");
    let one_folder = refused("it must hold exactly one folder");
    let exists = "cannot unpack D/to/d/bin/x: File exists (os error 17)".to_owned();
    for (entries, said) in [
        (vec![("d/x", Regular, 0o4755, &b""[..])], refused("`d/x` has mode 4755")),
        (vec![file("d/x"), file("e/x")], one_folder.clone()),
        (vec![file("x")], one_folder.clone()),
        (vec![("./", Directory, 0o755, b"")], one_folder),
        // Nothing is written through a link, and none replaces what is there.
        (vec![link, file("d/bin/x")], exists.clone()),
        (vec![link, link], exists.clone()),
        (vec![link, file("d/bin/x/out")], exists),
    ] {
        assert_eq!(refusal(&entries, Contents::Distribution, Bounds::default()), said);
    }
}

#[test]
fn bombs_are_refused() {
    let file = EntryType::Regular;
    let many: Vec<_> = (0..4).map(|_| ("d/", EntryType::Directory, 0o755, &b""[..])).collect();
    let few = Bounds { entries: 3, ..Bounds::default() };
    let zeros = vec![0; 100_000];
    let small = Bounds { bytes: 50_000, ..Bounds::default() };
    for contents in [Contents::Source, Contents::Distribution] {
        let said = refusal(&many, contents, few);
        assert_eq!(said, "refused archive D/a.tar.gz: more than 3 entries");
        assert_eq!(
            refusal(&[("d/zeros", file, 0o644, &zeros)], contents, small),
            "cannot unpack D/to/d/zeros: it unpacks to more than 50000 bytes"
        );
    }
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
        "no llama.cpp in the archive D/a.tar.gz\n  \
         looked in: every folder of it, for CMakeLists.txt and include/llama.h"
    );
}
