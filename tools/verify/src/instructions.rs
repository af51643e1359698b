//! The rule that what every machine runs holds no instruction that only some machines have. What was compiled
//! for one kind of processor is in its own `libggml-cpu-*.so` or, in one file with all, in its own section.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use llama_src::Error;
use llama_src::sh::Cmd;

use super::facts::{self, Entries};
use super::{NotRun, parallel};
use product::arch::Arch;
use product::manifest::{self, Manifest};
use product::variant::PACKER;

/// Our code for the oldest processor: the rest of `libggml-cpu-*.so` is for newer ones.
const BASELINES: &[&str] =
    &["libggml-cpu-x64.so", "libggml-cpu-sse42.so", "libggml-cpu-armv8.0_1.so"];
/// The same of one file with all of them, by section.
const BASELINE_SECTIONS: &[&str] = &[".cpu.x64", ".cpu.sse42", ".cpu.armv8_0_1"];
/// How the section of one kind of processor begins (`inject.cmake`).
const SECTION: &str = ".cpu.";

/// Instructions with the AVX encoding whose names do not begin with `v` or `k`: BMI and AMX.
const ENCODED_LIKE_AVX: &[&str] = &[
    "andn",
    "bextr",
    "blsi",
    "blsmsk",
    "blsr",
    "bzhi",
    "ldtilecfg",
    "mulx",
    "pdep",
    "pext",
    "rorx",
    "sarx",
    "shlx",
    "shrx",
    "sttilecfg",
];
/// Instructions of virtual machines and segments, which begin with `v` and are old.
const OLD_WITH_V: &[&str] = &["verr", "verw", "vmcall", "vmfunc", "vmlaunch", "vmresume", "vmxoff"];
/// Instructions that armv8.0 has not and whose registers do not tell: products of small integers and of
/// halves, and what prepares the vectors of any size.
const NEW_ON_ARM: &[&str] = &[
    "bfdot", "bfmmla", "rdsvl", "rdvl", "sdot", "smmla", "smstart", "sudot", "udot", "ummla",
    "usdot", "usmmla",
];

/// A processor's family, whose disassembly is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    X86,
    Arm,
}

/// Disassembles every file that must run anywhere: the violations, and how many files those were.
///
/// # Errors
/// When no disassembler for `target` is there.
pub(super) fn violations(
    dir: &Path,
    entries: &Entries,
    target: &str,
) -> Result<(Vec<String>, usize), NotRun> {
    let arch = Arch::name_of(target);
    let Some((family, format)) = family(arch) else { return Err(no_objdump(arch)) };
    let Some(objdump) = objdump(arch, format) else { return Err(no_objdump(arch)) };
    let files = facts::elves(entries).map(|(path, _)| path);
    let files: Vec<&str> = files.filter(|path| must_run_anywhere(path)).collect();
    let found = parallel::map(&files, |path| {
        let mut cmd = Cmd::new(&objdump).args(["--disassemble", "--no-show-raw-insn"]);
        let sections = elf::code_sections(&dir.join(path)).unwrap_or_default();
        if sections.iter().any(|name| name.starts_with(SECTION)) {
            let all = sections.iter().filter(|name| runs_anywhere(name));
            cmd = cmd.args(all.map(|name| format!("--section={name}")));
        }
        judge(path, cmd.arg(dir.join(path)).read(), family)
    });
    Ok((found.into_iter().flatten().collect(), files.len()))
}

fn judge(path: &str, disassembly: Result<String, Error>, family: Family) -> Option<String> {
    match disassembly {
        Ok(text) => first_new(&text, family).map(|found| format!("{path}: {found}")),
        Err(error) => Some(format!("{path}: cannot disassemble it: {error}")),
    }
}

/// With the name of the family's files in binutils.
fn family(arch: &str) -> Option<(Family, &str)> {
    match arch {
        "x86_64" => Some((Family::X86, "elf64-x86-64")),
        "aarch64" => Some((Family::Arm, "elf64-littleaarch64")),
        _ => None,
    }
}

/// Whether code in the section `name` is for every processor.
fn runs_anywhere(name: &str) -> bool {
    !name.starts_with(SECTION) || BASELINE_SECTIONS.contains(&name)
}

