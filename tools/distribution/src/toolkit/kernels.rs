//! rocBLAS and hipBLASLt bring a file of kernels for every GPU there is; a distribution takes those
//! for its own.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use llama_src::Error;

/// Whether the file at `path`, relative to the library's kernel folder, belongs to one of `targets`, or
/// to none in particular. `gfx90a` takes the files for both states of XNACK, `gfx90a:xnack+` for one.
pub(super) fn belongs(path: &str, targets: &[&str]) -> bool {
    path.split('/').all(|part| match gpu(part) {
        None => true,
        Some((gpu, xnack)) => targets.iter().any(|target| {
            let (name, feature) = target.split_once(":xnack").unwrap_or((target, ""));
            name == gpu && (feature.is_empty() || xnack.is_empty() || feature == xnack)
        }),
    })
}

/// Whether rocBLAS has kernels for every one of `targets`, going by the names of its files.
///
/// # Errors
/// Names those for which it has none, and those for which it has.
pub(super) fn check(paths: &[String], targets: &[&str]) -> Result<()> {
    let known: BTreeSet<&str> =
        paths.iter().filter_map(|path| gpu(path)).map(|(gpu, _)| gpu).collect();
    let base = |target: &&str| !known.contains(target.split(':').next().unwrap_or_default());
    let lacking: Vec<&str> = targets.iter().copied().filter(base).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let known: Vec<&str> = known.into_iter().collect();
    bail!(
        Error::usage(format!("rocBLAS has no kernels for {}", lacking.join(", ")))
            .hint(format!("it has them for: --arch '{}'", known.join(";")))
    )
}

/// `("gfx90a", "+")` of `Kernels.so-000-gfx90a-xnack+.hsaco`.
fn gpu(name: &str) -> Option<(&str, &str)> {
    let at = name.rfind("gfx")?;
    let digits = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let rest = &name[at + 3..];
    let length = rest.find(|c| !digits(c)).unwrap_or(rest.len());
    let after = rest[length..].strip_prefix("-xnack").unwrap_or_default();
    let xnack = after.get(..1).filter(|sign| ["+", "-"].contains(sign)).unwrap_or_default();
    (length > 0).then(|| (&name[at..at + 3 + length], xnack))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names as in rocBLAS 6.4 and hipBLASLt 7.
    const TREE: &[&str] = &[
        "Kernels.so-000-gfx1100.hsaco",
        "Kernels.so-000-gfx90a-xnack+.hsaco",
        "Kernels.so-000-gfx90a-xnack-.hsaco",
        "TensileLibrary_Type_HH_Contraction_l_Ailk_Bjlk_Cijk_Dijk_fallback.dat",
        "TensileLibrary_Type_HH_Contraction_l_Ailk_Bjlk_Cijk_Dijk_fallback_gfx1100.hsaco",
        "TensileLibrary_Type_HH_Contraction_l_Ailk_Bjlk_Cijk_Dijk_CU104_gfx90a.co",
        "TensileLibrary_Type_SS_Contraction_l_Ailk_Bjlk_Cijk_Dijk_gfx908.co",
        "TensileLibrary_lazy_gfx1101.dat",
        "TensileManifest.txt",
        "extop_gfx942.co",
        "gfx942/TensileLibrary_BB_BB_HA_Bias_SAV_UA_Type_BB_HPA_Contraction.dat",
        "hipblasltTransform.hsaco",
    ];

    fn kept(targets: &[&str]) -> Vec<&'static str> {
        let dropped = ["fallback.dat", "TensileManifest.txt", "hipblasltTransform.hsaco"];
        let neutral = |path: &&&str| dropped.iter().any(|name| path.ends_with(name));
        let kept: Vec<&str> = TREE.iter().copied().filter(|path| belongs(path, targets)).collect();
        assert_eq!(kept.iter().filter(neutral).count(), 3, "files of no GPU are always taken");
        kept.into_iter().filter(|path| !neutral(&path)).collect()
    }

    #[test]
    fn only_the_kernels_of_the_chosen_gpus_are_taken() {
        assert_eq!(
            kept(&["gfx1100"]),
            [
                "Kernels.so-000-gfx1100.hsaco",
                "TensileLibrary_Type_HH_Contraction_l_Ailk_Bjlk_Cijk_Dijk_fallback_gfx1100.hsaco"
            ]
        );
        assert_eq!(
            kept(&["gfx942", "gfx1101"]),
            [
                "TensileLibrary_lazy_gfx1101.dat",
                "extop_gfx942.co",
                "gfx942/TensileLibrary_BB_BB_HA_Bias_SAV_UA_Type_BB_HPA_Contraction.dat"
            ]
        );
        assert_eq!(kept(&["gfx110"]), [""; 0], "a part of a name is another GPU");
    }

    #[test]
    fn xnack_is_both_unless_one_is_named() {
        let both = kept(&["gfx90a"]);
        assert_eq!(both.len(), 3, "{both:?}");
        assert_eq!(
            kept(&["gfx90a:xnack-"]),
            [
                "Kernels.so-000-gfx90a-xnack-.hsaco",
                "TensileLibrary_Type_HH_Contraction_l_Ailk_Bjlk_Cijk_Dijk_CU104_gfx90a.co"
            ]
        );
    }

    #[test]
    fn a_gpu_without_kernels_is_told_with_those_that_have_them() {
        let paths: Vec<String> = TREE[..3].iter().map(|&path| path.to_owned()).collect();
        check(&paths, &["gfx1100", "gfx90a:xnack+"]).unwrap();
        assert_eq!(
            check(&paths, &["gfx1100", "gfx1151", "gfx1201"]).unwrap_err().to_string(),
            "rocBLAS has no kernels for gfx1151, gfx1201\n  hint: it has them for: --arch \
             'gfx1100;gfx90a'"
        );
    }
}
