//! Made-up archives of distributions, honest and evil.

use flate2::{Compression, write::GzEncoder};
use tar::{Builder, Header};

use super::*;

/// Raw path, type, mode, and content or target.
type Made<'a> = (&'a str, EntryType, u32, &'a str);

fn archive(dir: &Path, entries: &[Made<'_>]) -> PathBuf {
    let at = dir.join("a.tar.gz");
    let mut tar = Builder::new(GzEncoder::new(File::create(&at).unwrap(), Compression::fast()));
    for (path, kind, mode, content) in entries {
        let mut header = Header::new_ustar();
        // `set_path` would refuse what an attacker writes.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        let mut content = content.as_bytes();
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

fn refusal(entries: &[Made<'_>]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let at = archive(dir.path(), entries);
    let bounds = Bounds { entries: 4, bytes: 10_000 };
    let error = unpack_within(&at, &dir.path().join("to"), bounds).unwrap_err();
    assert!(!dir.path().join("out").exists());
    format!("{error:#}").replace(&dir.path().display().to_string(), "D")
}

#[cfg(unix)]
#[test]
fn a_distribution_comes_out_as_it_went_in() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let at = archive(
        dir.path(),
        &[
            ("d/", EntryType::Directory, 0o555, ""),
            ("d/bin/", EntryType::Directory, 0o755, ""),
            ("d/bin/x", EntryType::Symlink, 0o777, "../x"),
            ("d/x", EntryType::Regular, 0o666, "content"),
        ],
    );
    let top = unpack(&at, &dir.path().join("to")).unwrap();
    assert_eq!(top, dir.path().join("to/d"));
    assert_eq!(fs::read_to_string(top.join("bin/x")).unwrap(), "content");
    let mode = |path: &str| fs::metadata(top.join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!([mode("."), mode("bin"), mode("x")], [0o555, 0o755, 0o666]);
    set_mode(&top, 0o755).unwrap();
}

#[test]
fn what_an_attacker_writes_is_refused() {
    use EntryType::{Block, Link, Regular, Symlink};
    let large = "x".repeat(20_000);
    let cases: [(&[Made<'_>], &str); 12] = [
        (
            &[("../out", Regular, 0o644, "")],
            "refused to unpack D/a.tar.gz: `../out` leaves the folder",
        ),
        (&[("/out", Regular, 0o644, "")], "refused to unpack D/a.tar.gz: `/out` is absolute"),
        (
            &[("d/x", Symlink, 0o777, "/out")],
            "refused to unpack D/a.tar.gz: `d/x` is a link to `/out`",
        ),
        (
            &[("d/bin/x", Symlink, 0o777, "../y")],
            "refused to unpack D/a.tar.gz: `d/bin/x` is a link to `../y`",
        ),
        (
            &[("d/bin/x", Symlink, 0o777, "../../x")],
            "refused to unpack D/a.tar.gz: `d/bin/x` is a link to `../../x`",
        ),
        (
            &[("d/x", Link, 0o644, "")],
            "refused to unpack D/a.tar.gz: `d/x` is neither a file, nor a folder, nor a symbolic \
            link",
        ),
        (
            &[("d/x", Block, 0o644, "")],
            "refused to unpack D/a.tar.gz: `d/x` is neither a file, nor a folder, nor a symbolic \
            link",
        ),
        (&[("d/x", Regular, 0o4755, "")], "refused to unpack D/a.tar.gz: `d/x` has mode 4755"),
        (&[("d/x", Regular, 0o644, ""); 2], "cannot unpack D/a.tar.gz: File exists (os error 17)"),
        (
            &[("d/x", Regular, 0o644, ""), ("e/x", Regular, 0o644, "")],
            "refused to unpack D/a.tar.gz: it must contain exactly one folder",
        ),
        (
            &[("x", Regular, 0o644, "")],
            "refused to unpack D/a.tar.gz: it must contain exactly one folder",
        ),
        (
            &[("d/x", Regular, 0o644, &large)],
            "refused to unpack D/a.tar.gz: more than 4 entries or 10000 bytes",
        ),
    ];
    for (entries, message) in cases {
        assert_eq!(refusal(entries), message);
    }
    let paths = ["d/a", "d/b", "d/c", "d/d", "d/e"];
    let many = paths.map(|path| (path, Regular, 0o644, ""));
    assert_eq!(refusal(&many), "refused to unpack D/a.tar.gz: more than 4 entries or 10000 bytes");
}

#[test]
fn the_checksum_beside_an_archive_must_agree() {
    let dir = tempfile::tempdir().unwrap();
    let (at, beside) = (dir.path().join("a.tar.gz"), dir.path().join("a.tar.gz.sha256"));
    fs::write(&at, "x").unwrap();
    assert!(!check_sum(&at).unwrap());
    let sum = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    fs::write(&beside, format!("{sum}  a.tar.gz\n")).unwrap();
    assert!(check_sum(&at).unwrap());
    fs::write(&beside, "0  a.tar.gz\n").unwrap();
    assert_eq!(
        check_sum(&at).unwrap_err().to_string(),
        format!("{} has SHA-256 {sum}, but {} says 0", at.display(), beside.display())
    );
}
