//! Variants of the CPU backend that take another one's object get the code that they would have compiled, and one
//! object has what the sources would compile of libstdc++'s <regex>.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;

use llama_tests::needs;
use llama_tests::process::{command, finish};
use serde_json::Value;

/// What shares nothing: every variant compiles all of its sources.
const UNSHARED: &str = "-DCMAKE_UNITY_BUILD=OFF";

/// An object that `owner` compiles and `taker` links.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Shared {
    source: String,
    owner: String,
    taker: String,
}

/// A build of ggml that is configured and not built.
struct Configured {
    dir: tempfile::TempDir,
}

impl Configured {
    fn new(llama_sys: &Path, more: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut cmake = command("cmake");
        cmake.args([
            "-G",
            "Ninja",
            "-DCMAKE_BUILD_TYPE=Release",
            "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
        ]);
        let on = ["BUILD_SHARED_LIBS", "GGML_BACKEND_DL", "GGML_CPU_ALL_VARIANTS"];
        let off = ["GGML_NATIVE", "LLAMA_BUILD_APP", "LLAMA_BUILD_COMMON", "LLAMA_BUILD_EXAMPLES"];
        cmake
            .args(on.map(|name| format!("-D{name}=ON")))
            .args(off.map(|name| format!("-D{name}=OFF")));
        cmake.args(more);
        let inject = llama_sys.join("inject.cmake").display().to_string();
        cmake.arg(format!("-DCMAKE_PROJECT_llama.cpp_INCLUDE={inject}"));
        let done =
            finish(cmake.arg("-S").arg(llama_sys.join("llama.cpp")).arg("-B").arg(dir.path()));
        assert!(done.status.success(), "{}", done.output);
        Self { dir }
    }

    /// What is linked into a variant and compiled by another.
    fn shared(&self) -> BTreeSet<Shared> {
        let text = std::fs::read_to_string(self.dir.path().join("build.ninja")).unwrap();
        let mut shared = BTreeSet::new();
        for line in text.lines() {
            let Some(edge) = line.strip_prefix("build bin/libggml-cpu-") else { continue };
            let (taker, inputs) = edge.split_once(".so: ").unwrap();
            let objects = inputs.split(" | ").next().unwrap().split(' ');
            let of_variants =
                objects.filter_map(|path| path.split_once("/ggml-cpu-")?.1.strip_suffix(".o"));
            for (owner, source) in of_variants.filter_map(|object| object.split_once(".dir/")) {
                if owner.trim_end_matches("-feats") != taker {
                    let [source, owner, taker] = [source, owner, taker].map(str::to_owned);
                    shared.insert(Shared { source, owner, taker });
                }
            }
        }
        shared
    }

    /// The compiler commands, by variant and source.
    fn commands(&self) -> BTreeMap<(String, String), String> {
        let text = std::fs::read(self.dir.path().join("compile_commands.json")).unwrap();
        let all: Value = serde_json::from_slice(&text).unwrap();
        let all = all.as_array().unwrap().iter().filter_map(|one| {
            let command = one["command"].as_str().unwrap();
            let object = command.rsplit_once(" -o ")?.1.split_once("/ggml-cpu-")?.1;
            let (variant, source) = object.split_once(".o ")?.0.split_once(".dir/")?;
            Some(((variant.to_owned(), source.to_owned()), command.to_owned()))
        });
        all.collect()
    }
}

#[test]
fn variants_share_only_objects_that_are_the_same_code() {
    let Some(llama_sys) = needs::llama_sys() else { return };
    let unshared = Configured::new(&llama_sys, &[UNSHARED]);
    assert_eq!(unshared.shared(), BTreeSet::new());
    let shared = Configured::new(&llama_sys, &[]).shared();
    assert!(shared.len() > 60, "{shared:?}");
    let commands = unshared.commands();
    // Of all that take one object, the one with the most options tells.
    let options =
        |one: &Shared| commands[&(one.taker.clone(), one.source.clone())].matches(" -m").count();
    let mut pairs: BTreeMap<(String, String), Shared> = BTreeMap::new();
    for one in shared {
        let newest =
            pairs.entry((one.owner.clone(), one.source.clone())).or_insert_with(|| one.clone());
        if options(&one) > options(newest) {
            *newest = one;
        }
    }
    let (left, other) = (Mutex::new(pairs.into_values()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let next = || left.lock().unwrap().next();
                while let Some(one) = next() {
                    let code = |variant: &str| {
                        code(
                            &commands[&(variant.to_owned(), one.source.clone())],
                            unshared.dir.path(),
                        )
                    };
                    if code(&one.owner) != code(&one.taker) {
                        other.lock().unwrap().push(one);
                    }
                }
            });
        }
    });
    assert_eq!(other.into_inner().unwrap(), [], "takers whose own code is another");
}

#[test]
fn one_object_has_the_code_of_regular_expressions() {
    let Some(llama_sys) = needs::llama_sys() else { return };
    let find = ["build", "-name", "*.o", "-exec", "nm", "-A", "--defined-only", "{}", "+"];
    let done = finish(command("find").args(find).current_dir(&llama_sys));
    assert!(done.status.success(), "{}", done.output);
    let scanner = "_ZNSt8__detail8_ScannerIcE10_M_advanceEv";
    let objects: Vec<_> = done.output.lines().filter(|line| line.ends_with(scanner)).collect();
    assert!(matches!(objects[..], [one] if one.contains("/regex.cpp.o:")), "{objects:?}");
    let strict = "-std=c++17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -Istd regex.cpp";
    let done = finish(command("c++").args(strict.split(' ')).current_dir(&llama_sys));
    assert!(done.status.success(), "{}", done.output);
}

/// What the compiler makes of a source: instructions, with what they refer to.
fn code(compile: &str, dir: &Path) -> String {
    let object = tempfile::NamedTempFile::new_in(dir).unwrap();
    let (before, after) = compile.rsplit_once(" -o ").unwrap();
    let after = after.split_once(' ').unwrap().1;
    let path = object.path().display().to_string();
    let done =
        finish(command("sh").args(["-c", &format!("{before} -o {path} {after}")]).current_dir(dir));
    assert!(done.status.success(), "{}", done.output);
    let done = finish(command("objdump").args(["-drz", "--no-show-raw-insn"]).arg(object.path()));
    assert!(done.status.success(), "{}", done.output);
    done.output.replace(&path, "")
}
