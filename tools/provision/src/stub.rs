//! Shared libraries that stand in for a driver's while something is linked.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use llama_src::sh::Cmd;

/// Makes the library `to`, called `soname`, with every function of the interface in `header`: their names
/// begin with `prefix` and a capital letter. Every one, because Ubuntu's linker forgets a library of which
/// nothing is used.
///
/// # Errors
/// When the header cannot be read or the C compiler fails.
pub fn make(header: &Path, prefix: &str, soname: &str, to: &Path) -> Result<()> {
    let text =
        fs::read_to_string(header).with_context(|| format!("cannot read {}", header.display()))?;
    let source = to.with_extension("c");
    let define = |name| format!("void {name}(void) {{}}\n");
    fs::write(&source, functions(&text, prefix).into_iter().map(define).collect::<String>())?;
    let cc = Cmd::new("cc").args(["-shared", "-nostdlib", "-w", "-o"]).arg(to).arg(&source);
    cc.arg(format!("-Wl,-soname,{soname}")).run()?;
    Ok(fs::remove_file(source)?)
}

/// Every name of an interface, and the versioned ones that macros turn them into.
fn functions<'a>(header: &'a str, prefix: &str) -> BTreeSet<&'a str> {
    let is_name = |word: &&str| {
        let mut rest = word.strip_prefix(prefix).unwrap_or_default().chars();
        rest.next().is_some_and(|c| c.is_ascii_uppercase())
    };
    header.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(is_name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stub_has_functions_and_their_versions_and_no_types() {
        let header = "#define cuMemAlloc cuMemAlloc_v2\nCUresult CUDAAPI cuInit(unsigned);\n\
                      typedef cuuint64_t x; CUresult CUDAAPI cuMemAlloc(CUdeviceptr *p, cudaError_t e);";
        let functions: Vec<_> = functions(header, "cu").into_iter().collect();
        assert_eq!(functions, ["cuInit", "cuMemAlloc", "cuMemAlloc_v2"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_stub_is_asked_for_by_the_drivers_name() {
        let dir = tempfile::tempdir().unwrap();
        let [header, library, program] =
            ["vulkan_core.h", "libvulkan.so", "program"].map(|name| dir.path().join(name));
        fs::write(&header, "typedef void *PFN_vkOther; void vkCreateInstance(void);").unwrap();
        make(&header, "vk", "libvulkan.so.1", &library).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left behind");
        let source = dir.path().join("program.c");
        fs::write(&source, "void vkCreateInstance(void); int main() { vkCreateInstance(); }")
            .unwrap();
        let cc = Cmd::new("cc").args([&source, &library]).arg("-o").arg(&program);
        cc.run().unwrap();
        let needed = elf::read(&program).unwrap().unwrap().needed;
        assert!(needed.contains(&"libvulkan.so.1".to_owned()), "{needed:?}");
    }
}
