//! The Cargo features of `llama-sys`. What reads, checks, writes or documents them follows from this table and, for
//! backends, from the one in `backend/rows.rs`. `cargo xtask check --fix` writes both `Cargo.toml`.

use std::collections::BTreeSet;

use crate::Error;
use crate::backend::{self, Backend};

/// A Cargo feature of `llama-sys`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// A backend besides the CPU's.
    Backend(Backend),
    /// Shared libraries; backends are loaded at run time.
    BackendDl,
    /// The CPU backend once per instruction set: a library each with `backend-dl`, else all in one file.
    CpuAllVariants,
    /// Tune for the machine that builds.
    Native,
    /// `llama-server`.
    Server,
    /// The library of `llama-quantize`.
    Quantize,
    /// The web UI, embedded.
    Ui,
    /// OpenMP threads in the CPU backend.
    Openmp,
    /// HTTPS in the server and its downloads.
    Tls,
    /// The multimodal library.
    Mtmd,
    /// Declarations written from the headers.
    Bindgen,
    /// Download of the source.
    Fetch,
    /// An installed llama.cpp instead of a build.
    System,
}

/// What `Cargo.toml`, parsers and documents know about a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureRow {
    /// Which feature.
    pub feature: Feature,
    /// Its name.
    pub name: &'static str,
    /// The part of `Cargo.toml` that it stands in.
    pub section: Section,
    /// Which crates have it on by default.
    pub default: DefaultIn,
    /// Features that it switches on.
    pub implies: &'static [Feature],
    /// Features of dependencies that it switches on.
    pub enables: &'static [&'static str],
    /// Whether `llama-server-bin` has a feature of this name, which switches this one on.
    pub forwarded: bool,
    /// What it means, for the comment in `Cargo.toml` and for the documentation.
    pub help: &'static str,
}

/// Parts of the list of features, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Backends.
    Backends,
    /// How libraries are linked and which processors they are for.
    Linkage,
    /// What is built.
    Parts,
    /// Where llama.cpp and its declarations come from.
    How,
}

/// Crates that have a feature on by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultIn {
    /// None.
    Neither,
    /// `llama-sys` and `llama-server-bin`.
    Both,
    /// `llama-server-bin`, whose users type `cargo install`.
    ServerBin,
}

/// Every feature that is no backend.
const OTHERS: [FeatureRow; 12] = [
    FeatureRow {
        section: Section::Linkage,
        ..row(
            Feature::BackendDl,
            "backend-dl",
            "Shared libraries; backends are loaded at run time.",
        )
    },
    FeatureRow {
        section: Section::Linkage,
        ..row(
            Feature::CpuAllVariants,
            "cpu-all-variants",
            "CPU code for every instruction set, in one file or with `backend-dl` in libraries; the best is chosen at \
             run time.",
        )
    },
    FeatureRow {
        section: Section::Linkage,
        ..row(Feature::Native, "native", "Tune for the build machine only.")
    },
    FeatureRow {
        default: DefaultIn::Both,
        // The feature `build` of `llama-server-bin` switches it on.
        forwarded: false,
        ..row(Feature::Server, "server", "`llama-server`.")
    },
    FeatureRow {
        forwarded: false,
        ..row(
            Feature::Quantize,
            "quantize",
            "The quantizer and the memory planner, for a program that links them.",
        )
    },
    FeatureRow {
        default: DefaultIn::Both,
        implies: &[Feature::Server],
        ..row(Feature::Ui, "ui", "Its web UI, embedded.")
    },
    FeatureRow {
        default: DefaultIn::Both,
        ..row(Feature::Openmp, "openmp", "OpenMP threads in the CPU backend.")
    },
    FeatureRow {
        default: DefaultIn::Both,
        ..row(Feature::Tls, "tls", "HTTPS, through the system's OpenSSL.")
    },
    FeatureRow {
        forwarded: false,
        ..row(Feature::Mtmd, "mtmd", "Declarations of the multimodal API.")
    },
    FeatureRow {
        section: Section::How,
        enables: &["llama-build/bindgen"],
        forwarded: false,
        ..row(
            Feature::Bindgen,
            "bindgen",
            "Generate the declarations from the headers; needs libclang.",
        )
    },
    FeatureRow {
        section: Section::How,
        default: DefaultIn::ServerBin,
        enables: &["llama-build/fetch"],
        ..row(
            Feature::Fetch,
            "fetch",
            "Download llama.cpp if a clone or a git dependency lacks it; a published crate contains it.",
        )
    },
    FeatureRow {
        section: Section::How,
        forwarded: false,
        ..row(
            Feature::System,
            "system",
            "Link an installed llama.cpp, found with pkg-config, and build nothing.",
        )
    },
];

