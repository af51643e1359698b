//! The CUDA toolkits that `--setup` puts together from NVIDIA's wheels: every wheel by version and
//! hash. The one place where they are pinned.

/// A toolkit as NVIDIA releases it.
#[derive(Debug)]
pub struct Release {
    /// NVIDIA's name of the whole, as in the meta package `cuda-toolkit`.
    pub version: &'static str,
    /// Folder in the wheels that holds the toolkit.
    pub folder: &'static str,
    /// Its parts.
    pub wheels: &'static [Wheel],
}

/// One package, as it is for x86-64 Linux.
#[derive(Debug)]
pub struct Wheel {
    /// Name on PyPI.
    pub name: &'static str,
    pub version: &'static str,
    /// Of the wheel.
    pub sha256: &'static str,
    /// Name of the part in the `version.json` of NVIDIA's own installer.
    pub part: &'static str,
}

/// Toolkits whose compiler is on PyPI. It is not for CUDA 12: the wheels called `nvidia-cuda-nvcc-cu12`
/// (12.8.93 and 12.9.86 were looked into) have `ptxas` and headers, but neither `nvcc` nor `cicc`.
pub const RELEASES: &[Release] = &[Release {
    version: "13.0.2",
    folder: "nvidia/cu13",
    wheels: &[
        Wheel {
            name: "nvidia-cuda-nvcc",
            version: "13.0.88",
            sha256: "56fe502eb77625a12f25172caa3cdddb4e4c8ba2c8c17dba44b164761b380f03",
            part: "cuda_nvcc",
        },
        Wheel {
            name: "nvidia-nvvm",
            version: "13.0.88",
            sha256: "c5f41ffeb6466944a026dfa5317d7d85355c119bbec279205d22f1869d1054e0",
            part: "libnvvm",
        },
        Wheel {
            name: "nvidia-cuda-crt",
            version: "13.0.88",
            sha256: "2c8043c7c9e02492716426e9919fc78d2c5b3b2a7a768a88e952676b08aa55a4",
            part: "cuda_crt",
        },
        Wheel {
            name: "nvidia-cuda-runtime",
            version: "13.0.96",
            sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
            part: "cuda_cudart",
        },
        Wheel {
            name: "nvidia-cuda-cccl",
            version: "13.0.85",
            sha256: "e0da7ad981f3a8aff08241b5bfc1af868742a63e2762f53a5171c492ef242649",
            part: "cuda_cccl",
        },
        Wheel {
            name: "nvidia-cublas",
            version: "13.1.0.3",
            sha256: "ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171",
            part: "libcublas",
        },
    ],
}];

impl Release {
    /// The release that `wanted` (`13.0`) means; the newest one when nothing is wanted.
    pub fn of(wanted: Option<&str>) -> Option<&'static Self> {
        let number = |version: &str| product::variant::major_minor(version);
        match wanted {
            None => RELEASES.last(),
            Some(wanted) => {
                RELEASES.iter().find(|release| number(release.version) == number(wanted))
            }
        }
    }

    /// Lines for pip, which takes nothing with another hash.
    pub fn requirements(&self) -> String {
        let line = |w: &Wheel| format!("{}=={} --hash=sha256:{}\n", w.name, w.version, w.sha256);
        self.wheels.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_found_by_its_first_two_numbers() {
        assert_eq!(Release::of(Some("13.0")).unwrap().version, "13.0.2");
        assert_eq!(Release::of(None).unwrap().version, "13.0.2");
        assert!(Release::of(Some("12.8")).is_none());
    }

    #[test]
    fn every_wheel_is_pinned_by_hash() {
        for release in RELEASES {
            for line in release.requirements().lines() {
                let (name, hash) = line.split_once(" --hash=sha256:").unwrap();
                assert!(name.contains("=="), "{line}");
                assert!(hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{line}");
            }
        }
    }
}
