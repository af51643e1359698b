//! Made-up files are read back.

use super::made::Made;
use super::*;

fn facts(bytes: &[u8]) -> Elf {
    parse(bytes).unwrap().unwrap()
}

#[test]
fn a_library_tells_what_it_needs() {
    let made = Made {
        needed: vec!["libc.so.6", "libm.so.6"],
        soname: Some("liba.so"),
        runpath: Some("$ORIGIN"),
        versions: vec!["GLIBC_2.4", "GLIBC_2.34", "GLIBC_2.9", "CXXABI_1.3.13", "GLIBC_PRIVATE"],
        ..Made::default()
    };
    let expected = Elf {
        machine: elf::EM_X86_64,
        needed: vec!["libc.so.6".into(), "libm.so.6".into()],
        soname: Some("liba.so".into()),
        rpath: None,
        runpath: Some("$ORIGIN".into()),
        versions: BTreeMap::from([
            ("CXXABI".to_owned(), Version(vec![1, 3, 13])),
            ("GLIBC".to_owned(), Version(vec![2, 34])),
        ]),
        stripped: true,
        guards: Guards {
            relocatable: true,
            stack_is_data: true,
            relro: true,
            bind_now: true,
            stack_protector: true,
            fortified: true,
            ..Guards::default()
        },
    };
    assert_eq!(facts(&made.bytes()), expected);
    let old = Made { rpath: Some("/x"), symtab: true, machine: elf::EM_AARCH64, ..Made::default() };
    let old = facts(&old.bytes());
    assert_eq!((old.rpath.as_deref(), old.runpath, old.stripped), (Some("/x"), None, false));
    assert_eq!(old.machine, elf::EM_AARCH64);
}

#[test]
fn versions_compare_as_numbers_and_the_highest_of_all_files_counts() {
    let files =
        [["GLIBC_2.4", "OPENSSL_3.0.0"], ["GLIBC_2.34", "GOMP_4.0"], ["GLIBC_2.2.5", "GCC_3.0"]]
            .map(|versions| {
                facts(&Made { versions: versions.to_vec(), ..Made::default() }.bytes())
            });
    let expected = [("GCC", "3.0"), ("GLIBC", "2.34"), ("GOMP", "4.0"), ("OPENSSL", "3.0.0")];
    let expected: BTreeMap<_, _> = expected.map(|(a, b)| (a.to_owned(), b.to_owned())).into();
    assert_eq!(highest(&files), expected);
}

#[test]
fn what_is_no_elf_file_and_what_is_a_broken_one_differ() {
    assert_eq!(parse(b"#!/bin/sh\n".as_slice()).unwrap(), None);
    assert_eq!(parse(b"".as_slice()).unwrap(), None);
    let mut bytes = Made::default().bytes();
    bytes.truncate(300);
    assert!(parse(bytes.as_slice()).is_err());
    let mut bytes = Made::default().bytes();
    bytes[4] = 1;
    let error = parse(bytes.as_slice()).unwrap_err().to_string();
    assert_eq!(error, "an ELF file that is not for a 64-bit machine");
    // No section headers: what it needs would stay unseen.
    let mut bytes = Made::default().bytes();
    bytes[40..48].fill(0);
    bytes[60..62].fill(0);
    let error = parse(bytes.as_slice()).unwrap_err().to_string();
    assert_eq!(error, "an ELF file without section headers");
}
