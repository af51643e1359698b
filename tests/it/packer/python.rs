//! llama.cpp's script in a Python, whose packages are the test's own: what is told when it fails, and that it
//! ends with us. Those packages do what a test wants when the script imports them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use llama_tests::needs;
use llama_tests::packer::Packer;
use llama_tests::process::{Finished, finish, wait_for};

/// A checkpoint that no family of ours is, and packages for its conversion.
struct Bench {
    packer: Packer,
    python: PathBuf,
    dir: tempfile::TempDir,
}

impl Bench {
    /// With a `torch` that does `script` when it is imported.
    fn new(script: &str) -> Option<Self> {
        let python = needs::program_of("python3", "python3")?;
        let bench = Self { packer: Packer::new()?, python, dir: tempfile::tempdir().unwrap() };
        for package in ["numpy", "sentencepiece", "google/protobuf", "yaml", "safetensors", "tqdm"]
        {
            bench.write(&format!("packages/{package}/__init__.py"), "");
        }
        bench.write("packages/google/__init__.py", "");
        bench.write("packages/torch/__init__.py", script);
        bench.write("packages/transformers/__init__.py", "");
        bench.write("packages/transformers/dynamic_module_utils.py", "");
        bench.write("m/config.json", r#"{ "architectures": ["FooForCausalLM"] }"#);
        bench.write("m/pytorch_model.bin", "not looked at");
        Some(bench)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), text).unwrap();
    }

    fn command(&self) -> std::process::Command {
        let mut command = self.packer.command(&["convert", "m", "out.gguf", "--python"]);
        command.arg(&self.python).env("PYTHONPATH", self.at("packages"));
        command.env("XDG_CACHE_HOME", self.at("cache")).current_dir(self.at(""));
        command
    }

    fn convert(&self) -> Finished {
        finish(&mut self.command())
    }

    /// The checkpoint is as it was, and nothing is half-written beside it.
    fn is_clean(&self) {
        let mut names: Vec<_> =
            fs::read_dir(self.at("")).unwrap().map(|it| it.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["cache", "m", "packages"]);
        assert_eq!(fs::read_dir(self.at("m")).unwrap().count(), 2);
        assert_eq!(
            compiled(&self.at("cache")),
            [] as [PathBuf; 0],
            "nothing is written into the cache"
        );
    }
}

/// Byte code below a folder.
fn compiled(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let inside = |path: PathBuf| if path.is_dir() { compiled(&path) } else { vec![path] };
    paths.flat_map(inside).filter(|path| path.extension().is_some_and(|end| end == "pyc")).collect()
}

#[test]
fn a_failure_of_the_script_is_told_with_the_file_at_fault() {
    let script = "import json\ndef read():\n    with open('m/config.json') as f:\n        f.read()\n        json.load(f)\nread()\n";
    let Some(bench) = Bench::new(script) else { return };
    let done = bench.convert();
    let said = format!(
        "llama.cpp's converter failed on FooForCausalLM: {}: JSONDecodeError: Expecting value: \
        line 1 column 1",
        bench.at("m/config.json").display()
    );
    done.assert_refused("a script that fails", &said);
    bench.is_clean();
}

#[test]
fn code_of_the_checkpoint_is_not_run() {
    let script = "from transformers.dynamic_module_utils import resolve_trust_remote_code as resolve\n\
                  assert resolve(True, 'm', True, True) is False\nresolve(True, 'm', False, True)\n";
    let Some(bench) = Bench::new(script) else { return };
    bench.convert().assert_refused(
        "code",
        "the checkpoint needs its own Python code, which gguf-packer does not run",
    );
    bench.is_clean();
}

/// `transformers` of that release, which knows no class of a tokenizer and takes extra tokens by their names.
fn with_transformers(bench: &Bench, release: &str) {
    let about = format!("Metadata-Version: 2.1\nName: transformers\nVersion: {release}\n");
    bench.write(&format!("packages/transformers-{release}.dist-info/METADATA"), &about);
    let classes = "class PreTrainedTokenizerBase:\n    \
        def _set_model_specific_special_tokens(self, special_tokens):\n        \
        self.tokens = list(special_tokens.keys())\n\
        class PreTrainedTokenizerFast(PreTrainedTokenizerBase):\n    tokens = None\n";
    bench.write("packages/transformers/__init__.py", classes);
    bench.write("packages/transformers/models/__init__.py", "");
    bench.write("packages/transformers/models/auto/__init__.py", "");
    let auto = "def tokenizer_class_from_name(name):\n    return None\n";
    bench.write("packages/transformers/models/auto/tokenization_auto.py", auto);
}

#[test]
fn transformers_4_reads_what_5_wrote() {
    let script = "import transformers\n\
        from transformers.models.auto.tokenization_auto import tokenizer_class_from_name as named\n\
        names = [named(name) for name in ('TokenizersBackend', 'TokenizersBackendFast', 'Odd')]\n\
        one = transformers.PreTrainedTokenizerFast()\n\
        one._set_model_specific_special_tokens(special_tokens=['<a>'])\n\
        kept = one.tokens\n\
        one._set_model_specific_special_tokens(special_tokens={'b': '<b>'})\n\
        raise ValueError(f'{[it and it.__name__ for it in names]} {kept} {one.tokens}')\n";
    let Some(bench) = Bench::new(script) else { return };
    with_transformers(&bench, "4.57.6");
    let read = "['PreTrainedTokenizerFast', 'PreTrainedTokenizerFast', None] None ['b']";
    bench.convert().assert_refused("transformers 4", read);
    // 5 is left as it is.
    fs::remove_dir_all(bench.at("packages/transformers-4.57.6.dist-info")).unwrap();
    with_transformers(&bench, "5.24.0");
    let error = "AttributeError: 'list' object has no attribute 'keys'";
    bench.convert().assert_refused("transformers 5", error);
    bench.is_clean();
}

#[test]
fn a_python_without_its_packages_says_which() {
    let Some(bench) = Bench::new("") else { return };
    fs::remove_dir_all(bench.at("packages/torch")).unwrap();
    fs::remove_dir_all(bench.at("packages/google")).unwrap();
    let done = bench.convert();
    done.assert_refused("a Python without torch", "(lacks torch, protobuf)");
    done.assert_refused(
        "a Python without torch",
        "hint: create a virtual environment for it: python3 -m venv ",
    );
    bench.is_clean();
}

/// SIGKILL of ours leaves no Python that goes on; what it left is taken over.
#[cfg(unix)]
#[test]
fn the_script_ends_with_us() {
    let script = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\nos.rename('pid', 'begun')\ntime.sleep(600)\n";
    let Some(bench) = Bench::new(script) else { return };
    let mut child = bench.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pid = wait_for("the script", || fs::read_to_string(bench.at("begun")).ok());
    let proc = PathBuf::from(format!("/proc/{pid}"));
    child.kill().unwrap();
    child.wait().unwrap();
    if cfg!(target_os = "linux") {
        wait_for("the end of the script", || (!proc.exists()).then_some(()));
    }
    fs::remove_file(bench.at("begun")).unwrap();
    bench.write("packages/torch/__init__.py", "raise KeyError('x')");
    bench.convert().assert_refused("the next one", "FooForCausalLM: KeyError: 'x'");
    bench.is_clean();
}
