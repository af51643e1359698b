//! Reads `CMakeCache.txt` back: what was asked for must have been taken.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Error;
use crate::config::Config;
use crate::feature::Feature;
use crate::flags::FlagSet;

/// Checks the cache of `build` against what was asked for.
///
/// # Errors
/// Names every value that did not take, and every word of `LLAMA_SYS_CMAKE_ARGS` that means nothing
/// to llama.cpp.
pub(crate) fn check(build: &Path, flags: &FlagSet, config: &Config) -> Result<(), Error> {
    let path = build.join("CMakeCache.txt");
    let text = std::fs::read_to_string(&path).map_err(|e| Error::io("read", &path, &e))?;
    let cache = entries(&text);
    let mut errors = mismatches(&cache, flags);
    errors.extend(unmet(&cache, config));
    for name in unknown(&text, config) {
        let error = Error::usage(format!("llama.cpp has no CMake option `{name}`"));
        errors.push(error.hint("correct the name in LLAMA_SYS_CMAKE_ARGS"));
    }
    if errors.is_empty() { Ok(()) } else { Err(Error::all(errors)) }
}

fn entries(text: &str) -> BTreeMap<&str, &str> {
    text.lines()
        .filter(|line| !line.starts_with(['#', '/']))
        .filter_map(|line| {
            let (key, value) = line.split_once('=')?;
            let (name, _type) = key.rsplit_once(':')?;
            Some((name, value))
        })
        .collect()
}

fn mismatches(cache: &BTreeMap<&str, &str>, flags: &FlagSet) -> Vec<Error> {
    flags
        .iter()
        .filter_map(|(name, asked)| {
            // CMake keeps compilers and toolchain files in files of its own when it resolves them.
            let got = *cache.get(name)?;
            let same = got == asked || is_path_of(got, asked);
            (!same).then(|| {
                Error::mismatch(format!("CMake set {name}={got} although {asked} was requested"))
                    .hint("remove what sets it: an environment variable or LLAMA_SYS_CMAKE_ARGS")
            })
        })
        .collect()
}

/// CMake writes `gcc` back as `/usr/bin/gcc`.
fn is_path_of(got: &str, asked: &str) -> bool {
    !asked.is_empty() && Path::new(got).ends_with(Path::new(asked))
}

/// Features that upstream gives up with a warning only.
fn unmet(cache: &BTreeMap<&str, &str>, config: &Config) -> Vec<Error> {
    let features = &config.features;
    let on = |name: &str| matches!(cache.get(name), Some(&("ON" | "1" | "TRUE")));
    let mut errors = Vec::new();
    if features.has(Feature::Openmp) && !on("GGML_OPENMP_ENABLED") {
        let error = Error::missing("CMake found no OpenMP (feature `openmp` needs it)");
        errors.push(
            error.hint("install the compiler's OpenMP, or build without the feature `openmp`"),
        );
    }
    if features.has(Feature::Server)
        && features.has(Feature::Tls)
        && !on("OPENSSL_VERSION_SUPPORTED")
    {
        let error = Error::missing("CMake found no OpenSSL 3 (feature `tls` needs it)");
        errors.push(error.hint("install OpenSSL 3, or build without the feature `tls`"));
    }
    errors
}

/// Words of the user that look like options of llama.cpp and that it does not declare: CMake gives
/// those no type. (Its own warning about unused definitions does not come: upstream's scripts touch
/// every variable.)
fn unknown<'a>(cache: &str, config: &'a Config) -> Vec<&'a str> {
    let names = config.overrides.cmake_args.iter().map(|(name, _)| name.as_str());
    names
        .filter(|name| name.starts_with("GGML_") || name.starts_with("LLAMA_"))
        .filter(|name| cache.contains(&format!("\n{name}:UNINITIALIZED=")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_take_is_told_at_once() {
        let cache = entries(
            "# comment\n//help\nGGML_CUDA:BOOL=OFF\nCMAKE_C_COMPILER:FILEPATH=/usr/bin/gcc\n\
             GGML_OPENMP_ENABLED:INTERNAL=OFF\nA-ADVANCED:INTERNAL=1\n",
        );
        let mut flags = FlagSet::default();
        flags.set("GGML_CUDA", "ON");
        flags.set("CMAKE_C_COMPILER", "gcc");
        flags.set("NOT_THERE", "1");
        let errors = mismatches(&cache, &flags);
        assert_eq!(errors.len(), 1);
        assert!(
            errors[0]
                .to_string()
                .starts_with("CMake set GGML_CUDA=OFF although ON was requested\n  hint: ")
        );
        let config = crate::tests::config("x86_64-unknown-linux-gnu", "openmp tls server");
        let errors: Vec<String> = unmet(&cache, &config).iter().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 2);
        assert!(
            errors[0].starts_with("CMake found no OpenMP (feature `openmp` needs it)\n  hint: ")
        );
        assert!(
            errors[1].starts_with("CMake found no OpenSSL 3 (feature `tls` needs it)\n  hint: ")
        );
    }

    #[test]
    fn options_that_llama_cpp_does_not_have_are_found() {
        let mut config = crate::tests::config("x86_64-unknown-linux-gnu", "");
        let args = [("GGML_TYPO", "1"), ("GGML_LTO", "ON"), ("CMAKE_UNITY_BUILD", "ON")];
        config.overrides.cmake_args = args.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec();
        let cache =
            "\nGGML_TYPO:UNINITIALIZED=1\nGGML_LTO:BOOL=ON\nCMAKE_UNITY_BUILD:UNINITIALIZED=ON\n";
        assert_eq!(unknown(cache, &config), ["GGML_TYPO"]);
    }
}
