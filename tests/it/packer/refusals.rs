//! Bad input: the line or the reference at fault is told, and what to do; nothing is half-stored.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use llama_tests::needs;
use llama_tests::packer::Packer;
use llama_tests::process::{command, finish};

/// A file that packs `m.gguf`.
const PLAIN: &str = "FROM scratch\nCOPY m.gguf .\nCMD [\"-m\", \"m.gguf\"]\n";

/// A packer with its demo model, and a folder to build in.
struct Bench {
    packer: Packer,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Option<Self> {
        let packer = Packer::new()?;
        let dir = tempfile::tempdir().unwrap();
        fs::copy(needs::demo_model()?, dir.path().join("m.gguf")).unwrap();
        Some(Self { packer, dir })
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.dir.path().join(name), content).unwrap();
    }

    /// The demo model's bytes.
    fn model(&self) -> Vec<u8> {
        fs::read(self.dir.path().join("m.gguf")).unwrap()
    }

    /// Builds `file`, which is refused with all of `said`, and leaves nothing.
    fn refuses(&self, file: &str, words: &[&str], said: &[&str]) {
        self.write("GGUFPackerfile", file);
        let done = self.packer.run_in(
            self.dir.path(),
            &[&["build", "--tag", "t", "--progress", "quiet"], words, &["."]].concat(),
        );
        for said in said {
            done.assert_refused(&format!("the build of {file:?}"), said);
        }
        assert!(!done.output.contains("panicked"), "{}", done.output);
        self.is_clean();
    }

    /// Nothing has a name, nothing is half there.
    fn is_clean(&self) {
        assert_eq!(self.packer.list(), [] as [serde_json::Value; 0]);
        assert_eq!(names(&self.packer.store().join("temp")), [""; 0]);
        let output = self.packer.does(&["store", "check", "--deep"]);
        assert!(output.contains("the store is intact: 0 images, 0 names"), "{output}");
    }
}

/// What lies in a folder, ordered.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A header that claims so many tensors and keys.
fn claims(tensors: u64, keys: u64) -> Vec<u8> {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend(tensors.to_le_bytes());
    bytes.extend(keys.to_le_bytes());
    bytes.resize(1024, 0);
    bytes
}

#[test]
fn a_file_of_weights_that_is_none_is_refused_at_its_command() {
    let Some(bench) = Bench::new() else { return };
    let whole = bench.model();
    let at = "GGUFPackerfile:3:1: /models/m.gguf: ";
    for (content, said) in [
        (Vec::new(), "the GGUF header is truncated: the file has 0 bytes"),
        (b"PK\x03\x04 and more of it".to_vec(), "not a GGUF file: it begins with `PK"),
        (claims(1 << 60, 0), "it declares 1152921504606846976 tensors in a file of 1024 bytes"),
        (claims(0, 1 << 60), "it declares 1152921504606846976 keys in a file of 1024 bytes"),
        (whole[..3000].to_vec(), "in a file of 3000 bytes"),
        (whole[..whole.len() - 100_000].to_vec(), "the file is truncated: the weights of `"),
        (
            b"version https://git-lfs.github.com/spec/v1\n".to_vec(),
            "hint: if it is a Git LFS pointer",
        ),
    ] {
        bench.write("m.gguf", content);
        bench.refuses(PLAIN, &[], &[at, said, "| CMD [\"-m\", \"m.gguf\"]"]);
    }
}

#[test]
fn what_the_file_says_wrongly_is_shown_with_its_line() {
    let Some(bench) = Bench::new() else { return };
    let of = |line: &str| format!("FROM scratch\n{line}\nCMD [\"-m\", \"m.gguf\"]\n");
    bench.refuses(
        &of("COPPY m.gguf .\nRUN true"),
        &[],
        &[
            "GGUFPackerfile:2:1: unknown instruction `COPPY`\n  2 | COPPY m.gguf .\n    | ^\n",
            "hint: did you mean `COPY`?",
            "GGUFPackerfile:3:1: RUN is not supported",
        ],
    );
    bench.refuses(
        "FROM scratch\nCOPY m.gguf .\nCMD [\"-c\", \"1\"]\nCMD [\"-c\", \"2\"]\n",
        &[],
        &[
            "GGUFPackerfile:3:7: CMD does not name a model",
            "GGUFPackerfile:4:7: CMD does not name a model",
        ],
    );
    bench.refuses(
        &of("COPY m.gguf other.gguf"),
        &[],
        &[
            "GGUFPackerfile:3:1: CMD: `-m` names `m.gguf`, which is not in the image",
            "/models/other",
        ],
    );
    bench.refuses(
        &of("COPY ../m.gguf ."),
        &[],
        &["2:1: forbidden path outside the build context \
        or stage: `../m.gguf`"],
    );
    bench.refuses(
        &of("COPY m.guf ."),
        &[],
        &["file or folder not found: `m.guf`", "did you mean `m.gguf`?"],
    );
    bench.refuses(
        &of("COPY /etc/passwd ."),
        &[],
        &["2:1: file or folder not found: `/etc/passwd`"],
    );
    bench.refuses(&of("ADD ftp://h/m.gguf ."), &[], &["unsupported URL: `ftp://h/"]);
    bench.refuses(
        &of("LABEL a=\0"),
        &[],
        &["GGUFPackerfile:2:9: not a text file: it contains a zero byte"],
    );
    bench.refuses(PLAIN, &["--build-arg", "=x"], &["`--build-arg =x` is not KEY=VALUE"]);
    bench.refuses(PLAIN, &["--platform", "x"], &["invalid platform `x`"]);
    bench.refuses(
        PLAIN,
        &["--target", "x"],
        &["GGUFPackerfile:1:1: target stage `x` could not be \
        found"],
    );
    bench.refuses(
        "FROM scratch\nCOPY --from=n m.gguf .\nCMD [\"-m\", \"m.gguf\"]\n",
        &["--build-context", "n=/no/such"],
        &["2:1: cannot read the folder /no/such", "--build-context NAME=FOLDER"],
    );
}

