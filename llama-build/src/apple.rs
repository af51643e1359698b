//! What Apple's systems need besides: the oldest of them that a build runs on, and a library of the compiler's.

use std::path::{Path, PathBuf};

use llama_src::sh::Cmd;

use crate::cargo;
use crate::config::Config;
use crate::target::{Os, Target};

/// The variable that names the oldest system for `target`, which rustc reads too, and the oldest that llama.cpp runs
/// on.
pub(crate) fn deployment(target: &Target) -> Option<(&'static str, &'static str)> {
    match target.os {
        // As in `release.yml`.
        Os::MacOs => Some(("MACOSX_DEPLOYMENT_TARGET", "13.3")),
        // As in `build-xcframework.sh`.
        Os::Ios => Some(("IPHONEOS_DEPLOYMENT_TARGET", "16.4")),
        _ => None,
    }
}

/// The oldest system that a build of `config` is for.
pub(crate) fn deployment_target(config: &Config) -> Option<&str> {
    let (_, oldest) = deployment(&config.target)?;
    let named = config.deployment_target.as_deref();
    Some(named.filter(|named| version(named) >= version(oldest)).unwrap_or(oldest))
}

/// What is said where the user names an older system.
pub(crate) fn too_old(config: &Config) -> Option<String> {
    let (variable, oldest) = deployment(&config.target)?;
    let named = config.deployment_target.as_deref()?;
    (version(named) < version(oldest)).then(|| {
        format!("{variable} is {named}, but llama.cpp needs {oldest}: compiled it for {oldest}")
    })
}

fn version(text: &str) -> Vec<u32> {
    let mut numbers: Vec<u32> = text.split('.').map_while(|part| part.parse().ok()).collect();
    // 14 is 14.0.
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    numbers
}

/// Where clang has what its `@available` calls, `__isPlatformVersionAtLeast`. rustc links without clang's own
/// libraries, and its standard library has the function [since 1.91](https://github.com/rust-lang/rust/pull/138944).
pub(crate) fn runtime(config: &Config, clang: &Path) -> Option<PathBuf> {
    let name = runtime_name(&config.target)?;
    let rustc = Cmd::new(cargo::rustc()?).arg("--version").read().ok()?;
    if has_version_check(&rustc) {
        return None;
    }
    let said = Cmd::new(clang).arg(format!("--print-file-name={name}")).read().ok()?;
    // Only the name where there is no such file.
    let file = PathBuf::from(said.trim());
    (file.is_absolute() && file.is_file()).then_some(file)
}

fn runtime_name(target: &Target) -> Option<&'static str> {
    match (target.os, target.env.as_str(), target.arch.as_str()) {
        (Os::MacOs, ..) => Some("libclang_rt.osx.a"),
        (Os::Ios, "sim", _) | (Os::Ios, _, "x86_64") => Some("libclang_rt.iossim.a"),
        (Os::Ios, ..) => Some("libclang_rt.ios.a"),
        _ => None,
    }
}

/// Of the first line of `rustc --version`.
fn has_version_check(rustc: &str) -> bool {
    let version = rustc.split_whitespace().nth(1).unwrap_or_default();
    let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(1), Some(91))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_of_the_oldest_systems_counts() {
        for (triple, named, built, warned) in [
            ("aarch64-apple-darwin", None, "13.3", false),
            ("aarch64-apple-darwin", Some("11.0"), "13.3", true),
            ("aarch64-apple-darwin", Some("13"), "13.3", true),
            ("aarch64-apple-darwin", Some("13.3.0"), "13.3.0", false),
            ("x86_64-apple-darwin", Some("14"), "14", false),
            ("x86_64-apple-darwin", Some("new"), "13.3", true),
            ("aarch64-apple-ios", Some("17.2"), "17.2", false),
            ("aarch64-apple-ios", Some("12"), "16.4", true),
        ] {
            let mut config = crate::tests::config(triple, "");
            config.deployment_target = named.map(str::to_owned);
            assert_eq!(deployment_target(&config), Some(built), "{triple} {named:?}");
            assert_eq!(too_old(&config).is_some(), warned, "{triple} {named:?}");
        }
        let linux = crate::tests::config("x86_64-unknown-linux-gnu", "");
        assert_eq!((deployment_target(&linux), too_old(&linux)), (None, None));
        let mut mac = crate::tests::config("aarch64-apple-darwin", "");
        mac.deployment_target = Some("11.0".into());
        let text =
            "MACOSX_DEPLOYMENT_TARGET is 11.0, but llama.cpp needs 13.3: compiled it for 13.3";
        assert_eq!(too_old(&mac).as_deref(), Some(text));
        assert!(mac.settle().1.contains(&text.to_owned()));
    }

    #[test]
    fn an_old_rustc_needs_a_library_of_clang_s() {
        for (said, has) in [
            ("rustc 1.85.0 (4d91de4e4 2025-02-17)", false),
            ("rustc 1.90.0-nightly (x)", false),
            ("rustc 1.91.0 (x)", true),
            ("rustc 1.100.0 (x)", true),
            ("rustc 2.0.0 (x)", true),
        ] {
            assert_eq!(has_version_check(said), has, "{said}");
        }
        let name = |triple: &str| runtime_name(&Target::parse(triple));
        assert_eq!(name("x86_64-apple-darwin"), Some("libclang_rt.osx.a"));
        assert_eq!(name("aarch64-apple-ios"), Some("libclang_rt.ios.a"));
        assert_eq!(name("aarch64-apple-ios-sim"), Some("libclang_rt.iossim.a"));
        assert_eq!(name("aarch64-unknown-linux-gnu"), None);
    }
}
