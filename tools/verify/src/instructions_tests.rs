//! Lines of disassemblies, old and new.

use super::*;

fn listing(code: &str) -> String {
    format!(
        "\nlibggml.so:     file format elf64\n\n\nDisassembly of section .text:\n\n\
         0000000000001000 <ggml_init@@BASE>:\n    1000:\tnop\n\n\
         0000000000001010 <ggml_free>:\n    1010:\tpush   %rbp\n    1011:\t{code}\n    1016:\tret\n"
    )
}

#[test]
fn new_instructions_are_named_with_their_function() {
    assert_eq!(
        first_new(&listing("vmovd  %eax,%xmm0"), Family::X86).unwrap(),
        "contains an AVX instruction in ggml_free: `vmovd %eax,%xmm0`"
    );
    assert_eq!(
        first_new(&listing("ld1w\t{z0.s}, p0/z, [x0]"), Family::Arm).unwrap(),
        "contains an SVE or dot-product instruction in ggml_free: `ld1w {z0.s}, p0/z, [x0]`"
    );
    assert_eq!(first_new(&listing("mov    %eax,%ebx"), Family::X86), None);
}

#[test]
fn a_file_is_clean_new_or_unreadable() {
    let of = |disassembly| judge("libggml.so", disassembly, Family::X86);
    assert_eq!(of(Ok(listing("mov    %eax,%ebx"))), None);
    assert_eq!(
        of(Ok(listing("vzeroupper"))).unwrap(),
        "libggml.so: contains an AVX instruction in ggml_free: `vzeroupper`"
    );
    assert_eq!(
        of(Err(Error::new("a command failed"))).unwrap(),
        "libggml.so: cannot disassemble it: a command failed"
    );
}

#[test]
fn the_name_of_a_stripped_function_is_the_nearest() {
    let listing = listing("vzeroupper").replace("ggml_free", "ggml_free@@Base-0x8f0");
    assert_eq!(
        first_new(&listing, Family::X86).unwrap(),
        "contains an AVX instruction in ggml_free-0x8f0: `vzeroupper`"
    );
}

#[test]
fn x86_instructions_are_old_or_new() {
    for code in [
        "vzeroupper",
        "vpaddd %ymm0,%ymm1,%ymm2",
        "vpaddd %zmm0,%zmm1,%zmm2",
        "kmovw  %k1,%eax",
        "{vex} vpdpbusd %xmm0,%xmm1,%xmm2",
        "mulx   %rax,%rbx,%rcx",
        "andn   %eax,%ebx,%ecx",
        "tileloadd (%rax,%rbx,1),%tmm0",
        "tdpbssd %tmm0,%tmm1,%tmm2",
    ] {
        assert!(is_avx(code.as_bytes()), "{code}");
    }
    for code in [
        "movdqa %xmm0,%xmm1",
        "verr   %ax",
        "and    %eax,%ebx",
        "andnps %xmm0,%xmm1",
        "mul    %rax",
        "bsr    %eax,%ebx",
        "lock xadd %eax,(%rbx)",
        "test   %eax,%eax",
        "...",
    ] {
        assert!(!is_avx(code.as_bytes()), "{code}");
    }
}

#[test]
fn arm_instructions_are_old_or_new() {
    for code in [
        "fmla\tz0.s, p0/m, z1.s, z2.s",
        "whilelo\tp0.s, wzr, w1",
        "cntp\tx0, p0, p1.b",
        "sdot\tv0.4s, v1.16b, v2.16b",
        "smmla\tv0.4s, v1.16b, v2.16b",
        "smstart\tsm",
        "rdvl\tx0, #1",
    ] {
        assert!(is_sve_or_dot_product(code.as_bytes()), "{code}");
    }
    for code in [
        "fmla\tv0.4s, v1.4s, v2.4s",
        "bl\t1234 <_ZN4p0z1E>",
        "prfm\tpldl1keep, [x0]",
        "stp\tx29, x30, [sp, #-16]!",
        "cbz\tx0, 1010 <p0>",
        "ret",
    ] {
        assert!(!is_sve_or_dot_product(code.as_bytes()), "{code}");
    }
}

#[test]
fn all_but_the_libraries_for_newer_processors_run_anywhere() {
    for path in [
        "llama-server",
        "libggml-base.so",
        "libggml-cuda.so",
        "libggml-cpu-x64.so",
        "libggml-cpu.so",
    ] {
        assert!(must_run_anywhere(path), "{path}");
    }
    for path in ["libggml-cpu-zen4.so", "libggml-cpu-armv8.2_1.so", "libcublas.so.13"] {
        assert!(!must_run_anywhere(path), "{path}");
    }
}

#[test]
fn a_missing_disassembler_is_told() {
    assert_eq!(
        no_objdump("pdp_11").to_string(),
        "instructions of the base libraries (no objdump for pdp_11)\n    \
         hint: apt-get install binutils-pdp-11-linux-gnu"
    );
    assert_eq!(no_objdump(std::env::consts::ARCH).hint.unwrap(), "apt-get install binutils");
}