/// The kinds of processor that the manifest names and the server in `dir` holds no code for; a distribution
/// has libraries of them, or a server with a section of each.
pub(super) fn missing_variants(dir: &Path, manifest: &Manifest) -> Vec<String> {
    let sections = elf::code_sections(&dir.join(super::PROGRAM)).unwrap_or_default();
    let embedded = |name: &str| sections.iter().any(|section| *section == section_of(name));
    let missing = manifest.cpu_variants.iter().filter(|name| {
        !manifest.files.contains_key(&format!("libggml-cpu-{name}.so")) && !embedded(name)
    });
    let file = manifest::FILE;
    missing.map(|name| format!("{file}: lists CPU variant `{name}`, which has no code")).collect()
}

/// Where the code of a variant is in one file: its name as an identifier of C.
fn section_of(variant: &str) -> String {
    let identifier = variant.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    format!("{SECTION}{identifier}")
}

fn must_run_anywhere(path: &str) -> bool {
    let for_one_processor = path.starts_with("libggml-cpu-") && !BASELINES.contains(&path);
    // Crates of the packer ask the processor before they use what is new, in the same file.
    !facts::is_vendors(path) && !for_one_processor && path != PACKER
}

/// The target's own disassembler, or one that knows many.
fn objdump(arch: &str, format: &str) -> Option<PathBuf> {
    if let Ok(own) = which::which(format!("{arch}-linux-gnu-objdump")) {
        return Some(own);
    }
    let any = which::which("objdump").ok()?;
    let known = Cmd::new(&any).arg("--info").read().ok()?;
    known.lines().any(|line| line.trim() == format).then_some(any)
}

fn no_objdump(arch: &str) -> NotRun {
    let package = if arch == std::env::consts::ARCH {
        "binutils".to_owned()
    } else {
        format!("binutils-{}-linux-gnu", arch.replace('_', "-"))
    };
    NotRun {
        what: "instructions of the base libraries".into(),
        why: format!("no objdump for {arch}"),
        hint: Some(format!("apt-get install {package}")),
    }
}

/// The first instruction that not every machine of the family has, and where it is.
fn first_new(disassembly: &str, family: Family) -> Option<String> {
    let (mut rest, mut function, mut at) = (disassembly.as_bytes(), "", 0);
    // Millions of lines: jumps to the next line and tab are fast even without optimization.
    while let Some(length) = rest.skip_until(b'\n').ok().filter(|length| *length > 0) {
        let line = &disassembly[at..at + length];
        at += length;
        let mut code = line.as_bytes();
        let _ = code.skip_until(b'\t');
        if code.is_empty() {
            let label = line.strip_suffix(">:\n").and_then(|line| line.split_once('<'));
            function = label.map_or(function, |label| label.1);
            continue;
        }
        let (new, what) = match family {
            Family::X86 => (is_avx(code), "an AVX instruction"),
            Family::Arm => (is_sve_or_dot_product(code), "an SVE or dot-product instruction"),
        };
        if new {
            let code: Vec<&str> = line.split_whitespace().skip(1).collect();
            let function = function.replace("@@Base", "");
            return Some(format!("contains {what} in {function}: `{}`", code.join(" ")));
        }
    }
    None
}

fn is_avx(code: &[u8]) -> bool {
    match code {
        [b'v', ..] => !OLD_WITH_V.contains(&name(code)),
        [b'k', ..] | [b'{', b'v' | b'e', ..] => true,
        [b't', b'i' | b'd', ..] => code.starts_with(b"tile") || code.starts_with(b"tdp"),
        // Most lines are neither.
        [b'a' | b'b' | b'l' | b'p' | b'r' | b's', ..] | [b'm', b'u', ..] => {
            ENCODED_LIKE_AVX.contains(&name(code))
        }
        _ => false,
    }
}

/// The instruction without its operands.
fn name(code: &[u8]) -> &str {
    let name = code.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    std::str::from_utf8(name).unwrap_or_default()
}

fn is_sve_or_dot_product(code: &[u8]) -> bool {
    let mut operands = code;
    let _ = operands.skip_until(b'\t');
    NEW_ON_ARM.contains(&name(code)) || has_vector_register(operands)
}

/// Whether one of the registers is `z0` … or `p0` …, whose size the machine decides.
fn has_vector_register(operands: &[u8]) -> bool {
    let mut before = b' ';
    for pair in operands.windows(2) {
        match pair {
            // The name of a function follows, or a comment.
            [b'<', _] | [b'/', b'/'] => return false,
            [b'z' | b'p', b'0'..=b'9'] if b" ,{[-".contains(&before) => return true,
            [byte, _] => before = *byte,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
#[path = "instructions_tests.rs"]
mod tests;
