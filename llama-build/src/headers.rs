//! C headers that a build needs, as the compiler finds them.

use llama_src::sh::Cmd;

use crate::config::Config;
use crate::requirement::{Found, Missing};

/// The header `name`.
pub(crate) fn find(name: &str, config: &Config) -> Result<Found, Missing> {
    macros(name, config).map(|_| found(name))
}

fn found(name: &str) -> Found {
    Found { path: name.into(), version: String::new() }
}

/// The macros that are defined after the header `name`.
fn macros(name: &str, config: &Config) -> Result<String, Missing> {
    let cc = config.compilers.cc.clone().unwrap_or_else(|| "cc".into());
    // Microsoft's compiler has no such question; CMake's own search then has the word.
    if config.target.is_msvc() {
        return Ok(String::new());
    }
    // Its standard input is empty, and MinGW's compiler knows no `/dev/null`.
    let mut cmd = Cmd::new(&cc).args(["-E", "-dM", "-include", name, "-x", "c", "-"]);
    if let Some(sdk) = &config.toolkits.vulkan {
        cmd = cmd.arg("-I").arg(sdk.join("include"));
    }
    cmd.args(config.compilers.words_of_cflags()).read().map_err(|_| {
        let looked_in = vec![format!("headers of `{}` ({name})", cc.display())];
        Missing { too_old: None, looked_in }
    })
}

/// `vulkan/vulkan.h`, of the version `minimum` or a newer one.
pub(crate) fn find_vulkan(minimum: [u32; 3], config: &Config) -> Result<Found, Missing> {
    const NAME: &str = "vulkan/vulkan.h";
    let text = |version: [u32; 3]| version.map(|number| number.to_string()).join(".");
    match vulkan_version(&macros(NAME, config)?) {
        Some(version) if version < minimum => {
            let too_old = Some(format!("{}, but {} is required", text(version), text(minimum)));
            let sdk = config.toolkits.vulkan.as_ref();
            let sdk = sdk.map_or("unset".to_owned(), |sdk| sdk.display().to_string());
            let looked_in = vec![format!("$VULKAN_SDK ({sdk})"), format!("system ({NAME})")];
            Err(Missing { too_old, looked_in })
        }
        version => Ok(Found { version: version.map(text).unwrap_or_default(), ..found(NAME) }),
    }
}

/// Out of the macros of its header.
fn vulkan_version(macros: &str) -> Option<[u32; 3]> {
    let after = |word: &str| macros.split_once(word).map(|(_, rest)| rest);
    let patch = after("#define VK_HEADER_VERSION ")?.split_whitespace().next()?.parse().ok()?;
    let complete = after("#define VK_HEADER_VERSION_COMPLETE VK_MAKE_API_VERSION(")?;
    let mut words = complete.split(',').skip(1).map(|word| word.trim().parse().ok());
    Some([words.next()??, words.next()??, patch])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::Manager;
    use crate::requirement;
    use crate::toolchain::{self, report};

    #[test]
    fn headers_of_vulkan_tell_their_version() {
        let macros = "#define VK_API_VERSION_1_0 VK_MAKE_API_VERSION(0, 1, 0, 0)\n\
                      #define VK_HEADER_VERSION 239\n\
                      #define VK_HEADER_VERSION_COMPLETE VK_MAKE_API_VERSION(0, 1, 3, VK_HEADER_VERSION)\n";
        assert_eq!(vulkan_version(macros), Some([1, 3, 239]));
        assert_eq!(vulkan_version("#define VULKAN_H_ 1"), None);
    }

    #[cfg(unix)]
    #[test]
    fn old_headers_are_told_with_both_versions() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = crate::tests::config("x86_64-unknown-linux-gnu", "vulkan");
        config.toolkits.vulkan = Some(dir.path().to_owned());
        let include = dir.path().join("include/vulkan");
        std::fs::create_dir_all(&include).unwrap();
        let look = |patch: u32| {
            let text = format!(
                "#define VK_HEADER_VERSION {patch}\n\
                 #define VK_HEADER_VERSION_COMPLETE VK_MAKE_API_VERSION(0, 1, 3, VK_HEADER_VERSION)\n"
            );
            std::fs::write(include.join("vulkan.h"), text).unwrap();
            let rows = requirement::all(&config);
            toolchain::find(
                rows.into_iter().find(|row| row.name == "Vulkan headers").unwrap(),
                &config,
            )
        };
        assert_eq!(look(272).result.unwrap().version, "1.3.272");
        let old = look(239);
        assert_eq!(
            report(&[&old], Some(Manager::Apt))
                .to_string()
                .replace(&dir.path().display().to_string(), "D"),
            "Vulkan headers too old for feature `vulkan`: 1.3.239, but 1.3.272 is required\n  \
            looked in: $VULKAN_SDK (D), system (vulkan/vulkan.h)\n  hint: install a newer \
            version: apt-get install libvulkan-dev\n  hint: or build without the feature `vulkan`"
        );
    }

    /// `CC="gcc -I'/my includes'"` keeps the quotes in the flags.
    #[cfg(unix)]
    #[test]
    fn a_flag_with_a_blank_is_one_word_to_the_compiler() {
        let dir = tempfile::tempdir().unwrap();
        let include = dir.path().join("my includes");
        std::fs::create_dir_all(&include).unwrap();
        std::fs::write(include.join("own.h"), "").unwrap();
        let mut config = crate::tests::config("x86_64-unknown-linux-gnu", "");
        assert!(find("own.h", &config).is_err());
        config.compilers.cflags = Some(format!("-DA=1 '-I{}'", include.display()));
        assert!(find("own.h", &config).is_ok());
    }
}
