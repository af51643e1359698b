//! Tests of `rocm.rs`: kernels beside their library, licences, what is said.

use super::*;

#[test]
fn kernels_keep_their_place_below_the_library() {
    let dir = tempfile::tempdir().unwrap();
    let kernels = dir.path().join("rocblas/4.4.1/library");
    std::fs::create_dir_all(&kernels).unwrap();
    for name in ["Kernels.so-000-gfx1100.hsaco", "Kernels.so-000-gfx908.hsaco", "fallback.dat"] {
        std::fs::write(kernels.join(name), "").unwrap();
    }
    let library = |name: &str| VendorFile { from: dir.path().join(name), to: name.into() };
    let files = kernels_of(&library("librocblas.so.4"), &["gfx1100"]).unwrap();
    let shipped: Vec<_> = files.iter().map(|file| file.to.as_str()).collect();
    assert_eq!(
        shipped,
        [
            "rocblas/4.4.1/library/Kernels.so-000-gfx1100.hsaco",
            "rocblas/4.4.1/library/fallback.dat"
        ]
    );
    assert_eq!(files[1].from, kernels.join("fallback.dat"));
    assert_eq!(kernels_of(&library("libhipblas.so.2"), &["gfx1100"]).unwrap(), []);
}

#[test]
fn architectures_without_kernels_are_told() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("rocblas/library")).unwrap();
    std::fs::write(dir.path().join("rocblas/library/TensileLibrary_lazy_gfx1030.dat"), "").unwrap();
    let toolkit = Toolkit { search: vec![dir.path().into()], ..Toolkit::default() };
    check_architectures(&toolkit, "gfx1030").unwrap();
    assert_eq!(
        check_architectures(&toolkit, "gfx1030;gfx942").unwrap_err().to_string(),
        "rocBLAS has no kernels for gfx942\n  hint: it has them for: --arch 'gfx1030'"
    );
}

#[test]
fn the_code_object_manager_is_found_by_its_soname() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["libamd_comgr.so", "libamd_comgr.so.3", "libamd_comgr.so.3.0.0"] {
        std::fs::write(dir.path().join(name), "").unwrap();
    }
    assert_eq!(loaded(&[dir.path().join("none"), dir.path().into()]), ["libamd_comgr.so.3"]);
}

#[test]
fn licence_texts_are_known_by_their_names() {
    let list = "/.\n/usr/share/doc/librocblas4/copyright\n/usr/lib/librocblas.so.4\n\
                /opt/rocm/share/doc/rocblas/LICENSE.md\n/usr/share/doc/x/copyrights.html";
    let names = ["/usr/share/doc/librocblas4/copyright", "/opt/rocm/share/doc/rocblas/LICENSE.md"];
    assert_eq!(license_files(list), names.map(PathBuf::from));
}

#[test]
fn what_repairs_it_depends_on_what_can_be_installed() {
    let repair = |wanted, in_sid| repair("none".to_owned(), wanted, in_sid).to_string();
    assert_eq!(
        repair(Some("6.4"), true),
        "none\n  hint: cargo xtask dist --variant rocm --toolkit 6.4 --setup"
    );
    assert_eq!(
        repair(Some("7.2"), false),
        "none\n  hint: install it from AMD and name its folder: ROCM_PATH=/opt/rocm-7.2\n  \
         hint: or build with the toolkit that --setup can install: --toolkit 6.4 --setup"
    );
    assert_eq!(
        moved_on("7.1.2").to_string(),
        "Debian's ROCm is 7.1.2 by now, not 6.4\n  hint: move IN_SID and the root's name in \
         tools/distribution/src/toolkit/rocm.rs"
    );
}
