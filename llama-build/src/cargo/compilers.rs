//! Compilers and their flags, as the user's variables name them.

use std::path::PathBuf;

use super::Reader;
use crate::compiler::{self, Named};
use crate::config::Compilers;
use crate::target::{Os, Target};
use crate::{Error, android};

/// What CMake and nvcc read of the environment themselves.
const CUDA: [&str; 6] = [
    "CUDAHOSTCXX",
    "CUDAARCHS",
    "CUDAFLAGS",
    "NVCC_CCBIN",
    "NVCC_PREPEND_FLAGS",
    "NVCC_APPEND_FLAGS",
];

/// What the variables for every build name; for another target, what the crate `cc` would take.
pub(super) fn read(reader: &Reader, target: &Target, host: &Target) -> Result<Compilers, Error> {
    let named = |name: &str| {
        reader.var(name).map_or_else(|| Ok(Named::default()), |value| Named::read(name, value))
    };
    let (cc, cxx) = (named("CC")?, named("CXX")?);
    let (cflags, no_c) = compiler::flags(&cc.flags, reader.text("CFLAGS")?);
    let (cxxflags, no_cxx) = compiler::flags(&cxx.flags, reader.text("CXXFLAGS")?);
    let (ldflags, no_link) = compiler::flags(&[], reader.text("LDFLAGS")?);
    let mut left_out = no_c;
    for flag in no_cxx.into_iter().chain(no_link) {
        if !left_out.contains(&flag) {
            left_out.push(flag);
        }
    }
    let mut compilers = Compilers {
        launcher: cxx.launcher.or(cc.launcher),
        cc: cc.program,
        cxx: cxx.program,
        cflags,
        cxxflags,
        ldflags,
        left_out,
        cuda: Vec::new(),
        toolchain_file: reader.first(&["CMAKE_TOOLCHAIN_FILE"]),
    };
    let by_triple =
        target.triple != host.triple && matches!(target.os, Os::Linux | Os::Windows | Os::Other);
    if by_triple && !target.is_msvc() && compilers.toolchain_file.is_none() {
        let tool = |cpp: bool| {
            let mut build = cc::Build::new();
            build.cpp(cpp).target(&target.triple).host(&host.triple).opt_level(3);
            build.cargo_metadata(false).cargo_warnings(false);
            build.try_get_compiler().ok().map(|tool| tool.path().to_owned())
        };
        compilers.cc = compilers.cc.or_else(|| tool(false));
        compilers.cxx = compilers.cxx.or_else(|| tool(true));
    }
    Ok(compilers)
}

/// The variables of [`CUDA`] that are set.
pub(super) fn cuda(reader: &Reader) -> Result<Vec<(&'static str, String)>, Error> {
    let mut set = Vec::new();
    for name in CUDA {
        set.extend(reader.text(name)?.map(|value| (name, value)));
    }
    Ok(set)
}

/// Android's NDK, and the API level that the compilers are for.
pub(super) fn ndk(
    reader: &Reader,
    target: &Target,
    compilers: &mut Compilers,
) -> (Option<PathBuf>, Option<u32>) {
    let named = reader.first(&["ANDROID_NDK_HOME", "ANDROID_NDK_ROOT", "ANDROID_NDK"]);
    if target.os != Os::Android || compilers.toolchain_file.is_some() {
        return (named, None);
    }
    let cc = compilers.cc.clone().map(|cc| which::which(&cc).unwrap_or(cc));
    let ndk = named.or_else(|| android::ndk_of(&cc?));
    let api = ndk.as_ref().and_then(|_| android::take_api(compilers));
    (ndk, api)
}
