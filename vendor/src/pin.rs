//! The pin: which llama.cpp, and where it can be fetched. Parsed from `llama.cpp.toml`, the only place
//! where the version is decided.

use serde::Deserialize;

/// One release of llama.cpp and the proof that a tree is that release.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Upstream's tag, as in `b11549`.
    pub tag: String,
    /// Upstream's build number: the number in the tag.
    pub build_number: u32,
    /// Upstream's version, as in `0.6.0-dev`.
    pub version: String,
    /// The version of ggml in it.
    pub ggml_version: String,
    /// Git tree id of the whole release.
    pub tree: String,
    /// Git tree id of the part that a published crate carries (see [`crate::subset`]).
    pub packaged_tree: String,
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
        /// The exact version.
        version: String,
        /// SHA-256 of the source package.
        sha256: String,
        /// The folder of the archive that is the tree.
        folder: String,
    },
}

impl Pin {
    /// The pin of this workspace.
    #[must_use]
    pub fn load() -> Self {
        Self::parse(include_str!("../llama.cpp.toml")).expect("a test parses the same text")
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
        let [Mirror::Archive { strip: 1, .. }, Mirror::Pypi { version, folder, .. }] =
            &pin.mirrors[..]
        else {
            panic!("{:?}", pin.mirrors)
        };
        assert!(version.ends_with(&format!(".{}", pin.build_number)) && folder.contains(version));
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
