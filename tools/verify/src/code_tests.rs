//! A broken distribution for every rule about code, with what is said about it.

use super::super::made::{NOTHING, after, listed, vendors};
use elf::made::Made;
use product::arch::Arch;

#[test]
fn libraries_are_own_or_everybodys() {
    assert_eq!(
        listed(|dist| dist.elf(
            "libggml-cuda.so",
            &Made {
                needed: vec!["libcudart.so.13", "libnccl.so.2", "libvulkan.so.1", "licenses"],
                soname: Some("libggml-cuda.so.0"),
                runpath: Some("$ORIGIN"),
                ..Made::default()
            }
        )),
        [
            "libggml-cuda.so: has the soname `libggml-cuda.so.0`, must be its file name",
            "libggml-cuda.so: needs `libnccl.so.2`, which is neither in the distribution nor allowed for \
             cuda",
            "libggml-cuda.so: needs `libvulkan.so.1`, which is neither in the distribution nor allowed for \
             cuda",
            "libggml-cuda.so: needs `licenses`, which is neither in the distribution nor allowed for cuda",
        ]
    );
}

#[test]
fn run_paths_lead_to_the_distribution_alone() {
    let run_path = |path: &'static str, made: Made| listed(|dist| dist.elf(path, &made));
    let own = Made { needed: vec!["libggml.so"], ..Made::default() };
    assert_eq!(
        run_path("libmtmd.so", own.clone()),
        ["libmtmd.so: has no run path, must be `$ORIGIN`: it needs libggml.so"]
    );
    assert_eq!(
        run_path("libmtmd.so", Made { runpath: Some("$ORIGIN:/usr/lib"), ..own.clone() }),
        ["libmtmd.so: has the run path `$ORIGIN:/usr/lib`, must be `$ORIGIN`"]
    );
    assert_eq!(
        run_path("libmtmd.so", Made { rpath: Some("$ORIGIN"), ..own }),
        ["libmtmd.so: has the old kind of run path, RPATH `$ORIGIN`"]
    );
    assert_eq!(
        run_path("libggml.so", Made { runpath: Some("$ORIGIN"), ..Made::default() }),
        NOTHING
    );
    let with = |rpath| Made { rpath: Some(rpath), ..vendors() };
    assert_eq!(run_path("libcudart.so.13", with("$ORIGIN")), NOTHING);
    assert_eq!(
        run_path("libcudart.so.13", with("$ORIGIN:/opt/cuda/lib64")),
        ["libcudart.so.13: has the run path `/opt/cuda/lib64`, must be `$ORIGIN` or none"]
    );
}

#[test]
fn code_is_stripped_and_for_the_target() {
    let aarch64 = Arch::AARCH64.machine;
    assert_eq!(
        listed(|dist| {
            dist.elf("libggml.so", &Made { machine: aarch64, symtab: true, ..Made::default() });
            dist.write("libmtmd.so", b"INPUT(libggml.so)", 0o755);
            dist.write("libllama.so", &Made::default().bytes()[..200], 0o755);
        }),
        [
            "libggml.so: is for aarch64, version.json says x86_64-unknown-linux-gnu",
            "libggml.so: not stripped",
            "libllama.so: Invalid ELF section header offset/size/alignment",
            "libmtmd.so: no ELF file",
        ]
    );
}

#[test]
fn kernels_are_code_of_another_kind() {
    const AMDGPU: u16 = 224;
    let kernel = Made { machine: AMDGPU, symtab: true, payload: "/opt/tree/x", ..Made::default() };
    let wrong = listed(|dist| {
        dist.write("rocblas/4.4.1/library/kernels_gfx1100.hsaco", &kernel.bytes(), 0o644);
        dist.write("hipblaslt/library/extop_gfx1100.co", &kernel.bytes(), 0o644);
    });
    assert_eq!(wrong, NOTHING);
}

#[test]
fn the_manifest_says_how_new_a_system_must_be() {
    assert_eq!(
        after(|dist| {
            dist.manifest.symbol_versions = [("GLIBC", "2.4"), ("GOMP", "4.0")]
                .map(|(prefix, version)| (prefix.to_owned(), version.to_owned()))
                .into();
        }),
        [
            "version.json: says GLIBC 2.4 is needed, the files need 2.34",
            "version.json: says GLIBCXX none is needed, the files need 3.4.30",
            "version.json: says GOMP 4.0 is needed, the files need none",
        ]
    );
}
