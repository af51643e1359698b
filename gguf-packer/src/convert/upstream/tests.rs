//! The scripts with Pythons of the tests' own, which write down how they are called.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::*;

/// Steps, notes, and what came of a conversion.
type Converted = (Vec<(u64, u64)>, Vec<String>, Result<(), String>);

/// A checkpoint, a cache and programs.
struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(bench.at("m")).unwrap();
        bench
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(path)
    }

    /// A program named `python` that lacks `missing`, and else does `script`.
    fn python(&self, missing: &str, script: &str) -> PathBuf {
        let (path, found) =
            (self.at("python"), "@gguf-packer {\"version\": \"3.12.1\", \"missing\": [");
        let text = format!(
            "#!/bin/sh\nif [ \"$3\" = --look ]; then echo '{found}{missing}]}}'; exit 0; fi\n{script}\n"
        );
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn means(&self, python: &Path) -> Means {
        let cache = self.at("cache");
        Means { python: Some(python.into()), cache, ..Means::default() }
    }

    /// Converts with `python`.
    fn convert(&self, python: &Path, out: &str) -> Converted {
        let (dir, out) = (self.at("m"), self.at(out));
        let request = Request { dir: &dir, out: &out, kind: "Q8_0", base: None };
        let (mut steps, mut notes) = (Vec::new(), Vec::new());
        let mut watch = Watch {
            step: &mut |done, total| steps.push((done, total)),
            note: &mut |text| notes.push(text.to_owned()),
            stop: &|| false,
        };
        let done = convert(&request, "FooForCausalLM", &self.means(python), &mut watch);
        (steps, notes, done.map_err(|error| error.to_string()))
    }
}

#[test]
fn the_script_gets_its_words_and_no_network() {
    let bench = Bench::new();
    let script = r#"echo "$@" > "$0.words"
echo "$HF_HUB_OFFLINE $TRANSFORMERS_OFFLINE $PYTHONDONTWRITEBYTECODE" > "$0.env"
echo '@gguf-packer {"done": 5, "total": 9}'
echo made > "$6""#;
    let python = bench.python("", script);
    let (steps, notes, done) = bench.convert(&python, "out.gguf");
    assert_eq!(done, Ok(()));
    assert_eq!(steps, [(5, 9)]);
    let note = format!("llama.cpp's script converts FooForCausalLM, in {}", python.display());
    assert_eq!(notes, [note]);
    let words = fs::read_to_string(bench.at("python.words")).unwrap();
    let scripts = unpack::scripts(&bench.at("cache")).unwrap();
    let expected = format!(
        "-B {0}/start.py {0}/convert_hf_to_gguf.py {1} --outfile {2} --outtype q8_0\n",
        scripts.display(),
        bench.at("m").display(),
        bench.at("out.gguf").display()
    );
    assert_eq!(words, expected);
    assert_eq!(fs::read_to_string(bench.at("python.env")).unwrap(), "1 1 1\n");
}

#[test]
fn a_python_that_lacks_something_is_told_with_the_way_out() {
    let bench = Bench::new();
    let python = bench.python("\"torch\", \"numpy\"", "exit 1");
    let (_, _, done) = bench.convert(&python, "out.gguf");
    let error = done.unwrap_err();
    let shown = python.display();
    let start = format!(
        "FooForCausalLM needs llama.cpp's Python converter, and the given Python cannot run it\n  \
        looked in: {shown} 3.12.1 (lacks torch, numpy)\n  hint: create a virtual environment for \
        it: python3 -m venv "
    );
    assert!(error.starts_with(&start), "{error}");
    assert!(error.contains("/requirements/requirements-convert_hf_to_gguf.txt\n"), "{error}");
    assert!(error.ends_with(
        "--python converter/bin/python, or GGUF_PACKER_PYTHON=$PWD/converter/bin/python"
    ));
    let (_, _, done) = bench.convert(Path::new("/no/python"), "out.gguf");
    let error = done.unwrap_err();
    assert!(error.contains("looked in: /no/python (cannot be run)\n"), "{error}");
    let (_, _, done) = bench.convert(Path::new("/bin/sh"), "out.gguf");
    let error = done.unwrap_err();
    assert!(error.contains("looked in: /bin/sh ("), "{error}");
}

#[test]
fn a_script_that_fails_or_writes_nothing_is_an_error() {
    let bench = Bench::new();
    let python = bench
        .python("", "echo 'ERROR:hf-to-gguf:Model FooForCausalLM is not supported' >&2; exit 1");
    let error = bench.convert(&python, "out.gguf").2.unwrap_err();
    assert!(error.contains(" does not support FooForCausalLM\n"), "{error}");
    let python = bench.python("", "echo 'INFO:hf-to-gguf:Set model quantization version'");
    let error = bench.convert(&python, "out.gguf").2.unwrap_err();
    assert_eq!(
        error,
        "llama.cpp's converter failed on FooForCausalLM: the converter wrote no file\n  | \
        INFO:hf-to-gguf:Set model quantization version"
    );
}

#[test]
fn a_script_ends_when_it_is_to() {
    let bench = Bench::new();
    let python = bench.python("", "exec sleep 60");
    let (dir, out, start) = (bench.at("m"), bench.at("out.gguf"), Instant::now());
    let request = Request { dir: &dir, out: &out, kind: "F16", base: None };
    let mut watch = Watch { step: &mut |_, _| (), note: &mut |_| (), stop: &|| true };
    convert(&request, "Foo", &bench.means(&python), &mut watch).expect_err("it is ended");
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn braces_in_a_name_stay_braces() {
    assert_eq!(literal(Path::new("/a{b}/.c{ftype}.part")), Path::new("/a{b}/.c{{ftype}}.part"));
}

#[test]
fn uv_fetches_from_the_indexes_that_the_requirements_name() {
    let cache = tempfile::tempdir().unwrap();
    let scripts = unpack::scripts(cache.path()).unwrap();
    let line = Python::Uv.command(&scripts).to_string();
    let index = format!(" {} https://", super::python::INDEX);
    let (before, after) = line.split_once(&index).expect("an index for wheels without GPUs");
    assert_eq!(before, "uv run --no-project --index-strategy unsafe-best-match");
    assert!(after.contains("/cpu --with-requirements "), "{line}");
    assert_eq!(Python::Uv.note("Downloading torch (1.0MiB)"), Some("Downloading torch (1.0MiB)"));
    assert_eq!(Python::Plain("p".into()).note("Downloading torch (1.0MiB)"), None);
}
