//! The pin: which llama.cpp, and where it can be fetched. Parsed from `llama.cpp.toml`, the only place
//! where the version is decided.

use serde::Deserialize;

/// One release of llama.cpp and the proof that a tree is that release.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Upstream's tag, as in `b1`.
    pub tag: String,
    /// Upstream's build number: the number in the tag.
    pub build_number: u32,
    /// Upstream's version, as in `1.2.3`.
    pub version: String,
    /// The version of ggml in it.
    pub ggml_version: String,
    /// Git tree id of the whole release.
    pub tree: String,
    /// Git tree id of the part that a published crate carries (see [`crate::subset`]).
    pub packaged_tree: String,
    /// Files of that part that are executable.
    pub executables: Vec<String>,
    /// Git tree id of `tools/ui`, the source of the web UI.
    pub ui_tree: String,
    /// Git tree id of the page that npm builds of it: the same bytes with any Node.js that Vite takes.
    pub ui_page_tree: String,
    /// Places to fetch from, tried in this order.
    #[serde(rename = "mirror")]
    pub mirrors: Vec<Mirror>,
    /// Archives of the page, tried in this order before npm is.
    #[serde(rename = "ui_mirror", default)]
    pub ui_mirrors: Vec<UiMirror>,
}

/// A `.tar.gz` of the page, in one folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UiMirror {
    /// The address; `{tag}` stands for the tag, `{repository}` for the repository of this crate.
    pub url: String,
}

impl UiMirror {
    /// The address, if this crate says where its repository is.
    pub(crate) fn address(&self, tag: &str) -> Option<String> {
        let repository = env!("CARGO_PKG_REPOSITORY");
        if repository.is_empty() && self.url.contains("{repository}") {
            return None;
        }
        Some(self.url.replace("{repository}", repository).replace("{tag}", tag))
    }
}

/// A place that has the release.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Mirror {
    /// A `.tar.gz` behind an address; `https` only, or `http://127.0.0.1` in tests.
    Archive {
        /// The address; `{tag}` stands for the tag.
        url: String,
        /// Leading folders of each entry that are dropped.
        strip: usize,
    },
    /// A source package on PyPI.
    Pypi {
        /// The package's name.
        package: String,
        /// The exact version; empty while the package has none of this release.
        version: String,
        /// SHA-256 of the source package.
        sha256: String,
        /// The folder of the archive that is the tree; `{version}` stands for the version.
        folder: String,
    },
}

impl Pin {
    /// The pin of this workspace.
    #[must_use]
    pub fn load() -> Self {
        Self::parse(include_str!("../llama.cpp.toml")).expect("a test parses the same text")
    }

    /// A made-up release, for golden files and tests: none of them changes when the pin moves.
    #[must_use]
    pub fn example() -> Self {
        let id = |digit: &str| digit.repeat(40);
        Self {
            tag: "b1".to_owned(),
            build_number: 1,
            version: "1.2.3".to_owned(),
            ggml_version: "4.5.6".to_owned(),
            tree: id("1"),
            packaged_tree: id("2"),
            executables: Vec::new(),
            ui_tree: id("3"),
            ui_page_tree: id("4"),
            mirrors: Vec::new(),
            ui_mirrors: Vec::new(),
        }
    }

    /// A pin from the text of a `llama.cpp.toml`.
    ///
    /// # Errors
    /// When the text is not a pin.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// True if `tree` is this release: all of it, or the part that a published crate carries.
    #[must_use]
    pub fn names(&self, tree: &str) -> bool {
        tree == self.tree || tree == self.packaged_tree
    }
}

impl Mirror {
    /// Whether it has the release.
    #[must_use]
    pub fn has_release(&self) -> bool {
        !matches!(self, Self::Pypi { version, .. } if version.is_empty())
    }

    /// What a person calls this mirror.
    #[must_use]
    pub fn name(&self, tag: &str) -> String {
        match self {
            Self::Archive { url, .. } => url.replace("{tag}", tag),
            Self::Pypi { package, version, .. } => format!("PyPI {package}=={version}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pin_is_one_release_named_in_every_field() {
        let pin = Pin::load();
        assert_eq!(pin.tag, format!("b{}", pin.build_number));
        for id in [&pin.tree, &pin.packaged_tree, &pin.ui_tree, &pin.ui_page_tree] {
            assert!(id.len() == 40 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
        }
        let [Mirror::Archive { strip: 1, .. }, pypi @ Mirror::Pypi { version, sha256, folder, .. }] =
            &pin.mirrors[..]
        else {
            panic!("{:?}", pin.mirrors)
        };
        assert!(folder.contains("{version}"), "{folder}");
        if pypi.has_release() {
            assert!(version.ends_with(&format!(".{}", pin.build_number)) && sha256.len() == 64);
        } else {
            assert_eq!(sha256, "", "a digest of no version");
        }
        assert_eq!(
            pin.mirrors[0].name(&pin.tag),
            format!("https://github.com/ggml-org/llama.cpp/archive/refs/tags/{}.tar.gz", pin.tag)
        );
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let text = include_str!("../llama.cpp.toml").replace("ggml_version", "ggml");
        assert!(Pin::parse(&text).unwrap_err().to_string().contains("unknown field `ggml`"));
    }
}
