//! What `CC`, `CXX`, `CFLAGS`, `CXXFLAGS` and `LDFLAGS` say, read as CMake and the crate `cc` read them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::Error;

/// Programs that run a compiler and keep, or send away, what it does.
const LAUNCHERS: [&str; 5] = ["ccache", "sccache", "distcc", "icecc", "buildcache"];

/// The words of `CC` or `CXX`: `ccache gcc -m64`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) launcher: Option<String>,
    pub(crate) program: Option<PathBuf>,
    pub(crate) flags: Vec<String>,
}

impl Named {
    /// Reads the value of the variable `name`. A path that is there may have spaces in it.
    pub(crate) fn read(name: &str, value: OsString) -> Result<Self, Error> {
        let path = || Self { program: Some(PathBuf::from(&value)), ..Self::default() };
        let Some(text) = value.to_str().filter(|_| which::which(&value).is_err()) else {
            return Ok(path());
        };
        // Windows' paths are full of what a shell takes for escapes.
        if text.contains('\\') || !text.contains(char::is_whitespace) {
            return Ok(path());
        }
        let words = shlex::split(text).ok_or_else(|| {
            Error::usage(format!("{name} has an open quote: {text}"))
                .hint(format!("set {name} to a compiler and its flags, as in `gcc -m64`"))
        })?;
        let mut words = words.into_iter().peekable();
        let launcher = words.next_if(|word| is_launcher(word));
        let program = words.next().map(PathBuf::from);
        Ok(Self { launcher, program, flags: words.collect() })
    }
}

fn is_launcher(word: &str) -> bool {
    let stem = Path::new(word).file_stem().unwrap_or_default();
    LAUNCHERS.iter().any(|launcher| stem == *launcher)
}

/// The flags of the compiler's own words and of `CFLAGS`, `CXXFLAGS` or `LDFLAGS`, and those among them that are left out: Rust
/// links with its own linker, and no linker but the compiler's reads what the compiler has put off for it.
pub(crate) fn flags(own: &[String], named: Option<String>) -> (Option<String>, Vec<String>) {
    let Ok(own) = shlex::try_join(own.iter().map(String::as_str)) else {
        return (named, Vec::new());
    };
    let text = [own, named.unwrap_or_default()].join(" ").trim().to_owned();
    let put_off = |word: &&str| {
        *word == "-flto" || word.starts_with("-flto=") || word.ends_with("fat-lto-objects")
    };
    let left_out: Vec<String> =
        text.split_whitespace().filter(put_off).map(str::to_owned).collect();
    if left_out.is_empty() {
        return (Some(text).filter(|text| !text.is_empty()), left_out);
    }
    let kept: Vec<&str> = text.split_whitespace().filter(|word| !put_off(word)).collect();
    (Some(kept.join(" ")).filter(|text| !text.is_empty()), left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Named {
        Named::read("CC", text.into()).unwrap()
    }

    #[test]
    fn words_are_launcher_compiler_and_flags() {
        let program = |program: &str| Named { program: Some(program.into()), ..Named::default() };
        assert_eq!(named("/no/such/cc"), program("/no/such/cc"));
        assert_eq!(
            named("C:\\Program Files\\LLVM\\clang.exe"),
            program("C:\\Program Files\\LLVM\\clang.exe")
        );
        let cached = Named { launcher: Some("ccache".into()), ..program("gcc") };
        assert_eq!(named("ccache gcc"), cached);
        let yocto = "x86_64-poky-linux-gcc -m64 --sysroot='/my sysroot'";
        let flags = ["-m64", "--sysroot=/my sysroot"].map(str::to_owned).to_vec();
        assert_eq!(named(yocto), Named { flags, ..program("x86_64-poky-linux-gcc") });
        let launched = named("/usr/bin/sccache clang -O2");
        assert_eq!(launched.launcher.as_deref(), Some("/usr/bin/sccache"));
        assert_eq!(launched.flags, ["-O2"]);
        let error = Named::read("CC", "gcc 'x".into()).unwrap_err().to_string();
        assert_eq!(
            error,
            "CC has an open quote: gcc 'x\n  hint: set CC to a compiler and its flags, as in `gcc -m64`"
        );
    }

    #[test]
    fn a_compiler_with_a_space_in_its_path_is_one_word() {
        let dir = tempfile::tempdir().unwrap();
        let cc = dir.path().join("my cc");
        std::fs::copy(which::which("true").unwrap(), &cc).unwrap();
        let named = Named::read("CC", cc.clone().into_os_string()).unwrap();
        assert_eq!(named, Named { program: Some(cc), ..Named::default() });
    }

    #[test]
    fn what_is_put_off_until_the_link_is_left_out() {
        let own = ["-m64".to_owned()];
        assert_eq!(flags(&[], None), (None, vec![]));
        assert_eq!(flags(&own, Some("-O2".into())), (Some("-m64 -O2".into()), vec![]));
        let packagers = "-O2 -flto=auto -ffat-lto-objects -g -fno-fat-lto-objects";
        let (kept, left_out) = flags(&own, Some(packagers.into()));
        assert_eq!(kept.as_deref(), Some("-m64 -O2 -g"));
        assert_eq!(left_out, ["-flto=auto", "-ffat-lto-objects", "-fno-fat-lto-objects"]);
        assert_eq!(flags(&[], Some("-flto".into())), (None, vec!["-flto".to_owned()]));
    }
}