#[test]
fn quantizing_what_cannot_be_is_told_with_the_reason() {
    let Some(bench) = Bench::new() else { return };
    let of = |options: &str| {
        let quantize = format!("QUANTIZE {options} m.gguf q.gguf");
        format!("FROM scratch\nCOPY m.gguf .\n{quantize}\nCMD [\"-m\", \"q.gguf\"]\n")
    };
    bench.refuses(&of("--type=IQ1_S"), &[], &["3:17: IQ1_S needs an importance matrix"]);
    bench.refuses(&of("--type=Q4_KM"), &[], &["3:17: unknown file type", "`Q4_K_M`?"]);
    let disabled = "3:1: quantizing to Q4_K_M failed: requantizing from type q8_0 is disabled";
    bench.refuses(&of("--type=Q4_K_M"), &[], &[disabled, "| QUANTIZE --type=Q4_K_M m.gguf"]);
    bench.write("m.gguf", "no model at all");
    bench.refuses(&of("--type=Q4_K_M"), &[], &["3:1: quantizing to Q4_K_M failed: "]);

    let dir = bench.dir.path();
    for (words, said) in [
        (&["--type", "Q9", "m.gguf", "o.gguf"][..], "unknown file type `Q9`"),
        (&["--type", "IQ1_S", "m.gguf", "o.gguf"], "IQ1_S needs an importance matrix"),
        (&["--tensor-type", "x", "m.gguf", "o.gguf"], "`x` is not PATTERN=TYPE"),
        (&["m.gguf", "o.gguf"], "m.gguf: not a GGUF file"),
        (&["m.gguf", "no/o.gguf"], "folder not found: "),
        (&["m.gguf", "m.gguf"], "input and output are the same file"),
    ] {
        let done = bench.packer.run_in(dir, &[&["quantize"], words].concat());
        done.assert_refused(&format!("quantize {words:?}"), said);
    }
    assert_eq!(names(dir), ["GGUFPackerfile", "m.gguf"]);
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let Some(bench) = Bench::new() else { return };
    let dir = bench.dir.path();
    let all = "FROM scratch\nCOPY . .\nCMD [\"-m\", \"m.gguf\"]\n";
    let pipe = dir.join("pipe");
    assert!(finish(command("mkfifo").arg(&pipe)).status.success());
    bench.refuses(
        all,
        &[],
        &["2:1: `pipe` is not a file, a folder or a link", "add the line `pipe` to"],
    );
    fs::remove_file(&pipe).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(dir.join("socket")).unwrap();
    bench.refuses(all, &[], &["2:1: `socket` is not a file, a folder or a link"]);
    drop(socket);
    fs::remove_file(dir.join("socket")).unwrap();
    fs::write(dir.join(OsStr::from_bytes(b"a\xff")), "x").unwrap();
    bench.refuses(all, &[], &["is not UTF-8", "give it another name"]);
    fs::remove_file(dir.join(OsStr::from_bytes(b"a\xff"))).unwrap();

    fs::rename(dir.join("m.gguf"), dir.join("real.gguf")).unwrap();
    let link = |target: &str| {
        let _ = fs::remove_file(dir.join("m.gguf"));
        std::os::unix::fs::symlink(target, dir.join("m.gguf")).unwrap();
    };
    link("/etc/passwd");
    let away = "2:1: the link `m.gguf` points to `/etc/passwd`, which does not exist";
    bench.refuses(PLAIN, &[], &[away]);
    link("m.gguf");
    bench.refuses(PLAIN, &[], &["2:1: too many levels of symbolic links: `m.gguf`"]);

    fs::remove_file(dir.join("GGUFPackerfile")).unwrap();
    assert!(finish(command("mkfifo").arg(dir.join("GGUFPackerfile"))).status.success());
    let done = bench.packer.run_in(dir, &["build", "."]);
    done.assert_refused("a build of a pipe", "GGUFPackerfile is not a regular file");
    bench.is_clean();
}

