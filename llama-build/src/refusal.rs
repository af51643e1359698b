//! Builds that would go to their end and give something that does not run.

use std::ffi::OsStr;
use std::path::Path;

use crate::Error;
use crate::config::Config;
use crate::feature::{Feature, Features};
use crate::target::{Os, Target};

/// What CMake reads of Android's NDK.
pub(crate) const NDK_TOOLCHAIN: &str = "build/cmake/android.toolchain.cmake";

/// The C++, OpenMP and TLS libraries of a system with glibc are shared ones; a program that has them beside a static
/// glibc links, and crashes when it starts.
pub(crate) fn static_glibc(target: &Target) -> Result<(), Error> {
    if target.os != Os::Linux || target.is_musl() {
        return Ok(());
    }
    Err(Error::usage(format!(
        "`+crt-static` is not supported on {target}: llama.cpp does not run with its static C \
        library"
    ))
    .hint("remove `-C target-feature=+crt-static` from RUSTFLAGS")
    .hint(format!("or build for musl: cargo build --target {}-unknown-linux-musl", target.arch)))
}

/// Refuses libraries beside a program of which Cargo keeps the program alone: `cargo install --git`, or of a registry's
/// crate, builds in a folder that it removes.
///
/// # Errors
/// Names what to type instead.
pub fn lost_libraries(config: &Config, out: &Path) -> Result<(), Error> {
    let is_temporary = |name: &OsStr| name.to_string_lossy().starts_with("cargo-install");
    let lost = out.iter().any(is_temporary) && config.features.has(Feature::BackendDl);
    if !lost || config.overrides.relocatable {
        return Ok(());
    }
    Err(Error::usage(
        "`cargo install` keeps only the program, not the libraries that `backend-dl` \
        builds next to it",
    )
    .hint("to put the code of every CPU into one file: cargo install … --features cpu-all-variants")
    .hint("to get the program with its libraries, in a clone: cargo xtask dist")
    .hint("to keep the whole build: CARGO_TARGET_DIR=/a/folder/that/stays cargo install …"))
}

/// Refuses shared libraries that nobody asked for where nobody would read that there are any: Cargo shows what a build
/// script warns of only for packages in folders of the user's.
///
/// # Errors
/// Names the feature that asks for them.
pub fn unasked_libraries(
    asked: &Features,
    config: &Config,
    said: &[String],
    are_shown: bool,
) -> Result<(), Error> {
    let unasked = config.features.has(Feature::BackendDl) && !asked.has(Feature::BackendDl);
    if !unasked || are_shown {
        return Ok(());
    }
    let why = said
        .iter()
        .filter(|text| text.contains("cpu-all-variants") || text.contains("`backend-dl`"));
    Err(Error::usage(format!(
        "for {} these features need the feature `backend-dl`, which is off: programs would need \
        libraries at run time",
        config.target
    ))
    .log(why.cloned())
    .hint("add it to llama-sys' features, and ship the libraries with the program (docs/crate.md)"))
}

/// Whether the package in `dir` is in a folder of the user's: not out of a registry or git, nor put there by `cargo
/// vendor`, which Cargo marks.
#[must_use]
pub fn is_path_package(dir: &Path) -> bool {
    let marks = [".cargo-ok", ".cargo-checksum.json"];
    // The mark of git is in the folder of the workspace.
    let folders = dir.ancestors().take(2);
    !folders.flat_map(|folder| marks.map(|mark| folder.join(mark))).any(|mark| mark.exists())
}

/// Refuses a build for another system of which nothing is named: CMake would take this machine's compiler, and give
/// objects for this machine.
///
/// # Errors
/// Names what is missing.
pub fn unnamed_sdk(config: &Config) -> Result<(), Error> {
    let (target, host) = (&config.target, &config.host);
    let settings = ["CMAKE_TOOLCHAIN_FILE", "CMAKE_SYSTEM_NAME"];
    let by_hand = config.overrides.cmake_args.iter().any(|(name, _)| settings.contains(&&**name));
    let named = &config.compilers;
    // CMake learns of Android from the NDK's file alone.
    let compilers_do = target.os != Os::Android || host.os == Os::Android;
    let both = compilers_do && named.cc.is_some() && named.cxx.is_some();
    if by_hand || named.toolchain_file.is_some() || both {
        return Ok(());
    }
    let (what, hint) = match target.os {
        Os::Android if host.os != Os::Android => {
            let named = config.android_ndk.as_ref().map(|ndk| ndk.join(NDK_TOOLCHAIN));
            if named.as_ref().is_some_and(|file| file.is_file()) {
                return Ok(());
            }
            let looked_in = named.unwrap_or_else(|| Path::new("$ANDROID_NDK_HOME").into());
            let hint = "name Android's NDK: ANDROID_NDK_HOME=/path/to/ndk";
            return Err(Error::missing(format!("Android NDK not found (it builds for {target})"))
                .looked_in(looked_in.display().to_string())
                .hint(hint));
        }
        _ if target.is_apple() && !host.is_apple() => ("Apple's SDK", "build on a Mac"),
        _ if target.is_msvc() && host.os != Os::Windows => ("Visual Studio", "build on Windows"),
        _ => return Ok(()),
    };
    Err(Error::usage(format!("a build for {target} on {host} needs {what}"))
        .hint(hint)
        .hint("or name a CMake toolchain file that has it: CMAKE_TOOLCHAIN_FILE=/path/to/file"))
}

