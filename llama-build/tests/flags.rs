//! The flag set of every target × feature set that matters, compared with `tests/golden/*.txt`.
//! `UPDATE=1 cargo test -p llama-build --test flags` rewrites them.
#![expect(clippy::disallowed_methods, reason = "a test's own switch")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write;
use std::path::Path;

use llama_build::config::{Compilers, Config, Overrides, Toolkits};
use llama_build::feature::Feature;
use llama_build::target::{Os, Target};
use llama_build::{Features, FlagSet, Pin};

const TARGETS: &[&str] = &[
    "x86_64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-gnu",
    "aarch64-unknown-linux-musl",
    "riscv64gc-unknown-linux-gnu",
    "riscv64gc-unknown-linux-musl",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
    "aarch64-pc-windows-msvc",
    "x86_64-pc-windows-gnu",
    "aarch64-linux-android",
    "x86_64-linux-android",
    "aarch64-apple-ios",
    "aarch64-apple-ios-sim",
    "x86_64-unknown-freebsd",
];

const SETS: &[(&str, &str)] = &[
    ("library", ""),
    ("quantizer", "quantize openmp"),
    ("default", "server ui openmp tls"),
    ("native", "server ui openmp tls native"),
    ("shared", "server ui openmp tls backend-dl"),
    ("one-file", "server ui openmp tls cpu-all-variants"),
    ("variants", "server ui openmp tls backend-dl cpu-all-variants"),
    ("cuda", "server ui openmp tls backend-dl cpu-all-variants cuda"),
    ("rocm", "server ui openmp tls backend-dl cpu-all-variants rocm"),
    ("vulkan", "server ui openmp tls backend-dl cpu-all-variants vulkan"),
    ("static-cuda", "server ui openmp tls cuda"),
];

/// With every feature that can be on with the others, so that a new one is in the golden files without a word here.
fn everything() -> String {
    let names = Feature::rows().map(|row| row.name);
    names.filter(|name| !["backend-dl", "system"].contains(name)).collect::<Vec<_>>().join(" ")
}

fn config(triple: &str, features: &str) -> Config {
    let target = Target::parse(triple);
    Config {
        host: Target::parse("x86_64-unknown-linux-gnu"),
        features: Features::parse(features.split_whitespace()).unwrap(),
        overrides: Overrides::default(),
        compilers: Compilers::default(),
        toolkits: Toolkits::default(),
        crt_static: target.is_musl(),
        openssl_root: None,
        android_ndk: (target.os == Os::Android).then(|| "/ndk".into()),
        android_api: None,
        deployment_target: None,
        cargo_jobs: 2,
        target,
    }
}

fn text(triple: &str) -> String {
    let pin = Pin::example();
    let mut text = String::new();
    let mut default: Option<FlagSet> = None;
    let everything = everything();
    for (name, features) in SETS.iter().chain(&[("everything", &*everything)]) {
        let (config, said) = config(triple, features).settle();
        let flags = FlagSet::new(&config, &pin);
        writeln!(text, "# {name}: {features}").unwrap();
        said.iter().for_each(|line| writeln!(text, "# warning: {line}").unwrap());
        // The first set in full, the others as what they change: a person can read that.
        for (name, value) in flags.iter() {
            let known = default.as_ref().and_then(|default| default.value(name));
            if known != Some(value) {
                writeln!(text, "{name}={value}").unwrap();
            }
        }
        if let Some(default) = &default {
            let gone = default.iter().filter(|(name, _)| flags.value(name).is_none());
            gone.for_each(|(name, _)| writeln!(text, "-{name}").unwrap());
        }
        default.get_or_insert(flags);
        text.push('\n');
    }
    text
}

/// Flags and environment where the user names a tree, toolkits, compilers and definitions.
fn named_by_the_user() -> String {
    let mut config = config("x86_64-unknown-linux-gnu", "server tls backend-dl cuda rocm vulkan");
    let overrides = &mut config.overrides;
    overrides.source_dir = Some("/my/llama.cpp".into());
    overrides.relocatable = true;
    overrides.cuda_architectures = Some("90".into());
    overrides.rocm_targets = Some("gfx1100".into());
    overrides.cmake_args = vec![("GGML_LTO".into(), "ON".into())];
    config.toolkits = Toolkits {
        cudacxx: Some("/my/nvcc".into()),
        cuda: Some("/my/cuda".into()),
        rocm: Some("/my/rocm".into()),
        vulkan: Some("/my/vulkan".into()),
    };
    config.compilers.cc = Some("/my/cc".into());
    config.compilers.cflags = Some("-g".into());
    config.openssl_root = Some("/my/openssl".into());
    let (config, _) = config.settle();
    let mut text = FlagSet::new(&config, &Pin::example()).to_string();
    for (name, folder) in llama_build::flags::environment(&config) {
        writeln!(text, "environment: {name}={}", folder.display()).unwrap();
    }
    text
}