#[test]
fn names_with_spaces_and_line_breaks_are_packed_and_shipped() {
    let Some(bench) = Bench::new() else { return };
    let dir = bench.dir.path();
    fs::rename(dir.join("m.gguf"), dir.join("a b.gguf")).unwrap();
    bench.write("line\nbreak", "x");
    bench.write("GGUFPackerfile", "FROM scratch\nCOPY . .\nCMD [\"-m\", \"a b.gguf\"]\n");
    bench.packer.does_in(dir, &["build", "--tag", "t:1", "."]);
    bench.packer.does_in(dir, &["save", "--output", "oci-archive=a.tar", "t:1"]);
    let other = Packer::new().unwrap();
    other.does_in(dir, &["load", "a.tar"]);
    assert_eq!(other.list()[0]["id"], bench.packer.list()[0]["id"]);
    let line = other.does(&["run", "--dry-run", "t:1"]);
    assert!(line.contains("/models/a b.gguf'"), "{line}");
    let folder = other.store().join("models/layers/sha256");
    let image = folder.join(&names(&folder)[0]).join("models");
    assert_eq!(names(&image), ["GGUFPackerfile", "a b.gguf", "line\nbreak"]);
}

#[test]
fn archives_that_are_broken_leave_nothing() {
    let Some(bench) = Bench::new() else { return };
    let dir = bench.dir.path();
    bench.write("GGUFPackerfile", PLAIN);
    bench.packer.does_in(dir, &["build", "--tag", "t:1", "."]);
    bench.packer.does_in(dir, &["save", "--output", "oci-archive=a.tar", "t:1"]);
    let other = Bench::new().unwrap();
    let whole = fs::read(dir.join("a.tar")).unwrap();
    let mut changed = whole.clone();
    let at = changed.len() - 100_000;
    changed[at] ^= 1;
    for (content, said) in [
        (&whole[..1_000_000], "b.tar is truncated: it has 1000000 bytes"),
        (&changed, "the layer has the digest sha256:"),
        (b"no archive, but longer than nothing", "b.tar as an archive"),
    ] {
        bench.write("b.tar", content);
        let done = other.packer.run_in(dir, &["load", "b.tar"]);
        done.assert_refused("loading b.tar", said);
        done.assert_refused("loading b.tar", "cannot load b.tar");
        other.is_clean();
    }
    let done = bench.packer.run_in(dir, &["save", "--output", "/no/such/a.tar", "t:1"]);
    done.assert_refused("saving", "cannot write /no/such/a.tar: No such file");
}

#[test]
fn a_store_that_cannot_be_is_told() {
    let Some(bench) = Bench::new() else { return };
    let dir = bench.dir.path();
    let file = dir.join("m.gguf");
    let words = ["--store", file.to_str().unwrap(), "list"];
    let said = format!("the store {} is not a folder", file.display());
    bench.packer.run(&words).assert_refused("a store that is a file", &said);
    let mut homeless = bench.packer.command(&["store", "path"]);
    let homeless = finish(homeless.env("GGUF_PACKER_STORE_PATH", "").env("HOME", "no/such"));
    homeless.assert_refused("no home", "hint: choose a folder: --store DIR");
    let done = bench.packer.run(&["run", "--dry-run", "no.gguf"]);
    done.assert_refused("run", "file not found: `no.gguf`");
}

/// Who reads may have had enough.
#[test]
fn nobody_has_to_read_what_is_said() {
    let Some(bench) = Bench::new() else { return };
    bench.write("GGUFPackerfile", PLAIN);
    let program = bench.packer.command(&[]).get_program().to_owned();
    let script =
        "\"$0\" build --no-cache --tag t:1 . 2>&1 | head -n 1; \"$0\" list --json | head -n 1
        { \"$0\" inspect t:1 2>&1; echo \"code $?\" >&2; } | true
        { \"$0\" run --by ./none none.gguf 2>&1 >/dev/null; echo \"code $?\" >&2; } | true";
    let mut shell = command("bash");
    shell.current_dir(bench.dir.path()).args(["-c", script]).arg(program);
    let done = finish(shell.env("GGUF_PACKER_STORE_PATH", bench.packer.store()));
    assert!(done.output.contains("code 0") && done.output.contains("code 1"), "{}", done.output);
    assert!(!done.output.contains("panicked"), "{}", done.output);
}
