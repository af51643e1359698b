//! Android's NDK where only its compilers are named, as cargo-ndk does: its folder, and the API level in their flags.

use std::path::{Path, PathBuf};

use crate::config::{Compilers, Config};
use crate::feature::Feature;
use crate::target::Os;

/// The first API level with `posix_madvise`, which the library calls.
const OLDEST: u32 = 23;
/// The first with `posix_spawn`, which the server calls; upstream's own builds are for it (`release.yml`).
const OLDEST_SERVER: u32 = 28;

/// The folder of the NDK that the compiler `cc` is in: `…/toolchains/llvm/prebuilt/HOST/bin/clang`.
pub(crate) fn ndk_of(cc: &Path) -> Option<PathBuf> {
    let folders: Vec<&Path> = cc.ancestors().collect();
    let toolchain = folders.into_iter().find(|folder| folder.ends_with("toolchains/llvm"))?;
    toolchain.parent()?.parent().map(Path::to_owned)
}

/// Takes the target out of the flags, because the NDK's own file for CMake says it and clang heeds the last one; the
/// API level that they or the compiler's name say.
pub(crate) fn take_api(compilers: &mut Compilers) -> Option<u32> {
    let named = compilers.cc.as_deref().and_then(Path::file_name);
    let named = named.and_then(|name| level(&name.to_string_lossy()));
    let all = [&mut compilers.cflags, &mut compilers.cxxflags].map(take_target);
    all.into_iter().flatten().next().or(named)
}

fn take_target(flags: &mut Option<String>) -> Option<u32> {
    let text = flags.take()?;
    let is_target = |word: &str| word.starts_with("--target=") && word.contains("android");
    let words = text.split_whitespace();
    let (targets, kept): (Vec<&str>, Vec<&str>) = words.partition(|word| is_target(word));
    // As it was, where it is quoted.
    let kept = if targets.is_empty() { text.clone() } else { kept.join(" ") };
    *flags = Some(kept).filter(|kept| !kept.is_empty());
    targets.into_iter().find_map(level)
}

/// 24 of `--target=aarch64-linux-android24` and of `armv7a-linux-androideabi24-clang`.
fn level(text: &str) -> Option<u32> {
    let (_, rest) = text.rsplit_once("-linux-android")?;
    let rest = rest.strip_prefix("eabi").unwrap_or(rest);
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// The API level of a build of `config`, and what is said where an older one is named.
pub(crate) fn platform(config: &Config) -> (u32, Option<String>) {
    let has_server = config.features.has(Feature::Server);
    let oldest = if has_server { OLDEST_SERVER } else { OLDEST };
    match config.android_api {
        None => (OLDEST_SERVER, None),
        Some(named) if named >= oldest => (named, None),
        Some(named) => {
            let what = if has_server { "llama-server" } else { "llama.cpp" };
            let said = format!(
                "{what} needs Android's API level {oldest}, not {named}: compiled it for {oldest}; \
                name that one (cargo ndk --platform {oldest})"
            );
            (oldest, Some(said))
        }
    }
}

/// Whether the NDK's file for CMake chooses the compilers of `config`.
pub(crate) fn chooses_compilers(config: &Config) -> bool {
    config.target.os == Os::Android
        && config.android_ndk.is_some()
        && config.compilers.toolchain_file.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIN: &str = "/sdk/ndk/27.0.1/toolchains/llvm/prebuilt/linux-x86_64/bin";

    #[test]
    fn the_ndk_is_where_its_compiler_is() {
        let ndk = |cc: &str| ndk_of(Path::new(cc));
        assert_eq!(ndk(&format!("{BIN}/clang")), Some("/sdk/ndk/27.0.1".into()));
        assert_eq!(ndk("/usr/lib/llvm-19/bin/clang"), None);
        assert_eq!(ndk("clang"), None);
    }

    #[test]
    fn the_api_level_is_that_of_the_flags_or_of_the_compiler_s_name() {
        let of = |cc: &str, flags: &str| {
            let flags = Some(flags.to_owned()).filter(|flags| !flags.is_empty());
            let (cc, cxxflags) = (Some(format!("{BIN}/{cc}").into()), flags.clone());
            let mut compilers = Compilers { cc, cflags: flags, cxxflags, ..Compilers::default() };
            (take_api(&mut compilers), compilers.cflags, compilers.cxxflags)
        };
        let both = |level, flags: Option<&str>| {
            let flags = flags.map(str::to_owned);
            (level, flags.clone(), flags)
        };
        assert_eq!(of("clang", "--target=aarch64-linux-android24"), both(Some(24), None));
        assert_eq!(
            of("clang", "-O2 --target=armv7a-linux-androideabi21 -g"),
            both(Some(21), Some("-O2 -g"))
        );
        assert_eq!(of("aarch64-linux-android30-clang", ""), both(Some(30), None));
        assert_eq!(of("clang", "-DA='x  y'"), both(None, Some("-DA='x  y'")));
    }

    #[test]
    fn the_api_level_is_one_that_llama_cpp_runs_on() {
        for (features, named, level, warned) in [
            ("", None, 28, false),
            ("", Some(21), 23, true),
            ("", Some(24), 24, false),
            ("server", Some(24), 28, true),
            ("server", Some(35), 35, false),
        ] {
            let mut config = crate::tests::config("aarch64-linux-android", features);
            config.android_api = named;
            let (is, said) = platform(&config);
            assert_eq!((is, said.is_some()), (level, warned), "{features} {named:?}");
            let settled = config.settle().1;
            assert_eq!(settled.iter().any(|said| said.contains("API level")), warned);
        }
    }
}