#[test]
fn flag_sets_are_as_checked_in() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let update = std::env::var_os("UPDATE").is_some();
    let mut differ = Vec::new();
    let mut texts: Vec<(&str, String)> =
        TARGETS.iter().map(|triple| (*triple, text(triple))).collect();
    texts.push(("named-by-the-user", named_by_the_user()));
    for (name, text) in texts {
        let path = golden.join(format!("{name}.txt"));
        if update {
            std::fs::write(&path, &text).unwrap();
        } else if std::fs::read_to_string(&path).unwrap_or_default() != text {
            differ.push(format!("{}\n{text}", path.display()));
        }
    }
    assert!(
        differ.is_empty(),
        "differ (UPDATE=1 cargo test -p llama-build --test flags):\n{}",
        differ.join("\n")
    );
}

#[test]
fn the_words_of_the_user_come_last() {
    let mut config = config("x86_64-unknown-linux-gnu", "server cuda");
    config.overrides.cuda_architectures = Some("90".into());
    config.overrides.cmake_args =
        vec![("GGML_AVX2".into(), "OFF".into()), ("GGML_LTO".into(), "ON".into())];
    let flags = FlagSet::new(&config.settle().0, &Pin::example());
    assert_eq!(flags.value("GGML_AVX2"), Some("OFF"));
    assert_eq!(flags.value("CMAKE_CUDA_ARCHITECTURES"), Some("90"));
    assert_eq!(flags.iter().last(), Some(("GGML_LTO", "ON")));
}

#[test]
fn the_ndk_chooses_the_compilers_that_cargo_ndk_names() {
    let mut config = config("aarch64-linux-android", "");
    let clang = "/ndk/toolchains/llvm/prebuilt/linux-x86_64/bin/clang";
    (config.compilers.cc, config.compilers.cxx) = (Some(clang.into()), Some(clang.into()));
    config.android_api = Some(30);
    let flags = |config: &Config| FlagSet::new(&config.clone().settle().0, &Pin::example());
    let set = flags(&config);
    assert_eq!(set.value("CMAKE_TOOLCHAIN_FILE"), Some("/ndk/build/cmake/android.toolchain.cmake"));
    assert_eq!(
        [set.value("CMAKE_C_COMPILER"), set.value("ANDROID_PLATFORM")],
        [None, Some("android-30")]
    );
    // A file of the user's does not know of it.
    config.compilers.toolchain_file = Some("/my.cmake".into());
    assert_eq!(flags(&config).value("CMAKE_C_COMPILER"), Some(clang));
}

#[test]
fn flags_of_the_linker_reach_whatever_is_linked() {
    let mut config = config("x86_64-unknown-linux-gnu", "server cuda");
    config.compilers.ldflags = Some("-Wl,-z,relro -L/opt/lib".into());
    let flags = |config: &Config| FlagSet::new(&config.clone().settle().0, &Pin::load());
    let of = |config: &Config, kind: &str| {
        flags(config).value(&format!("CMAKE_{kind}_LINKER_FLAGS")).map(str::to_owned)
    };
    let ours = "-Wl,--allow-shlib-undefined";
    assert_eq!(of(&config, "EXE"), Some(format!("{ours} -Wl,-z,relro -L/opt/lib")));
    for kind in ["SHARED", "MODULE"] {
        assert_eq!(of(&config, kind).as_deref(), Some("-Wl,-z,relro -L/opt/lib"), "{kind}");
    }
    // A value for CMake would take the place of what the file says of them.
    config.compilers.toolchain_file = Some("/toolchain.cmake".into());
    assert_eq!([of(&config, "EXE"), of(&config, "SHARED")], [Some(ours.to_owned()), None]);
}

#[test]
fn nothing_is_left_to_what_cmake_finds() {
    let (config, _) = config("x86_64-unknown-linux-gnu", "").settle();
    let flags = FlagSet::new(&config, &Pin::example());
    for name in
        ["GGML_NATIVE", "GGML_CCACHE", "GGML_BLAS", "GGML_METAL", "GGML_OPENMP", "LLAMA_OPENSSL"]
    {
        assert_eq!(flags.value(name), Some("OFF"), "{name}");
    }
    assert_eq!(flags.value("LLAMA_USE_PREBUILT_UI"), Some("OFF"));
}