/// Refuses Microsoft's compiler for ARM where it does not tune for this machine: [`ggml-cpu/CMakeLists.txt` of
/// b11549](https://github.com/ggml-org/llama.cpp/blob/b11549/ggml/src/ggml-cpu/CMakeLists.txt) ends in an error then.
///
/// # Errors
/// Names what to type instead.
pub fn compiler_for_arm(config: &Config) -> Result<(), Error> {
    let (target, compilers) = (&config.target, &config.compilers);
    let settings = ["CMAKE_C_COMPILER", "CMAKE_TOOLCHAIN_FILE", "GGML_NATIVE"];
    let by_hand = config.overrides.cmake_args.iter().any(|(name, _)| settings.contains(&&**name));
    let is_named = by_hand || compilers.cc.is_some() || compilers.toolchain_file.is_some();
    if !target.is_msvc()
        || target.arch != "aarch64"
        || is_named
        || config.features.has(Feature::Native)
    {
        return Ok(());
    }
    Err(Error::usage(format!(
        "llama.cpp does not compile with Microsoft's compiler for {target}, unless it is tuned for \
        the build machine"
    ))
    .hint("use LLVM's compiler, with Ninja: CC=clang-cl CXX=clang-cl cargo build")
    .hint("or add the feature `native`, if the program runs on this machine only"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependent_asks_for_the_libraries_that_it_ships() {
        let refused = |triple: &str, features: &str, are_shown: bool| {
            let asked = crate::tests::config(triple, features);
            let (config, said) = asked.clone().settle();
            let result = unasked_libraries(&asked.features, &config, &said, are_shown);
            result.err().map(|error| error.to_string()).unwrap_or_default()
        };
        let (linux, mac) = ("x86_64-unknown-linux-gnu", "aarch64-apple-darwin");
        assert_eq!(
            refused(mac, "cpu-all-variants", false),
            "for aarch64-apple-darwin these features need the feature `backend-dl`, which is off: \
            programs would need libraries at run time\n  | a single file for aarch64-apple-darwin \
            cannot contain all CPU variants: enabled `backend-dl`\n  hint: add it to llama-sys' \
            features, and ship the libraries with the program (docs/crate.md)"
        );
        assert!(refused(linux, "cuda rocm", false).contains("define the same symbols"));
        for (triple, features, are_shown) in [
            (mac, "cpu-all-variants", true),
            (mac, "cpu-all-variants backend-dl", false),
            (linux, "cpu-all-variants", false),
            (linux, "cuda rocm backend-dl", false),
            (linux, "cuda", false),
            ("aarch64-apple-ios", "cpu-all-variants", false),
        ] {
            assert_eq!(refused(triple, features, are_shown), "", "{triple} {features}");
        }
    }

    #[test]
    fn cargo_marks_the_packages_whose_warnings_it_keeps() {
        let dir = tempfile::tempdir().unwrap();
        let package = |name: &str, mark: Option<&str>| {
            let folder = dir.path().join(name).join("llama-sys");
            std::fs::create_dir_all(&folder).unwrap();
            if let Some(mark) = mark {
                std::fs::write(folder.join(mark), "").unwrap();
            }
            is_path_package(&folder)
        };
        assert!(package("mine", None));
        assert!(!package("registry", Some(".cargo-ok")));
        assert!(!package("git", Some("../.cargo-ok")));
        assert!(!package("vendor", Some(".cargo-checksum.json")));
    }

    #[test]
    fn microsoft_s_compiler_for_arm_is_refused_before_cmake_does() {
        let refused = |triple: &str, features: &str, cc: Option<&str>| {
            let mut config = crate::tests::config(triple, features);
            config.compilers.cc = cc.map(Into::into);
            compiler_for_arm(&config).err().map(|error| error.to_string()).unwrap_or_default()
        };
        let arm = "aarch64-pc-windows-msvc";
        assert_eq!(
            refused(arm, "", None),
            "llama.cpp does not compile with Microsoft's compiler for aarch64-pc-windows-msvc, \
            unless it is tuned for the build machine\n  hint: use LLVM's compiler, with Ninja: \
            CC=clang-cl CXX=clang-cl cargo build\n  hint: or add the feature `native`, if the \
            program runs on this machine only"
        );
        assert_eq!(refused(arm, "native", None) + &refused(arm, "", Some("clang-cl")), "");
        for triple in ["x86_64-pc-windows-msvc", "aarch64-unknown-linux-gnu"] {
            assert_eq!(refused(triple, "", None), "");
        }
    }

    #[test]
    fn another_system_is_not_built_for_with_this_machine_s_compiler() {
        let mut config = crate::tests::config("aarch64-linux-android", "");
        let refused = |config: &Config| unnamed_sdk(config).err().map(|e| e.to_string());
        let text = "Android NDK not found (it builds for aarch64-linux-android)\n  looked in: \
            $ANDROID_NDK_HOME\n  hint: name Android's NDK: ANDROID_NDK_HOME=/path/to/ndk";
        assert_eq!(refused(&config).as_deref(), Some(text));
        let mut named = config.clone();
        (named.compilers.cc, named.compilers.cxx) = (Some("clang".into()), Some("clang++".into()));
        assert_eq!(refused(&named).as_deref(), Some(text));
        let ndk = tempfile::tempdir().unwrap();
        config.android_ndk = Some(ndk.path().to_owned());
        assert!(refused(&config).is_some_and(|text| text.contains(NDK_TOOLCHAIN)));
        std::fs::create_dir_all(ndk.path().join("build/cmake")).unwrap();
        std::fs::write(ndk.path().join(NDK_TOOLCHAIN), "").unwrap();
        assert_eq!(refused(&config), None);
        for (triple, needs) in [
            ("aarch64-apple-darwin", Some("Apple's SDK")),
            ("aarch64-apple-ios", Some("Apple's SDK")),
            ("x86_64-pc-windows-msvc", Some("Visual Studio")),
            ("x86_64-pc-windows-gnu", None),
            ("aarch64-unknown-linux-gnu", None),
        ] {
            let mut config = crate::tests::config(triple, "");
            config.host = Target::parse("x86_64-unknown-linux-gnu");
            let text = refused(&config).unwrap_or_default();
            assert_eq!(text.is_empty(), needs.is_none(), "{triple}: {text}");
            assert!(text.contains(needs.unwrap_or_default()), "{text}");
            let mut other = config.clone();
            config.overrides.cmake_args.push(("CMAKE_TOOLCHAIN_FILE".into(), "x".into()));
            (other.compilers.cc, other.compilers.cxx) = (Some("oa64-cc".into()), Some("x".into()));
            assert_eq!((refused(&config), refused(&other)), (None, None), "{triple}");
        }
    }

    #[test]
    fn libraries_that_nobody_keeps_are_not_built() {
        let of = |features: &str, out: &str| {
            let config = Config::plain(
                Features::parse(features.split(' ')).unwrap(),
                "x86_64-unknown-linux-gnu",
                "x86_64-unknown-linux-gnu",
            );
            lost_libraries(&config, Path::new(out)).is_ok()
        };
        let temporary = "/var/cargo-installa1B2c3/release/build/llama-sys-0/out";
        assert!(!of("server backend-dl", temporary));
        assert!(of("server cpu-all-variants", temporary));
        assert!(of("server backend-dl", "/srv/target/release/build/llama-sys-0/out"));
    }

    #[test]
    fn a_static_glibc_is_refused() {
        let refused =
            |triple: &str| static_glibc(&Target::parse(triple)).err().map(|e| e.to_string());
        assert_eq!(
            refused("x86_64-unknown-linux-gnu").as_deref(),
            Some(
                "`+crt-static` is not supported on x86_64-unknown-linux-gnu: llama.cpp does not \
                run with its static C library\n  hint: remove `-C target-feature=+crt-static` \
                from RUSTFLAGS\n  hint: or build for musl: cargo build --target \
                x86_64-unknown-linux-musl"
            )
        );
        for triple in
            ["x86_64-unknown-linux-musl", "x86_64-pc-windows-msvc", "aarch64-apple-darwin"]
        {
            assert_eq!(refused(triple), None, "{triple}");
        }
    }
}
