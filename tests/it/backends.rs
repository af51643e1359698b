//! The two ways to build: one executable, or backends as libraries that are chosen at run time.

use std::path::Path;

use llama_tests::needs;
use llama_tests::process::{Finished, command, finish};
use llama_tests::server::{build_number, greedy_tokens, start};

#[test]
fn both_builds_give_the_same_greedy_tokens() {
    let (Some(programs), Some(model)) = (needs::both_servers(), needs::demo_model()) else {
        return;
    };
    let [one, other] = programs.map(|(_, program)| start(&program, &model, &[]));
    for prompt in ["Hello", "The ship", "Once upon a time", "Why is the sky blue?"] {
        let tokens = greedy_tokens(&one, prompt, 48);
        assert!(!tokens.is_empty(), "no tokens after `{prompt}`");
        assert_eq!(tokens, greedy_tokens(&other, prompt, 48), "after `{prompt}`");
        assert_eq!(tokens, greedy_tokens(&one, prompt, 48), "not repeatable after `{prompt}`");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_best_cpu_library_is_chosen() {
    let (Some(program), Some(model)) = (needs::server_dl(), needs::demo_model()) else { return };
    let server = start(&program, &model, &[]);
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", server.pid())).unwrap();
    let mut loaded: Vec<&str> = maps
        .lines()
        .filter_map(|line| line.rsplit_once('/'))
        .filter_map(|(_, file)| file.strip_prefix("libggml-cpu")?.strip_suffix(".so"))
        .collect();
    loaded.sort_unstable();
    loaded.dedup();
    assert_eq!(loaded.len(), 1, "CPU libraries in memory: {loaded:?}");
    #[cfg(target_arch = "x86_64")]
    assert_eq!(loaded, [format!("-{}", x86::best_variant())]);
}

#[cfg(unix)]
#[test]
fn the_loadable_build_starts_from_anywhere_with_an_empty_environment() {
    let Some(program) = needs::server_dl() else { return };
    for flag in ["--version", "--list-devices"] {
        let Finished { status, output } =
            finish(command(&program).arg(flag).current_dir("/").env_clear());
        assert!(status.success(), "{flag}: {status}\n{output}");
        let build = format!("build {}", build_number());
        let expected = if flag == "--version" { &build } else { "Available devices" };
        assert!(output.contains(expected), "{flag}:\n{output}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_is_loaded_from_the_current_directory() {
    let (Some(programs), Some(compiler)) = (needs::both_servers(), needs::c_compiler()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("marker");
    plant(&compiler, folder.path(), &marker);
    for (name, program) in programs {
        let here = |plant: Option<&Path>| {
            let mut command = command(&program);
            command.arg("--list-devices").current_dir(folder.path());
            plant.map(|plant| command.env("GGML_BACKEND_PATH", plant));
            finish(&mut command)
        };
        let Finished { status, output } = here(None);
        assert!(status.success(), "{name}: {status}\n{output}");
        assert!(!marker.exists(), "{name} ran code from the current directory:\n{output}");

        // What this test plants does leave its marker when it is loaded.
        let output = here(Some(&folder.path().join("libggml-cpu-evil.so"))).output;
        assert!(marker.exists(), "{name} did not load what $GGML_BACKEND_PATH names:\n{output}");
        std::fs::remove_file(&marker).unwrap();
    }
}

/// Puts libraries into `folder` that write `marker` when they are loaded and claim to be the best.
#[cfg(target_os = "linux")]
fn plant(compiler: &Path, folder: &Path, marker: &Path) {
    const SOURCE: &str = r#"
        #include <stdio.h>
        __attribute__((constructor)) static void leave_a_mark(void) {
            FILE * file = fopen(MARKER, "w");
            if (file) { fclose(file); }
        }
        int ggml_backend_score(void) { return 1 << 20; }
        void * ggml_backend_init(void) { return 0; }
    "#;
    let source = folder.join("evil.c");
    std::fs::write(&source, SOURCE).unwrap();
    let library = folder.join("libggml-cpu-evil.so");
    let define = format!("-DMARKER=\"{}\"", marker.display());
    let mut cc = command(compiler);
    let compiled = finish(cc.args(["-shared", "-fPIC", &define, "-o"]).arg(&library).arg(&source));
    assert!(compiled.status.success(), "{}", compiled.output);
    for name in ["libggml-cpu.so", "libggml-cuda.so", "libggml-vulkan-evil.so", "libggml-blas.so"] {
        std::fs::copy(&library, folder.join(name)).unwrap();
    }
}

/// Upstream's choice among its x86-64 libraries, computed from what the kernel says of this CPU.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod x86 {
    use std::collections::HashSet;

    /// Weight of each feature, by its name in `/proc/cpuinfo`.
    ///
    /// <https://github.com/ggml-org/llama.cpp/blob/b11549/ggml/src/ggml-cpu/arch/x86/cpu-feats.cpp#L263>
    const WEIGHTS: [(&str, u32); 12] = [
        ("fma", 1),
        ("f16c", 1 << 1),
        ("sse4_2", 1 << 2),
        ("bmi2", 1 << 3),
        ("avx", 1 << 4),
        ("avx2", 1 << 5),
        ("avx_vnni", 1 << 6),
        ("avx512f", 1 << 7),
        ("avx512vbmi", 1 << 8),
        ("avx512_bf16", 1 << 9),
        ("avx512_vnni", 1 << 10),
        ("amx_int8", 1 << 11),
    ];
    /// Upstream's `AVX512` stands for five.
    const WITH_AVX512F: [&str; 4] = ["avx512cd", "avx512vl", "avx512dq", "avx512bw"];

    const AVX2: &str = "sse4_2 avx f16c fma avx2 bmi2";
    /// Each variant and the features that it needs.
    ///
    /// <https://github.com/ggml-org/llama.cpp/blob/b11549/ggml/src/CMakeLists.txt#L496-L520>
    const VARIANTS: [(&str, &str, &str); 14] = [
        ("x64", "", ""),
        ("sse42", "", "sse4_2"),
        ("sandybridge", "", "sse4_2 avx"),
        ("ivybridge", "", "sse4_2 avx f16c"),
        ("piledriver", "", "sse4_2 avx f16c fma"),
        ("haswell", AVX2, ""),
        ("skylakex", AVX2, "avx512f"),
        ("cannonlake", AVX2, "avx512f avx512vbmi"),
        ("cascadelake", AVX2, "avx512f avx512_vnni"),
        ("icelake", AVX2, "avx512f avx512vbmi avx512_vnni"),
        ("cooperlake", AVX2, "avx512f avx512_vnni avx512_bf16"),
        ("zen4", AVX2, "avx512f avx512vbmi avx512_vnni avx512_bf16"),
        ("alderlake", AVX2, "avx_vnni"),
        ("sapphirerapids", AVX2, "avx512f avx512vbmi avx512_vnni avx512_bf16 amx_int8"),
    ];

    /// The variant with the highest score on this machine.
    pub(crate) fn best_variant() -> &'static str {
        let text = std::fs::read_to_string("/proc/cpuinfo").unwrap();
        let line =
            text.lines().find(|line| line.starts_with("flags")).expect("x86 kernels list flags");
        best_for(&line.split_whitespace().collect())
    }

    fn best_for(cpu: &HashSet<&str>) -> &'static str {
        let best =
            VARIANTS.iter().max_by_key(|(_, base, more)| score(&format!("{base} {more}"), cpu));
        best.expect("the table is not empty").0
    }

    /// 0 for a variant that this CPU cannot run.
    fn score(features: &str, cpu: &HashSet<&str>) -> u32 {
        let mut needed = features.split_whitespace();
        let runs = |feature| {
            cpu.contains(feature)
                && (feature != "avx512f" || WITH_AVX512F.iter().all(|f| cpu.contains(f)))
        };
        let weight =
            |feature| WEIGHTS.iter().find(|(name, _)| *name == feature).expect("in the table").1;
        needed.try_fold(1, |sum, feature| runs(feature).then(|| sum + weight(feature))).unwrap_or(0)
    }

    #[test]
    fn known_machines_get_their_library() {
        let best = |flags: &str| best_for(&flags.split(' ').collect());
        let avx2 = AVX2.to_owned();
        let avx512 = format!("{avx2} avx512f avx512cd avx512vl avx512dq avx512bw");
        assert_eq!(best("sse2"), "x64");
        assert_eq!(best(&avx2), "haswell");
        assert_eq!(best(&format!("{avx2} avx512f")), "haswell");
        assert_eq!(best(&avx512), "skylakex");
        assert_eq!(best(&format!("{avx512} avx512_vnni")), "cascadelake");
        assert_eq!(best(&format!("{avx512} avx512vbmi avx512_vnni avx512_bf16")), "zen4");
        assert_eq!(
            best(&format!("{avx512} avx512vbmi avx512_vnni avx512_bf16 avx_vnni amx_int8")),
            "sapphirerapids"
        );
    }
}
