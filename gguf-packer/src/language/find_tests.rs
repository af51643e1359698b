//! Tests of `find.rs`.

use std::fs;

use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

/// The name of what is found, or what is told, without the folder.
fn found(files: &[(&str, &str)], file: Option<&str>) -> Result<String, String> {
    let folder = folder(files);
    let file = file.map(|name| folder.path().join(name));
    let short = |text: String| text.replace(&format!("{}", folder.path().display()), "DIR");
    match script(folder.path(), file.as_deref()) {
        Ok(found) => Ok(short(found.path.display().to_string()).replace('\\', "/")),
        Err(error) => Err(short(error.to_string()).replace('\\', "/")),
    }
}

const OURS: &str = "# syntax=gpustack/gguf-packer:latest\nFROM scratch";

#[test]
fn the_file_is_found_by_its_name() {
    let ours = ("Dockerfile", OURS);
    let packer = ("GGUFPackerfile", "FROM scratch");
    assert_eq!(found(&[ours, packer], None), Ok("DIR/GGUFPackerfile".to_owned()));
    assert_eq!(found(&[ours], None), Ok("DIR/Dockerfile".to_owned()));
    assert_eq!(found(&[packer, ("other", "x")], Some("other")), Ok("DIR/other".to_owned()));
    assert_eq!(
        found(&[("Dockerfile", "RUN x")], Some("Dockerfile")),
        Ok("DIR/Dockerfile".to_owned())
    );
}

#[test]
fn what_is_no_file_of_ours_is_told() {
    for (files, file, told) in [
        (
            vec![],
            None,
            "no GGUFPackerfile found\n  looked in: DIR\n  hint: write a GGUFPackerfile, or name \
            another file: -f FILE",
        ),
        (
            vec![("Dockerfile", "# syntax=docker/dockerfile:1\nFROM x")],
            None,
            "DIR/Dockerfile is written for another frontend, docker/dockerfile:1\n  hint: begin \
            it with the line: # syntax=gpustack/gguf-packer:latest\n  hint: or build it anyway: \
            -f Dockerfile",
        ),
        (
            vec![("Dockerfile", "FROM x")],
            None,
            "DIR/Dockerfile does not name gguf-packer as its frontend\n  hint: begin it with the \
            line: # syntax=gpustack/gguf-packer:latest\n  hint: or build it anyway: -f Dockerfile",
        ),
        (
            vec![],
            Some("none"),
            "file not found: DIR/none\n  hint: put the folder last, and name the file with -f: \
            gguf-packer build -f FILE FOLDER",
        ),
        (
            vec![],
            Some(""),
            "DIR/ is a folder, not a file\n  hint: put the folder last, and name the file with \
            -f: gguf-packer build -f FILE FOLDER",
        ),
    ] {
        assert_eq!(found(&files, file), Err(told.to_owned()));
    }
}

#[test]
fn a_file_that_is_no_text_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("GGUFPackerfile");
    fs::write(&path, b"FROM scratch\nLABEL \xc3\xa9=\xff").expect("a file");
    let told = script(folder.path(), None).expect_err("no text").to_string();
    assert!(
        told.ends_with("GGUFPackerfile:2:9: this is not UTF-8\n  hint: save the file as UTF-8"),
        "{told}"
    );
    fs::write(&path, vec![b' '; (LONGEST + 1) as usize]).expect("a file");
    let told = script(folder.path(), None).expect_err("too long").to_string();
    assert!(
        told.contains("is larger than 1 MiB, which is too large for a GGUFPackerfile"),
        "{told}"
    );
}

#[test]
fn the_nearest_ignore_file_holds() {
    let all = [
        ("F", ""),
        ("F.ggufpackerignore", "a"),
        ("F.dockerignore", "b"),
        (".ggufpackerignore", "c"),
        (".dockerignore", "d"),
    ];
    for (first, kept_out) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
        let folder = folder(&all[first..]);
        let (path, ignore) =
            ignore(folder.path(), &folder.path().join("F")).expect("read").expect("a file");
        assert!(path.ends_with(all[first].0));
        assert!(ignore.excludes(kept_out));
    }
    let empty = folder(&[]);
    assert_eq!(ignore(empty.path(), &empty.path().join("F")).expect("read"), None);
    let broken = folder(&[(".dockerignore", "[")]);
    assert!(ignore(broken.path(), &broken.path().join("F")).is_err());
}

#[test]
fn a_syntax_is_ours_by_its_name() {
    for ours in [
        "gpustack/gguf-packer:latest",
        "thxcode/gguf-packer",
        "localhost:5000/gguf-packer@sha256:0",
    ] {
        assert!(is_ours(ours), "{ours}");
    }
    for other in ["docker/dockerfile:1", "gguf-packer/other", "x:gguf-packer", ""] {
        assert!(!is_ours(other), "{other}");
    }
}