/// A part of llama.cpp that is off by default and that `llama-server-bin` forwards.
const fn row(feature: Feature, name: &'static str, help: &'static str) -> FeatureRow {
    FeatureRow {
        feature,
        name,
        section: Section::Parts,
        default: DefaultIn::Neither,
        implies: &[],
        enables: &[],
        forwarded: true,
        help,
    }
}

impl Section {
    /// The heading in `Cargo.toml`.
    #[must_use]
    pub fn heading(self) -> &'static str {
        match self {
            Self::Backends => "ggml backends",
            Self::Linkage => "linkage and CPU",
            Self::Parts => "parts",
            Self::How => "how",
        }
    }
}

impl Feature {
    /// Every feature, in the order of `Cargo.toml`.
    pub fn rows() -> impl Iterator<Item = FeatureRow> {
        let backends = backend::ROWS.iter().map(|own| FeatureRow {
            section: Section::Backends,
            ..row(Self::Backend(own.backend), own.feature, own.help)
        });
        backends.chain(OTHERS)
    }

    /// The name in `Cargo.toml`.
    ///
    /// # Panics
    /// Never: each feature has a row.
    #[must_use]
    pub fn name(self) -> &'static str {
        let mut rows = Self::rows();
        rows.find(|row| row.feature == self).expect("each feature has a row").name
    }
}

impl From<Backend> for Feature {
    fn from(backend: Backend) -> Self {
        Self::Backend(backend)
    }
}

/// A set of features.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Features(BTreeSet<Feature>);

impl Features {
    /// The features that `llama-sys` has on by default.
    #[must_use]
    pub fn on_by_default() -> Self {
        let rows = Feature::rows().filter(|row| row.default == DefaultIn::Both);
        Self(rows.map(|row| row.feature).collect())
    }

    /// Features by name, as in `Cargo.toml`, and those that they imply.
    ///
    /// # Errors
    /// Names the words that are no feature.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        let mut features = Self::default();
        let mut unknown = Vec::new();
        for name in names {
            match Feature::rows().find(|row| row.name == name) {
                Some(row) => {
                    features.insert(row.feature);
                    features.0.extend(row.implies);
                }
                // Cargo's own, and that of `llama-server-bin` for `server`.
                None if ["default", "build"].contains(&name) => {}
                None => unknown.push(name),
            }
        }
        if unknown.is_empty() {
            return Ok(features);
        }
        let known: Vec<&str> = Feature::rows().map(|row| row.name).collect();
        Err(Error::usage(format!("unknown feature `{}`", unknown.join("`, `")))
            .hint(format!("features: {}", known.join(" "))))
    }

    /// Whether `feature` is on.
    #[must_use]
    pub fn has(&self, feature: impl Into<Feature>) -> bool {
        self.0.contains(&feature.into())
    }

    /// Switches `feature` on.
    pub fn insert(&mut self, feature: impl Into<Feature>) {
        self.0.insert(feature.into());
    }

    /// Switches `feature` off.
    pub fn remove(&mut self, feature: impl Into<Feature>) {
        self.0.remove(&feature.into());
    }

    /// The backends, in the order of the flag set.
    pub fn backends(&self) -> impl Iterator<Item = Backend> {
        self.0.iter().filter_map(|feature| match feature {
            Feature::Backend(backend) => Some(*backend),
            _ => None,
        })
    }

    /// The rows, in the order of `Cargo.toml`.
    pub fn rows(&self) -> impl Iterator<Item = FeatureRow> {
        Feature::rows().filter(|row| self.has(row.feature))
    }

    /// The names, in the order of `Cargo.toml`.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.rows().map(|row| row.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_features() {
        let listed: Vec<Feature> = Feature::rows().map(|row| row.feature).collect();
        assert!(listed.is_sorted(), "{listed:?}");
        for row in Feature::rows() {
            assert_eq!(row.feature.name(), row.name);
            assert!(row.help.ends_with('.'), "{}", row.name);
        }
    }

    #[test]
    fn an_implied_feature_is_on_and_a_default_can_be_left() {
        let ui = Features::parse(["ui", "default", "build"]).unwrap();
        assert!(ui.has(Feature::Server) && !ui.has(Feature::Tls));
        let mut features = Features::on_by_default();
        features.insert(Backend::Cuda);
        assert_eq!(features.names().collect::<Vec<_>>(), ["cuda", "server", "ui", "openmp", "tls"]);
        assert_eq!(features.backends().collect::<Vec<_>>(), [Backend::Cuda]);
        features.remove(Backend::Cuda);
        assert!(!features.has(Backend::Cuda));
    }

    #[test]
    fn an_unknown_feature_is_refused_with_the_known_ones() {
        let error = Features::parse(["cuda", "kuda", "x"]).unwrap_err().to_string();
        let (what, known) = error.split_once("\n  hint: features: ").unwrap();
        assert_eq!(what, "unknown feature `kuda`, `x`");
        assert!(known.starts_with("blas cuda ") && known.ends_with(" fetch system"), "{known}");
    }
}
